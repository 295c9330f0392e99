/**
 * Loaded with `--import` into the gateway that is counted: answers every message from the parent with what its heap holds.
 * Between two answers nothing is collected, so the difference is what was allocated.
 */
import { PerformanceObserver, performance } from 'node:perf_hooks'

export type Heap = {
  readonly usedBytes: number
  /** When, in ms since some point. */
  readonly atMs: number
  /** Collections so far, of either generation. */
  readonly collections: number
}

let collections = 0
new PerformanceObserver((list) => {
  collections += list.getEntries().length
}).observe({ entryTypes: ['gc'] })

process.on('message', (message) => {
  // What stands at the beginning would fill the young generation sooner.
  if (message === 'collect') globalThis.gc?.()
  // The observer hears of collections in a later turn.
  setTimeout(() => {
    const heap: Heap = {
      ...{ usedBytes: process.memoryUsage().heapUsed, atMs: performance.now(), collections },
    }
    process.send?.(heap)
  }, 50)
})
process.channel?.unref()
