/** How many requests of one key may be under way at once. */
export type ConcurrencyLimit = {
  /** @returns False if there are as many as may be; else the key has one more, until {@link ConcurrencyLimit.leave}. */
  readonly enter: (key: string) => boolean
  readonly leave: (key: string) => void
}

/** @param max 0 is no limit. */
export function createConcurrencyLimit(max: number): ConcurrencyLimit {
  // Whoever has none under way is not in it, so it cannot outgrow the open connections.
  const underWay = new Map<string, number>()
  return {
    enter(key) {
      const count = underWay.get(key) ?? 0
      if (max !== 0 && count >= max) return false
      underWay.set(key, count + 1)
      return true
    },
    leave(key) {
      const count = underWay.get(key) ?? 0
      if (count > 1) underWay.set(key, count - 1)
      else underWay.delete(key)
    },
  }
}
