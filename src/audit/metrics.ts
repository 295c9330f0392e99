import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { SpanCounts } from '../tracing/tracing.ts'
import type { AuditEvent } from './event.ts'
import { createHistogram } from './histogram.ts'
import { type Measurements, type OperatingSources, registerOperating } from './measurements.ts'

/** Numbers kept elsewhere, read when the metrics are asked for. */
export type MetricSources = {
  /** Audit events that did not reach a destination. */
  readonly auditDropped: () => number
  /** Entries per cache, by the cache's name. */
  readonly cacheSizes: () => Readonly<Record<string, number>>
  /** Requests refused because no row of the catalogue describes their route. */
  readonly unknownRoutes: () => number
  /** How the gateway is locked down, if it is. */
  readonly lockdown: () => string | undefined
  /** What each tracking server says it is, once it has; only further ones have an id. */
  readonly upstreamVersions: () => readonly {
    readonly id: string | undefined
    readonly version: string | undefined
  }[]
  readonly measurements: Measurements
  readonly operating: OperatingSources
  /** False while the policy file is not what is in force; absent where there is none. */
  readonly policyFileOk?: (() => boolean) | undefined
  /** What became of spans; absent without traces. */
  readonly traces?: (() => SpanCounts) | undefined
  /** Seconds until the certificate that is served expires; absent without one. */
  readonly certificateExpiry?: (() => number) | undefined
}

export type Metrics = {
  /** Counts a decision; cheap enough for every request. Other kinds of event are counted by their name. */
  readonly observe: (event: AuditEvent) => void
  /** @returns The Prometheus text format 0.0.4. */
  readonly render: () => Promise<string>
  readonly contentType: string
}

/** Each time wakes the process up: at prom-client's own 10 ms that is most of what an idle gateway does. */
const LAG_MEASURED_EVERY_MS = 100

const EFFECTS = ['allow', 'deny', 'error'] as const

type Counts = Record<(typeof EFFECTS)[number], number>

/** From a cached decision answered by a near upstream to an artifact of some GiB. Seconds. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600]

/**
 * The gateway's metrics, with a registry of their own. Labels are catalogue rows, effects and names of ours: nothing a
 * caller sends, so their number is bounded.
 */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_MEASURED_EVERY_MS })
  const decisions = countDecisions(registry)
  const events = new Counter({
    name: 'gateway_events_total',
    help: 'Sign-ins, tokens made and revoked, and other events on record besides decisions',
    labelNames: ['event', 'effect'],
    registers: [registry],
  })
  const durations = observeDurations(registry)
  readSources(registry, sources)
  sources.measurements.register(registry)
  registerOperating(registry, sources.operating)
  return {
    observe: (event) => {
      if (event.event !== 'decision') return events.inc({ event: event.event, effect: event.effect })
      decisions(event)
      durations(event)
    },
    render: () => registry.metrics(),
    contentType: registry.contentType,
  }
}

/** Counted in a plain map and handed over when asked for: prom-client hashes its labels anew on each `inc`. */
function countDecisions(registry: Registry): (event: AuditEvent) => void {
  const byOperation = new Map<string, Counts>()
  new Counter({
    name: 'gateway_decisions_total',
    help: 'Decisions by catalogue row and effect',
    labelNames: ['operation', 'effect'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [operation, counts] of byOperation) {
        for (const effect of EFFECTS) this.inc({ operation, effect }, counts[effect])
      }
    },
  })
  return ({ operation = 'none', effect }) => {
    let counts = byOperation.get(operation)
    if (counts === undefined) {
      counts = { allow: 0, deny: 0, error: 0 }
      byOperation.set(operation, counts)
    }
    counts[effect] += 1
  }
}

function observeDurations(registry: Registry): (event: AuditEvent) => void {
  const histogram = createHistogram({
    name: 'gateway_request_duration_seconds',
    help: 'From the request head to the last byte of the answer',
    buckets: DURATION_BUCKETS,
    label: { name: 'effect', values: EFFECTS },
  })
  histogram.register(registry)
  const by = {
    allow: histogram.labelled('allow'),
    deny: histogram.labelled('deny'),
    error: histogram.labelled('error'),
  }
  return ({ effect, durationMs }) => by[effect](durationMs / 1000)
}

function readSources(registry: Registry, sources: MetricSources): void {
  const { auditDropped, cacheSizes, unknownRoutes, upstreamVersions, lockdown } = sources
  const { policyFileOk, certificateExpiry } = sources
  new Gauge({
    name: 'gateway_lockdown',
    help: '1 for the lockdown that is in force',
    labelNames: ['mode'],
    registers: [registry],
    collect() {
      for (const mode of ['closed', 'read_only']) this.set({ mode }, lockdown() === mode ? 1 : 0)
    },
  })
  if (policyFileOk !== undefined) tellOfPolicy(registry, policyFileOk)
  new Counter({
    name: 'gateway_audit_dropped_total',
    help: 'Audit events that did not reach one of their destinations',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(auditDropped())
    },
  })
  new Gauge({
    name: 'gateway_cache_entries',
    help: 'Entries held by each cache',
    labelNames: ['cache'],
    registers: [registry],
    collect() {
      for (const [cache, size] of Object.entries(cacheSizes())) this.set({ cache }, size)
    },
  })
  new Counter({
    name: 'gateway_unknown_routes_total',
    help: 'Requests refused since no row of the catalogue describes their route',
    registers: [registry],
    collect() {
      this.reset()
      this.inc(unknownRoutes())
    },
  })
  new Gauge({
    name: 'gateway_upstream_info',
    help: 'The version of the tracking server, as it says itself',
    labelNames: ['version', 'upstream'],
    registers: [registry],
    collect() {
      this.reset()
      for (const { id, version = 'unknown' } of upstreamVersions()) {
        this.set(id === undefined ? { version } : { version, upstream: id }, 1)
      }
    },
  })
  if (certificateExpiry !== undefined) tellOfCertificate(registry, certificateExpiry)
  if (sources.traces !== undefined) tellOfSpans(registry, sources.traces)
}

function tellOfSpans(registry: Registry, traces: () => SpanCounts): void {
  new Counter({
    name: 'gateway_spans_total',
    help: 'Spans that the collector took, that were dropped since too many waited, and that it did not take',
    labelNames: ['outcome'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [outcome, count] of Object.entries(traces())) this.inc({ outcome }, count)
    },
  })
}

function tellOfCertificate(registry: Registry, certificateExpiry: () => number): void {
  new Gauge({
    name: 'gateway_tls_certificate_expiry_seconds',
    help: 'Seconds until the certificate that is served expires; negative since it has',
    registers: [registry],
    collect() {
      this.set(certificateExpiry())
    },
  })
}

function tellOfPolicy(registry: Registry, policyFileOk: () => boolean): void {
  new Gauge({
    name: 'gateway_policy_file_ok',
    help: '1 while the policy file is in force as it is; 0 while it is faulty or gone, and what it said before counts',
    registers: [registry],
    collect() {
      this.set(policyFileOk() ? 1 : 0)
    },
  })
}
