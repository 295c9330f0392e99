import type { Link } from '../audit/chain.ts'
import type { Database } from './database.ts'

export type AuditQuery = {
  /** Seconds since the epoch, included. */
  readonly since?: number | undefined
  /** Seconds since the epoch, not included. */
  readonly until?: number | undefined
  /** Username or user id. */
  readonly user?: string | undefined
  /** Name of an operation, or the beginning of several up to a dot: `runs` for `runs.get` and the others. */
  readonly operation?: string | undefined
  readonly effect?: string | undefined
  readonly reason?: string | undefined
  /** Events before this one: `number` of the last of the page before. */
  readonly before?: number | undefined
  readonly limit: number
}

export type StoredEvent = Readonly<Record<string, unknown>>

/** An event with its number, which later events have higher. */
export type NumberedEvent = { readonly number: number; readonly event: StoredEvent }

/** An event as it is kept, with its number. */
export type StoredLine = { readonly number: number; readonly text: string; readonly link: Link | undefined }

/** How many events of each effect there were in a span of time. */
export type EffectCount = {
  /** Seconds since the epoch at which the span begins; a multiple of its length. */
  readonly from: number
  readonly effect: string
  readonly events: number
}

/** No more than `limit` of the events looked at, which are so many that a page never takes long: it may be a short one. */
export type AuditPage = {
  readonly events: readonly NumberedEvent[]
  /** `before` of the next page; absent where there are no earlier events. */
  readonly next?: number | undefined
}

/**
 * Events looked at for one page: an index for each way to filter would cost every request that is recorded, so what is
 * rare is looked for in steps.
 */
const EVENTS_PER_PAGE = 100_000

/** The newest of the events before that number. @param most Events looked at. */
export async function pageOf(
  db: Database,
  query: AuditQuery,
  most: number = EVENTS_PER_PAGE,
): Promise<AuditPage> {
  const number = (end: 'max' | 'min') =>
    db.selectFrom('audit_events').select((eb) => eb.fn[end]('id').as('id'))
  const before = query.before ?? ((await number('max').executeTakeFirst())?.id ?? 0) + 1
  const from = before - most
  const events = await newest(matching(db, query).where('audit_events.id', '>=', from), { ...query, before })
  if (events.length === query.limit) return { events, next: events.at(-1)?.number }
  const oldest = (await number('min').executeTakeFirst())?.id ?? before
  return { events, next: oldest < from ? from : undefined }
}

/** As they were appended, newest first. */
export async function newest(
  events: ReturnType<typeof matching>,
  query: Pick<AuditQuery, 'before' | 'limit'>,
): Promise<readonly NumberedEvent[]> {
  const rows = await events
    .select(['id', 'event'])
    .$if(query.before !== undefined, (each) => each.where('id', '<', query.before ?? 0))
    .orderBy('id', 'desc')
    .limit(query.limit)
    .execute()
  // Written by toRow only.
  return rows.map(({ id, event }) => ({ number: id, event: JSON.parse(event) as StoredEvent }))
}

export async function linesOf(
  db: Database,
  query: Omit<AuditQuery, 'before'>,
  after: number,
): Promise<readonly StoredLine[]> {
  const rows = await matching(db, query)
    .leftJoin('audit_chains', 'audit_chains.number', 'audit_events.chain')
    .select(['audit_events.id', 'event', 'seq', 'digest', 'audit_chains.id as chain'])
    .where('audit_events.id', '>', after)
    .orderBy('audit_events.id')
    .limit(query.limit)
    .execute()
  return rows.map(({ id, event, chain, seq, digest }) => ({
    number: id,
    text: event,
    link: chain === null || seq === null || digest === null ? undefined : { chain, seq, digest },
  }))
}

export function matching(db: Database, query: Omit<AuditQuery, 'limit' | 'before'>) {
  const { since, until, user, operation, effect, reason } = query
  return db
    .selectFrom('audit_events')
    .$if(since !== undefined, (each) => each.where('at', '>=', since ?? 0))
    .$if(until !== undefined, (each) => each.where('at', '<', until ?? 0))
    .$if(user !== undefined, (each) =>
      each.where((eb) => eb.or([eb('username', '=', user ?? ''), eb('user_id', '=', user ?? '')])),
    )
    .$if(operation !== undefined, (each) =>
      each.where((eb) =>
        eb.or([
          eb('operation', '=', operation ?? ''),
          // Every text that begins with `runs.` lies between `runs.` and `runs/`.
          eb.and([eb('operation', '>=', `${operation}.`), eb('operation', '<', `${operation}/`)]),
        ]),
      ),
    )
    .$if(effect !== undefined, (each) => each.where('effect', '=', effect ?? ''))
    .$if(reason !== undefined, (each) => each.where('reason', '=', reason ?? ''))
}
