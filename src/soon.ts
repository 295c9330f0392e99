/**
 * A value that is there already, or will be. What is in memory is handed over at once: a promise for it would cost more
 * than finding it.
 */
export type Soon<T> = T | Promise<T>

/** Goes on with a value, at once if it is there. What `next` throws is thrown then, too; else the promise rejects. */
export function after<T, R>(value: Soon<T>, next: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Does `step` for one item after the other; the results in order. */
export function inTurn<T, R>(items: readonly T[], step: (item: T) => Soon<R>): Soon<readonly R[]> {
  const results: R[] = []
  const from = (start: number): Soon<readonly R[]> => {
    for (let at = start; at < items.length; at += 1) {
      const result = step(items[at] as T)
      if (result instanceof Promise) {
        return result.then((value) => {
          results.push(value)
          return from(at + 1)
        })
      }
      results.push(result)
    }
    return results
  }
  return from(0)
}

/** Does `step` for all items at once; the results in order. If some fail, the first of them does so for all. */
export function together<T, R>(items: readonly T[], step: (item: T) => Soon<R>): Soon<readonly R[]> {
  const [first] = items
  if (items.length === 1) return after(step(first as T), (result) => [result])
  const results = items.map((item) => attempt(step, item))
  return results.some((result) => result instanceof Promise) ? Promise.all(results) : (results as R[])
}

/** What throws rejects instead: thrown, it would leave the others without anybody who waits for them. */
function attempt<T, R>(step: (item: T) => Soon<R>, item: T): Soon<R> {
  try {
    return step(item)
  } catch (fault) {
    return Promise.reject(fault)
  }
}
