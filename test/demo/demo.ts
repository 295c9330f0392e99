/**
 * `make demo`: a real MLflow, an OpenID Provider on loopback and the gateway on SQLite, filled through the gateway, until
 * Ctrl-C. Everything lives in `.demo/` and is begun anew at each start.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'
import { runPython } from '../support/python.ts'

const DIR = fileURLToPath(new URL('../../.demo/', import.meta.url))
/** Read by the CLI when nothing else is configured, so that it works on the demo from another terminal. */
const ENV_FILE = join(DIR, 'gateway.env')
const LOCK_FILE = join(DIR, 'demo.pid')
const SEED = fileURLToPath(new URL('./seed.py', import.meta.url))

/** What stands in the way, and what to do about it: a sentence, no stack. */
class DemoError extends Error {}

async function main(signal: AbortSignal): Promise<void> {
  const port = readPort(process.env['DEMO_PORT'])
  await checkPort(port)
  await takeFolder()
  let deployment: Deployment | undefined
  try {
    say('Starting MLflow, an OpenID Provider and the gateway ...')
    deployment = await startDeployment({
      ...{ port, signal, gatewayDir: DIR, mlflowDir: join(DIR, 'mlflow') },
      logFile: join(DIR, 'gateway.log'),
      env: {
        AUDIT_STDOUT: 'false',
        AUDIT_FILE: join(DIR, 'audit.log'),
        OIDC_LABEL: 'the example provider',
      },
    })
    writeFileSync(ENV_FILE, envText(deployment), { mode: 0o600 })
    await fill(deployment, signal)
    say(announcement(deployment.gateway.url))
    await untilEnd(deployment, signal)
  } finally {
    say('Stopping ...')
    await deployment?.stop()
    rmSync(ENV_FILE, { force: true })
    rmSync(LOCK_FILE, { force: true })
    say('Stopped. Nothing is left running.')
  }
}

function readPort(value = '8080'): number {
  const port = Number(value)
  if (/^\d{1,5}$/.test(value) && port > 0 && port < 65_536) return port
  throw new DemoError('DEMO_PORT is not a port. Set it to a number from 1 to 65535, such as 8090.')
}

/** Another program is there if it accepts a connection; whether the port can be had shows when the gateway listens. */
async function checkPort(port: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1')
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  const taken = await promise
  socket.destroy()
  if (taken) {
    throw new DemoError(
      `Port ${port} is taken by another program. Choose another one: DEMO_PORT=${port + 10} make demo`,
    )
  }
}

/** Empties `.demo/`, unless another demo of this checkout is at work there. */
async function takeFolder(): Promise<void> {
  const other = runningDemo()
  if (other !== undefined) {
    throw new DemoError(
      `A demo of this checkout is already running (process ${other}). Stop it first: kill ${other}`,
    )
  }
  await rm(DIR, { recursive: true, force: true })
  await mkdir(DIR, { mode: 0o700 })
  writeFileSync(LOCK_FILE, `${process.pid}\n`)
}

function runningDemo(): number | undefined {
  try {
    const pid = Number(readFileSync(LOCK_FILE, 'utf8'))
    // A number that another program has got since then is no demo.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('demo.ts') ? pid : undefined
  } catch {
    return undefined
  }
}

function envText({ gateway: { env } }: Deployment): string {
  const lines = Object.entries(env).filter(([name]) => name !== 'PATH')
  return lines.map(([name, value]) => `${name}=${value}\n`).join('')
}

/** Everybody signs in once, so that the gateway knows them; then a script works with two people's tokens. */
async function fill(deployment: Deployment, signal: AbortSignal): Promise<void> {
  say(`Signing in ${ACCOUNTS.join(', ')} ...`)
  for (const name of ACCOUNTS) await deployment.signIn(name)
  say('Logging experiments, runs and models through the gateway ...')
  const options = ['--expires', '10m', '--name', 'demo seed'] as const
  const result = await runPython(
    readFileSync(SEED, 'utf8'),
    {
      MLFLOW_TRACKING_URI: deployment.gateway.url,
      TOKEN_OF_EDITOR: await deployment.createToken('editor', ...options),
      TOKEN_OF_ADMIN: await deployment.createToken('admin', ...options),
    },
    { timeoutMs: 120_000, signal },
  )
  signal.throwIfAborted()
  if (result.code !== 0) throw new Error(`the demo could not be filled:\n${result.stderr}`)
}

function announcement(url: string): string {
  return `
ready ${url}

Sign in with the name alone, there is no password:
  admin      sees everything, alpha and beta, and may change it
  editor     may read and change what is named alpha/* or alpha-*: two experiments, one model
  reader     may read the same and change nothing
  outsider   signs in and sees empty lists

A token for a script, from another terminal in this folder:
  npm run -s cli -- token create --user editor --expires 1h

Logs are in .demo/. Ctrl-C stops everything.`
}

/** @throws {Error} if a part ends by itself. */
async function untilEnd({ gateway, mlflow }: Deployment, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve())
  if (signal.aborted) resolve()
  gateway.child.once('exit', () => reject(new Error('the gateway ended by itself, see .demo/gateway.log')))
  mlflow?.process.once('exit', () => reject(new Error('MLflow ended by itself')))
  await promise
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

const stopping = new AbortController()
// However often it is pressed: what is being stopped is stopped once, to its end.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stopping.abort(new DemoError('interrupted')))
}
// A terminal that was closed takes no more text.
process.stdout.on('error', () => {})

try {
  await main(stopping.signal)
} catch (fault) {
  if (!stopping.signal.aborted) {
    process.stderr.write(`${fault instanceof Error ? fault.message : String(fault)}\n`)
    process.exitCode = 1
  }
}
