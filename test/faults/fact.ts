/** What is changed counts on every replica this many milliseconds after the change was acknowledged: README, docs/incidents.md. */
export const PROMISED_MS = 1000

/** Something that decides about answers and changes while requests are under way: a level, a credential, the lockdown. */
export type Fact<T> = {
  /** Every value that may have counted for a request that was sent and answered at these moments of `performance.now()`. */
  readonly during: (sent: number, answered: number) => readonly T[]
  /**
   * From the call on `value` may count; {@link PROMISED_MS} after `make` has resolved it alone does.
   *
   * @returns When `make` resolved.
   */
  readonly change: (value: T, make: () => Promise<unknown>) => Promise<number>
}

type Period<T> = { readonly value: T; readonly begun: number; alone: number }

export function createFact<T>(initial: T): Fact<T> {
  const periods: Period<T>[] = [{ value: initial, begun: -Infinity, alone: -Infinity }]
  return {
    during(sent, answered) {
      const settled = periods.findLastIndex(({ alone }) => alone <= sent)
      const possible = periods.slice(settled).filter(({ begun }) => begun <= answered)
      return [...new Set(possible.map(({ value }) => value))]
    },
    async change(value, make) {
      const period = { value, begun: performance.now(), alone: Infinity }
      periods.push(period)
      await make()
      const acknowledged = performance.now()
      period.alone = acknowledged + PROMISED_MS
      return acknowledged
    },
  }
}
