import type { ExpressionBuilder } from 'kysely'
import type { ResourceRef } from '../policy/access.ts'
import { compileGlob } from '../policy/glob.ts'
import type { GrantType } from '../policy/grants.ts'
import type { Database } from './database.ts'
import type { ProviderName, ProviderRef } from './membership.ts'
import type { Schema } from './schema.ts'

/** Who may hold something on a resource: more than really do, never fewer. */
export type ReachQuery = {
  readonly resource: ResourceRef
  /** Where the resource is: what is granted elsewhere does not count. */
  readonly workspace: string
  readonly providers: readonly ProviderRef[]
  /** Administrators by name and by group. */
  readonly adminUsers: readonly ProviderName[]
  readonly adminGroups: readonly ProviderName[]
  /** Seconds since the epoch: expired grants do not count. */
  readonly at: number
  /** Username after which to begin; '' for the first. */
  readonly after: string
  readonly limit: number
}

export type Candidate = { readonly id: string; readonly username: string }

/**
 * People with a role that has a grant on the resource, on all of its kind or on the workspace, and administrators; by
 * username. What each of them really has is told by their membership.
 */
export async function reachCandidates(db: Database, query: ReachQuery): Promise<readonly Candidate[]> {
  const roles = await rolesWithGrants(db, query)
  return db
    .selectFrom('users')
    .select(['id', 'username'])
    .where('username', '>', query.after)
    .where((eb) => eb.or([...holdsRole(eb, roles, query), ...isAdmin(eb, query)]))
    .orderBy('username')
    .limit(query.limit)
    .execute()
}

/** Ids of roles with a grant that speaks of the resource. */
async function rolesWithGrants(
  db: Database,
  { resource, workspace, at }: ReachQuery,
): Promise<readonly string[]> {
  const { type, key, name } = resource
  if (type === 'server') return []
  const valid = db
    .selectFrom('grants')
    .where('workspace', '=', workspace)
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
  const wide = valid
    .select('role_id')
    .where('match', '=', 'any')
    .where('resource_type', 'in', [type as GrantType, 'workspace'])
  const exact = valid
    .select('role_id')
    .where((eb) => eb.and({ resource_type: type as GrantType, match: 'exact', pattern: key ?? '' }))
  const named = await valid
    .select(['role_id', 'pattern'])
    .where((eb) => eb.and({ resource_type: type as GrantType, match: 'name' }))
    .execute()
  const rows = [...(await wide.execute()), ...(key === undefined ? [] : await exact.execute())]
  const byName = name === undefined ? [] : named.filter(matching(name))
  return [...new Set([...rows, ...byName].map((row) => row.role_id))]
}

/** Compiles each pattern once: many roles hold the same. */
function matching(name: string): (row: { readonly pattern: string }) => boolean {
  const known = new Map<string, boolean>()
  return ({ pattern }) => {
    const seen = known.get(pattern) ?? compileGlob(pattern)(name)
    known.set(pattern, seen)
    return seen
  }
}

type Users = ExpressionBuilder<Schema, 'users'>

function holdsRole(eb: Users, roles: readonly string[], { providers }: ReachQuery) {
  if (roles.length === 0) return []
  const ids = [...roles]
  const configured = providers.map(({ id }) => id)
  const unqualified = configured.length === 1 ? [''] : []
  return [
    eb('users.id', 'in', (sub) =>
      sub.selectFrom('role_assignments').select('user_id').where('role_id', 'in', ids),
    ),
    eb('users.id', 'in', (sub) =>
      sub
        .selectFrom('roles')
        .select((each) => each.ref('owner_user_id').$notNull().as('user_id'))
        .where('id', 'in', ids)
        .where('owner_user_id', 'is not', null),
    ),
    eb('users.id', 'in', (sub) =>
      sub
        .selectFrom('user_groups')
        .innerJoin('group_roles', 'group_roles.group_name', 'user_groups.group_name')
        .select('user_groups.user_id')
        .where('group_roles.role_id', 'in', ids)
        .where((each) =>
          each.or([
            each('group_roles.provider', '=', each.ref('user_groups.provider')),
            each('group_roles.provider', 'in', unqualified),
          ]),
        ),
    ),
    eb('users.id', 'in', (sub) =>
      sub
        .selectFrom('claimed_names')
        .innerJoin('user_roles_by_name', 'user_roles_by_name.username', 'claimed_names.username')
        .select('claimed_names.user_id')
        .where('user_roles_by_name.role_id', 'in', ids),
    ),
  ]
}

function isAdmin(eb: Users, { adminUsers, adminGroups }: ReachQuery) {
  return [
    ...adminUsers.map(({ provider, name }) =>
      eb('users.id', 'in', (sub) =>
        sub
          .selectFrom('claimed_names')
          .select('user_id')
          .where((each) => each.and({ provider, username: name })),
      ),
    ),
    ...adminGroups.map(({ provider, name }) =>
      eb('users.id', 'in', (sub) =>
        sub
          .selectFrom('user_groups')
          .select('user_id')
          .where((each) => each.and({ provider, group_name: name })),
      ),
    ),
  ]
}
