import { randomUUID } from 'node:crypto'
import type { Selectable, Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import type { Grant } from '../policy/grants.ts'
import { type Carry, createCarry } from './carry.ts'
import { noteChange } from './changes.ts'
import type { Database } from './database.ts'
import { fromGrant, type GrantRow, type StoredGrant, toGrant } from './grant-row.ts'
import type { ProviderName } from './membership.ts'
import { type PolicyContent, readPolicy, replacePolicy } from './policy.ts'
import type { RolesTable, Schema, Source } from './schema.ts'

/** A role as it is listed. Times in seconds since the epoch. */
export type RoleRecord = {
  readonly id: string
  readonly name: string
  readonly description?: string | undefined
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

export type NewGrant = Grant & { readonly source: Source; readonly createdBy?: string | undefined }

export type Roles = {
  /** @throws {GatewayError} `ERR_INVALID_PARAMETER` for a name that is taken, empty, over 255 characters or begins with `~`. */
  readonly create: (role: {
    readonly name: string
    readonly description?: string | undefined
  }) => Promise<RoleRecord>
  /** Deletes the role with its grants and mappings; a personal role stays. @returns False if there was none. */
  readonly delete: (roleId: string) => Promise<boolean>
  /** Every role but the personal ones, by name. */
  readonly list: () => Promise<readonly RoleRecord[]>
  readonly get: (name: string) => Promise<RoleDetails | undefined>
  /**
   * Adds a grant to the role; one that says the same already is left as it is.
   *
   * @throws {GatewayError} `ERR_NOT_FOUND` if there is no such role.
   */
  readonly grant: (roleId: string, grant: NewGrant) => Promise<StoredGrant>
  /** @returns False if there was no such grant. */
  readonly revokeGrant: (grantId: string) => Promise<boolean>
  /** @throws {GatewayError} `ERR_NOT_FOUND` if there is no such user, or no such role that can be assigned. */
  readonly assign: (userId: string, roleId: string) => Promise<void>
  /** @returns False if the role was not assigned by hand. */
  readonly unassign: (userId: string, roleId: string) => Promise<boolean>
  /**
   * Gives a role to a group of a provider, or with '' of whichever provider is the only one configured.
   *
   * @throws {GatewayError} `ERR_NOT_FOUND` if there is no such role that can be assigned.
   */
  readonly mapGroup: (provider: string, group: string, roleId: string) => Promise<void>
  /** @returns False if the group was not mapped by hand. */
  readonly unmapGroup: (provider: string, group: string, roleId: string) => Promise<boolean>
  /** The role that holds what is granted to this user directly; made when first asked for. */
  readonly personal: (userId: string) => Promise<RoleRecord>
  /**
   * Makes everything that came from the policy file what `policy` says, or nothing of it. Roles keep their ids by name.
   *
   * @returns False if it was so already.
   * @throws {GatewayError} `ERR_INVALID_PARAMETER` if a role of that name was made by hand.
   */
  readonly replacePolicy: (policy: PolicyContent) => Promise<boolean>
  /** What came from the policy file, as it stands now. */
  readonly policy: () => Promise<PolicyContent>
  readonly carry: Carry
}

/** Begins the name of every personal role; no other role's name may. */
const PERSONAL_PREFIX = '~'

export function createRoles(db: Database, now: () => number): Roles {
  return {
    create: (role) => db.transaction().execute((trx) => createRole(trx, role, now())),
    delete: (roleId) => db.transaction().execute((trx) => deleteRole(trx, roleId, now())),
    list: async () => {
      const rows = await db
        .selectFrom('roles')
        .selectAll()
        .where('owner_user_id', 'is', null)
        .orderBy('name')
        .execute()
      return withGrants(db, rows)
    },
    get: (name) => readRole(db, name),
    grant: (roleId, grant) => db.transaction().execute((trx) => addGrant(trx, roleId, grant, now())),
    revokeGrant: (id) => db.transaction().execute((trx) => deleteGrant(trx, id, now())),
    assign: (userId, roleId) => db.transaction().execute((trx) => assignRole(trx, { userId, roleId }, now())),
    unassign: (userId, roleId) =>
      db.transaction().execute((trx) => unassignRole(trx, { userId, roleId }, now())),
    mapGroup: (provider, group, roleId) =>
      db.transaction().execute((trx) => mapGroup(trx, { provider, group, roleId }, now())),
    unmapGroup: (provider, group, roleId) =>
      db.transaction().execute((trx) => unmapGroup(trx, { provider, group, roleId }, now())),
    personal: (userId) => db.transaction().execute((trx) => personalRole(trx, userId, now())),
    replacePolicy: (policy) => db.transaction().execute((trx) => replacePolicy(trx, policy, now())),
    policy: () => db.transaction().setAccessMode('read only').execute(readPolicy),
    carry: createCarry(db, now),
  }
}

type Role = { readonly name: string; readonly description?: string | undefined }

async function createRole(
  trx: Transaction<Schema>,
  { name, description }: Role,
  at: number,
): Promise<RoleRecord> {
  if (name.trim() === '' || name.length > 255 || name.startsWith(PERSONAL_PREFIX)) {
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      `A role's name has 1 to 255 characters and does not begin with ${PERSONAL_PREFIX}`,
    )
  }
  const taken = await trx.selectFrom('roles').select('id').where('name', '=', name).executeTakeFirst()
  if (taken !== undefined)
    throw new GatewayError('ERR_INVALID_PARAMETER', `There is a role named ${name} already`)
  const id = randomUUID()
  await trx
    .insertInto('roles')
    .values({
      id,
      workspace: 'default',
      name,
      description: description ?? null,
      source: 'manual',
      created_at: at,
    })
    .execute()
  await noteChange(trx, { kind: 'role', key: id, at })
  return { id, name, description, source: 'manual', createdAt: at, grants: [] }
}

async function deleteRole(trx: Transaction<Schema>, roleId: string, at: number): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('roles')
    .where('id', '=', roleId)
    .where('owner_user_id', 'is', null)
    .executeTakeFirst()
  if (numDeletedRows > 0n) await noteChange(trx, { kind: 'role', key: roleId, at })
  return numDeletedRows > 0n
}

