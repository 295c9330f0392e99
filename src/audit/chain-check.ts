import type { ChainedText, ChainKey, Link } from './chain.ts'

export type AuditFaultKind =
  /** Its text, or its digest, is not what was recorded. */
  | 'changed'
  | 'missing'
  | 'reordered'
  | 'inserted'
  /** What the store keeps of a chain itself is not what was written. */
  | 'chain_changed'
  | 'chain_missing'
  /** Made under a secret that is not given, so that nothing can be said. */
  | 'other_secret'

/** Something is not as it was recorded. */
export type AuditFault = {
  readonly kind: AuditFaultKind
  readonly chain?: string | undefined
  /** The first event it is about, and the last if it is several. */
  readonly seq?: number | undefined
  readonly until?: number | undefined
  /** Where it shows: `event 17` by its number in the store, `audit.1.log line 4`. */
  readonly place: string
}

/** An event as it was found, with where. */
export type FoundEvent = ChainedText & { readonly place: string }

export type ChainEnd = Pick<Link, 'seq' | 'digest'>

/** Goes through one chain's events in the order they are found in. */
export type ChainCheck = {
  readonly next: (event: FoundEvent) => readonly AuditFault[]
  /** Number of the last event so far. */
  readonly last: () => number
  /** @param head Where the chain ends by what was sealed. */
  readonly end: (head: ChainEnd, place: string) => readonly AuditFault[]
}

/** Gaps remembered, to tell an event in the wrong place from one too many. */
const GAPS_KEPT = 1000

/**
 * @param keys The chain was made under one of them.
 * @param start The event before the first one; without its digest where that is not known.
 */
export function createChainCheck(
  keys: readonly ChainKey[],
  start: { readonly seq: number; readonly digest: string | undefined },
): ChainCheck {
  let seq = start.seq
  /** What may be the digest before: as it is there, and as it should be. None after a gap: then nobody can tell. */
  let previous: readonly string[] = start.digest === undefined ? [] : [start.digest]
  let isAsRecorded = true
  const gaps: { readonly from: number; readonly to: number }[] = []

  const outOfPlace = ({ link, place }: FoundEvent): AuditFault => {
    const wasMissed = gaps.some(({ from, to }) => from <= link.seq && link.seq <= to)
    if (link.seq === seq) previous = [...previous, link.digest]
    return { kind: wasMissed ? 'reordered' : 'inserted', chain: link.chain, seq: link.seq, place }
  }
  return {
    next: (event) => {
      const { link, text, place } = event
      if (link.seq <= seq) return [outOfPlace(event)]
      const faults: AuditFault[] = []
      if (link.seq > seq + 1) {
        const gap = { from: seq + 1, to: link.seq - 1 }
        if (gaps.length < GAPS_KEPT) gaps.push(gap)
        faults.push({ kind: 'missing', chain: link.chain, seq: gap.from, until: gap.to, place })
        previous = []
      }
      const due = previous.flatMap((before) => keys.map((key) => key.digest(link, before, text)))
      isAsRecorded = due.length === 0 || due.includes(link.digest)
      if (!isAsRecorded) faults.push({ kind: 'changed', chain: link.chain, seq: link.seq, place })
      seq = link.seq
      previous = isAsRecorded ? [link.digest] : [link.digest, ...due]
      return faults
    },
    last: () => seq,
    end: (head, place) => {
      if (head.seq > seq) return [{ kind: 'missing', seq: seq + 1, until: head.seq, place }]
      const agrees =
        head.seq === seq && (!isAsRecorded || previous.length === 0 || previous.includes(head.digest))
      return agrees ? [] : [{ kind: 'chain_changed', seq: head.seq, place }]
    },
  }
}
