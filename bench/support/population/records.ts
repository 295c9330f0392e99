import type { Database } from '../../../src/store/database.ts'
import { insertAll } from './insert.ts'
import type { Somebody } from './people.ts'
import type { Making } from './roles.ts'

const OPERATIONS = { 'runs.log_batch': 50, 'experiments.search': 25, 'runs.get': 20, 'experiments.delete': 1 }

/** Seconds that the record reaches back. */
const SPAN = 30 * 86_400

/** What the gateway would have recorded in a month, in no chain: that is for what a gateway has recorded. */
export async function makeEvents(
  db: Database,
  people: readonly Somebody[],
  { count, making }: { readonly count: number; readonly making: Making },
): Promise<void> {
  await insertAll(
    db,
    'audit_events',
    (function* () {
      for (let made = 0; made < count; made++) {
        const each = event(people, making, SPAN * (1 - made / count))
        yield {
          at: Math.floor(Date.parse(each.at) / 1000),
          ...{ request_id: each.requestId, user_id: each.userId, username: each.username },
          ...{ operation: each.operation, effect: each.effect, reason: each.reason ?? null },
          ...{ status: each.status, event: JSON.stringify(each), chain: null, seq: null, digest: null },
        }
      }
    })(),
  )
}

function event(people: readonly Somebody[], { chance, at, experiments }: Making, ago: number) {
  const { id: userId, username } = chance.of(people)
  const effect = chance.weighted({ allow: 960, deny: 38, error: 2 })
  const key = String(1 + chance.number(experiments))
  return {
    at: new Date((at - ago) * 1000).toISOString(),
    ...{ requestId: chance.id(), event: 'decision', userId, username, provider: 'oidc' },
    credential: { kind: 'access_token', form: 'bearer', id: chance.id() },
    ...{ operation: chance.weighted(OPERATIONS), method: 'POST', path: '/api/2.0/mlflow/runs/log-batch' },
    resources: [{ type: 'experiment', id: key, name: `experiment-${key}` }],
    ...{ effect, reason: effect === 'deny' ? chance.of(['no_grant', 'level_too_low']) : undefined },
    status: { allow: 200, deny: 403, error: 502 }[effect],
    ...{
      bytesIn: chance.number(5000),
      bytesOut: 2,
      durationMs: chance.number(90),
      remoteAddress: '10.0.0.7',
    },
  }
}

/** People who wait for an answer, and others who got one. */
export async function makeRequests(
  db: Database,
  people: readonly Somebody[],
  { count, making }: { readonly count: number; readonly making: Making },
): Promise<void> {
  const { chance, at, experiments } = making
  await insertAll(
    db,
    'access_requests',
    Array.from({ length: 3 * count }, (_, index) => {
      const isOpen = index % 3 === 0
      return {
        ...{ id: chance.id(), user_id: chance.of(people).id, resource_type: 'experiment' as const },
        workspace: 'default',
        ...{ key: String(1 + chance.number(experiments)), level: 'READ' as const, note: 'For the review' },
        state: isOpen ? ('open' as const) : chance.of(['granted', 'declined', 'withdrawn'] as const),
        created_at: at - chance.number(30 * 86_400),
        ...{ decided_at: isOpen ? null : at, decided_by: isOpen ? null : 'admin', answer: '' },
      }
    }),
  )
}
