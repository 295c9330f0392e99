import { type ExpressionBuilder, sql, type Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import type { Database } from './database.ts'
import type { ProviderName, ProviderRef } from './membership.ts'
import { type Person, selectPeople, toPerson } from './person.ts'
import { mapGroup, unmapGroup } from './role-writes.ts'
import type { Schema, Source } from './schema.ts'

/**
 * A group as it is listed. `provider` is '' for one that is only spoken of in mappings without a provider, while several
 * are configured: nobody is in it. With a single provider such a mapping is of that provider's group.
 */
export type GroupSummary = ProviderName & {
  readonly people: number
  /** How many roles everybody in it holds. */
  readonly roles: number
}

export type GroupRole = {
  readonly id: string
  readonly name: string
  /** Who mapped it; a role that the policy file gives may have been given by hand as well. */
  readonly source: Source
}

export type GroupDetails = GroupSummary & {
  /** What everybody in it holds, by name. */
  readonly mappings: readonly GroupRole[]
}

export type GroupsQuery = {
  /** Found anywhere in the name, in whichever case. */
  readonly search?: string | undefined
  /** The group after which to begin. */
  readonly after?: ProviderName | undefined
  readonly limit: number
}

export type GroupPeopleQuery = { readonly after: string; readonly limit: number }

export type GroupChange = { readonly kind: 'map' | 'unmap'; readonly roleId: string }

/** The groups that somebody is in, by their last sign-in, or that a role is given to. */
export type Groups = {
  /** Some of them, by name. */
  readonly page: (query: GroupsQuery, providers: readonly ProviderRef[]) => Promise<readonly GroupSummary[]>
  /** @returns Undefined for one that nobody is in and no role is given to. */
  readonly get: (group: ProviderName, providers: readonly ProviderRef[]) => Promise<GroupDetails | undefined>
  /** Who is in it, by username. */
  readonly people: (group: ProviderName, query: GroupPeopleQuery) => Promise<readonly Person[]>
  /**
   * Gives a group a role, or takes one away that was given by hand, as long as its roles are what the caller has seen.
   *
   * @throws {GatewayError} `ERR_PRECONDITION_FAILED` if they have changed; `ERR_NOT_FOUND` for no such role;
   *   `ERR_INVALID_PARAMETER` for what the policy file owns.
   */
  readonly change: (
    group: ProviderName,
    change: GroupChange,
    guard: {
      readonly providers: readonly ProviderRef[]
      readonly isCurrent: (mappings: readonly GroupRole[]) => boolean
    },
  ) => Promise<void>
}

export function createGroups(db: Database, now: () => number): Groups {
  return {
    page: (query, providers) => pageOfGroups(db, query, providers),

    get: async (group, providers) => {
      const mappings = await mappingsOf(db, group, providers)
      const { people } = await db
        .selectFrom('user_groups')
        .select((eb) => eb.fn.countAll<number>().as('people'))
        .where((eb) => eb.and({ provider: group.provider, group_name: group.name }))
        .executeTakeFirstOrThrow()
      if (mappings.length === 0 && Number(people) === 0) return undefined
      const roles = new Set(mappings.map(({ id }) => id)).size
      return { ...group, people: Number(people), roles, mappings }
    },

    people: async ({ provider, name }, { after, limit }) => {
      const rows = await selectPeople(db)
        .innerJoin('user_groups', 'user_groups.user_id', 'users.id')
        .where('user_groups.provider', '=', provider)
        .where('user_groups.group_name', '=', name)
        .where('users.username', '>', after)
        .orderBy('users.username')
        .limit(limit)
        .execute()
      return rows.map(toPerson)
    },

    change: (group, change, { providers, isCurrent }) =>
      db.transaction().execute(async (trx) => {
        const mappings = await mappingsOf(trx, group, providers)
        if (!isCurrent(mappings)) {
          const message =
            'The roles of this group have changed meanwhile: look at them again, then change them'
          throw new GatewayError('ERR_PRECONDITION_FAILED', message)
        }
        const mapping = { ...group, group: group.name, roleId: change.roleId }
        if (change.kind === 'map') return mapGroup(trx, mapping, now())
        return unmap(trx, { mapping, mappings, providers, at: now() })
      }),
  }
}

/** How mappings may call the group's provider: by its id, or not at all where it is the only one. */
function spellings(provider: string, providers: readonly ProviderRef[]): readonly string[] {
  const [only, ...others] = providers
  return only?.id === provider && others.length === 0 ? [provider, ''] : [provider]
}

async function pageOfGroups(
  db: Database,
  { search = '', after, limit }: GroupsQuery,
  providers: readonly ProviderRef[],
): Promise<readonly GroupSummary[]> {
  // `%` and `_` of a search are those characters.
  const wanted = `%${search.toLowerCase().replaceAll(/[\\%_]/g, (character) => `\\${character}`)}%`
  const rows = await db
    .selectFrom((eb) => named(eb, providers).as('named'))
    .select((eb) => [
      'provider',
      'name',
      eb.fn.count<number>('userId').as('people'),
      eb.fn.count<number>('roleId').distinct().as('roles'),
    ])
    .$if(after !== undefined, (query) =>
      query.where((eb) => {
        const { name = '', provider = '' } = after ?? {}
        return eb.or([eb('name', '>', name), eb.and([eb('name', '=', name), eb('provider', '>', provider)])])
      }),
    )
    .$if(search !== '', (query) =>
      query.where(sql<boolean>`lower(${sql.ref('name')}) like ${wanted} escape '\\'`),
    )
    .groupBy(['name', 'provider'])
    .orderBy('name')
    .orderBy('provider')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...row, people: Number(row.people), roles: Number(row.roles) }))
}

