import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './mlflow.ts'

export type RedisServer = {
  readonly port: number
  readonly url: string
  readonly pid: () => number
  /** Ends it as a crash would; what it held is gone. */
  readonly halt: () => Promise<void>
  /** Starts it anew on the same port. */
  readonly resume: () => Promise<void>
  readonly stop: () => Promise<void>
}

const PROGRAM = '/usr/bin/redis-server'
const PASSWORD = 'redis-of-a-test'
const READY_WITHIN_MS = 20_000

/** A Redis of its own on loopback and a free port, with a password, in memory only. */
export async function startRedis(): Promise<RedisServer> {
  if (!existsSync(PROGRAM))
    throw new Error('Redis is missing. Install it, on Debian: apt-get install redis-server')
  const folder = mkdtempSync(join(tmpdir(), 'gateway-redis-'))
  const port = await freePort()
  let child: ChildProcess | undefined
  const kill = () => void child?.kill('SIGKILL')
  process.once('exit', kill)
  const resume = async () => {
    const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--requirepass', PASSWORD, '--dir', folder]
    child = spawn(PROGRAM, [...args, '--save', '', '--appendonly', 'no'], { stdio: 'ignore' })
    await accepts(port)
  }
  const halt = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    kill()
    await ended
  }
  await resume()
  return {
    port,
    url: `redis://:${PASSWORD}@127.0.0.1:${port}`,
    pid: () => child?.pid ?? 0,
    halt,
    resume,
    async stop() {
      await halt()
      process.off('exit', kill)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function accepts(port: number): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS
  while (Date.now() < deadline) {
    const socket = connect(port, '127.0.0.1')
    const outcome = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false)
    socket.destroy()
    if (outcome) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('Redis did not start')
}
