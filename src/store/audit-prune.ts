import type { Selectable, Transaction } from 'kysely'
import type { ChainKey } from '../audit/chain.ts'
import { createChainCheck } from '../audit/chain-check.ts'
import { type ChainRow, SEALED } from './audit-chains.ts'
import type { Database } from './database.ts'
import type { AuditEventsTable, Schema } from './schema.ts'

export type Retention = {
  /** Seconds since the epoch: what happened earlier goes. */
  readonly before: number
  /** Most events to keep, the oldest go first; 0 for no limit. */
  readonly maxEvents: number
}

/** Retention came to something that is not as it was recorded. It is left where it is, with all that came after it. */
export class AuditFaultFound extends Error {
  override readonly name = 'AuditFaultFound'
}

/** Rows in one deletion: other requests run in between. */
const ROWS_PER_DELETION = 1000

/**
 * Takes events from the front, each checked as `audit verify` would: what somebody has dated back, or put there to have
 * others pushed out, must not go as if it were only old. Where it stopped is sealed, chain by chain.
 *
 * @returns How many were deleted.
 * @throws {AuditFaultFound}
 */
export async function prune(db: Database, retention: Retention, key: ChainKey): Promise<number> {
  for (let deleted = 0; ; ) {
    const step = await db.transaction().execute((trx) => pruneStep(trx, retention, key))
    deleted += step.deleted
    if (step.fault !== undefined) throw new AuditFaultFound(step.fault)
    if (step.deleted < ROWS_PER_DELETION) return deleted
    await new Promise(setImmediate)
  }
}

type Row = Selectable<AuditEventsTable>
type Step = { readonly deleted: number; readonly fault: string | undefined }

async function pruneStep(trx: Transaction<Schema>, retention: Retention, key: ChainKey): Promise<Step> {
  const { states, surplus, unchainedUntil } = await readStates(trx, retention, key)
  const rows = await trx
    .selectFrom('audit_events')
    .selectAll()
    .orderBy('id')
    .limit(ROWS_PER_DELETION)
    .execute()
  let fault: string | undefined
  let taken = 0
  for (const row of rows) {
    const state = row.chain === null ? undefined : states.get(row.chain)
    fault = state === undefined ? strayFault(row, unchainedUntil) : state.fault(row)
    if (fault !== undefined || !(taken < surplus || happenedAt(row) < retention.before)) break
    state?.take(row)
    taken += 1
  }
  const last = rows.at(taken - 1)
  if (taken > 0 && last !== undefined) {
    await trx.deleteFrom('audit_events').where('id', '<=', last.id).execute()
    for (const state of states.values()) await state.save(trx)
  }
  return { deleted: taken, fault }
}

async function readStates(trx: Transaction<Schema>, { maxEvents }: Retention, key: ChainKey) {
  const chains = await trx
    .selectFrom('audit_chains')
    .selectAll()
    .whereRef('last_seq', '>', 'pruned_seq')
    .execute()
  const first = await trx
    .selectFrom('audit_chains')
    .select('unchained_until')
    .where('number', '=', 1)
    .executeTakeFirst()
  return {
    states: new Map(chains.map((row) => [row.number, createState(row, key)])),
    surplus: maxEvents === 0 ? 0 : Math.max(0, countOf(chains, key) - maxEvents),
    unchainedUntil: first?.unchained_until ?? Number.MAX_SAFE_INTEGER,
  }
}

/** By the text, which is sealed, and not by the column. */
function happenedAt({ chain, at, event }: Row): number {
  return chain === null ? at : Math.floor(Date.parse(JSON.parse(event).at) / 1000)
}

/** By what is sealed of the chains: rows put there by somebody else push nothing out. */
function countOf(chains: readonly ChainRow[], key: ChainKey): number {
  return chains
    .filter((row) => isSealed(row, key))
    .reduce((sum, { last_seq, pruned_seq }) => sum + last_seq - pruned_seq, 0)
}

function isSealed(row: ChainRow, key: ChainKey): boolean {
  return row.head_seal === key.seal(SEALED.head(row)) && row.pruned_seal === key.seal(SEALED.pruned(row))
}

function strayFault({ id, chain }: Row, unchainedUntil: number): string | undefined {
  return chain === null && id <= unchainedUntil ? undefined : faultText(id, 'stands in no chain')
}

function faultText(id: number, what: string): string {
  return `Audit event ${id} ${what}. It is kept, with all after it. See: audit verify`
}

/** How far a chain has been taken, and what comes next in it. */
function createState(row: ChainRow, key: ChainKey) {
  const isOurs = row.key_id === key.id
  const isIntact = !isOurs || isSealed(row, key)
  const check = createChainCheck([key], { seq: row.pruned_seq, digest: row.pruned_digest })
  let taken: Pick<ChainRow, 'pruned_seq' | 'pruned_digest'> | undefined
  return {
    fault: ({ id, seq, digest, event }: Row): string | undefined => {
      // Made under an earlier secret: nobody here can tell, and `audit verify` says so of the chain.
      if (!isOurs) return undefined
      if (!isIntact) return faultText(id, 'is in a chain whose row was changed')
      const link = { chain: row.id, seq: seq ?? 0, digest: digest ?? '' }
      const [first] = check.next({ text: event, link, place: '' })
      return first && faultText(id, `is not as it was recorded (${first.kind})`)
    },
    take: ({ seq, digest }: Row): void => {
      taken = { pruned_seq: seq ?? 0, pruned_digest: digest ?? '' }
    },
    save: async (trx: Transaction<Schema>): Promise<void> => {
      if (taken === undefined) return
      const { number, id } = row
      const pruned_seal = key.seal(SEALED.pruned({ number, id, ...taken }))
      await trx
        .updateTable('audit_chains')
        .set({ ...taken, pruned_seal })
        .where('number', '=', number)
        .execute()
    },
  }
}
