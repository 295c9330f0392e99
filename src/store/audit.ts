import { CompiledQuery, SqliteAdapter, sql, type Transaction } from 'kysely'
import type { Chain, ChainedText, ChainKey, Link } from '../audit/chain.ts'
import { createChainRows } from './audit-chains.ts'
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
import { inSteps, type Row, rowsQuery } from './many-rows.ts'
import type { Schema } from './schema.ts'

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

/** Most rows in one statement: 12 parameters each, of the 65,535 that PostgreSQL takes. */
const ROWS_PER_STATEMENT = 256

export function createAuditEvents(db: Database, now: () => number): AuditEvents {
  const insert = createInsertion(db)
  const { numberOf, moveHead } = createChainRows(db)
  const ends = new Map<string, { readonly last: Link; readonly chainsSeen: number }>()
  return {
    append: async (chain, events) => {
      const last = events.at(-1)?.link
      if (last === undefined) return
      const { chainsSeen: before = 0 } = ends.get(chain.id) ?? {}
      const chainsSeen = await db.transaction().execute(async (trx) => {
        const number = await numberOf(trx, chain, now())
        await insert(
          trx,
          events.map((event) => rowOf(event, number)),
        )
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

type Insertion = (trx: Transaction<Schema>, rows: readonly Row[]) => Promise<unknown>

/** Every decision becomes a row, so a statement is built once: building it costs more than running it. */
function createInsertion(db: Database): Insertion {
  const statements = new Map<number, string>()
  const statementFor = (rows: number) => {
    const statement = statements.get(rows) ?? insertionOf(db, rows)
    statements.set(rows, statement)
    return statement
  }
  if (db.getExecutor().adapter instanceof SqliteAdapter) {
    return (trx, rows) => trx.executeQuery(rowsQuery(rows, statementFor))
  }
  return async (trx, rows) => {
    for (const step of inSteps(rows, ROWS_PER_STATEMENT)) {
      await trx.executeQuery(CompiledQuery.raw(statementFor(step.length), step.flat()))
    }
  }
}

function insertionOf(db: Database, rows: number): string {
  const row = Object.fromEntries(COLUMNS.map((column) => [column, null]))
  return db.insertInto('audit_events').values(Array(rows).fill(row)).compile().sql
}

const FOUND_BY = [
  'at',
  'request_id',
  'user_id',
  'username',
  'operation',
  'effect',
  'reason',
  'status',
] as const
const COLUMNS = [...FOUND_BY, 'event', 'chain', 'seq', 'digest'] as const

/** The values of {@link columnsOf} in their order, then the rest: without an object for each. */
function rowOf({ event, text, link }: AppendedEvent, chain: number): Row {
  return [
    secondOf(event),
    event.requestId ?? null,
    event.userId ?? null,
    event.username ?? null,
    event.operation ?? null,
    event.effect,
    event.reason ?? null,
    event.status ?? null,
    text,
    chain,
    link.seq,
    link.digest,
  ]
}

/** What of an event is in columns of its own, to be found by; `audit verify` holds them to the text. */
export function columnsOf(event: StorableEvent) {
  return {
    at: secondOf(event),
    request_id: event.requestId ?? null,
    user_id: event.userId ?? null,
    username: event.username ?? null,
    operation: event.operation ?? null,
    effect: event.effect,
    reason: event.reason ?? null,
    status: event.status ?? null,
  }
}

function secondOf({ at }: StorableEvent): number {
  return Math.floor(Date.parse(at) / 1000)
}
