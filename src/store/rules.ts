import type { Transaction } from 'kysely'
import { DEFAULT_WORKSPACE, type Level } from '../policy/grants.ts'
import { type StoredGrant, toGrant } from './grant-row.ts'
import type { ProviderName } from './membership.ts'
import type { Schema, Source } from './schema.ts'
import { readDefaultPermissions } from './settings.ts'

type Sourced = { readonly source: Source }

/** Somebody who was given a role by hand. */
export type Holder = {
  readonly username: string
  /** What their provider calls them; absent unless they came first under that name: only then what is configured by it is theirs. */
  readonly known?: ProviderName | undefined
  readonly disabled: boolean
}

/** A role that people share, with everything that was said of it, whoever said it. */
export type RoleRules = Sourced & {
  readonly name: string
  readonly description?: string | undefined
  /** In which its grants count. */
  readonly workspace: string
  /** Expired ones too. */
  readonly grants: readonly StoredGrant[]
  /** `provider` is '' for a mapping written without one. */
  readonly groups: readonly (ProviderName & Sourced)[]
  readonly names: readonly (ProviderName & Sourced)[]
  readonly people: readonly Holder[]
}

/** Who may do what, as far as the store says it: the policy file's part and what was done by hand. */
export type Rules = {
  readonly defaultPermissions: ReadonlyMap<string, Level>
  readonly roles: readonly RoleRules[]
  /** What single people hold directly. */
  readonly personal: readonly { readonly username: string; readonly grants: readonly StoredGrant[] }[]
}

/** All of it at one moment; roles by workspace and name. */
export async function readRules(trx: Transaction<Schema>): Promise<Rules> {
  const roles = await trx.selectFrom('roles').selectAll().orderBy('workspace').orderBy('name').execute()
  const rows = await trx.selectFrom('grants').selectAll().orderBy('created_at').orderBy('id').execute()
  const grants = Map.groupBy(rows, (row) => row.role_id)
  const groups = Map.groupBy(await readGroups(trx), (row) => row.roleId)
  const names = Map.groupBy(await readNames(trx), (row) => row.roleId)
  const people = Map.groupBy(await readPeople(trx), (row) => row.roleId)
  const usernames = await readUsernames(trx)
  const grantsOf = ({ id }: { readonly id: string }) => (grants.get(id) ?? []).map(toGrant)
  return {
    defaultPermissions: await readDefaultPermissions(trx),
    roles: roles
      .filter((role) => role.owner_user_id === null)
      .map((role) => ({
        ...{ name: role.name, description: role.description ?? undefined },
        ...{ workspace: role.workspace ?? DEFAULT_WORKSPACE, source: role.source, grants: grantsOf(role) },
        groups: (groups.get(role.id) ?? []).map(bare),
        names: (names.get(role.id) ?? []).map(bare),
        people: (people.get(role.id) ?? []).map(toHolder),
      })),
    personal: roles.flatMap((role) =>
      role.owner_user_id === null
        ? []
        : { username: usernames.get(role.owner_user_id) ?? '', grants: grantsOf(role) },
    ),
  }
}

type Mapping = ProviderName & Sourced & { readonly roleId: string }

function bare({ provider, name, source }: Mapping): ProviderName & Sourced {
  return { provider, name, source }
}

function readGroups(trx: Transaction<Schema>): Promise<readonly Mapping[]> {
  return trx
    .selectFrom('group_roles')
    .select(['role_id as roleId', 'provider', 'group_name as name', 'source'])
    .orderBy('provider')
    .orderBy('group_name')
    .execute()
}

function readNames(trx: Transaction<Schema>): Promise<readonly Mapping[]> {
  return trx
    .selectFrom('user_roles_by_name')
    .select(['role_id as roleId', 'provider', 'username as name', 'source'])
    .orderBy('provider')
    .orderBy('username')
    .execute()
}

async function readUsernames(trx: Transaction<Schema>): Promise<ReadonlyMap<string, string>> {
  const rows = await trx.selectFrom('users').select(['id', 'username']).execute()
  return new Map(rows.map(({ id, username }) => [id, username]))
}

/** As `heldNames` in `membership.ts`, of everybody who was given a role. */
function readPeople(trx: Transaction<Schema>) {
  return trx
    .selectFrom('role_assignments')
    .innerJoin('users', 'users.id', 'role_assignments.user_id')
    .leftJoin('identities', 'identities.user_id', 'users.id')
    .leftJoin('claimed_names', (join) =>
      join
        .onRef('claimed_names.user_id', '=', 'users.id')
        .on((eb) =>
          eb.and([
            eb('claimed_names.provider', '=', eb.fn.coalesce('identities.provider', 'pending_provider')),
            eb('claimed_names.username', '=', eb.fn.coalesce('claimed_username', 'pending_username')),
          ]),
        ),
    )
    .select([
      'role_id as roleId',
      'users.username',
      'users.disabled',
      'claimed_names.provider',
      'claimed_names.username as name',
    ])
    .orderBy('users.username')
    .execute()
}

type HolderRow = Awaited<ReturnType<typeof readPeople>>[number]

function toHolder({ username, disabled, provider, name }: HolderRow): Holder {
  const known = provider === null || name === null ? undefined : { provider, name }
  return { username, known, disabled: disabled === 1 }
}
