import type { IncomingMessage } from 'node:http'
import fp from 'fastify-plugin'
import type { HealthCheck, HealthParts } from '../src/readiness.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Whether each part works, by its name; an answer of at most a second ago. Never rejects. */
    readonly partsWork: () => Promise<Readonly<Record<string, boolean>>>
    /** The answer to a probe, for whoever serves it; undefined for any other path. Never rejects. */
    readonly probe: (path: string, request: IncomingMessage) => Promise<ProbeAnswer | undefined>
  }
}

export type ProbeAnswer = { readonly status: 200 | 503; readonly body: object }

export type HealthOptions = {
  /** Parts without which no request can be answered, by name. */
  readonly required: HealthParts
  /** Parts the gateway can do without for a while: shown, but still ready without them. */
  readonly optional?: HealthParts | undefined
  /** Who may read more than ready or not; everybody if absent. */
  readonly isPermitted?: ((request: IncomingMessage) => boolean) | undefined
  /** Milliseconds. */
  readonly nowMs?: (() => number) | undefined
  readonly timeoutMs?: number | undefined
}

type PartState = { readonly status: 'ok' } | { readonly status: 'failed'; readonly reason: string }

type Readiness = { readonly ready: boolean; readonly parts: Readonly<Record<string, PartState>> }

/** How long an answer is kept: the routes are open to anybody, and must not hand their load on to the parts. */
const KEEP_MS = 1000

/**
 * `GET /healthz`: the process answers. `GET /readyz`: 200 if all required parts work, else 503, with each part's state;
 * 503 at once when the gateway is about to end.
 * Open to anybody on any host name, since probes come by address; so they say no more than which part fails and how, and of the tracking
 * server its version and what of it the gateway does not know.
 */
export const health = fp<HealthOptions>(
  async (app, options) => {
    const readiness = keepShortly(() => look(options), options.nowMs ?? Date.now)
    app.decorate('partsWork', async () => {
      const { parts } = await readiness()
      return Object.fromEntries(Object.entries(parts).map(([name, { status }]) => [name, status === 'ok']))
    })
    app.decorate('probe', async (path: string, request: IncomingMessage) => {
      if (path === '/healthz') return { status: 200, body: { status: 'ok' } }
      if (path !== '/readyz') return undefined
      if (app.isDraining()) return { status: 503, body: { status: 'closing' } }
      const { ready, parts } = await readiness()
      const tells = options.isPermitted?.(request) ?? true
      const body = { status: ready ? 'ready' : 'not ready', ...(tells ? { parts } : {}) }
      return { status: ready ? 200 : 503, body }
    })
    for (const path of ['/healthz', '/readyz']) {
      app.get(path, { config: { anyHost: true } }, async (request, reply) => {
        const answer = await app.probe(path, request.raw)
        return reply
          .header('cache-control', 'no-store')
          .code(answer?.status ?? 503)
          .send(answer?.body)
      })
    }
  },
  { name: 'health', dependencies: ['drain'], fastify: '5.x' },
)

function keepShortly(look: () => Promise<Readiness>, nowMs: () => number): () => Promise<Readiness> {
  let kept: { readonly until: number; readonly answer: Promise<Readiness> } | undefined
  return () => {
    if (kept === undefined || nowMs() >= kept.until) kept = { until: nowMs() + KEEP_MS, answer: look() }
    return kept.answer
  }
}

async function look({ required, optional = {}, timeoutMs = 2000 }: HealthOptions): Promise<Readiness> {
  const states = Object.entries({ ...required, ...optional }).map(async ([name, part]) => {
    const works = await worksWithin(part.check, timeoutMs)
    const state: PartState = works ? { status: 'ok' } : { status: 'failed', reason: part.reason }
    return [name, { ...state, ...part.detail?.() }] as [string, PartState]
  })
  const parts = Object.fromEntries(await Promise.all(states))
  return { ready: Object.keys(required).every((name) => parts[name]?.status === 'ok'), parts }
}

async function worksWithin(check: HealthCheck, timeoutMs: number): Promise<boolean> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error('no answer in time')), timeoutMs)
  try {
    await Promise.race([check(), late])
    return true
  } catch {
    return false
  } finally {
    clearTimeout(timer)
  }
}
