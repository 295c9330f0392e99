import { type Demand, decide } from '../../../src/policy/decide.ts'
import { createDirectory, type Member } from '../../../src/policy/directory.ts'
import type { Store } from '../../../src/store/store.ts'
import { PROVIDER } from '../population/people.ts'
import { probeId } from '../population/probes.ts'
import { experimentName } from '../population/roles.ts'

export type Timing = { readonly p50: number; readonly p99: number }

const CALLS = 20_000

/** Not measured: the compiler settles. */
const WARMING = 5000

/** Decisions on members in memory, by how much they hold, in µs. */
export async function timeDecisions(store: Store): Promise<ReadonlyMap<string, Timing>> {
  const directory = createDirectory({
    ...{ store, now: () => Math.floor(Date.now() / 1000) },
    config: {
      adminUsers: [],
      adminGroups: [],
      defaultPermission: 'NO_PERMISSIONS',
      providers: [PROVIDER],
      upstreams: [],
    },
  })
  await directory.refresh()
  const timings = new Map<string, Timing>()
  for (const probe of ['1', '10', '100', '1000', 'patterns']) {
    const member = await directory.resolve(probeId(probe))
    if (member === undefined) throw new Error(`the store has no probe-${probe}: populate it first`)
    timings.set(probe, timeMember(member))
  }
  return timings
}

function timeMember({ access }: Member): Timing {
  const demands = Array.from({ length: 512 }, (_, index): readonly Demand[] => {
    const id = 1 + index * 97
    const resource = { type: 'experiment', key: String(id), name: experimentName(id) } as const
    return [{ action: 'update', resource }]
  })
  const taken: number[] = []
  for (let call = 0; call < WARMING + CALLS; call++) {
    const demand = demands[call % demands.length] ?? []
    const started = process.hrtime.bigint()
    decide(demand, access)
    const ended = process.hrtime.bigint()
    if (call >= WARMING) taken.push(Number(ended - started) / 1000)
  }
  return quantiles(taken)
}

export function quantiles(values: readonly number[]): Timing {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99) }
}
