import { columnsOf } from '../store/audit.ts'
import { type ChainRow, SEALED } from '../store/audit-chains.ts'
import type { AuditSnapshot, EventRow } from '../store/audit-snapshot.ts'
import type { ChainKey } from './chain.ts'
import { type AuditFault, createChainCheck } from './chain-check.ts'
import { type ChainReport, createFaults, type VerifyReport } from './verify-report.ts'

/**
 * Goes through everything on record and finds what is not as it was recorded: changed, missing, in another order, or put
 * there by somebody else. What retention has taken is no fault. Holds a page of events at a time.
 *
 * What no look at a database can find is that all of it was put back to an earlier state: note the last digests elsewhere.
 *
 * @param keys Of `GATEWAY_SECRET`, and of earlier ones.
 */
export async function verifyStore(
  snapshot: AuditSnapshot,
  keys: readonly [ChainKey, ...ChainKey[]],
): Promise<VerifyReport> {
  const found = createFaults()
  const rows = await snapshot.chains()
  found.add(chainsMissing(rows, keys))
  const unchainedUntil = rows.at(0)?.unchained_until ?? Number.MAX_SAFE_INTEGER
  const strays = await snapshot.strays(unchainedUntil)
  found.add(strays.map((id) => ({ kind: 'inserted', place: `event ${id}` })))
  const chains: ChainReport[] = []
  for (const row of rows) {
    const { faults, events } = await verifyChain(row, snapshot, keys)
    found.add(faults)
    chains.push(reportOf(row, events, rows))
  }
  return {
    chains,
    events: chains.reduce((sum, { events }) => sum + events, 0),
    unchained: await snapshot.unchained(unchainedUntil),
    ...found.all(),
  }
}

/** Numbers without a chain: in between, and behind the last one as far as others have seen. */
function chainsMissing(rows: readonly ChainRow[], keys: readonly ChainKey[]): AuditFault[] {
  const there = new Set(rows.map(({ number }) => number))
  const seen = rows.filter((row) => isHeadSealed(row, keys)).map(({ chains_seen }) => chains_seen)
  const newest = Math.max(0, ...there, ...seen)
  const missing: AuditFault[] = []
  // Bounded by what a single one of these can claim, sealed or counted.
  for (let number = 1; number <= newest && missing.length < 1000; number += 1) {
    if (!there.has(number)) missing.push({ kind: 'chain_missing', place: `chain number ${number}` })
  }
  return missing
}

function isHeadSealed(row: ChainRow, keys: readonly ChainKey[]): boolean {
  const sealed = SEALED.head(row)
  return keys.some((key) => key.seal(sealed) === row.head_seal)
}

function isSealed(row: ChainRow, keys: readonly ChainKey[]): boolean {
  const made = keys.find(({ id }) => id === row.key_id)
  if (made?.seal(SEALED.opening(row)) !== row.opening_seal) return false
  // Retention may have come by under a newer secret than the chain was made under.
  return (
    made.seal(SEALED.head(row)) === row.head_seal &&
    keys.some((key) => key.seal(SEALED.pruned(row)) === row.pruned_seal)
  )
}

type Verified = { readonly faults: readonly AuditFault[]; readonly events: number }

async function verifyChain(
  row: ChainRow,
  snapshot: AuditSnapshot,
  keys: readonly ChainKey[],
): Promise<Verified> {
  const place = `chain number ${row.number}`
  const own = keys.filter(({ id }) => id === row.key_id)
  if (own.length === 0) return { faults: [{ kind: 'other_secret', chain: row.id, place }], events: 0 }
  const isIntact = isSealed(row, keys)
  const faults: AuditFault[] = isIntact ? [] : [{ kind: 'chain_changed', chain: row.id, place }]
  const check = createChainCheck(own, { seq: row.pruned_seq, digest: row.pruned_digest })
  let events = 0
  let last: EventRow | undefined
  let inPlace: EventRow | undefined
  for (let page = await snapshot.eventsOf(row.number, last); page.length > 0; ) {
    for (const event of page) {
      faults.push(
        ...check.next(foundEvent(event, row.id)),
        ...columnFaults(event, row.id),
        ...orderFaults(event, inPlace, row.id),
      )
      // One too many says nothing of where the others stand.
      if (event.seq !== inPlace?.seq) inPlace = event
      last = event
    }
    events += page.length
    page = await snapshot.eventsOf(row.number, last)
  }
  if (isIntact) {
    const end = check.end({ seq: row.last_seq, digest: row.last_digest }, `end of ${place}`)
    faults.push(...end.map((fault) => ({ ...fault, chain: row.id })))
  }
  return { faults, events }
}

function foundEvent({ id, event, seq, digest }: EventRow, chain: string) {
  return { text: event, link: { chain, seq: seq ?? 0, digest: digest ?? '' }, place: `event ${id}` }
}

/** People look for events by the columns, so these must say what the text says. */
function columnFaults(row: EventRow, chain: string): AuditFault[] {
  return agrees(row)
    ? []
    : [{ kind: 'changed', chain, seq: row.seq ?? 0, place: `columns of event ${row.id}` }]
}

function agrees(row: EventRow): boolean {
  try {
    const columns = columnsOf(JSON.parse(row.event))
    return Object.entries(columns).every(([name, value]) => row[name as keyof typeof columns] === value)
  } catch {
    return false
  }
}

function orderFaults({ id, seq }: EventRow, before: EventRow | undefined, chain: string): AuditFault[] {
  if (before === undefined || before.id < id || before.seq === seq) return []
  return [{ kind: 'reordered', chain, seq: seq ?? 0, place: `event ${id}, beside event ${before.id}` }]
}

function reportOf(row: ChainRow, events: number, all: readonly ChainRow[]): ChainReport {
  const hasSuccessor = all.some(({ number, origin }) => number > row.number && origin === row.origin)
  return {
    ...{ id: row.id, origin: row.origin, beganAt: row.began_at, events },
    ...{ prunedUntil: row.pruned_seq, lastSeq: row.last_seq, lastDigest: row.last_digest },
    state: row.ended_at !== null ? 'ended' : hasSuccessor ? 'cut_off' : 'open',
  }
}
