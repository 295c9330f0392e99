import type { QueryCreator } from 'kysely'
import type { ResourceRef } from '../policy/access.ts'
import { compileGlob } from '../policy/glob.ts'
import type { GrantType } from '../policy/grants.ts'
import { namesFor } from '../policy/workspace-name.ts'
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
  const patterns = await matchingPatterns(db, query)
  return db
    .with('reaching', (sub) => rolesWithGrants(sub, query, patterns))
    .with('reachers', (sub) => holders(sub, query).unionAll(administrators(sub, query)))
    .selectFrom('users')
    .select(['id', 'username'])
    .where('username', '>', query.after)
    .where('id', 'in', (eb) => eb.selectFrom('reachers').select('user_id'))
    .orderBy('username')
    .limit(query.limit)
    .execute()
}

/** Name patterns on the type that match the resource, each once: many roles hold the same. */
async function matchingPatterns(db: Database, { resource: { type, name } }: ReachQuery): Promise<string[]> {
  if (name === undefined || type === 'server') return []
  const rows = await db
    .selectFrom('grants')
    .select('pattern')
    .distinct()
    .where((eb) => eb.and({ resource_type: type as GrantType, match: 'name' }))
    .execute()
  return rows.map(({ pattern }) => pattern).filter((pattern) => compileGlob(pattern)(name))
}

/** Roles with a grant that speaks of the resource; of none where nothing but administrators reaches it. */
function rolesWithGrants(
  db: QueryCreator<Schema>,
  { resource, workspace, at }: ReachQuery,
  patterns: string[],
) {
  const { type, key } = resource
  const types = type === 'server' ? [] : [type as GrantType]
  const valid = db
    .selectFrom('grants')
    .select('role_id')
    .where('workspace', 'in', [...namesFor(workspace)])
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
  const wide = valid
    .where('match', '=', 'any')
    .where('resource_type', 'in', types.length === 0 ? [] : [...types, 'workspace'])
  const exact = valid
    .where('match', '=', 'exact')
    .where('resource_type', 'in', types)
    .where('pattern', 'in', key === undefined ? [] : [key])
  const named = valid
    .where('match', '=', 'name')
    .where('resource_type', 'in', types)
    .where('pattern', 'in', patterns)
  return wide.union(exact).union(named)
}

type Reaching = QueryCreator<Schema & { reaching: { role_id: string } }>

/** From the roles to who holds them, in each way there is. */
function holders(db: Reaching, { providers }: ReachQuery) {
  const unqualified = providers.length === 1 ? [''] : []
  const roles = (sub: Reaching) => sub.selectFrom('reaching').select('role_id')
  return db
    .selectFrom('role_assignments')
    .select('user_id')
    .where('role_id', 'in', roles(db))
    .unionAll(
      db
        .selectFrom('roles')
        .select((each) => each.ref('owner_user_id').$notNull().as('user_id'))
        .where('id', 'in', roles(db))
        .where('owner_user_id', 'is not', null),
    )
    .unionAll(
      db
        .selectFrom('group_roles')
        .innerJoin('user_groups', 'user_groups.group_name', 'group_roles.group_name')
        .select('user_groups.user_id')
        .where('group_roles.role_id', 'in', roles(db))
        .where((each) =>
          each.or([
            each('group_roles.provider', '=', each.ref('user_groups.provider')),
            each('group_roles.provider', 'in', unqualified),
          ]),
        ),
    )
    .unionAll(
      db
        .selectFrom('user_roles_by_name')
        .innerJoin('claimed_names', 'claimed_names.username', 'user_roles_by_name.username')
        .select('claimed_names.user_id')
        .where('user_roles_by_name.role_id', 'in', roles(db))
        .where(
          'claimed_names.provider',
          'in',
          providers.map(({ id }) => id),
        ),
    )
}

function administrators(db: Reaching, { adminUsers, adminGroups }: ReachQuery) {
  return db
    .selectFrom('claimed_names')
    .select('user_id')
    .where((eb) => eb.or(adminUsers.map(({ provider, name }) => eb.and({ provider, username: name }))))
    .unionAll(
      db
        .selectFrom('user_groups')
        .select('user_id')
        .where((eb) =>
          eb.or(adminGroups.map(({ provider, name }) => eb.and({ provider, group_name: name }))),
        ),
    )
}
