/** Runs work at most once at a time for a key; who asks meanwhile shares the outcome, good or bad. */
export type SingleFlight<T> = (key: string, work: () => Promise<T>) => Promise<T>

export function createSingleFlight<T>(): SingleFlight<T> {
  const running = new Map<string, Promise<T>>()
  return (key, work) => {
    const shared = running.get(key)
    if (shared !== undefined) return shared
    const started = work().finally(() => running.delete(key))
    running.set(key, started)
    return started
  }
}
