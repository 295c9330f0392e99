import { CompiledQuery, sql } from 'kysely'
import type { Database } from './database.ts'

/** What the store reads of an audit event to find it again; the rest is kept as it came. */
export type StorableEvent = {
  /** ISO 8601. */
  readonly at: string
  readonly requestId?: string | undefined
  readonly userId?: string | undefined
  readonly username?: string | undefined
  readonly operation?: string | undefined
  readonly effect: string
  readonly reason?: string | undefined
  readonly status?: number | undefined
}

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

/** No more than `limit` of the events looked at, which are so many that a page never takes long: it may be a short one. */
export type AuditPage = {
  readonly events: readonly NumberedEvent[]
  /** `before` of the next page; absent where there are no earlier events. */
  readonly next?: number | undefined
}

/** How many events of each effect there were in a span of time. */
export type EffectCount = {
  /** Seconds since the epoch at which the span begins; a multiple of its length. */
  readonly from: number
  readonly effect: string
  readonly events: number
}

export type AuditEvents = {
  /** Keeps a batch whole or not at all. */
  readonly append: (events: readonly StorableEvent[]) => Promise<void>
  /** Events as they were appended, newest first. */
  readonly query: (query: AuditQuery) => Promise<readonly StoredEvent[]>
  /** The same with what to go on from. */
  readonly page: (query: AuditQuery) => Promise<AuditPage>
  /** Counts over time, oldest first; spans without any are left out. @param span Seconds. */
  readonly counts: (
    query: Omit<AuditQuery, 'limit' | 'before'>,
    span: number,
  ) => Promise<readonly EffectCount[]>
  /** Deletes events from before that second. @returns How many. */
  readonly prune: (before: number) => Promise<number>
}

/** Most rows in one statement: 9 parameters each, of the 32,766 that SQLite takes. */
const ROWS_PER_STATEMENT = 256

/**
 * Events looked at for one page: an index for each way to filter would cost every request that is recorded, so what is
 * rare is looked for in steps.
 */
const EVENTS_PER_PAGE = 100_000

/** Rows in one deletion: other requests run in between. */
const ROWS_PER_DELETION = 5000

/** @param eventsPerPage Events looked at for one page. */
export function createAuditEvents(db: Database, eventsPerPage: number = EVENTS_PER_PAGE): AuditEvents {
  const insertion = createInsertion(db)
  return {
    append: (events) =>
      db.transaction().execute(async (trx) => {
        for (let start = 0; start < events.length; ) {
          const rows = largestStep(events.length - start)
          await trx.executeQuery(insertion(events.slice(start, start + rows)))
          start += rows
        }
      }),

    query: async (query) => (await newest(matching(db, query), query)).map(({ event }) => event),

    page: (query) => pageOf(db, query, eventsPerPage),

    counts: async (query, span) => {
      const from = sql<number>`at - at % ${sql.lit(span)}`
      const rows = await matching(db, query)
        .select((eb) => [from.as('from'), 'effect', eb.fn.countAll<number>().as('events')])
        .groupBy([from, 'effect'])
        .orderBy(from)
        .execute()
      return rows.map((row) => ({ ...row, events: Number(row.events) }))
    },

    prune: async (before) => {
      for (let deleted = 0; ; ) {
        const batch = await pruneBatch(db, before)
        deleted += batch
        if (batch < ROWS_PER_DELETION) return deleted
        await new Promise(setImmediate)
      }
    },
  }
}

async function pageOf(db: Database, query: AuditQuery, eventsPerPage: number): Promise<AuditPage> {
  const number = (end: 'max' | 'min') =>
    db.selectFrom('audit_events').select((eb) => eb.fn[end]('id').as('id'))
  const before = query.before ?? ((await number('max').executeTakeFirst())?.id ?? 0) + 1
  const from = before - eventsPerPage
  const events = await newest(matching(db, query).where('id', '>=', from), { ...query, before })
  if (events.length === query.limit) return { events, next: events.at(-1)?.number }
  const oldest = (await number('min').executeTakeFirst())?.id ?? before
  return { events, next: oldest < from ? from : undefined }
}

async function newest(
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

function matching(db: Database, query: Omit<AuditQuery, 'limit' | 'before'>) {
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

/** The largest power of two that fits, so that batches of any length need few statements. */
function largestStep(rows: number): number {
  return 2 ** Math.floor(Math.log2(Math.min(rows, ROWS_PER_STATEMENT)))
}

/**
 * Every decision becomes a row, so the statement for each number of rows is built once: building it costs more than
 * running it.
 */
function createInsertion(db: Database): (events: readonly StorableEvent[]) => CompiledQuery {
  const statements = new Map<number, string>()
  return (events) => {
    const rows = events.map(toRow)
    const sql = statements.get(rows.length) ?? db.insertInto('audit_events').values(rows).compile().sql
    statements.set(rows.length, sql)
    return CompiledQuery.raw(sql, rows.flatMap(Object.values))
  }
}

async function pruneBatch(db: Database, before: number): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('audit_events')
    .where('id', 'in', (eb) =>
      eb.selectFrom('audit_events').select('id').where('at', '<', before).limit(ROWS_PER_DELETION),
    )
    .executeTakeFirst()
  return Number(numDeletedRows)
}

function toRow(event: StorableEvent) {
  return {
    at: Math.floor(Date.parse(event.at) / 1000),
    request_id: event.requestId ?? null,
    user_id: event.userId ?? null,
    username: event.username ?? null,
    operation: event.operation ?? null,
    effect: event.effect,
    reason: event.reason ?? null,
    status: event.status ?? null,
    event: JSON.stringify(event),
  }
}
