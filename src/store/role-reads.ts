import type { Selectable } from 'kysely'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import type { Database } from './database.ts'
import { type StoredGrant, toGrant } from './grant-row.ts'
import type { ProviderName } from './membership.ts'
import type { RolesTable, Source } from './schema.ts'

/** A role as it is listed. Times in seconds since the epoch. */
export type RoleRecord = {
  readonly id: string
  readonly name: string
  readonly description?: string | undefined
  /** Where its grants count; absent for the default one. A personal role's say so themselves. */
  readonly workspace?: string | undefined
  readonly source: Source
  /** Set for a personal role: whose it is. */
  readonly ownerUserId?: string | undefined
  readonly createdAt: number
  /** Expired ones too. */
  readonly grants: readonly StoredGrant[]
}

export type RoleDetails = RoleRecord & {
  /** Who holds it by assignment. */
  readonly users: readonly { readonly id: string; readonly username: string; readonly source: Source }[]
  /** Which groups hold it; `provider` is '' where the mapping names none. */
  readonly groups: readonly (ProviderName & { readonly source: Source })[]
  /** Which usernames hold it, signed in before or not; `provider` as in `groups`. */
  readonly names: readonly (ProviderName & { readonly source: Source })[]
}

/** Every role but the personal ones, by name. */
export async function listRoles(db: Database): Promise<readonly RoleRecord[]> {
  const rows = await db
    .selectFrom('roles')
    .selectAll()
    .where('owner_user_id', 'is', null)
    .orderBy('name')
    .execute()
  return withGrants(db, rows)
}

/** The role of that name, or of that id, with who holds it. */
export async function readRole(
  db: Database,
  key: { readonly name: string } | { readonly id: string },
): Promise<RoleDetails | undefined> {
  const [column, value] = 'id' in key ? (['id', key.id] as const) : (['name', key.name] as const)
  const row = await db.selectFrom('roles').selectAll().where(column, '=', value).executeTakeFirst()
  if (row === undefined) return undefined
  const [role] = await withGrants(db, [row])
  if (role === undefined) return undefined
  const users = await db
    .selectFrom('role_assignments')
    .innerJoin('users', 'users.id', 'role_assignments.user_id')
    .select(['users.id', 'users.username', 'role_assignments.source'])
    .where('role_id', '=', row.id)
    .orderBy('users.username')
    .execute()
  const groups = await db
    .selectFrom('group_roles')
    .select(['provider', 'group_name as name', 'source'])
    .where('role_id', '=', row.id)
    .orderBy('group_name')
    .execute()
  const names = await db
    .selectFrom('user_roles_by_name')
    .select(['provider', 'username as name', 'source'])
    .where('role_id', '=', row.id)
    .orderBy('username')
    .execute()
  return { ...role, users, groups, names }
}

/** The roles with their grants, in the order given. */
export async function withGrants(
  db: Database,
  roles: readonly Selectable<RolesTable>[],
): Promise<readonly RoleRecord[]> {
  const ids = roles.map((role) => role.id)
  const rows = await db
    .selectFrom('grants')
    .selectAll()
    .where('role_id', 'in', ids)
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  const grants = Map.groupBy(rows, (grant) => grant.role_id)
  return roles.map((role) => ({
    id: role.id,
    name: role.name,
    description: role.description ?? undefined,
    workspace: role.workspace === DEFAULT_WORKSPACE ? undefined : role.workspace,
    source: role.source,
    ownerUserId: role.owner_user_id ?? undefined,
    createdAt: role.created_at,
    grants: (grants.get(role.id) ?? []).map(toGrant),
  }))
}
