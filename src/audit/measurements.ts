import { Counter, Gauge, type Registry } from 'prom-client'
import { createHistogram } from './histogram.ts'

/** How often a cache had the answer, and how often not. */
export type CacheUse = { hits: number; misses: number }

/** What MLflow was asked for: a client's request, or the gateway's own question about who owns what. */
export type UpstreamPurpose = 'request' | 'look_up'

/** What became of a request to a provider. */
export type ProviderOutcome = 'answered' | 'refused' | 'failed'

/**
 * Times and counts taken where the work is done, for the metrics. Cheap enough for every request: labels are names of
 * ours and their children made beforehand.
 */
export type Measurements = {
  /**
   * Milliseconds from the head of a request that was allowed to its decision: credential, body, look-ups, judgement. A
   * refusal takes as long as its whole request.
   */
  readonly allowed: (ms: number) => void
  /** Milliseconds until the head of MLflow's answer. */
  readonly upstreamAnswered: (purpose: UpstreamPurpose, ms: number) => void
  readonly providerAnswered: (provider: string, outcome: ProviderOutcome) => void
  /** To be counted up by the caches themselves. */
  readonly lookups: CacheUse
  readonly credentials: CacheUse
  readonly register: (registry: Registry) => void
}

/** Numbers that are read when the metrics are asked for. What rejects is left out of the answer, and of no other. */
export type OperatingSources = {
  /** Parts without which no request can be answered, and whether they work. */
  readonly parts: () => Promise<Readonly<Record<string, boolean>>>
  /** Browser sessions that are live, in the store. */
  readonly sessions: () => Promise<number>
  /** Access tokens that are neither expired nor revoked, in the store. */
  readonly accessTokens: () => Promise<number>
}

/** Seconds: from a warm decision to one that waited for a slow tracking server. */
const DECISION_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30,
]
/** Seconds: from a read by key to an answer of a language model. */
const UPSTREAM_BUCKETS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120, 330]

export function createMeasurements(): Measurements {
  const decisions = createHistogram({
    name: 'gateway_decision_duration_seconds',
    help: 'From the head of a request to the decision that allowed it, look-ups included',
    buckets: DECISION_BUCKETS,
  })
  const upstream = createHistogram({
    name: 'gateway_upstream_duration_seconds',
    help: "Until the head of the tracking server's answer",
    buckets: UPSTREAM_BUCKETS,
    label: { name: 'purpose', values: ['request', 'look_up'] },
  })
  const provider = new Counter({
    name: 'gateway_provider_requests_total',
    help: 'Requests of ours to a provider, by what became of them',
    labelNames: ['provider', 'outcome'],
    registers: [],
  })
  const decided = decisions.labelled('')
  const purposes = { request: upstream.labelled('request'), look_up: upstream.labelled('look_up') }
  const lookups: CacheUse = { hits: 0, misses: 0 }
  const credentials: CacheUse = { hits: 0, misses: 0 }
  return {
    allowed: (ms) => decided(ms / 1000),
    upstreamAnswered: (purpose, ms) => purposes[purpose](ms / 1000),
    providerAnswered: (id, outcome) => provider.inc({ provider: id, outcome }),
    ...{ lookups, credentials },
    register: (registry) => {
      decisions.register(registry)
      upstream.register(registry)
      registry.registerMetric(provider)
      registerCacheUse(registry, { lookups, credentials })
    },
  }
}

function registerCacheUse(registry: Registry, uses: Readonly<Record<string, CacheUse>>): void {
  new Counter({
    name: 'gateway_cache_requests_total',
    help: 'Questions to a cache, and whether it had the answer',
    labelNames: ['cache', 'result'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [cache, { hits, misses }] of Object.entries(uses)) {
        this.inc({ cache, result: 'hit' }, hits)
        this.inc({ cache, result: 'miss' }, misses)
      }
    },
  })
}

/** Adds gauges of how the gateway's parts are doing and of what is in the store. */
export function registerOperating(registry: Registry, sources: OperatingSources): void {
  new Gauge({
    name: 'gateway_part_up',
    help: 'Whether a part works that no request can be answered without',
    labelNames: ['part'],
    registers: [registry],
    async collect() {
      for (const [part, works] of Object.entries(await sources.parts())) this.set({ part }, Number(works))
    },
  })
  gaugeOf(registry, 'gateway_sessions', 'Browser sessions that are live, in the store', sources.sessions)
  gaugeOf(
    registry,
    'gateway_access_tokens',
    'Access tokens that are neither expired nor revoked, in the store',
    sources.accessTokens,
  )
}

function gaugeOf(registry: Registry, name: string, help: string, read: () => Promise<number>): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    async collect() {
      const value = await read().catch(() => undefined)
      // A number of a while ago would hide that there is none.
      if (value === undefined) this.remove()
      else this.set(value)
    },
  })
}

/** `fetch` that tells how each request to a provider ended; a refusal is an answer with 4xx, a failure 5xx or none. */
export function observedFetch(
  fetch: typeof globalThis.fetch,
  tell: (outcome: ProviderOutcome) => void,
): typeof globalThis.fetch {
  return async (input, init) => {
    try {
      const answer = await fetch(input, init)
      tell(answer.status >= 500 ? 'failed' : answer.status >= 400 ? 'refused' : 'answered')
      return answer
    } catch (fault) {
      tell('failed')
      throw fault
    }
  }
}
