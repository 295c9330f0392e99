import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import { DEFAULT_WORKSPACE, type GrantType, type Level, type Match } from '../policy/grants.ts'
import { noteChange, noteRoles } from './changes.ts'
import type { Database } from './database.ts'
import { fromGrant, type GrantRow, type StoredGrant, toGrant } from './grant-row.ts'
import { assertByHand } from './ownership.ts'
import { assertRoleName, type NewGrant } from './role-writes.ts'
import type { Schema } from './schema.ts'

/** What a grant is on, whatever its level. */
export type GrantTarget = {
  readonly resourceType: GrantType
  readonly match: Match
  readonly pattern: string
  /** The default one if absent. */
  readonly workspace?: string | undefined
}

export type RoleEdits = {
  /**
   * Gives a role another name or description; its grants and holders stay.
   *
   * @throws {GatewayError} `ERR_NOT_FOUND` for no such role or a personal one; for a name as `create`.
   */
  readonly rename: (roleId: string, to: RoleName) => Promise<void>
  /**
   * Adds a grant on what the role has no grant on yet.
   *
   * @throws {GatewayError} `ERR_NOT_FOUND` if there is no such role; `ERR_ALREADY_EXISTS` whatever level it has on that.
   */
  readonly addGrant: (roleId: string, grant: NewGrant) => Promise<StoredGrant>
  /** A grant that has not expired, and whose it is. */
  readonly findGrant: (
    grantId: string,
  ) => Promise<{ readonly roleId: string; readonly grant: StoredGrant } | undefined>
  /** Gives grants another level, by hand from then on. @returns How many there were of them. */
  readonly setLevel: (grantIds: readonly string[], to: NewLevel) => Promise<number>
  /** Takes away what the role has by hand on exactly that. @returns How many grants it was. */
  readonly removeGrants: (roleId: string, target: GrantTarget) => Promise<number>
}

export type RoleName = { readonly name?: string | undefined; readonly description?: string | undefined }

export type NewLevel = { readonly level: Level; readonly by: string }

export function createRoleEdits(db: Database, now: () => number): RoleEdits {
  const write = <T>(step: (trx: Transaction<Schema>) => Promise<T>): Promise<T> =>
    db.transaction().execute(step)
  return {
    rename: (roleId, to) => write((trx) => renameRole(trx, roleId, to, now())),
    addGrant: (roleId, grant) => write((trx) => insertGrant(trx, roleId, grant, now())),
    findGrant: async (grantId) => {
      const row = await inForce(db, now()).where('id', '=', grantId).executeTakeFirst()
      return row && { roleId: row.role_id, grant: toGrant(row) }
    },
    setLevel: (grantIds, to) => write((trx) => setLevel(trx, grantIds, to, now())),
    removeGrants: (roleId, target) => write((trx) => removeGrants(trx, roleId, target, now())),
  }
}

function inForce(db: Database, at: number) {
  return db
    .selectFrom('grants')
    .selectAll()
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
}

/** See `RoleEdits.rename`. */
export async function renameRole(
  trx: Transaction<Schema>,
  roleId: string,
  { name, description }: RoleName,
  at: number,
): Promise<void> {
  if (name !== undefined) assertRoleName(name)
  const role = await trx
    .selectFrom('roles')
    .select(['workspace', 'name', 'source'])
    .where('id', '=', roleId)
    .where('owner_user_id', 'is', null)
    .executeTakeFirst()
  if (role === undefined) throw new GatewayError('ERR_NOT_FOUND', 'There is no such role')
  assertByHand(role, `The role ${role.name}`)
  if (name !== undefined) {
    const taken = await trx
      .selectFrom('roles')
      .select('id')
      .where((eb) => eb.and({ workspace: role.workspace, name }))
      .where('id', '!=', roleId)
      .executeTakeFirst()
    if (taken !== undefined)
      throw new GatewayError('ERR_ALREADY_EXISTS', `There is a role named ${name} already`)
  }
  await trx
    .updateTable('roles')
    .set({ name: name ?? role.name, ...(description === undefined ? {} : { description }) })
    .where('id', '=', roleId)
    .execute()
  await noteChange(trx, { kind: 'role', key: roleId, at })
}

async function insertGrant(
  trx: Transaction<Schema>,
  roleId: string,
  grant: NewGrant,
  at: number,
): Promise<StoredGrant> {
  const role = await trx
    .selectFrom('roles')
    .select(['workspace', 'owner_user_id', 'name', 'source'])
    .where('id', '=', roleId)
    .executeTakeFirst()
  if (role === undefined) throw new GatewayError('ERR_NOT_FOUND', 'There is no such role')
  assertByHand(role, `The role ${role.name}`)
  // As `addGrant`: a role's grants count where the role is; a personal one holds what its owner has anywhere.
  const isPersonal = role.owner_user_id !== null
  const what = fromGrant(isPersonal ? grant : { ...grant, workspace: role.workspace })
  const { resource_type, match, pattern, workspace } = what
  const same = await inForce(trx, at)
    .where((eb) => eb.and({ role_id: roleId, resource_type, match, pattern, workspace }))
    .executeTakeFirst()
  if (same !== undefined) {
    const message = `There is a permission on that already: ${same.level}. Change its level, or remove it first`
    throw new GatewayError('ERR_ALREADY_EXISTS', message)
  }
  const row: GrantRow = {
    ...{ id: randomUUID(), role_id: roleId },
    ...what,
    ...{ source: grant.source, created_at: at, created_by: grant.createdBy ?? null },
  }
  await trx.insertInto('grants').values(row).execute()
  await noteChange(trx, { kind: 'role', key: roleId, at })
  return toGrant(row)
}

async function setLevel(
  trx: Transaction<Schema>,
  grantIds: readonly string[],
  { level, by }: NewLevel,
  at: number,
): Promise<number> {
  const changed = await trx
    .updateTable('grants')
    .set({ level, source: 'manual', created_by: by })
    .where('id', 'in', [...grantIds])
    .where('source', '!=', 'policy')
    .returning('role_id')
    .execute()
  await noteRoles(trx, changed, at)
  return changed.length
}

async function removeGrants(
  trx: Transaction<Schema>,
  roleId: string,
  { resourceType, match, pattern, workspace = DEFAULT_WORKSPACE }: GrantTarget,
  at: number,
): Promise<number> {
  const gone = await trx
    .deleteFrom('grants')
    .where((eb) => eb.and({ role_id: roleId, resource_type: resourceType, match, pattern, workspace }))
    .where('source', '!=', 'policy')
    .returning(['role_id', 'expires_at'])
    .execute()
  await noteRoles(trx, gone, at)
  return gone.filter(({ expires_at: expiresAt }) => expiresAt === null || expiresAt > at).length
}
