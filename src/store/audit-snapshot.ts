import type { Selectable, Transaction } from 'kysely'
import type { ChainRow } from './audit-chains.ts'
import type { Database } from './database.ts'
import type { AuditEventsTable, Schema } from './schema.ts'

export type EventRow = Selectable<AuditEventsTable>

/** The record as it is at one moment, to be gone through in pieces. */
export type AuditSnapshot = {
  /** By their number. */
  readonly chains: () => Promise<readonly ChainRow[]>
  /** A chain's events by place, and by id where several claim one. @param after The last of the piece before. */
  readonly eventsOf: (
    chain: number,
    after: Pick<EventRow, 'id' | 'seq'> | undefined,
  ) => Promise<readonly EventRow[]>
  /** Ids of the first events that stand in no chain, those up to `unchainedUntil` left out. */
  readonly strays: (unchainedUntil: number) => Promise<readonly number[]>
  /** How many there are of those. */
  readonly unchained: (unchainedUntil: number) => Promise<number>
  /** Events by id, whatever their chain. */
  readonly eventsAfter: (id: number) => Promise<readonly EventRow[]>
}

const ROWS_AT_ONCE = 1000

/** Strays told one by one; that there are more says no more. */
const STRAYS_SHOWN = 100

/** Whoever writes meanwhile is not held up, and not seen. */
export function readSnapshot<T>(db: Database, use: (snapshot: AuditSnapshot) => Promise<T>): Promise<T> {
  return db
    .transaction()
    .setAccessMode('read only')
    .setIsolationLevel('repeatable read')
    .execute((trx) => use(snapshotOf(trx)))
}

function snapshotOf(trx: Transaction<Schema>): AuditSnapshot {
  const events = trx.selectFrom('audit_events')
  return {
    chains: () => trx.selectFrom('audit_chains').selectAll().orderBy('number').execute(),

    eventsOf: (chain, after) =>
      events
        .selectAll()
        .where('chain', '=', chain)
        .where('seq', 'is not', null)
        .$if(after !== undefined, (each) =>
          each.where((eb) => eb(eb.refTuple('seq', 'id'), '>', eb.tuple(after?.seq ?? 0, after?.id ?? 0))),
        )
        .orderBy('seq')
        .orderBy('id')
        .limit(ROWS_AT_ONCE)
        .execute(),

    strays: async (unchainedUntil) => {
      const rows = await events
        .select('id')
        .where((eb) =>
          eb.or([
            eb.and([eb('chain', 'is', null), eb('id', '>', unchainedUntil)]),
            eb('chain', 'not in', eb.selectFrom('audit_chains').select('number')),
            // No page of a chain would show it.
            eb.and([eb('chain', 'is not', null), eb('seq', 'is', null)]),
          ]),
        )
        .orderBy('id')
        .limit(STRAYS_SHOWN)
        .execute()
      return rows.map(({ id }) => id)
    },

    unchained: async (unchainedUntil) => {
      const row = await events
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('chain', 'is', null)
        .where('id', '<=', unchainedUntil)
        .executeTakeFirst()
      return Number(row?.count ?? 0)
    },

    eventsAfter: (id) => events.selectAll().where('id', '>', id).orderBy('id').limit(ROWS_AT_ONCE).execute(),
  }
}
