import type { Transaction } from 'kysely'
import { DEFAULT_WORKSPACE, type Level } from '../policy/grants.ts'
import { type GrantRow, type StoredGrant, toGrant } from './grant-row.ts'
import { type Person, type PersonRow, selectPeople, toPerson } from './person.ts'
import type { Schema } from './schema.ts'
import { type DefaultPermissions, readDefaultPermissions } from './settings.ts'

/** A configured provider. */
export type ProviderRef = { readonly id: string }

/** A group or username together with the provider that vouches for it. */
export type ProviderName = { readonly provider: string; readonly name: string }

/** How somebody comes to hold a role. */
export type RoleVia =
  | { readonly kind: 'assigned' }
  | { readonly kind: 'personal' }
  | { readonly kind: 'group'; readonly provider: string; readonly name: string }
  | { readonly kind: 'name'; readonly provider: string; readonly name: string }

export type RoleWithGrants = {
  readonly id: string
  readonly name: string
  /** True for the role that holds what was granted to the person directly. */
  readonly personal: boolean
  readonly via: readonly RoleVia[]
  /** Without those that have expired. */
  readonly grants: readonly StoredGrant[]
}

export type Membership = {
  readonly person: Person
  /** What the person is called at a configured provider and was the first to be called: what is configured by name counts for these. */
  readonly names: readonly ProviderName[]
  readonly groups: readonly ProviderName[]
  /** By name; the personal role too. */
  readonly roles: readonly RoleWithGrants[]
  /** What the policy file sets for resources no grant covers, if it does. */
  readonly defaultPermission?: Level | undefined
  /** The same by workspace, for their members. */
  readonly defaultPermissions?: DefaultPermissions | undefined
}

type Context = { readonly providers: readonly ProviderRef[]; readonly at: number }

/** One person's rights as they are now. Six statements, whatever the person is in. */
export async function readMembership(
  trx: Transaction<Schema>,
  userId: string,
  { providers, at }: Context,
): Promise<Membership | undefined> {
  const row = await selectPeople(trx).where('users.id', '=', userId).executeTakeFirst()
  if (row === undefined) return undefined
  const configured = providers.map(({ id }) => id)
  const defaultPermissions = await readDefaultPermissions(trx)
  const names = await heldNames(trx, userId, { current: nameOf(row), configured })
  const holder: Holder = { userId, configured, names }
  const via = await rolesHeld(trx, holder).execute()
  return {
    person: toPerson(row),
    names,
    groups: await groupsOf(trx, holder),
    roles: withVia(await grantsHeld(trx, holder, at), via),
    defaultPermission: defaultPermissions.get(DEFAULT_WORKSPACE),
    defaultPermissions,
  }
}

/** What the person is called now, or is expected to be, and by whom. */
export function nameOf(row: PersonRow): ProviderName {
  return {
    provider: row.provider ?? row.pending_provider ?? '',
    name: row.claimed_username ?? row.pending_username ?? '',
  }
}

type Holder = {
  readonly userId: string
  readonly configured: readonly string[]
  readonly names: readonly ProviderName[]
}

async function heldNames(
  trx: Transaction<Schema>,
  userId: string,
  { current, configured }: { readonly current: ProviderName; readonly configured: readonly string[] },
): Promise<readonly ProviderName[]> {
  return trx
    .selectFrom('claimed_names')
    .select(['provider', 'username as name'])
    .where('user_id', '=', userId)
    .where('provider', '=', current.provider)
    .where('username', '=', current.name)
    .where('provider', 'in', [...configured])
    .execute()
}

async function groupsOf(
  trx: Transaction<Schema>,
  { userId, configured }: Holder,
): Promise<readonly ProviderName[]> {
  return trx
    .selectFrom('user_groups')
    .select(['provider', 'group_name as name'])
    .where('user_id', '=', userId)
    .where('provider', 'in', [...configured])
    .orderBy('provider')
    .orderBy('group_name')
    .execute()
}

