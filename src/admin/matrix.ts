import { type Access, compileAccess, type ResourceRef } from '../policy/access.ts'
import type { Level } from '../policy/grants.ts'
import { createMemberCompiler, type MemberConfig } from '../policy/member.ts'
import type { Person } from '../store/person.ts'
import type { Store } from '../store/store.ts'

/** People who hold the same on every one of the resources. */
export type MatrixRow = {
  readonly people: readonly Pick<Person, 'id' | 'username'>[]
  readonly isAdmin: boolean
  /** One for each resource. */
  readonly levels: readonly Level[]
}

export type MatrixParts = {
  readonly store: Pick<Store, 'people'>
  readonly config: MemberConfig
  /** Seconds since the epoch. */
  readonly now: () => number
}

/**
 * What each of these people holds on each of these experiments, those alike in one row: so many people can be looked at at
 * once. A constant number of statements, however many people; accesses are compiled once for each set of roles.
 */
export async function accessMatrix(
  people: readonly Pick<Person, 'id'>[],
  experiments: readonly ResourceRef[],
  { store, config, now }: MatrixParts,
): Promise<readonly MatrixRow[]> {
  const memberships = await store.people.memberships({
    userIds: people.map(({ id }) => id),
    providers: config.providers,
    about: { type: 'experiment', keys: experiments.flatMap(({ key }) => key ?? []) },
  })
  const compile = createMemberCompiler(config, now)
  // For who is locked out, whatever they hold.
  const nothing = experiments.map((): Level => 'NO_PERMISSIONS')
  const levelsOf = new Map<string, readonly Level[]>()
  const rows = new Map<string, { people: Person[]; isAdmin: boolean; levels: readonly Level[] }>()
  for (const held of memberships) {
    const { person, defaultPermission: defaultLevel = config.defaultPermission } = held
    const member = compile({ ...held, roles: [] })?.member
    const isAdmin = member?.principal.isAdmin ?? false
    const set = held.roles.map(({ id }) => id).join(' ')
    const ofRoles =
      levelsOf.get(set) ?? levelsOn(experiments, compileAccess(held.roles, { defaultLevel, now: now() }))
    levelsOf.set(set, ofRoles)
    const levels = isAdmin ? experiments.map((): Level => 'MANAGE') : member === undefined ? nothing : ofRoles
    const key = JSON.stringify([isAdmin, levels])
    const row = rows.get(key) ?? { people: [], isAdmin, levels }
    row.people.push(person)
    rows.set(key, row)
  }
  return [...rows.values()]
}

function levelsOn(experiments: readonly ResourceRef[], access: Access): readonly Level[] {
  return experiments.map((experiment) => access.levelOf(experiment))
}
