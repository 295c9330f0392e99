import { type Line, pause } from './asking.ts'
import { REPLICAS } from './company.ts'
import { type Fact, PROMISED_MS } from './fact.ts'
import type { Credential, Person } from './people.ts'
import { type Kind, kindNamed, type Outcome } from './requests.ts'
import type { World } from './world.ts'

/** Milliseconds from a change's acknowledgement until a replica went by it for good, for each kind of change. */
export type Propagation = Map<string, number[]>

export type Watched<T> = {
  readonly label: string
  readonly fact: Fact<T>
  readonly value: NoInfer<T>
  readonly make: () => Promise<unknown>
  readonly person: Person
  /** The person's own if absent. */
  readonly credential?: Credential
  /** What every replica is asked all the while; `experiments.get` if absent. */
  readonly kind?: Kind
  /** What it answers in the end. */
  readonly expected: Outcome
}

/** Makes a change while every replica is asked, and notes how long each took. Wrong answers are in the world's ledger. */
export async function watch<T>(world: World, propagation: Propagation, change: Watched<T>): Promise<void> {
  const { label } = change
  let until = Infinity
  const watching = REPLICAS.map((id) =>
    observe(world, change, { line: world.direct(id), until: () => until }),
  )
  await pause(100)
  const acknowledged = await change.fact.change(change.value, change.make).catch((fault) => {
    until = 0
    throw fault
  })
  until = acknowledged + PROMISED_MS + 200
  const since = await Promise.all(watching)
  const times = propagation.get(label) ?? []
  propagation.set(label, [...times, ...since.map((at) => Math.max(0, at - acknowledged))])
}

type Observation = { readonly line: Line; readonly until: () => number }

/** @returns When the first answer came after which all were as expected; Infinity if they never were. */
async function observe<T>(
  { asker }: World,
  { person, credential = person.credential, kind = kindNamed('experiments.get'), expected }: Watched<T>,
  { line, until }: Observation,
): Promise<number> {
  let since = Infinity
  while (performance.now() < until()) {
    const outcome = await asker.ask(line, person, kind, credential)
    since = outcome === expected ? Math.min(since, performance.now()) : Infinity
    await pause(15)
  }
  await line.pool.close()
  return since
}

/** One line for each kind of change. */
export function describePropagation(propagation: Propagation): string {
  const lines = [...propagation].map(([label, unsorted]) => {
    const times = unsorted.toSorted((a, b) => a - b)
    const [least, middle, most] = [0, Math.floor(times.length / 2), times.length - 1].map((index) =>
      (times[index] ?? Number.NaN).toFixed(0).padStart(5),
    )
    return `  ${label.padEnd(46)} ${least} ${middle} ${most}   of ${times.length}`
  })
  return ['Propagation, ms after the acknowledgement    min  median  max', ...lines].join('\n')
}
