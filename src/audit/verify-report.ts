import type { AuditFault } from './chain-check.ts'

/** What was found of one chain. */
export type ChainReport = {
  readonly id: string
  readonly origin: string
  /** Seconds since the epoch. */
  readonly beganAt: number | undefined
  /** Events that were looked at. */
  readonly events: number
  /** The last event that retention has taken; 0 if none. */
  readonly prunedUntil: number
  readonly lastSeq: number
  /** The last event's digest as it was recorded: who has noted it elsewhere can tell that nothing was put back since. */
  readonly lastDigest: string
  /** `open`: its process goes on. `cut_off`: it did not say that it ended, and another has begun in its place. */
  readonly state: 'ended' | 'open' | 'cut_off'
}

/** What `audit verify` has to say. */
export type VerifyReport = {
  readonly chains: readonly ChainReport[]
  readonly events: number
  /** Events from before there were chains: nothing can be said of them. */
  readonly unchained: number
  /** The first ones. */
  readonly faults: readonly AuditFault[]
  readonly faultCount: number
}

const FAULTS_KEPT = 100

/** Faults as they come; however many they are, the first ones are kept. */
export function createFaults() {
  const kept: AuditFault[] = []
  let count = 0
  return {
    add: (faults: readonly AuditFault[]): void => {
      for (const fault of faults) {
        count += 1
        if (kept.length < FAULTS_KEPT) kept.push(fault)
      }
    },
    all: () => ({ faults: kept, faultCount: count }),
  }
}

const WHAT: Readonly<Record<AuditFault['kind'], string>> = {
  changed: 'is not as it was recorded',
  missing: 'is missing',
  reordered: 'is in the wrong place',
  inserted: 'was not recorded by the gateway',
  chain_changed: 'what is kept of the chain itself is not as it was written',
  chain_missing: 'a whole chain is missing',
  other_secret: 'the chain was made under another GATEWAY_SECRET: give it with --old-secret-file',
}

/** @returns e.g. `missing: 3 to 5 of chain 01J..., at event 17: is missing`. */
export function faultText({ kind, chain, seq, until, place }: AuditFault): string {
  const range = until === undefined || until === seq ? `${seq}` : `${seq} to ${until}`
  const of = chain === undefined ? '' : ` of chain ${chain}`
  const subject = seq === undefined ? of.slice(4) : `${range}${of}`
  return `${kind}: ${[subject, place].filter((part) => part !== '').join(', ')}: ${WHAT[kind]}`
}
