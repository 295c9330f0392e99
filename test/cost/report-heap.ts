/**
 * Loaded with `--import` into the gateway that is counted: answers every message from the parent with what its heap holds.
 * Between two answers nothing is collected, so the difference is what was allocated.
 */
import {
  constants,
  type NodeGCPerformanceDetail,
  type PerformanceEntry,
  PerformanceObserver,
  performance,
} from 'node:perf_hooks'

export type Heap = {
  readonly usedBytes: number
  /** When, in ms since some point. */
  readonly atMs: number
  /** Collections so far, of either generation. */
  readonly collections: number
  /** Those of the whole heap. */
  readonly wholeCollections: number
}

/** The types of Node do not say that such entries have it. */
type GcEntry = PerformanceEntry & { readonly detail: NodeGCPerformanceDetail }

let collections = 0
let wholeCollections = 0
new PerformanceObserver((list) => {
  for (const { detail } of list.getEntries() as GcEntry[]) {
    collections++
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) wholeCollections++
  }
}).observe({ entryTypes: ['gc'] })

process.on('message', (message) => {
  // What stands at the beginning would fill the young generation sooner.
  if (message === 'collect') globalThis.gc?.()
  // The observer hears of collections in a later turn.
  setTimeout(() => {
    const heap: Heap = {
      ...{ usedBytes: process.memoryUsage().heapUsed, atMs: performance.now() },
      ...{ collections, wholeCollections },
    }
    process.send?.(heap)
  }, 50)
})
process.channel?.unref()
