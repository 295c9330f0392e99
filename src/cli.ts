#!/usr/bin/env node
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { runCli } from './cli/program.ts'

/** Written by `make demo` while it runs. In a build and in the image there is no such file. */
const DEMO = new URL('../.demo/gateway.env', import.meta.url)

/** What names a gateway; with any of it set, that one is meant and the demo's settings must not mix in. */
const OWN_SETTINGS = ['DATABASE_URL', 'DATABASE_URL_FILE', 'GATEWAY_SECRET', 'GATEWAY_SECRET_FILE']

function environment(): NodeJS.ProcessEnv {
  if (OWN_SETTINGS.some((name) => process.env[name]) || !existsSync(DEMO)) return process.env
  process.stderr.write(
    'note: no gateway is configured here, so this is about the running demo (.demo/gateway.env)\n',
  )
  return { ...process.env, ...parseEnv(readFileSync(DEMO, 'utf8')) }
}

// Whoever reads has read enough: `audit export | head`.
process.stdout.on('error', (fault: NodeJS.ErrnoException) => process.exit(fault.code === 'EPIPE' ? 0 : 1))
process.exitCode = await runCli(process.argv.slice(2), {
  env: environment(),
  now: () => Math.floor(Date.now() / 1000),
  readFile: (path) => readFileSync(path, 'utf8'),
  out: (text) => void process.stdout.write(text),
  drained: async () => {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain')
  },
  err: (text) => void process.stderr.write(text),
  stopped: () => {
    const controller = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort())
    return controller.signal
  },
})