async function addGrant(
  trx: Transaction<Schema>,
  roleId: string,
  grant: NewGrant,
  at: number,
): Promise<StoredGrant> {
  const role = await trx.selectFrom('roles').select('id').where('id', '=', roleId).executeTakeFirst()
  if (role === undefined) throw noSuchRole()
  const what = fromGrant(grant)
  const same = await trx
    .selectFrom('grants')
    .selectAll()
    .where((eb) =>
      eb.and({
        role_id: roleId,
        resource_type: what.resource_type,
        match: what.match,
        pattern: what.pattern,
      }),
    )
    .where('level', '=', what.level)
    .where('expires_at', 'is not distinct from', what.expires_at)
    .where('source', '=', grant.source)
    .executeTakeFirst()
  if (same !== undefined) return toGrant(same)
  const row: GrantRow = {
    id: randomUUID(),
    role_id: roleId,
    workspace: 'default',
    ...what,
    source: grant.source,
    created_at: at,
    created_by: grant.createdBy ?? null,
  }
  await trx.insertInto('grants').values(row).execute()
  await noteChange(trx, { kind: 'role', key: roleId, at })
  return toGrant(row)
}

async function deleteGrant(trx: Transaction<Schema>, grantId: string, at: number): Promise<boolean> {
  const grant = await trx
    .deleteFrom('grants')
    .where('id', '=', grantId)
    .returning('role_id')
    .executeTakeFirst()
  if (grant !== undefined) await noteChange(trx, { kind: 'role', key: grant.role_id, at })
  return grant !== undefined
}

type Assignment = { readonly userId: string; readonly roleId: string }

async function assignRole(
  trx: Transaction<Schema>,
  { userId, roleId }: Assignment,
  at: number,
): Promise<void> {
  await requireAssignable(trx, roleId)
  await requireUser(trx, userId)
  await trx
    .insertInto('role_assignments')
    .values({ user_id: userId, role_id: roleId, source: 'manual' })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  await noteChange(trx, { kind: 'user', key: userId, at })
}

async function unassignRole(
  trx: Transaction<Schema>,
  { userId, roleId }: Assignment,
  at: number,
): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('role_assignments')
    .where((eb) => eb.and({ user_id: userId, role_id: roleId, source: 'manual' }))
    .executeTakeFirst()
  if (numDeletedRows > 0n) await noteChange(trx, { kind: 'user', key: userId, at })
  return numDeletedRows > 0n
}

type GroupMapping = { readonly provider: string; readonly group: string; readonly roleId: string }

async function mapGroup(
  trx: Transaction<Schema>,
  { provider, group, roleId }: GroupMapping,
  at: number,
): Promise<void> {
  await requireAssignable(trx, roleId)
  await trx
    .insertInto('group_roles')
    .values({ provider, group_name: group, role_id: roleId, source: 'manual' })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  await noteChange(trx, { kind: 'groups', key: '*', at })
}

async function unmapGroup(
  trx: Transaction<Schema>,
  { provider, group, roleId }: GroupMapping,
  at: number,
): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('group_roles')
    .where((eb) => eb.and({ provider, group_name: group, role_id: roleId, source: 'manual' }))
    .executeTakeFirst()
  if (numDeletedRows > 0n) await noteChange(trx, { kind: 'groups', key: '*', at })
  return numDeletedRows > 0n
}

async function personalRole(trx: Transaction<Schema>, userId: string, at: number): Promise<RoleRecord> {
  const row = await trx.selectFrom('roles').selectAll().where('owner_user_id', '=', userId).executeTakeFirst()
  if (row !== undefined) {
    const [role] = await withGrants(trx, [row])
    if (role !== undefined) return role
  }
  await requireUser(trx, userId)
  const role = { id: randomUUID(), name: `${PERSONAL_PREFIX}${userId}`, source: 'manual' } as const
  await trx
    .insertInto('roles')
    .values({ ...role, workspace: 'default', owner_user_id: userId, created_at: at })
    .execute()
  await noteChange(trx, { kind: 'user', key: userId, at })
  return { ...role, ownerUserId: userId, createdAt: at, grants: [] }
}

async function readRole(db: Database, name: string): Promise<RoleDetails | undefined> {
  const row = await db.selectFrom('roles').selectAll().where('name', '=', name).executeTakeFirst()
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

async function withGrants(
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
    source: role.source,
    ownerUserId: role.owner_user_id ?? undefined,
    createdAt: role.created_at,
    grants: (grants.get(role.id) ?? []).map(toGrant),
  }))
}

async function requireAssignable(trx: Transaction<Schema>, roleId: string): Promise<void> {
  const role = await trx
    .selectFrom('roles')
    .select('id')
    .where('id', '=', roleId)
    .where('owner_user_id', 'is', null)
    .executeTakeFirst()
  if (role === undefined) throw noSuchRole()
}

async function requireUser(trx: Transaction<Schema>, userId: string): Promise<void> {
  const user = await trx.selectFrom('users').select('id').where('id', '=', userId).executeTakeFirst()
  if (user === undefined) throw new GatewayError('ERR_NOT_FOUND', 'There is no such user')
}

function noSuchRole(): GatewayError {
  return new GatewayError('ERR_NOT_FOUND', 'There is no such role')
}
