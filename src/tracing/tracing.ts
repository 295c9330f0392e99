import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AuditEvent } from '../audit/event.ts'
import type { ProgramLog } from '../audit/program-log.ts'
import type { TracesConfig } from '../config/traces.ts'
import type { Upstream } from '../mlflow/upstream.ts'

/** What is known of a request before anything has looked at it. */
export type RequestStart = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  /** Template of the route; absent where there is none. */
  readonly route: string | undefined
}

/** What became of spans since the start. */
export type SpanCounts = {
  readonly exported: number
  /** The queue was full. */
  readonly dropped: number
  /** The collector did not take them. */
  readonly failed: number
}

/**
 * Traces of the gateway's own requests (OpenTelemetry): a span for each, with one for every question to MLflow in it.
 * Nothing a caller has sent is in a span but the ids of a trace: no path, query, header, body, address or person.
 */
export type Tracing = {
  /** Begins the span of a request, which ends with its answer, and calls `next` in it. */
  begin(start: RequestStart, next: () => void): void
  /** Tells the request's span, if there is one, what was decided. */
  observe(event: AuditEvent): void
  /** Of the request that is being worked on, if it is sampled. */
  traceId(): string | undefined
  /** The same upstream, with a span for what is asked in a request, and `traceparent` for it. */
  upstream(upstream: Upstream): Upstream
  counts(): SpanCounts
  /** Sends what is left, for a few seconds at most. */
  close(): Promise<void>
}

export type TracingOptions = {
  readonly config: TracesConfig
  /** Whether whoever sent the request may say which trace it belongs to, and whether that is sampled. */
  readonly isTrusted: (request: IncomingMessage) => boolean
  readonly log: ProgramLog
  /** Most spans that wait for the collector, or are on their way there. */
  readonly queueSize?: number | undefined
  /** Milliseconds that a span waits for others to be sent along with it. */
  readonly delayMs?: number | undefined
}

/** @returns Undefined without an endpoint; nothing of OpenTelemetry is loaded then. */
export async function loadTracing(
  options: Omit<TracingOptions, 'config'> & { readonly config: TracesConfig | undefined },
): Promise<Tracing | undefined> {
  const { config } = options
  if (config === undefined) return undefined
  const { createTracing } = await import('./opentelemetry.ts')
  return createTracing({ ...options, config })
}
