import { Type } from 'typebox'
import { type Endpoint, endpoint } from '../endpoint.ts'

const Filter = {
  since: Type.Optional(Type.Integer({ description: 'Seconds since the epoch, included.' })),
  until: Type.Optional(Type.Integer({ description: 'Seconds since the epoch, not included.' })),
  user: Type.Optional(Type.String({ description: 'Username or id.' })),
  operation: Type.Optional(Type.String({ description: 'runs.get, or runs for all of that family.' })),
  effect: Type.Optional(Type.Enum(['allow', 'deny', 'error'])),
  reason: Type.Optional(Type.String({ description: 'no_grant, level_too_low, ...' })),
}

/** Longest span that is asked for at once makes no more bars than a screen has room for. */
const MOST_BARS = 500

export const AUDIT_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'audit.list',
    method: 'GET',
    path: '/audit',
    summary: 'What was decided and done, newest first',
    who: 'admin',
    query: Type.Object({
      ...Filter,
      before: Type.Optional(
        Type.Integer({ description: 'Go on from here: `next` of the page before, which may be short.' }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
    }),
    answer: Type.Object({
      events: Type.Array(Type.Object({}, { additionalProperties: true })),
      next: Type.Union([Type.Integer(), Type.Null()]),
    }),
    handle: async ({ query: { limit = 100, ...query } }, { store }) => {
      const page = await store.audit.page({ ...query, limit })
      return { body: { events: page.events.map(({ event }) => event), next: page.next ?? null } }
    },
  }),
  endpoint({
    name: 'audit.counts',
    method: 'GET',
    path: '/audit/counts',
    summary: 'How many were allowed, denied and failed, over time',
    who: 'admin',
    query: Type.Object({
      ...Filter,
      span: Type.Optional(
        Type.Integer({ minimum: 60, description: 'Seconds a count is for.', default: 3600 }),
      ),
    }),
    answer: Type.Object({
      span: Type.Integer(),
      counts: Type.Array(
        Type.Object({ from: Type.Integer(), effect: Type.String(), events: Type.Integer() }),
      ),
    }),
    handle: async ({ query: { span = 3600, ...query } }, { store, now }) => {
      const until = query.until ?? now() + 1
      const since = Math.max(query.since ?? 0, until - span * MOST_BARS)
      return { body: { span, counts: await store.audit.counts({ ...query, since, until }, span) } }
    },
  }),
]
