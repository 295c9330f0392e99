import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import { DEFAULT_WORKSPACE, type Grant } from '../policy/grants.ts'
import { noteChange } from './changes.ts'
import { fromGrant, type GrantRow, type StoredGrant, toGrant } from './grant-row.ts'
import { assertByHand } from './ownership.ts'
import { type RoleRecord, withGrants } from './role-reads.ts'
import type { Schema, Source } from './schema.ts'

export type NewGrant = Grant & { readonly source: Source; readonly createdBy?: string | undefined }

/** Begins the name of every personal role; no other role's name may. */
const PERSONAL_PREFIX = '~'

/** As MLflow shows personal roles: another one called so would be taken for one. */
const SHOWN_PREFIX = '__user_'

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` for what no role made by hand may be called. */
export function assertRoleName(name: string): void {
  const isOdd = name.trim() === '' || name.length > 255 || /\p{Cc}/u.test(name)
  if (!isOdd && ![PERSONAL_PREFIX, SHOWN_PREFIX].some((prefix) => name.startsWith(prefix))) return
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    `A role's name has 1 to 255 characters and does not begin with ${PERSONAL_PREFIX} or ${SHOWN_PREFIX}`,
  )
}

export type NewRole = {
  readonly name: string
  readonly description?: string | undefined
  /** Where its grants count; in the default workspace if absent. */
  readonly workspace?: string | undefined
}

/** See `Roles.create`. */
export async function createRole(
  trx: Transaction<Schema>,
  { name, description, workspace = DEFAULT_WORKSPACE }: NewRole,
  at: number,
): Promise<RoleRecord> {
  assertRoleName(name)
  const taken = await trx
    .selectFrom('roles')
    .select('id')
    // No personal role is called as one made by hand may be.
    .where('owner_user_id', 'is', null)
    .where('name', '=', name)
    .executeTakeFirst()
  if (taken !== undefined)
    throw new GatewayError('ERR_ALREADY_EXISTS', `There is a role named ${name} already`)
  const id = randomUUID()
  await trx
    .insertInto('roles')
    .values({
      id,
      workspace,
      name,
      description: description ?? null,
      source: 'manual',
      created_at: at,
    })
    .execute()
  await noteChange(trx, { kind: 'role', key: id, at })
  const where = workspace === DEFAULT_WORKSPACE ? undefined : workspace
  return { id, name, description, workspace: where, source: 'manual', createdAt: at, grants: [] }
}

/** See `Roles.delete`. */
export async function deleteRole(trx: Transaction<Schema>, roleId: string, at: number): Promise<boolean> {
  const role = await trx
    .selectFrom('roles')
    .select(['name', 'source'])
    .where('id', '=', roleId)
    .executeTakeFirst()
  if (role !== undefined) assertByHand(role, `The role ${role.name}`)
  const { numDeletedRows } = await trx
    .deleteFrom('roles')
    .where('id', '=', roleId)
    .where('owner_user_id', 'is', null)
    .executeTakeFirst()
  if (numDeletedRows > 0n) await noteChange(trx, { kind: 'role', key: roleId, at })
  return numDeletedRows > 0n
}

