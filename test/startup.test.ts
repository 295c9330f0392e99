import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import SQLite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type GatewaySettings, type RunningGateway, runToEnd, startGateway } from './support/gateway.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const REPORT_LOAD = fileURLToPath(new URL('./support/report-load.mjs', import.meta.url))

const OIDC = { OIDC_ISSUER: 'https://issuer.invalid', OIDC_CLIENT_ID: 'gateway' }

const EVERYTHING = {
  GOOGLE_CLIENT_ID: 'gateway.apps.googleusercontent.com',
  GOOGLE_CLIENT_SECRET: 'not-a-secret',
  GOOGLE_HOSTED_DOMAIN: 'example.com',
  REDIS_URL: 'redis://127.0.0.1:9',
  AUDIT_FILE: 'audit.log',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
}

/** What only some configurations need. */
const UNUSED = [
  'pg',
  'pg-pool',
  'ioredis',
  'google-auth-library',
  'gaxios',
  'pino-roll',
  'date-fns',
  '@opentelemetry/sdk-trace',
  'commander',
]

/** By {@link EVERYTHING}. */
const NEEDED = ['google-auth-library', 'ioredis', 'pino-roll', '@opentelemetry/sdk-trace']

type LoadReport = {
  /** Addresses of the modules, Node's own left out. */
  readonly modules: readonly string[]
  /** Bytes in use after a collection, in the heap and beside it. */
  readonly keptBytes: number
}

async function loadedBy(settings: Pick<GatewaySettings, 'env' | 'server'>): Promise<LoadReport> {
  const gateway = await start(settings)
  try {
    const answer = once(gateway.child, 'message') as Promise<[LoadReport]>
    gateway.child.send('report')
    return (await answer)[0]
  } finally {
    await gateway.stop()
  }
}

function start(settings: Pick<GatewaySettings, 'env' | 'server'>): Promise<RunningGateway> {
  return startGateway({
    ...{ upstreamUrl: 'http://127.0.0.1:9', ipc: true, ...settings },
    nodeOptions: ['--expose-gc', '--import', REPORT_LOAD],
  })
}

function packagesIn({ modules }: LoadReport): ReadonlySet<string> {
  const names = modules.map((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1])
  return new Set(names.filter((name) => name !== undefined))
}

describe('a start from source', () => {
  it('loads nothing that the configuration does not use', async () => {
    const packages = packagesIn(await loadedBy({ env: OIDC }))
    expect(packages).toContain('openid-client')
    expect(UNUSED.filter((name) => packages.has(name))).toEqual([])
  })

  it('loads what Google, Redis, an audit file and traces need', async () => {
    const packages = packagesIn(await loadedBy({ env: EVERYTHING }))
    for (const name of NEEDED) expect(packages).toContain(name)
  })
})

describe('what is built', () => {
  const out = join(ROOT, 'dist', 'test')
  const built = { server: join(out, 'server.js') }

  beforeAll(async () => {
    const rolldown = join(ROOT, 'node_modules', 'rolldown', 'bin', 'cli.mjs')
    const options = ['--config', '--dir', out]
    const { code, stderr } = await runToEnd(process.execPath, [rolldown, ...options], { cwd: ROOT })
    expect(code, stderr).toBe(0)
  })

  afterAll(() => rmSync(out, { recursive: true, force: true }))

  it('has in it what only some configurations need', async () => {
    const packages = packagesIn(await loadedBy({ ...built, env: EVERYTHING }))
    expect(NEEDED.filter((name) => packages.has(name))).toEqual([])
  })

  it('starts from a few files, and keeps little in memory', async () => {
    const { modules, keptBytes } = await loadedBy({ ...built, env: OIDC })
    const own = modules.filter((url) => url.startsWith(pathToFileURL(out).href))
    expect(own.length).toBeGreaterThan(1)
    expect(own.length).toBeLessThanOrEqual(25)
    expect(modules.length).toBeLessThanOrEqual(100)
    expect(keptBytes / 2 ** 20).toBeLessThan(46)
  })

  it('has the thread for checkpoints beside it', async () => {
    const database = join(out, 'gateway.db')
    new SQLite(database).close()
    const thread = new Worker(join(out, 'checkpoint-thread.js'), { workerData: database })
    thread.postMessage('checkpoint')
    expect(await once(thread, 'message')).toEqual(['done'])
    thread.postMessage('end')
    expect(await once(thread, 'exit')).toEqual([0])
  })
})
