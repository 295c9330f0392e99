import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import { DEFAULT_WORKSPACE, type Grant, type Level } from '../policy/grants.ts'
import { noteChange } from './changes.ts'
import { fromGrant, toGrant } from './grant-row.ts'
import type { Schema } from './schema.ts'
import { readDefaultPermissions, writeDefaultPermissions } from './settings.ts'

export type PolicyRole = {
  readonly name: string
  readonly description?: string | undefined
  /** In which its grants count; the default one if absent. */
  readonly workspace?: string | undefined
  readonly grants: readonly Grant[]
}

/** A role given to a group or a username; `provider` is '' where the file names none. */
export type PolicyMapping = { readonly provider: string; readonly name: string; readonly role: string }

/** What a policy file says, once it has been found to be in order. */
export type PolicyContent = {
  readonly defaultPermission?: Level | undefined
  /** What members of other workspaces have there where no grant says more. */
  readonly workspaces?: readonly { readonly name: string; readonly defaultPermission: Level }[] | undefined
  readonly roles: readonly PolicyRole[]
  readonly groups: readonly PolicyMapping[]
  readonly users: readonly PolicyMapping[]
}

/** What came from the policy file, in a fixed order. */
export async function readPolicy(trx: Transaction<Schema>): Promise<PolicyContent> {
  const roles = await trx.selectFrom('roles').selectAll().where('source', '=', 'policy').execute()
  const grants = await trx.selectFrom('grants').selectAll().where('source', '=', 'policy').execute()
  const groups = await trx
    .selectFrom('group_roles')
    .innerJoin('roles', 'roles.id', 'group_roles.role_id')
    .select(['provider', 'group_name as name', 'roles.name as role'])
    .where('group_roles.source', '=', 'policy')
    .execute()
  const users = await trx
    .selectFrom('user_roles_by_name')
    .innerJoin('roles', 'roles.id', 'user_roles_by_name.role_id')
    .select(['provider', 'username as name', 'roles.name as role'])
    .where('user_roles_by_name.source', '=', 'policy')
    .execute()
  const byRole = Map.groupBy(grants, (grant) => grant.role_id)
  const levels = await readDefaultPermissions(trx)
  return ordered({
    defaultPermission: levels.get(DEFAULT_WORKSPACE),
    workspaces: [...levels]
      .filter(([name]) => name !== DEFAULT_WORKSPACE)
      .map(([name, defaultPermission]) => ({ name, defaultPermission })),
    roles: roles.map((role) => ({
      name: role.name,
      description: role.description ?? undefined,
      workspace: role.workspace === DEFAULT_WORKSPACE ? undefined : role.workspace,
      grants: (byRole.get(role.id) ?? []).map(toGrant),
    })),
    groups,
    users,
  })
}

/** See `Roles.replacePolicy`. */
export async function replacePolicy(
  trx: Transaction<Schema>,
  policy: PolicyContent,
  at: number,
): Promise<boolean> {
  if (JSON.stringify(await readPolicy(trx)) === JSON.stringify(ordered(policy))) return false
  const ids = await replaceRoles(trx, policy.roles, at)
  await replaceGrants(trx, policy.roles, { ids, at })
  await replaceMappings(trx, policy, ids)
  const { defaultPermission, workspaces = [] } = policy
  await writeDefaultPermissions(
    trx,
    new Map([
      ...(defaultPermission === undefined ? [] : [[DEFAULT_WORKSPACE, defaultPermission] as const]),
      ...workspaces.map((each) => [each.name, each.defaultPermission] as const),
    ]),
  )
  await noteChange(trx, { kind: 'groups', key: '*', at })
  return true
}

type RoleIds = ReadonlyMap<string, string>

async function replaceRoles(
  trx: Transaction<Schema>,
  roles: readonly PolicyRole[],
  at: number,
): Promise<RoleIds> {
  const before = await trx.selectFrom('roles').select(['id', 'name', 'source']).execute()
  const existing = new Map(before.map((role) => [role.name, role]))
  const kept = new Set(roles.map((role) => role.name))
  for (const role of before) {
    if (role.source === 'policy' && !kept.has(role.name)) {
      await trx.deleteFrom('roles').where('id', '=', role.id).execute()
    }
  }
  const ids = new Map<string, string>()
  for (const { name, description = null, workspace = DEFAULT_WORKSPACE } of roles) {
    const role = existing.get(name)
    if (role !== undefined && role.source !== 'policy') throw madeByHand(name)
    const id = role?.id ?? randomUUID()
    ids.set(name, id)
    await trx
      .insertInto('roles')
      .values({ id, workspace, name, description, source: 'policy', created_at: at })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ description, workspace }))
      .execute()
  }
  return ids
}

async function replaceGrants(
  trx: Transaction<Schema>,
  roles: readonly PolicyRole[],
  { ids, at }: { readonly ids: RoleIds; readonly at: number },
): Promise<void> {
  await trx.deleteFrom('grants').where('source', '=', 'policy').execute()
  for (const role of roles) {
    for (const grant of role.grants) {
      await trx
        .insertInto('grants')
        .values({
          id: randomUUID(),
          role_id: roleId(ids, role.name),
          ...fromGrant({ ...grant, workspace: role.workspace }),
          source: 'policy',
          created_at: at,
        })
        .execute()
    }
  }
}

async function replaceMappings(
  trx: Transaction<Schema>,
  { groups, users }: PolicyContent,
  ids: RoleIds,
): Promise<void> {
  await trx.deleteFrom('group_roles').where('source', '=', 'policy').execute()
  for (const { provider, name, role } of groups) {
    await trx
      .insertInto('group_roles')
      .values({ provider, group_name: name, role_id: roleId(ids, role), source: 'policy' })
      .execute()
  }
  await trx.deleteFrom('user_roles_by_name').where('source', '=', 'policy').execute()
  for (const { provider, name, role } of users) {
    await trx
      .insertInto('user_roles_by_name')
      .values({ provider, username: name, role_id: roleId(ids, role), source: 'policy' })
      .execute()
  }
}

function roleId(ids: RoleIds, name: string): string {
  const id = ids.get(name)
  if (id === undefined) {
    throw new GatewayError('ERR_INVALID_PARAMETER', `The policy gives a role it does not define: ${name}`)
  }
  return id
}

function madeByHand(name: string): GatewayError {
  return new GatewayError(
    'ERR_INVALID_PARAMETER',
    `The policy defines the role ${name}, which exists and was made by hand: delete that one or give this one another name`,
  )
}

/** The same content in one order with one set of properties, so that two can be compared. */
function ordered(policy: PolicyContent): PolicyContent {
  return {
    defaultPermission: policy.defaultPermission,
    // None is left out, however it was said.
    workspaces: policy.workspaces?.length ? sorted(policy.workspaces) : undefined,
    roles: sorted(
      policy.roles.map(({ name, description, workspace, grants }) => ({
        name,
        description,
        workspace,
        grants: sorted(grants.map(bare)),
      })),
    ),
    groups: sorted(policy.groups.map(({ provider, name, role }) => ({ provider, name, role }))),
    users: sorted(policy.users.map(({ provider, name, role }) => ({ provider, name, role }))),
  }
}

function bare({ resourceType, match, pattern, level, expiresAt }: Grant): Grant {
  return { resourceType, match, pattern, level, expiresAt }
}

function sorted<T>(items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, text: JSON.stringify(item) }))
    .sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ item }) => item)
}
