import type { Selectable, Transaction } from 'kysely'
import type { Chain, ChainKey, Link } from '../audit/chain.ts'
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

/**
 * The number of a chain in the store; it begins there with its first event. A row that somebody has taken away since is
 * made again under another number: the record goes on, and the gap shows.
 */
export async function numberOf(trx: Transaction<Schema>, chain: Chain, at: number): Promise<number> {
  const { id, origin, key } = chain
  const known = await trx.selectFrom('audit_chains').select('number').where('id', '=', id).executeTakeFirst()
  if (known !== undefined) return known.number
  const newest = await newestNumber(trx)
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

async function newestNumber(trx: Transaction<Schema>): Promise<number> {
  const row = await trx
    .selectFrom('audit_chains')
    .select((eb) => eb.fn.max('number').as('number'))
    .executeTakeFirst()
  return row?.number ?? 0
}

async function newestUnchained(trx: Transaction<Schema>): Promise<number> {
  const row = await trx
    .selectFrom('audit_events')
    .select((eb) => eb.fn.max('id').as('id'))
    .where('chain', 'is', null)
    .executeTakeFirst()
  return row?.id ?? 0
}

type Head = {
  readonly number: number
  readonly last: Link
  readonly endedAt: number | null
  /** What this process has seen before: a chain that is gone since stays counted. */
  readonly chainsSeen: number
}

/**
 * Moves a chain's end. With it goes the number of the newest chain, so that a chain cannot go as a whole without a trace
 * in those that went on after it.
 *
 * @returns How many chains have been seen.
 */
export async function moveHead(trx: Transaction<Schema>, key: ChainKey, head: Head): Promise<number> {
  const { number, last, endedAt, chainsSeen } = head
  const moved = {
    last_seq: last.seq,
    last_digest: last.digest,
    chains_seen: Math.max(chainsSeen, await newestNumber(trx)),
    ended_at: endedAt,
  }
  const head_seal = key.seal(SEALED.head({ number, id: last.chain, ...moved }))
  await trx
    .updateTable('audit_chains')
    .set({ ...moved, head_seal })
    .where('number', '=', number)
    .execute()
  return moved.chains_seen
}