/** See `Roles.grant`. */
export async function addGrant(
  trx: Transaction<Schema>,
  roleId: string,
  { grant, at }: { readonly grant: NewGrant; readonly at: number },
): Promise<StoredGrant> {
  const role = await trx
    .selectFrom('roles')
    .select(['workspace', 'owner_user_id', 'name', 'source'])
    .where('id', '=', roleId)
    .executeTakeFirst()
  if (role === undefined) throw noSuchRole()
  assertByHand(role, `The role ${role.name}`)
  // A role's grants count where the role is; a personal one holds what its owner has anywhere.
  const isPersonal = role.owner_user_id !== null
  const what = fromGrant(isPersonal ? grant : { ...grant, workspace: role.workspace })
  const same = await trx
    .selectFrom('grants')
    .selectAll()
    .where((eb) =>
      eb.and({
        role_id: roleId,
        resource_type: what.resource_type,
        workspace: what.workspace,
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
    ...what,
    source: grant.source,
    created_at: at,
    created_by: grant.createdBy ?? null,
  }
  await trx.insertInto('grants').values(row).execute()
  await noteChange(trx, { kind: 'role', key: roleId, at })
  return toGrant(row)
}

/** See `Roles.revokeGrant`. */
export async function deleteGrant(trx: Transaction<Schema>, grantId: string, at: number): Promise<boolean> {
  const owned = await trx.selectFrom('grants').select('source').where('id', '=', grantId).executeTakeFirst()
  if (owned !== undefined) assertByHand(owned, 'This grant')
  const grant = await trx
    .deleteFrom('grants')
    .where('id', '=', grantId)
    .returning('role_id')
    .executeTakeFirst()
  if (grant !== undefined) await noteChange(trx, { kind: 'role', key: grant.role_id, at })
  return grant !== undefined
}

export type Assignment = { readonly userId: string; readonly roleId: string }

/** See `Roles.assign`. */
export async function assignRole(
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

/** See `Roles.unassign`. */
export async function unassignRole(
  trx: Transaction<Schema>,
  { userId, roleId }: Assignment,
  at: number,
): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('role_assignments')
    .where((eb) => eb.and({ user_id: userId, role_id: roleId, source: 'manual' }))
    .executeTakeFirst()
  if (numDeletedRows > 0n) await noteChange(trx, { kind: 'user', key: userId, at })
  else await assertNotGivenByName(trx, { userId, roleId })
  return numDeletedRows > 0n
}

export type GroupMapping = { readonly provider: string; readonly group: string; readonly roleId: string }

/** See `Roles.mapGroup`. */
export async function mapGroup(
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

/** See `Roles.unmapGroup`. */
export async function unmapGroup(
  trx: Transaction<Schema>,
  { provider, group, roleId }: GroupMapping,
  at: number,
): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('group_roles')
    .where((eb) => eb.and({ provider, group_name: group, role_id: roleId, source: 'manual' }))
    .executeTakeFirst()
  if (numDeletedRows > 0n) await noteChange(trx, { kind: 'groups', key: '*', at })
  else await assertNotMapped(trx, { provider, group, roleId })
  return numDeletedRows > 0n
}

/** The file names the provider of every group; who names none here means it. */
async function assertNotMapped(
  trx: Transaction<Schema>,
  { provider, group, roleId }: GroupMapping,
): Promise<void> {
  const mapping = await trx
    .selectFrom('group_roles')
    .select('source')
    .where((eb) => eb.and({ group_name: group, role_id: roleId, source: 'policy' }))
    .$if(provider !== '', (query) => query.where('provider', '=', provider))
    .executeTakeFirst()
  if (mapping !== undefined) assertByHand(mapping, `That the group ${group} has this role`)
}

async function assertNotGivenByName(trx: Transaction<Schema>, { userId, roleId }: Assignment): Promise<void> {
  const mapping = await trx
    .selectFrom('user_roles_by_name')
    .innerJoin('claimed_names', (join) =>
      join
        .onRef('claimed_names.provider', '=', 'user_roles_by_name.provider')
        .onRef('claimed_names.username', '=', 'user_roles_by_name.username'),
    )
    .select(['source', 'claimed_names.username'])
    .where((eb) => eb.and({ user_id: userId, role_id: roleId, source: 'policy' }))
    .executeTakeFirst()
  if (mapping !== undefined) assertByHand(mapping, `That ${mapping.username} has this role`)
}

/** See `Roles.personal`. */
export async function personalRole(
  trx: Transaction<Schema>,
  userId: string,
  at: number,
): Promise<RoleRecord> {
  const row = await trx.selectFrom('roles').selectAll().where('owner_user_id', '=', userId).executeTakeFirst()
  if (row !== undefined) {
    const [role] = await withGrants(trx, [row])
    if (role !== undefined) return role
  }
  await requireUser(trx, userId)
  const role = { id: randomUUID(), name: `${PERSONAL_PREFIX}${userId}`, source: 'manual' } as const
  await trx
    .insertInto('roles')
    .values({ ...role, workspace: DEFAULT_WORKSPACE, owner_user_id: userId, created_at: at })
    .execute()
  await noteChange(trx, { kind: 'user', key: userId, at })
  return { ...role, ownerUserId: userId, createdAt: at, grants: [] }
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
