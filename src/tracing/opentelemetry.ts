import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { TracesConfig } from '../config/traces.ts'
import { createRequestSpans, type TracedRequest } from './request-spans.ts'
import { createSpanQueue } from './span-queue.ts'
import { tracedUpstream } from './traced-upstream.ts'
import type { Tracing, TracingOptions } from './tracing.ts'

/** Milliseconds for one batch, tries included. */
const EXPORT_TIMEOUT_MS = 5_000

/** Milliseconds that closing waits for what is left to be sent. */
const FLUSH_MS = 3_000

/**
 * Nothing is registered with OpenTelemetry's global API: what a library in this process might trace by itself, headers
 * and addresses included, goes nowhere.
 */
export function createTracing({ config, isTrusted, log, ...queue }: TracingOptions): Tracing {
  const exporter = new OTLPTraceExporter({
    url: config.endpoint.href,
    headers: { ...config.headers },
    timeoutMillis: EXPORT_TIMEOUT_MS,
    concurrencyLimit: 4,
  })
  const spans = createSpanQueue({ exporter, log, ...queue, timeoutMs: EXPORT_TIMEOUT_MS + 1_000 })
  const provider = new TracerProvider({
    sampler: samplerOf(config),
    resource: resourceFromAttributes({
      'service.instance.id': randomUUID(),
      ...config.resource,
      'service.name': config.serviceName,
    }),
    spanProcessors: [spans.processor],
  })
  const tracer = provider.getTracer('mlflow-auth-gateway')
  const requests = new AsyncLocalStorage<TracedRequest>()
  const current = () => requests.getStore()
  return {
    ...createRequestSpans({ tracer, requests, isTrusted }),
    upstream: (upstream) => tracedUpstream(upstream, { tracer, current }),
    counts: spans.counts,
    async close() {
      const flushed = provider.shutdown().catch(() => {})
      await Promise.race([flushed, sleep(FLUSH_MS, undefined, { ref: false })])
    },
  }
}

function samplerOf({ sampler, ratio }: TracesConfig): Sampler {
  const roots = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  } as const
  const kind = sampler.replace(/^parentbased_/, '') as keyof typeof roots
  const root = roots[kind]()
  return sampler.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root
}
