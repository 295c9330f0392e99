import type { Fact } from './fact.ts'
import type { Credential, Person } from './people.ts'
import { expectedOutcome, type Kind, type Lockdown, type Outcome, type Sent } from './requests.ts'

/** A request that was sent on its way is lost with the replica that dies; this long after, nobody sends to it any more. */
const LAST_SENT_MS = 250

export type Asked = {
  readonly person: Person
  readonly credential: Credential
  readonly kind: Kind
  readonly sent: Sent
  /** Which way it went. */
  readonly via: string
  /** `performance.now()`. */
  readonly from: number
  readonly until: number
  readonly outcome: Outcome
}

export type Ledger = {
  readonly note: (asked: Asked) => void
  /** A replica is about to be killed. */
  readonly noteKill: () => void
  /** What should not have come, in words. */
  readonly wrong: readonly string[]
  /** How many of each outcome. */
  readonly outcomes: ReadonlyMap<string, number>
  /** How many were lost with a replica that was killed, for each kill. */
  readonly lostAtKill: readonly number[]
  /** What was asked to write a metric, and whether it was acknowledged. */
  readonly writes: readonly (NonNullable<Sent['writes']> & { readonly outcome: Outcome })[]
}

/** Holds every answer against what could have been in force while it was under way. */
export function createLedger(lockdown: Fact<Lockdown>): Ledger {
  const wrong: string[] = []
  const outcomes = new Map<string, number>()
  const kills: { at: number; lost: number }[] = []
  const writes: (NonNullable<Sent['writes']> & { outcome: Outcome })[] = []
  const isPardoned = ({ outcome, from, until }: Asked) => {
    const kill = kills.find(({ at }) => from <= at + LAST_SENT_MS && at <= until)
    if (kill === undefined || !outcome.startsWith('lost')) return false
    kill.lost += 1
    return true
  }
  return {
    ...{ wrong, outcomes, writes },
    get lostAtKill() {
      return kills.map(({ lost }) => lost)
    },
    noteKill: () => void kills.push({ at: performance.now(), lost: 0 }),
    note(asked) {
      const outcome = asked.outcome.startsWith('lost') ? 'lost' : asked.outcome
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      if (asked.sent.writes !== undefined) writes.push({ ...asked.sent.writes, outcome: asked.outcome })
      const possible = possibleOutcomes(asked, lockdown)
      if (possible.has(asked.outcome) || isPardoned(asked)) return
      wrong.push(describe(asked, possible))
    },
  }
}

function possibleOutcomes({ person, credential, kind, from, until }: Asked, lockdown: Fact<Lockdown>) {
  const possible = new Set<Outcome>()
  for (const isValid of credential.isValid.during(from, until))
    for (const mode of lockdown.during(from, until))
      for (const level of person.level.during(from, until))
        possible.add(expectedOutcome(kind, { isValid, lockdown: mode, level }))
  return possible
}

function describe(
  { person, credential, kind, via, from, until, outcome }: Asked,
  possible: Set<Outcome>,
): string {
  const time = `${(from / 1000).toFixed(3)} to ${(until / 1000).toFixed(3)} s`
  const verdict = outcome === 'done' ? 'WRONGLY ALLOWED' : 'wrong'
  return `${verdict}: ${kind.name} of ${person.name} (${credential.kind}) by ${via}, ${time}: ${outcome}, not ${[...possible].join(' or ')}`
}
