import type { Tokens } from '../store/tokens.ts'

/** More jtis than this are written before the interval is over. */
const MAX_WAITING = 10_000

/** When access tokens were last used, gathered in memory and written in batches, off every request's path. */
export type TokenUse = {
  note(jti: string): void
  /** Writes what has gathered. What could not be written is gathered again, unless it was used since. */
  flush(): Promise<void>
  start(): void
  /** Stops the timer and writes the rest. */
  stop(): Promise<void>
}

export type TokenUseOptions = {
  readonly tokens: Pick<Tokens, 'touch'>
  readonly now: () => number
  readonly intervalMs?: number
  readonly onFault?: ((fault: unknown) => void) | undefined
}

export function createTokenUse({ tokens, now, intervalMs = 5000, onFault }: TokenUseOptions): TokenUse {
  let waiting = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  const flush = async () => {
    if (waiting.size === 0) return
    const batch = waiting
    waiting = new Map()
    try {
      await tokens.touch(batch)
    } catch (fault) {
      if (waiting.size + batch.size <= MAX_WAITING) waiting = new Map([...batch, ...waiting])
      onFault?.(fault)
    }
  }
  return {
    note(jti) {
      waiting.set(jti, now())
      if (waiting.size >= MAX_WAITING) void flush()
    },
    flush,
    start() {
      timer ??= setInterval(flush, intervalMs).unref()
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      await flush()
    },
  }
}
