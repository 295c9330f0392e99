export type Follower = {
  /** Reads again: resolves once a reading that began after the call has come to its end, well or not. */
  readonly follow: () => Promise<void>
  /** Resolves once no reading is under way. */
  readonly settled: () => Promise<void>
  readonly stop: () => void
}

export type FollowerOptions = {
  readonly read: () => Promise<void>
  readonly onFault?: ((fault: unknown) => void) | undefined
  readonly retryMs?: number | undefined
}

/**
 * Keeps what is in memory as the store has it: one reading at a time, so that an older one never comes last, and again
 * until one succeeds.
 */
export function createFollower({ read, onFault = () => {}, retryMs = 250 }: FollowerOptions): Follower {
  let running: Promise<void> | undefined
  let queued: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false

  const readOnce = async () => {
    clearTimeout(timer)
    try {
      await read()
    } catch (fault) {
      onFault(fault)
      if (!stopped) timer = setTimeout(follow, retryMs).unref()
    } finally {
      running = undefined
    }
  }
  const follow = (): Promise<void> => {
    if (running === undefined) {
      running = readOnce()
      return running
    }
    // The reading under way may have passed what has just changed: one more, shared by all who wait.
    queued ??= running.then(() => {
      queued = undefined
      return follow()
    })
    return queued
  }
  return {
    follow,
    settled: async () => {
      while (running !== undefined) await (queued ?? running)
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
