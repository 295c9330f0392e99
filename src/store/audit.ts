import { CompiledQuery, sql } from 'kysely'
import type { Chain, ChainedText, ChainKey, Link } from '../audit/chain.ts'
import { moveHead, numberOf } from './audit-chains.ts'
import { prune, type Retention } from './audit-prune.ts'
import {
  type AuditPage,
  type AuditQuery,
  type EffectCount,
  linesOf,
  matching,
  newest,
  pageOf,
  type StoredEvent,
  type StoredLine,
} from './audit-query.ts'
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

/** An event in its chain, as it is to be kept. */
export type AppendedEvent = ChainedText & { readonly event: StorableEvent }

export type AuditEvents = {
  /** Keeps a batch whole or not at all, in the order of its chain. Nobody else may append to that chain. */
  readonly append: (chain: Chain, events: readonly AppendedEvent[]) => Promise<void>
  /** Notes that a chain has come to its end; without it, that its process was cut off. */
  readonly end: (chain: Chain) => Promise<void>
  /** Events as they were appended, newest first. */
  readonly query: (query: AuditQuery) => Promise<readonly StoredEvent[]>
  /** The same with what to go on from. */
  readonly page: (query: AuditQuery) => Promise<AuditPage>
  /** Counts over time, oldest first; spans without any are left out. @param span Seconds. */
  readonly counts: (
    query: Omit<AuditQuery, 'limit' | 'before'>,
    span: number,
  ) => Promise<readonly EffectCount[]>
  /** The same with their places, oldest first, from after that number on. */
  readonly lines: (query: Omit<AuditQuery, 'before'>, after: number) => Promise<readonly StoredLine[]>
  /** Deletes what is older, or more, than is to be kept. @returns How many. @throws {AuditFaultFound} */
  readonly prune: (retention: Retention, key: ChainKey) => Promise<number>
}

/** Most rows in one statement: 12 parameters each, of the 32,766 that SQLite takes. */
const ROWS_PER_STATEMENT = 256

export function createAuditEvents(db: Database, now: () => number): AuditEvents {
  const insertion = createInsertion(db)
  const ends = new Map<string, { readonly last: Link; readonly chainsSeen: number }>()
  return {
    append: async (chain, events) => {
      const last = events.at(-1)?.link
      if (last === undefined) return
      const { chainsSeen: before = 0 } = ends.get(chain.id) ?? {}
      const chainsSeen = await db.transaction().execute(async (trx) => {
        const number = await numberOf(trx, chain, now())
        for (let start = 0; start < events.length; ) {
          const rows = largestStep(events.length - start)
          await trx.executeQuery(insertion(number, events.slice(start, start + rows)))
          start += rows
        }
        return moveHead(trx, chain.key, { number, last, endedAt: null, chainsSeen: before })
      })
      ends.set(chain.id, { last, chainsSeen })
    },

    end: async (chain) => {
      const end = ends.get(chain.id)
      if (end === undefined) return
      await db.transaction().execute(async (trx) => {
        const number = await numberOf(trx, chain, now())
        await moveHead(trx, chain.key, { number, ...end, endedAt: now() })
      })
      ends.delete(chain.id)
    },

    query: async (query) => (await newest(matching(db, query), query)).map(({ event }) => event),

    page: (query) => pageOf(db, query),

    counts: async (query, span) => {
      const from = sql<number>`at - at % ${sql.lit(span)}`
      const rows = await matching(db, query)
        .select((eb) => [from.as('from'), 'effect', eb.fn.countAll<number>().as('events')])
        .groupBy([from, 'effect'])
        .orderBy(from)
        .orderBy('effect')
        .execute()
      return rows.map((row) => ({ ...row, events: Number(row.events) }))
    },

    lines: (query, after) => linesOf(db, query, after),

    prune: (retention, key) => prune(db, retention, key),
  }
}

/** The largest power of two that fits, so that batches of any length need few statements. */
function largestStep(rows: number): number {
  return 2 ** Math.floor(Math.log2(Math.min(rows, ROWS_PER_STATEMENT)))
}

/**
 * Every decision becomes a row, so the statement for each number of rows is built once: building it costs more than
 * running it.
 */
function createInsertion(db: Database): (chain: number, events: readonly AppendedEvent[]) => CompiledQuery {
  const statements = new Map<number, string>()
  return (chain, events) => {
    const rows = events.map((event) => toRow(event, chain))
    const sql = statements.get(rows.length) ?? db.insertInto('audit_events').values(rows).compile().sql
    statements.set(rows.length, sql)
    return CompiledQuery.raw(sql, rows.flatMap(Object.values))
  }
}

function toRow({ event, text, link: { seq, digest } }: AppendedEvent, chain: number) {
  return { ...columnsOf(event), event: text, chain, seq, digest }
}

/** What of an event is in columns of its own, to be found by; `audit verify` holds them to the text. */
export function columnsOf(event: StorableEvent) {
  return {
    at: Math.floor(Date.parse(event.at) / 1000),
    request_id: event.requestId ?? null,
    user_id: event.userId ?? null,
    username: event.username ?? null,
    operation: event.operation ?? null,
    effect: event.effect,
    reason: event.reason ?? null,
    status: event.status ?? null,
  }
}
