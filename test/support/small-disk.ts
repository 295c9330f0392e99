import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { RunningGateway } from './gateway.ts'

/** A disk that can be made full while a gateway writes to it. */
export type Disk = {
  readonly dir: string
  /** From now on there is room for next to nothing. @param gateway Absent if none runs. */
  readonly fill: (gateway: RunningGateway | undefined) => void
  /** @param gateway Absent if none runs any more. */
  readonly free: (gateway: RunningGateway | undefined) => void
}

/** Room that is left, bytes: for some more writes, so that one fails in the middle of a transaction. */
const LEFT = 160 * 1024

const PIECE = 64 * 1024

/** A limit on how large the files of one process may get: what a quota does, wherever this runs. */
export function limitedFiles(): Disk {
  const dir = temporaryFolder()
  const limit = (gateway: RunningGateway | undefined, bytes: string) => {
    if (gateway !== undefined)
      execFileSync('prlimit', ['--pid', String(gateway.pid), `--fsize=${bytes}:unlimited`])
  }
  return {
    dir,
    fill: (gateway) => {
      const sizes = ['gateway.db', 'gateway.db-wal'].map((name) => statSync(join(dir, name)).size)
      limit(gateway, String(Math.max(...sizes) + LEFT))
    },
    free: (gateway) => limit(gateway, 'unlimited'),
  }
}

/** A file system of its own, with a file in it that takes the rest. */
export function fullFileSystem(): Disk {
  const dir = mountSmall()
  const ballast = join(dir, 'ballast')
  return {
    dir,
    fill: () => {
      // In pieces: the gateway writes meanwhile, and what it takes is not there any more.
      for (let room = roomIn(dir); room > LEFT; room = roomIn(dir)) {
        appendFileSync(ballast, Buffer.alloc(Math.min(room - LEFT, PIECE)))
      }
    },
    free: () => rmSync(ballast),
  }
}

function roomIn(dir: string): number {
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize
}

function mountSmall(): string {
  const dir = temporaryFolder()
  mount(dir)
  onTestFinished(() => void execFileSync('umount', ['--lazy', dir]))
  return dir
}

function mount(dir: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m,mode=700', 'tmpfs', dir], { stdio: 'ignore' })
}

/** False where this may not be done, as in most containers. */
export function mayMount(): boolean {
  const dir = join(tmpdir(), `gateway-mount-${process.pid}`)
  mkdirSync(dir)
  try {
    mount(dir)
    execFileSync('umount', [dir])
    return true
  } catch {
    return false
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** A folder that is gone when the test ends. */
export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-disk-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}
