import type { GrantType, Level } from '../../../src/policy/grants.ts'
import type { Database } from '../../../src/store/database.ts'
import type { GrantsTable, Source } from '../../../src/store/schema.ts'
import type { Chance } from './chance.ts'
import { insertAll } from './insert.ts'
import { PROVIDER, type Somebody } from './people.ts'

export type Making = {
  readonly chance: Chance
  /** Seconds since the epoch. */
  readonly at: number
  /** Experiments that MLflow has; their ids count from 1. */
  readonly experiments: number
}

/** @returns What the tracking server calls the experiment. */
export function experimentName(id: number): string {
  return `team-${id % 500}/project-${id % 7919}/experiment-${id}`
}

/** Roles that are given to people, groups and names. @returns Their ids. */
export async function makeRoles(db: Database, count: number, making: Making): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, () => making.chance.id())
  await insertAll(
    db,
    'roles',
    ids.map((id, index) => ({
      ...{ id, name: `role-${String(index).padStart(5, '0')}`, workspace: 'default', owner_user_id: null },
      description: `What team ${index % 500} works on`,
      ...{ source: making.chance.is(0.02) ? 'policy' : 'manual', created_at: making.at - 200 * 86_400 },
    })),
  )
  return ids
}

/** Roles of people who were granted something, or made something. @returns Their ids. */
export async function makePersonalRoles(
  db: Database,
  owners: readonly Somebody[],
  making: Making,
): Promise<readonly string[]> {
  const roles = owners.map(({ id }) => ({ id: making.chance.id(), owner_user_id: id }))
  await insertAll(
    db,
    'roles',
    roles.map((role) => ({
      ...{ ...role, name: `~${role.owner_user_id}`, workspace: 'default', description: null },
      ...{ source: 'manual' as const, created_at: making.at - 200 * 86_400 },
    })),
  )
  return roles.map(({ id }) => id)
}

/** Who holds the roles: by hand, by group and by name. */
export async function giveRoles(
  db: Database,
  { people, groups, roles }: Record<'groups' | 'roles', readonly string[]> & { people: readonly Somebody[] },
  { chance }: Making,
): Promise<void> {
  await insertAll(
    db,
    'role_assignments',
    people.flatMap(({ id }) =>
      Array.from({ length: chance.number(4) }, (_, index) => ({
        ...{ user_id: id, source: 'manual' as const },
        role_id: roles[(chance.number(roles.length) + index) % roles.length] ?? '',
      })).filter((row, index, all) => all.findIndex(({ role_id: of }) => of === row.role_id) === index),
    ),
  )
  await insertAll(
    db,
    'group_roles',
    groups.map((group_name) => ({
      ...{ group_name, role_id: chance.of(roles), source: 'manual' as const },
      provider: chance.is(0.1) ? '' : PROVIDER.id,
    })),
  )
  await insertAll(
    db,
    'user_roles_by_name',
    people
      .filter(() => chance.is(0.05))
      .map(({ username }) => ({
        ...{ username, role_id: chance.of(roles), source: 'manual' as const },
        provider: chance.is(0.1) ? '' : PROVIDER.id,
      })),
  )
}

const TYPES = {
  experiment: 60,
  registered_model: 22,
  prompt: 8,
  scorer: 2,
  gateway_secret: 1,
  gateway_endpoint: 3,
  gateway_model_definition: 2,
  mcp_server: 2,
} as const

const LEVELS = { READ: 48, USE: 7, EDIT: 28, MANAGE: 12, DENY: 5 } as const

/** Grants for roles that are given to several, mostly by name; one in a thousand is on everything. */
export function* sharedGrants(roleIds: readonly string[], count: number, making: Making) {
  const { chance } = making
  let left = count
  while (left > 0) {
    const roleId = chance.of(roleIds)
    for (let size = Math.min(left, chance.skewed(400)); size > 0; size--, left--) {
      const resourceType = chance.weighted(TYPES)
      const match = chance.weighted({ exact: 699, name: 300, any: 1 })
      const number = 1 + chance.number(making.experiments)
      const pattern = { any: '*', name: patternOf(number), exact: keyOf(resourceType, number) }[match]
      const what = { resourceType, pattern, level: chance.weighted(LEVELS), source: 'manual' as const }
      yield grantRow(roleId, { ...what, match }, making)
    }
  }
}

/** Grants for one person each: on what they have made, and on what they were let into. */
export function* personalGrants(roleIds: readonly string[], count: number, making: Making) {
  const { chance } = making
  for (let made = 0; made < count; made++) {
    const created = chance.is(0.6)
    const resourceType = chance.weighted(TYPES)
    const what = { resourceType, pattern: keyOf(resourceType, 1 + chance.number(making.experiments)) }
    const level = created ? 'MANAGE' : chance.weighted(LEVELS)
    const source = created ? 'creator' : 'manual'
    yield grantRow(roleIds[made % roleIds.length] ?? '', { ...what, match: 'exact', level, source }, making)
  }
}

function patternOf(number: number): string {
  return number % 3 === 0 ? `team-${number % 500}/*` : `*/project-${number % 7919}/*`
}

function keyOf(type: GrantType, number: number): string {
  return type === 'experiment' ? String(number) : `${type}-${number}`
}

type What = {
  readonly resourceType: GrantType
  readonly match: GrantsTable['match']
  readonly pattern: string
  readonly level: Level
  readonly source: Source
}

/** A row of `grants`; one in twenty expires, half of those have. */
export function grantRow(
  roleId: string,
  { resourceType, match, pattern, level, source }: What,
  { chance, at }: Pick<Making, 'chance' | 'at'>,
) {
  const days = chance.is(0.05) && source === 'manual' ? chance.number(200) - 100 : undefined
  return {
    ...{ id: chance.id(), role_id: roleId, workspace: 'default', resource_type: resourceType },
    ...{ match, pattern, level, source, created_by: null },
    expires_at: days === undefined ? null : at + days * 86_400 + 3600,
    created_at: at - chance.number(200 * 86_400),
  }
}