/** A row for each time that a group is named: by somebody's sign-in, or by a mapping. */
function named(eb: ExpressionBuilder<Schema, never>, providers: readonly ProviderRef[]) {
  const [only, ...others] = providers
  const bare = only === undefined || others.length > 0 ? '' : only.id
  const absent = sql<string | null>`cast(null as text)`
  return eb
    .selectFrom('user_groups')
    .select(['provider', 'group_name as name', sql<string | null>`user_id`.as('userId'), absent.as('roleId')])
    .unionAll(
      eb
        .selectFrom('group_roles')
        .select([
          sql<string>`case when provider = '' then ${bare} else provider end`.as('provider'),
          'group_name as name',
          absent.as('userId'),
          sql<string | null>`role_id`.as('roleId'),
        ]),
    )
}

async function mappingsOf(
  db: Database,
  { provider, name }: ProviderName,
  providers: readonly ProviderRef[],
): Promise<readonly GroupRole[]> {
  return db
    .selectFrom('group_roles')
    .innerJoin('roles', 'roles.id', 'group_roles.role_id')
    .select(['roles.id', 'roles.name', 'group_roles.source'])
    .distinct()
    .where('group_name', '=', name)
    .where('provider', 'in', [...spellings(provider, providers)])
    .orderBy('roles.name')
    .orderBy('group_roles.source')
    .execute()
}

type Unmapping = {
  readonly mapping: ProviderName & { readonly group: string; readonly roleId: string }
  readonly mappings: readonly GroupRole[]
  readonly providers: readonly ProviderRef[]
  readonly at: number
}

async function unmap(
  trx: Transaction<Schema>,
  { mapping, mappings, providers, at }: Unmapping,
): Promise<void> {
  let wasThere = false
  for (const provider of spellings(mapping.provider, providers)) {
    if (await unmapGroup(trx, { ...mapping, provider }, at)) wasThere = true
  }
  if (wasThere) return
  const given = mappings.find(({ id }) => id === mapping.roleId)
  if (given === undefined) throw new GatewayError('ERR_NOT_FOUND', 'The group has no such role')
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    `The policy file gives the role ${given.name} to this group; change it there and apply the file`,
    { reason: 'owned_by_policy' },
  )
}
