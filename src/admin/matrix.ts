import { type Access, compileAccess, type ResourceRef } from '../policy/access.ts'
import { qualifiedNames } from '../policy/admins.ts'
import { DEFAULT_WORKSPACE, type Level } from '../policy/grants.ts'
import { defaultLevelIn, type MemberConfig } from '../policy/member.ts'
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
  readonly store: Pick<Store, 'people' | 'roles'>
  readonly config: MemberConfig
  /** The workspace that the resources are in; the default one if absent. */
  readonly workspace?: string | undefined
  /** Seconds since the epoch. */
  readonly now: () => number
}

/**
 * What each of these people holds on each of these resources, those alike in one row: so many people can be looked at at
 * once. Few statements, however many people; accesses are compiled once for each set of roles.
 */
export async function accessMatrix(
  people: readonly Person[],
  resources: readonly ResourceRef[],
  { store, config, now, workspace = DEFAULT_WORKSPACE }: MatrixParts,
): Promise<readonly MatrixRow[]> {
  const [first] = people
  if (first === undefined) return []
  const userIds = people.map(({ id }) => id)
  const held = Map.groupBy(await store.roles.holdings(config.providers, { userIds }), ({ userId }) => userId)
  const found = await store.roles.findAll(new Set([...held.values()].flat().map(({ roleId }) => roleId)))
  // One person's own role is one in each workspace.
  const roles = new Map(
    found.filter((role) => role.workspace === workspace).map((role) => [role.id, role] as const),
  )
  const admins = await store.roles.namedSo({
    users: qualifiedNames(config.adminUsers, config),
    groups: qualifiedNames(config.adminGroups, config),
  })
  const membership = await store.people.membership(first.id, config.providers)
  const everybodys = defaultLevelIn(workspace, membership ?? {}, config.defaultPermission)
  const compiled = new Map<string, Access>()
  const rows = new Map<string, { people: Person[]; isAdmin: boolean; levels: readonly Level[] }>()
  for (const person of people) {
    const isAdmin = admins.has(person.id)
    const roleIds = [...new Set((held.get(person.id) ?? []).map(({ roleId }) => roleId))].toSorted()
    const set = roleIds.join(' ')
    const there = roleIds.flatMap((id) => roles.get(id) ?? [])
    // Elsewhere than in the default workspace, who holds nothing has not even what everybody has.
    const isThere = workspace === DEFAULT_WORKSPACE || there.some(({ grants }) => grants.length > 0)
    const defaultLevel = isThere ? everybodys : 'NO_PERMISSIONS'
    const access = compiled.get(set) ?? compileAccess(there, { defaultLevel, now: now(), workspace })
    compiled.set(set, access)
    const levels = resources.map((resource): Level => (isAdmin ? 'MANAGE' : access.levelOf(resource)))
    const key = JSON.stringify([isAdmin, levels])
    const row = rows.get(key) ?? { people: [], isAdmin, levels }
    row.people.push(person)
    rows.set(key, row)
  }
  return [...rows.values()]
}
