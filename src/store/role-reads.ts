import { type Selectable, sql } from 'kysely'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import type { Database } from './database.ts'
import { type StoredGrant, toGrant } from './grant-row.ts'
import type { ProviderName } from './membership.ts'
import type { RolesTable, Source } from './schema.ts'
import { containing } from './search.ts'

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
    .orderBy('workspace')
    .execute()
  return withGrants(db, rows)
}

export type RolesQuery = {
  /** Found anywhere in the name, in whichever case. */
  readonly search?: string | undefined
  /** In these workspaces; in all if absent. */
  readonly workspaces?: readonly string[] | undefined
  /** After which to begin; the first if absent. */
  readonly after?: { readonly name: string; readonly id: string } | undefined
  readonly limit: number
}

/** A role without its grants, of which there may be thousands. */
export type RoleSummary = Omit<RoleRecord, 'grants' | 'ownerUserId'> & { readonly grantCount: number }

/** Some of the roles but the personal ones, by name. */
export async function pageOfRoles(
  db: Database,
  { search = '', workspaces, after, limit }: RolesQuery,
): Promise<readonly RoleSummary[]> {
  const rows = await db
    .selectFrom('roles')
    .selectAll()
    .where('owner_user_id', 'is', null)
    .$if(after !== undefined, (query) =>
      query.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('name', 'id'), '>', tuple(after?.name ?? '', after?.id ?? '')),
      ),
    )
    .$if(workspaces !== undefined, (query) => query.where('workspace', 'in', [...(workspaces ?? [])]))
    .$if(search !== '', (query) => query.where(containing(sql.ref('name'), search)))
    .orderBy('name')
    .orderBy('id')
    .limit(limit)
    .execute()
  if (rows.length === 0) return []
  const counts = await db
    .selectFrom('grants')
    .select((eb) => ['role_id', eb.fn.countAll<number>().as('grants')])
    .where(
      'role_id',
      'in',
      rows.map(({ id }) => id),
    )
    .groupBy('role_id')
    .execute()
  const countOf = new Map(counts.map((row) => [row.role_id, Number(row.grants)]))
  return rows.map((row) => ({ ...described(row), grantCount: countOf.get(row.id) ?? 0 }))
}

/** Ids of the roles of that name, but for personal ones. */
export async function idsOfRoles(db: Database, name: string): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('roles')
    .select('id')
    .where('owner_user_id', 'is', null)
    .where('name', '=', name)
    .orderBy('id')
    .execute()
  return rows.map(({ id }) => id)
}

/** How many there are but the personal ones. */
export async function countRoles(db: Database): Promise<number> {
  const row = await db
    .selectFrom('roles')
    .select((eb) => eb.fn.countAll<number>().as('roles'))
    .where('owner_user_id', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(row.roles)
}

function described(role: Selectable<RolesTable>) {
  const { id, name, source, created_at: createdAt } = role
  return {
    ...{ id, name, description: role.description ?? undefined, source, createdAt },
    workspace: role.workspace === DEFAULT_WORKSPACE ? undefined : role.workspace,
  }
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
    .orderBy('provider')
    .execute()
  const names = await db
    .selectFrom('user_roles_by_name')
    .select(['provider', 'username as name', 'source'])
    .where('role_id', '=', row.id)
    .orderBy('username')
    .orderBy('provider')
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
    ...described(role),
    ownerUserId: role.owner_user_id ?? undefined,
    grants: (grants.get(role.id) ?? []).map(toGrant),
  }))
}
