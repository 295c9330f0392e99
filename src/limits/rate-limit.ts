import { LRUCache } from 'lru-cache'
import { upTo } from '../room.ts'

/** How often somebody may do something, by a key that says who. */
export type RateLimit = {
  /**
   * Takes one from what the key has left.
   *
   * @returns 0 if there was one; else the seconds until there is one again, and nothing was taken.
   */
  readonly take: (key: string) => number
  /** The same answer without taking any. */
  readonly look: (key: string) => number
}

export type RateLimitOptions = {
  /** Sustained rate. 0 is no limit. */
  readonly perSecond: number
  /** How many at once after a rest. */
  readonly burst: number
  /** Milliseconds, never going back. */
  readonly nowMs: () => number
  /** Keys that are remembered; the least recently seen is forgotten first, and starts afresh. */
  readonly capacity?: number
}

const UNLIMITED: RateLimit = { take: () => 0, look: () => 0 }

/**
 * The generic cell rate algorithm (ITU-T I.371, the leaky bucket as a meter): of each key only one time is kept, the
 * one at which all it has taken would be used up at the sustained rate.
 */
export function createRateLimit({ perSecond, burst, nowMs, capacity = 50_000 }: RateLimitOptions): RateLimit {
  if (perSecond === 0) return UNLIMITED
  const interval = 1000 / perSecond
  const tolerance = interval * (burst - 1)
  const usedUpAt = new LRUCache<string, number>(upTo(capacity))
  const wait = (at: number, now: number) => Math.max(0, at - tolerance - now) / 1000
  return {
    take(key) {
      const now = nowMs()
      const at = Math.max(usedUpAt.get(key) ?? now, now)
      const seconds = wait(at, now)
      if (seconds === 0) usedUpAt.set(key, at + interval)
      return seconds
    },
    look(key) {
      const now = nowMs()
      return wait(Math.max(usedUpAt.get(key) ?? now, now), now)
    },
  }
}
