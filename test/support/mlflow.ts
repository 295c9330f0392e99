import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The version that the rest of the tests run with, and that deploy/ starts. */
export const CURRENT_VERSION = '3.17.2'

/** The virtual environment `make` fills from the pinned requirements of that version of MLflow. */
export function mlflowVenv(version: string = CURRENT_VERSION): string {
  const folder = version === CURRENT_VERSION ? '.mlflow' : `.mlflow-${version}`
  return fileURLToPath(new URL(`../../${folder}/`, import.meta.url))
}

export type RunningMlflow = {
  /** `http://127.0.0.1:PORT`, no trailing slash. */
  readonly url: string
  readonly port: number
  /** Holds `mlflow.db` and `artifacts/`. */
  readonly dir: string
  /** Leader of the server's process group. */
  readonly pid: number
  readonly process: ChildProcess
  /** Ends the whole process group and, if the folder was made here, removes it. Safe to call twice. */
  readonly stop: () => Promise<void>
}

export type MlflowOptions = {
  /** Of MLflow; {@link CURRENT_VERSION} if absent. */
  readonly version?: string | undefined
  /** The virtual environment it is in, if that is none that {@link mlflowVenv} knows. */
  readonly venv?: string | undefined
  /** Where database and artifacts go; a temporary folder that `stop` removes if absent. */
  readonly dir?: string | undefined
  /** A free port if absent. */
  readonly port?: number | undefined
  /** Milliseconds until the start counts as failed. A first start without bytecode takes ten seconds. */
  readonly startTimeoutMs?: number | undefined
  /** Ends what is starting, and makes the start fail. */
  readonly signal?: AbortSignal | undefined
  /** Further arguments, such as `--app-name basic-auth`. */
  readonly args?: readonly string[] | undefined
  /** Further variables. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

/**
 * Starts a bare MLflow tracking server on loopback: one worker, SQLite, artifact proxy on, job execution and
 * telemetry off. It answers `/health` when the promise resolves.
 *
 * @throws {Error} with the end of the server's own output if it dies or does not answer in time; nothing is left behind.
 */
export async function startMlflow(options: MlflowOptions = {}): Promise<RunningMlflow> {
  options.signal?.throwIfAborted()
  const venv = options.venv ?? mlflowVenv(options.version)
  const program = join(venv, 'bin', 'mlflow')
  if (!existsSync(program)) {
    const target = options.version === undefined ? 'setup' : 'versions'
    throw new Error(`MLflow is not installed in ${venv}. Install it with: make ${target}`)
  }
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'gateway-mlflow-'))
  mkdirSync(dir, { recursive: true })
  const port = options.port ?? (await freePort())
  // A group of its own: the server's children outlive a signal that goes to the parent alone.
  const server = spawn(program, [...serverArguments(port), ...(options.args ?? [])], {
    cwd: dir,
    detached: true,
    env: { ...serverEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = keepTail(server)
  const killAtExit = () => signalGroup(server, 'SIGKILL')
  process.once('exit', killAtExit)

  const stop = async () => {
    await endGroup(server)
    process.removeListener('exit', killAtExit)
    if (options.dir === undefined) rmSync(dir, { recursive: true, force: true })
  }
  const url = `http://127.0.0.1:${port}`
  try {
    await answersHealth(url, server, options)
  } catch (fault) {
    await stop()
    throw new Error(`MLflow did not start: ${(fault as Error).message}\n${output()}`, { cause: fault })
  }
  return { url, port, dir, pid: server.pid ?? 0, process: server, stop }
}

/** A TCP port of 127.0.0.1 that was free a moment ago: for programs that cannot listen on port 0 and tell. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

function serverArguments(port: number): string[] {
  return [
    'server',
    ...['--host', '127.0.0.1', '--port', String(port), '--workers', '1'],
    ...['--backend-store-uri', 'sqlite:///mlflow.db', '--artifacts-destination', './artifacts'],
  ]
}

function serverEnvironment(): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION: 'false',
    MLFLOW_DISABLE_TELEMETRY: 'true',
  }
  // Nothing that points a client or a server elsewhere may leak in from the shell.
  for (const [name, value] of Object.entries(process.env)) {
    if (!name.startsWith('MLFLOW_')) environment[name] = value
  }
  return environment
}

async function answersHealth(
  url: string,
  server: ChildProcess,
  { startTimeoutMs: timeoutMs = 60_000, signal }: MlflowOptions,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  let fault: Error | undefined
  server.once('error', (error) => {
    fault = error
  })
  while (Date.now() < deadline) {
    signal?.throwIfAborted()
    if (fault !== undefined) throw fault
    if (server.exitCode !== null || server.signalCode !== null) throw new Error('the process ended')
    const response = await fetch(`${url}/health`).catch(() => undefined)
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`no answer within ${timeoutMs} ms`)
}

function keepTail(server: ChildProcess): () => string {
  let tail = ''
  const keep = (chunk: Buffer) => {
    tail = (tail + chunk.toString('utf8')).slice(-8192)
  }
  server.stdout?.on('data', keep)
  server.stderr?.on('data', keep)
  return () => tail
}

async function endGroup(server: ChildProcess): Promise<void> {
  if (server.pid === undefined) return
  const ended =
    server.exitCode !== null || server.signalCode !== null ? Promise.resolve() : once(server, 'exit')
  signalGroup(server, 'SIGTERM')
  const patience = setTimeout(() => signalGroup(server, 'SIGKILL'), 5000)
  await ended
  clearTimeout(patience)
  // The leader is gone; whoever it left in the group goes too.
  signalGroup(server, 'SIGKILL')
}

function signalGroup(server: ChildProcess, signal: NodeJS.Signals): void {
  if (server.pid === undefined) return
  try {
    process.kill(-server.pid, signal)
  } catch {
    // ESRCH: the group is empty, which is what was wanted.
  }
}
