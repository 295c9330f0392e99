import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from './mlflow.ts'

/** With TEST_BUILT=true processes run what `npm run build` made. */
const PROGRAM = process.env['TEST_BUILT'] === 'true' ? 'dist/src/*.js' : 'src/*.ts'
const SERVER = programFile('server')
const CLI = programFile('cli')

export type GatewaySettings = {
  readonly upstreamUrl: string
  /** A free port if absent. It is part of the public URL, so a provider has to be told before the start. */
  readonly port?: number | undefined
  /** Where the SQLite file goes; a temporary folder that `stop` removes if absent. */
  readonly dir?: string | undefined
  /** Variables on top of the ones needed to start; see `.env.example`. */
  readonly env?: Readonly<Record<string, string>>
  /** The server's file, if another than of this checkout's program. */
  readonly server?: string
  /** Options for Node itself. */
  readonly nodeOptions?: readonly string[]
  /** Opens an IPC channel, for what `nodeOptions` loads. */
  readonly ipc?: boolean
  /** Where both outputs go, begun anew. Kept in memory if absent. */
  readonly logFile?: string
  /** Ends what is starting, and makes the start fail. */
  readonly signal?: AbortSignal
}

export type CliResult = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

export type RunningGateway = {
  /** `http://127.0.0.1:PORT`, no trailing slash. */
  readonly url: string
  readonly port: number
  readonly pid: number
  readonly child: ChildProcess
  readonly dir: string
  /** The environment the process was started with. */
  readonly env: Readonly<Record<string, string>>
  /** Everything it wrote, to both outputs. */
  readonly output: () => string
  /** Resident memory in MiB, from `/proc/PID/status`. */
  readonly residentMiB: () => number
  /** Runs a command of the CLI on the same store and secret. */
  readonly cli: (...args: readonly string[]) => Promise<CliResult>
  /** Ends the process as a crash would. */
  readonly halt: () => Promise<void>
  /** Ends the process and, if the folder was made here, removes it. Safe to call twice. */
  readonly stop: () => Promise<void>
}

function programFile(name: 'server' | 'cli'): string {
  return fileURLToPath(new URL(`../../${PROGRAM.replace('*', name)}`, import.meta.url))
}

/** What a gateway on loopback needs in its environment, with a secret of its own; nothing of the caller's but PATH. */
export function gatewayEnvironment(
  port: number,
  dir: string,
  settings: Pick<GatewaySettings, 'upstreamUrl' | 'env'>,
): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    NODE_ENV: 'development',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    HOST: '127.0.0.1',
    PORT: String(port),
    UPSTREAM_URL: settings.upstreamUrl,
    DATABASE_URL: `sqlite:${join(dir, 'gateway.db')}`,
    GATEWAY_SECRET: randomBytes(48).toString('base64'),
    ...settings.env,
  }
}

/**
 * Starts the gateway as a process of its own, as an operator would: `node src/server.ts` and an environment. It answers
 * `/healthz` when the promise resolves.
 *
 * @throws {Error} with the process's own output if it ends or does not answer in time; nothing is left behind.
 */
export async function startGateway(settings: GatewaySettings): Promise<RunningGateway> {
  settings.signal?.throwIfAborted()
  const dir = settings.dir ?? mkdtempSync(join(tmpdir(), 'gateway-'))
  mkdirSync(dir, { recursive: true })
  const port = settings.port ?? (await freePort())
  const env = gatewayEnvironment(port, dir, settings)
  const { child, output } = spawnServer(settings, dir, env)
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  // Whoever started it would only see connections refused.
  const report = () => process.stderr.write(`the gateway ended by itself:\n${output().slice(-4096)}\n`)
  const stop = async () => {
    child.removeListener('exit', report)
    await endProcess(child)
    process.removeListener('exit', killAtExit)
    if (settings.dir === undefined) rmSync(dir, { recursive: true, force: true })
  }
  const halt = async () => {
    child.removeListener('exit', report)
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    process.removeListener('exit', killAtExit)
  }
  const url = `http://127.0.0.1:${port}`
  try {
    await answers(`${url}/healthz`, child, settings.signal)
  } catch (fault) {
    await stop()
    throw new Error(`the gateway did not start: ${(fault as Error).message}\n${output()}`, { cause: fault })
  }
  child.once('exit', report)
  const pid = child.pid ?? 0
  return {
    ...{ url, port, pid, child, dir, env, output, halt, stop },
    residentMiB: () => residentMiB(pid),
    cli: (...args) => runToEnd(process.execPath, [CLI, ...args], { cwd: dir, env }),
  }
}

/** Runs a program to its end and collects what it wrote; killed after a minute. */
export async function runToEnd(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): Promise<CliResult> {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8')
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8')
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** Resident memory of a process in MiB (Linux). */
export function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) / 1024
}

/** Polls until the URL answers 2xx, for at most half a minute; throws early when the process ends or on `signal`. */
export async function answers(url: string, child: ChildProcess, signal?: AbortSignal): Promise<void> {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    signal?.throwIfAborted()
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('the process ended')
    const response = await fetch(url).catch(() => undefined)
    if (response?.ok) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`no answer from ${url}`)
}

/** SIGTERM, then SIGKILL after ten seconds; resolves when the process is gone. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const patience = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(patience)
}

function spawnServer(
  { nodeOptions = [], server = SERVER, ipc, logFile }: GatewaySettings,
  dir: string,
  env: Readonly<Record<string, string>>,
): { readonly child: ChildProcess; readonly output: () => string } {
  const log = logFile === undefined ? 'pipe' : openSync(logFile, 'w', 0o600)
  const child = spawn(process.execPath, [...nodeOptions, server], {
    cwd: dir,
    // Out of reach of a Ctrl-C in the terminal: who started it ends it, in order.
    detached: true,
    env,
    stdio: ['ignore', log, log, ...(ipc ? (['ipc'] as const) : [])],
  })
  if (typeof log === 'number') closeSync(log)
  return {
    child,
    output: logFile === undefined ? collect(child) : () => readFileSync(logFile, 'utf8'),
  }
}

function collect(child: ChildProcess): () => string {
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}
