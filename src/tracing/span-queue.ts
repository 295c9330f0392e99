import { ExportResultCode } from '@opentelemetry/core'
import { BatchSpanProcessor, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace'
import type { ProgramLog } from '../audit/program-log.ts'
import type { SpanCounts } from './tracing.ts'

export type SpanQueueOptions = {
  readonly exporter: SpanExporter
  readonly log: ProgramLog
  readonly queueSize?: number | undefined
  readonly delayMs?: number | undefined
  /** Milliseconds for one batch. */
  readonly timeoutMs: number
}

export type SpanQueue = {
  readonly processor: SpanProcessor
  readonly counts: () => SpanCounts
}

const QUEUE_SIZE = 4_096
const DELAY_MS = 2_000

/**
 * The library's batches behind a bound that also counts what is on its way: a collector that is slow or away costs
 * this much memory and no more. What goes beyond is counted, not kept.
 */
export function createSpanQueue(options: SpanQueueOptions): SpanQueue {
  const { exporter, log, queueSize = QUEUE_SIZE, delayMs = DELAY_MS } = options
  const counts = { exported: 0, dropped: 0, failed: 0 }
  let waiting = 0
  let isLost = false
  const settle = (count: number, fault: unknown) => {
    waiting -= count
    if (fault === undefined) counts.exported += count
    else counts.failed += count
    if (fault !== undefined && !isLost) {
      log.warn({ err: fault }, 'the collector does not take traces; they are lost until it does')
    }
    if (fault === undefined && isLost) log.info({}, 'the collector takes traces again')
    isLost = fault !== undefined
  }
  const batches = new BatchSpanProcessor({
    exporter: {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          const { code, error = new Error('not exported') } = result
          settle(spans.length, code === ExportResultCode.SUCCESS ? undefined : error)
          done(result)
        }),
      shutdown: () => exporter.shutdown(),
    },
    maxQueueSize: queueSize,
    maxExportBatchSize: Math.min(512, queueSize),
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: options.timeoutMs,
  })
  return {
    processor: {
      onStart: () => {},
      onEnd(span) {
        if (waiting >= queueSize) {
          counts.dropped += 1
          return
        }
        waiting += 1
        batches.onEnd(span)
      },
      forceFlush: () => batches.forceFlush(),
      shutdown: () => batches.shutdown(),
    },
    counts: () => ({ ...counts }),
  }
}
