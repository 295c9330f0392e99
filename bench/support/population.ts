import { noteChange } from '../../src/store/changes.ts'
import type { Database } from '../../src/store/database.ts'
import { createChance } from './population/chance.ts'
import { insertAll } from './population/insert.ts'
import { makeGroups, makePeople, type Somebody } from './population/people.ts'
import { makeProbes } from './population/probes.ts'
import { makeEvents, makeRequests } from './population/records.ts'
import {
  giveRoles,
  type Making,
  makePersonalRoles,
  makeRoles,
  personalGrants,
  sharedGrants,
} from './population/roles.ts'

export type Sizes = {
  readonly people: number
  /** Roles that can be given; those of single people come on top. */
  readonly roles: number
  readonly grants: number
  readonly events: number
  /** Open ones; twice as many were answered. */
  readonly requests: number
  /** That MLflow has. */
  readonly experiments: number
}

/** What the gateway promises to carry on SQLite. */
export const FULL: Sizes = {
  people: 100_000,
  roles: 10_000,
  grants: 1_000_000,
  events: 200_000,
  requests: 2000,
  experiments: 50_000,
}

export type PopulationOptions = {
  readonly sizes: Sizes
  /** The same seed makes the same store, to the id. */
  readonly seed: number
  /** Seconds since the epoch. */
  readonly at: number
  /** Told of each step that is done. */
  readonly onStep?: ((what: string) => void) | undefined
}

/**
 * Fills a store that none of them are in with as many people, groups, roles, grants, requests and events, and with those that
 * {@link makeProbes} makes to be looked at. A gateway that runs on it meanwhile forgets what it has in memory.
 */
export async function populate(db: Database, options: PopulationOptions): Promise<void> {
  const { sizes, seed, at, onStep = () => undefined } = options
  const making: Making = { chance: createChance(seed), at, experiments: sizes.experiments }
  const people = await makePeople(db, sizes.people, making)
  onStep(`${people.length} people`)
  const groups = await makeGroups(db, people, making.chance)
  onStep(`${groups.length} groups`)
  await makeRights(db, { people, groups }, { ...making, sizes, onStep })
  await makeEvents(db, people, { count: sizes.events, making })
  onStep(`${sizes.events} events`)
  await makeRequests(db, people, { count: sizes.requests, making })
  onStep(`${sizes.requests} open requests`)
  await makeProbes(db, making)
  await db.transaction().execute((trx) => noteChange(trx, { kind: 'groups', key: '*', at }))
}

async function makeRights(
  db: Database,
  { people, groups }: { readonly people: readonly Somebody[]; readonly groups: readonly string[] },
  { sizes, onStep, ...making }: Making & { readonly sizes: Sizes; readonly onStep: (what: string) => void },
): Promise<void> {
  const roles = await makeRoles(db, sizes.roles, making)
  const owners = people.filter((_, index) => index % 2 === 0)
  const personal = await makePersonalRoles(db, owners, making)
  onStep(`${roles.length} roles and ${personal.length} of single people`)
  await giveRoles(db, { people, groups, roles }, making)
  onStep('who holds them')
  const shared = Math.floor(sizes.grants * 0.4)
  const told = (count: number) => onStep(`${count} grants`)
  await insertAll(db, 'grants', sharedGrants(roles, shared, making), told)
  await insertAll(db, 'grants', personalGrants(personal, sizes.grants - shared, making), (count) =>
    told(shared + count),
  )
}
