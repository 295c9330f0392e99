import type { Transaction } from 'kysely'
import { DEFAULT_WORKSPACE, type ResourceType } from '../policy/grants.ts'
import { isDefault, namesFor } from '../policy/workspace-name.ts'
import { toGrant } from './grant-row.ts'
import {
  type Membership,
  nameOf,
  type ProviderName,
  type ProviderRef,
  type RoleVia,
  type RoleWithGrants,
} from './membership.ts'
import { type PersonRow, selectPeople, toPerson } from './person.ts'
import { selectHoldings } from './role-holdings.ts'
import type { Schema } from './schema.ts'
import { readDefaultPermissions } from './settings.ts'

/** Things of one type in one workspace, as grants know them by their keys. */
export type About = {
  readonly type: ResourceType
  readonly keys: readonly string[]
  readonly workspace: string
}

export type MembershipsQuery = {
  readonly userIds: readonly string[]
  readonly providers: readonly ProviderRef[]
  readonly about: About
  /** Seconds since the epoch. */
  readonly at: number
}

/**
 * What each of these people may do about these things, by username: as `readMembership`, but of the grants only those that
 * can speak of them, by key, by name or of all; elsewhere than in a default workspace all that are there, since holding
 * any makes a member. As many statements however many people there are, and whatever they are in.
 */
export async function readMemberships(
  trx: Transaction<Schema>,
  query: MembershipsQuery,
): Promise<readonly Membership[]> {
  const ids = [...query.userIds]
  const people = await selectPeople(trx).where('users.id', 'in', ids).orderBy('users.username').execute()
  const levels = await readDefaultPermissions(trx)
  const named = await trx
    .selectFrom('claimed_names')
    .select(['user_id', 'provider', 'username as name'])
    .where('user_id', 'in', ids)
    .execute()
  const grouped = await trx
    .selectFrom('user_groups')
    .select(['user_id', 'provider', 'group_name as name'])
    .where('user_id', 'in', ids)
    .orderBy('provider')
    .orderBy('group_name')
    .execute()
  const [names, groups] = [named, grouped].map((rows) => Map.groupBy(rows, (row) => row.user_id))
  const roles = await rolesHeld(trx, query)
  const configured = new Set(query.providers.map(({ id }) => id))
  const counts = ({ provider }: ProviderName) => configured.has(provider)
  return people.map((row) => ({
    person: toPerson(row),
    names: (names?.get(row.id) ?? []).filter((each) => counts(each) && isCurrent(each, row)).map(bare),
    groups: (groups?.get(row.id) ?? []).filter(counts).map(bare),
    roles: roles.get(row.id) ?? [],
    defaultPermission: levels.get(DEFAULT_WORKSPACE),
    defaultPermissions: levels,
  }))
}

function isCurrent({ provider, name }: ProviderName, row: PersonRow): boolean {
  const current = nameOf(row)
  return current.provider === provider && current.name === name
}

const bare = ({ provider, name }: ProviderName): ProviderName => ({ provider, name })

/** By user id, the roles of each by name. */
async function rolesHeld(
  trx: Transaction<Schema>,
  query: MembershipsQuery,
): Promise<ReadonlyMap<string, readonly RoleWithGrants[]>> {
  const held = await heldBy(trx, query).selectAll().execute()
  const rows = await trx
    .selectFrom('roles')
    .select(['id', 'name', 'owner_user_id'])
    .where('id', 'in', heldBy(trx, query).select('roleId'))
    .orderBy('name')
    .execute()
  const grants = Map.groupBy(await grantsAbout(trx, query), (row) => row.role_id)
  const granted = new Map(rows.map(({ id }) => [id, (grants.get(id) ?? []).map(toGrant)]))
  const ofPerson = Map.groupBy(held, ({ userId }) => userId)
  return new Map(
    [...ofPerson].map(([userId, holdings]) => {
      const via = Map.groupBy(holdings, ({ roleId }) => roleId)
      const own = rows.filter(({ id }) => via.has(id))
      return [
        userId,
        own.map(({ id, name, owner_user_id: owner }) => ({
          ...{ id, name, personal: owner !== null, grants: granted.get(id) ?? [] },
          via: (via.get(id) ?? []).map(({ kind, provider, name: by }) => viaOf(kind, provider, by)),
        })),
      ] as const
    }),
  )
}

function viaOf(kind: RoleVia['kind'], provider: string, name: string): RoleVia {
  return kind === 'group' || kind === 'name' ? { kind, provider, name } : { kind }
}

function heldBy(trx: Transaction<Schema>, { userIds, providers }: MembershipsQuery) {
  return trx.selectFrom(selectHoldings(trx, providers).as('held')).where('userId', 'in', [...userIds])
}

/** Two selections, each by one range of the index for each role. */
async function grantsAbout(trx: Transaction<Schema>, query: MembershipsQuery) {
  const { about, at } = query
  const ofRoles = trx
    .selectFrom('grants')
    .selectAll()
    .where('role_id', 'in', heldBy(trx, query).select('roleId'))
    .where('workspace', 'in', [...namesFor(about.workspace)])
    .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
  if (!isDefault(about.workspace)) return ofRoles.execute()
  const wide = ofRoles
    .where('resource_type', 'in', [about.type, 'workspace'])
    .where('match', 'in', ['any', 'name'])
  const exact = ofRoles
    .where((eb) => eb.and({ resource_type: about.type, match: 'exact' }))
    .where('pattern', 'in', [...about.keys])
  return [...(await wide.execute()), ...(await exact.execute())]
}