/**
 * Every way the person comes to a role, one row each.
 *
 * A mapping without a provider ('') counts only while a single one is configured: a name at one provider is not that
 * name at another.
 */
function rolesHeld(trx: Transaction<Schema>, { userId, configured, names }: Holder) {
  const providers = [...configured]
  const unqualified = configured.length === 1 ? [''] : []
  return trx
    .selectFrom('role_assignments')
    .select((eb) => [
      'role_id',
      eb.val('assigned').as('kind'),
      eb.val('').as('provider'),
      eb.val('').as('name'),
    ])
    .where('user_id', '=', userId)
    .unionAll((eb) =>
      eb
        .selectFrom('roles')
        .select((sub) => [
          'id as role_id',
          sub.val('personal').as('kind'),
          sub.val('').as('provider'),
          sub.val('').as('name'),
        ])
        .where('owner_user_id', '=', userId),
    )
    .unionAll((eb) =>
      eb
        .selectFrom('user_groups')
        .innerJoin('group_roles', 'group_roles.group_name', 'user_groups.group_name')
        .select((sub) => [
          'role_id',
          sub.val('group').as('kind'),
          'user_groups.provider as provider',
          'user_groups.group_name as name',
        ])
        .where('user_id', '=', userId)
        .where('user_groups.provider', 'in', providers)
        .where((sub) =>
          sub.or([
            sub('group_roles.provider', '=', sub.ref('user_groups.provider')),
            sub('group_roles.provider', 'in', unqualified),
          ]),
        ),
    )
    .unionAll((eb) =>
      eb
        .selectFrom('user_roles_by_name')
        .select((sub) => ['role_id', sub.val('name').as('kind'), 'provider', 'username as name'])
        .where((sub) =>
          sub.or(
            names.map(({ provider, name }) =>
              sub.and([sub('username', '=', name), sub('provider', 'in', [provider, ...unqualified])]),
            ),
          ),
        ),
    )
}

/** The roles themselves with the grants that have not expired, a row for each grant and one for a role without any. */
async function grantsHeld(trx: Transaction<Schema>, holder: Holder, at: number) {
  return trx
    .selectFrom('roles')
    .leftJoin('grants', (join) =>
      join
        .onRef('grants.role_id', '=', 'roles.id')
        .on((eb) => eb.or([eb('grants.expires_at', 'is', null), eb('grants.expires_at', '>', at)])),
    )
    .selectAll('grants')
    .select(['roles.id as held_id', 'roles.name', 'roles.owner_user_id'])
    .where('roles.id', 'in', trx.selectFrom(rolesHeld(trx, holder).as('held')).select('role_id'))
    .orderBy('roles.name')
    .orderBy('grants.created_at')
    .orderBy('grants.id')
    .execute()
}

type HeldGrantRow = Awaited<ReturnType<typeof grantsHeld>>[number]

type HeldRoleRow = {
  readonly role_id: string
  readonly kind: string
  readonly provider: string
  readonly name: string
}

function withVia(rows: readonly HeldGrantRow[], held: readonly HeldRoleRow[]): readonly RoleWithGrants[] {
  const via = Map.groupBy(held, (row) => row.role_id)
  const grants = Map.groupBy(rows, (row) => row.held_id)
  return [...grants.values()].flatMap((ofRole) => {
    const [role] = ofRole
    if (role === undefined) return []
    return {
      id: role.held_id,
      name: role.name,
      personal: role.owner_user_id !== null,
      via: (via.get(role.held_id) ?? []).map(toVia),
      grants: ofRole.filter(isGrant).map(toGrant),
    }
  })
}

function isGrant(row: HeldGrantRow): row is HeldGrantRow & GrantRow {
  return row.id !== null
}

function toVia({ kind, provider, name }: HeldRoleRow): RoleVia {
  if (kind === 'group' || kind === 'name') return { kind, provider, name }
  return { kind: kind === 'personal' ? 'personal' : 'assigned' }
}
