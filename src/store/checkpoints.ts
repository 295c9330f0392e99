import { Worker } from 'node:worker_threads'

/** Pages of 4 KiB in the write-ahead log that are worth a checkpoint: one written several times is moved once. */
const ENOUGH_PAGES = 2000

/** How long a thread with nothing to do is kept: it takes some 10 MiB. */
const REST_MS = 10_000

/** Runs beside this file, here as it is written and in what is built as it was translated. */
const THREAD = new URL(
  `./checkpoint-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
  import.meta.url,
)

export type Checkpoints = {
  /** Returns at once. @param pages How many are in the log and not yet in the database. */
  readonly consider: (pages: number) => void
  /** Resolves when the thread has let go of the file. */
  readonly close: () => Promise<void>
}

/**
 * Has what was written moved from the write-ahead log into the database in a thread of its own: it waits for the disk
 * twice, and every request in flight would wait with it. A thread that cannot run is not tried again; then whoever
 * writes has to do it, as the connection's `wal_autocheckpoint` says.
 *
 * @param path Of the database.
 */
export function createCheckpoints(path: string): Checkpoints {
  let thread: Worker | undefined
  let busy = false
  let rest: NodeJS.Timeout | undefined

  const start = (): Worker => {
    // It has a path to know and nothing else: no environment, in which secrets are.
    const started = new Worker(THREAD, { workerData: path, env: {}, execArgv: [], resourceLimits: SMALL })
    started.unref()
    started.on('message', () => {
      busy = false
      rest = setTimeout(release, REST_MS).unref()
    })
    started.on('error', () => {
      if (thread === started) thread = undefined
    })
    return started
  }
  const release = () => {
    const released = thread
    thread = undefined
    released?.postMessage('end')
    return released
  }
  return {
    consider: (pages) => {
      if (busy || pages < ENOUGH_PAGES) return
      clearTimeout(rest)
      busy = true
      thread ??= start()
      thread.postMessage('checkpoint')
    },
    close: async () => {
      busy = true
      clearTimeout(rest)
      const released = release()
      released?.ref()
      // Whether it ended well or not.
      await new Promise<void>((resolve) => {
        if (released === undefined) resolve()
        else released.once('exit', () => resolve())
      })
    },
  }
}

const SMALL = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 }
