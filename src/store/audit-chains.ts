import { CompiledQuery, type Selectable, type Transaction } from 'kysely'
import type { Chain, ChainKey, Link } from '../audit/chain.ts'
import type { Database } from './database.ts'
import type { AuditChainsTable, Schema } from './schema.ts'

export type ChainRow = Selectable<AuditChainsTable>

/** What each seal of a chain's row is over. Every part but these is told by nobody but the one who made it. */
export const SEALED = {
  opening: (row: Pick<ChainRow, 'number' | 'id' | 'origin' | 'key_id' | 'began_at' | 'unchained_until'>) =>
    ['opening', row.number, row.id, row.origin, row.key_id, row.began_at, row.unchained_until] as const,
  head: (row: Pick<ChainRow, 'number' | 'id' | 'last_seq' | 'last_digest' | 'chains_seen' | 'ended_at'>) =>
    ['head', row.number, row.id, row.last_seq, row.last_digest, row.chains_seen, row.ended_at] as const,
  pruned: (row: Pick<ChainRow, 'number' | 'id' | 'pruned_seq' | 'pruned_digest'>) =>
    ['pruned', row.number, row.id, row.pruned_seq, row.pruned_digest] as const,
}

/** The rows of chains, within a transaction of the caller's. */
export type ChainRows = {
  /**
   * The number of a chain in the store; it begins there with its first event. A row that somebody has taken away since is
   * made again under another number: the record goes on, and the gap shows.
   */
  readonly numberOf: (trx: Transaction<Schema>, chain: Chain, at: number) => Promise<number>
  /**
   * Moves a chain's end. With it goes the number of the newest chain, so that a chain cannot go as a whole without a trace
   * in those that went on after it.
   *
   * @returns How many chains have been seen.
   */
  readonly moveHead: (trx: Transaction<Schema>, key: ChainKey, head: Head) => Promise<number>
}

type Head = {
  readonly number: number
  readonly last: Link
  readonly endedAt: number | null
  /** What this process has seen before: a chain that is gone since stays counted. */
  readonly chainsSeen: number
}

/** What every batch of events asks is built once, as its insertion is. */
export function createChainRows(db: Database): ChainRows {
  const statements = {
    known: db.selectFrom('audit_chains').select('number').where('id', '=', '').compile().sql,
    newest: db
      .selectFrom('audit_chains')
      .select((eb) => eb.fn.max('number').as('number'))
      .compile().sql,
    move: db
      .updateTable('audit_chains')
      .set({ last_seq: 0, last_digest: '', chains_seen: 0, ended_at: 0, head_seal: '' })
      .where('number', '=', 0)
      .compile().sql,
  }
  const numberIn = async (trx: Transaction<Schema>, sql: string, ...parameters: readonly unknown[]) => {
    const { rows } = await trx.executeQuery<{ number: number | null }>(
      CompiledQuery.raw(sql, [...parameters]),
    )
    return rows[0]?.number ?? undefined
  }
  const newestNumber = async (trx: Transaction<Schema>) => (await numberIn(trx, statements.newest)) ?? 0
  return {
    numberOf: async (trx, chain, at) =>
      (await numberIn(trx, statements.known, chain.id)) ?? begin(trx, chain, at, await newestNumber(trx)),
    moveHead: async (trx, key, { number, last, endedAt, chainsSeen: before }) => {
      const chainsSeen = Math.max(before, await newestNumber(trx))
      const moved = {
        last_seq: last.seq,
        last_digest: last.digest,
        chains_seen: chainsSeen,
        ended_at: endedAt,
      }
      const head_seal = key.seal(SEALED.head({ number, id: last.chain, ...moved }))
      const values = [last.seq, last.digest, chainsSeen, endedAt, head_seal, number]
      await trx.executeQuery(CompiledQuery.raw(statements.move, values))
      return chainsSeen
    },
  }
}

async function begin(trx: Transaction<Schema>, chain: Chain, at: number, newest: number): Promise<number> {
  const { id, origin, key } = chain
  const opening = {
    ...{ number: newest + 1, id, origin, key_id: key.id, began_at: at },
    unchained_until: newest === 0 ? await newestUnchained(trx) : 0,
  }
  const head = { last_seq: 0, last_digest: '', chains_seen: newest + 1, ended_at: null }
  const pruned = { pruned_seq: 0, pruned_digest: '' }
  const row = { ...opening, ...head, ...pruned }
  const seals = {
    opening_seal: key.seal(SEALED.opening(row)),
    head_seal: key.seal(SEALED.head(row)),
    pruned_seal: key.seal(SEALED.pruned(row)),
  }
  await trx
    .insertInto('audit_chains')
    .values({ ...row, ...seals })
    .execute()
  return row.number
}

async function newestUnchained(trx: Transaction<Schema>): Promise<number> {
  const row = await trx
    .selectFrom('audit_events')
    .select((eb) => eb.fn.max('id').as('id'))
    .where('chain', 'is', null)
    .executeTakeFirst()
  return row?.id ?? 0
}
