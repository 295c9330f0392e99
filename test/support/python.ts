import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mlflowVenv } from './mlflow.ts'

export type PythonResult = {
  /** Exit code; null if a signal ended it, which is what a timeout does. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export type PythonOptions = {
  /** Milliseconds before the script and its children are killed. Default 60 s. */
  readonly timeoutMs?: number
  readonly args?: readonly string[]
  /** Of MLflow; the current one if absent. */
  readonly version?: string
  /** Kills the script and its children. */
  readonly signal?: AbortSignal
}

/**
 * Runs a script with MLflow's own virtual environment in an empty folder of its own, which is also its home, so that no
 * credentials file or setting of the person running the tests is picked up. Retries of the MLflow client are off unless
 * `env` says otherwise: a refusal shall be seen at once.
 */
export async function runPython(
  script: string,
  env: Readonly<Record<string, string>> = {},
  options: PythonOptions = {},
): Promise<PythonResult> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-python-'))
  const { promise, resolve, reject } = Promise.withResolvers<PythonResult>()
  const child = spawn(join(mlflowVenv(options.version), 'bin', 'python'), ['-', ...(options.args ?? [])], {
    cwd: dir,
    detached: true,
    env: { PATH: process.env['PATH'], HOME: dir, ...CLIENT_DEFAULTS, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const killGroup = () => {
    if (child.pid === undefined || child.exitCode !== null) return
    process.kill(-child.pid, 'SIGKILL')
  }
  options.signal?.addEventListener('abort', killGroup)
  const timer = setTimeout(killGroup, options.timeoutMs ?? 60_000)
  const stdout = collect(child.stdout)
  const stderr = collect(child.stderr)
  child.once('error', reject)
  child.once('close', (code) => resolve({ code, stdout: stdout(), stderr: stderr() }))
  // A script that dies on its first line closes its input early.
  child.stdin.once('error', () => {})
  child.stdin.end(script)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    options.signal?.removeEventListener('abort', killGroup)
    rmSync(dir, { recursive: true, force: true })
  }
}

const CLIENT_DEFAULTS = {
  MLFLOW_DISABLE_TELEMETRY: 'true',
  MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
  MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR: 'false',
  GIT_PYTHON_REFRESH: 'quiet',
  PYTHONUNBUFFERED: '1',
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString('utf8')
}
