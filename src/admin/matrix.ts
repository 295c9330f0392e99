import { compileAccess, type ResourceRef } from '../policy/access.ts'
import { DEFAULT_WORKSPACE, type Level } from '../policy/grants.ts'
import { createMemberCompiler, defaultLevelIn, type MemberConfig } from '../policy/member.ts'
import { isDefault } from '../policy/workspace-name.ts'
import type { Membership } from '../store/membership.ts'
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
  /** The workspace that the resources are in; the default one if absent. */
  readonly workspace?: string | undefined
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
  { store, config, now, workspace = DEFAULT_WORKSPACE }: MatrixParts,
): Promise<readonly MatrixRow[]> {
  const memberships = await store.people.memberships({
    userIds: people.map(({ id }) => id),
    providers: config.providers,
    about: { type: 'experiment', keys: experiments.flatMap(({ key }) => key ?? []), workspace },
  })
  const compile = createMemberCompiler(config, now)
  const levelsOf = createLevels(experiments, { config, now: now(), workspace })
  const rows = new Map<string, { people: Person[]; isAdmin: boolean; levels: readonly Level[] }>()
  for (const held of memberships) {
    const member = compile({ ...held, roles: [] })?.member
    const isAdmin = member?.principal.isAdmin ?? false
    // Nothing for who is locked out, whatever they hold.
    const levels = member === undefined ? experiments.map(() => NOTHING) : levelsOf(held, isAdmin)
    const key = JSON.stringify([isAdmin, levels])
    const row = rows.get(key) ?? { people: [], isAdmin, levels }
    row.people.push(held.person)
    rows.set(key, row)
  }
  return [...rows.values()]
}

const NOTHING: Level = 'NO_PERMISSIONS'

function createLevels(
  experiments: readonly ResourceRef[],
  {
    config,
    now,
    workspace,
  }: { readonly config: MemberConfig; readonly now: number; readonly workspace: string },
): (held: Membership, isAdmin: boolean) => readonly Level[] {
  const compiled = new Map<string, readonly Level[]>()
  return (held, isAdmin) => {
    if (isAdmin) return experiments.map((): Level => 'MANAGE')
    const { roles } = held
    const set = roles.map(({ id }) => id).join(' ')
    // Elsewhere than in a default workspace, who holds nothing has not even what everybody has.
    const isThere = isDefault(workspace) || roles.some(({ grants }) => grants.length > 0)
    const defaultLevel = isThere ? defaultLevelIn(workspace, held, config.defaultPermission) : NOTHING
    const access = compiled.has(set) ? undefined : compileAccess(roles, { defaultLevel, now, workspace })
    const levels = compiled.get(set) ?? experiments.map((each) => access?.levelOf(each) ?? NOTHING)
    compiled.set(set, levels)
    return levels
  }
}
