import { sql, type Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import type { Database } from './database.ts'
import type { ProviderName, ProviderRef } from './membership.ts'
import { type Person, selectPeople, toPerson } from './person.ts'
import { mapGroup, unmapGroup } from './role-writes.ts'
import type { Schema, Source } from './schema.ts'
import { containing } from './search.ts'

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

/** Names from each of the two tables in the order of its index, and figures for those on the page: no table is read whole. */
async function pageOfGroups(
  db: Database,
  query: GroupsQuery,
  providers: readonly ProviderRef[],
): Promise<readonly GroupSummary[]> {
  const [only, ...others] = providers
  const bare = only === undefined || others.length > 0 ? '' : only.id
  const asOf = ({ provider, name }: ProviderName) => ({ provider: provider === '' ? bare : provider, name })
  // Of one group a mapping may speak in two ways: with its provider, and without.
  const mapped = await namesIn(db, 'group_roles', { ...query, limit: 2 * query.limit + 2 })
  const names = [...(await namesIn(db, 'user_groups', query)), ...mapped.map(asOf)]
  const page = [
    ...new Map(names.filter((each) => isAfter(each, query.after)).map((each) => [keyOf(each), each])),
  ]
    .map(([, each]) => each)
    .toSorted((a, b) => compare(a.name, b.name) || compare(a.provider, b.provider))
    .slice(0, query.limit)
  const people = await peopleIn(db, page)
  const roles = await rolesOf(db, page, asOf)
  return page.map((each) => ({
    ...each,
    people: people.get(keyOf(each)) ?? 0,
    roles: roles.get(keyOf(each))?.size ?? 0,
  }))
}

const keyOf = ({ provider, name }: ProviderName) => JSON.stringify([provider, name])

/** As the database orders texts: by their bytes. */
function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function isAfter({ provider, name }: ProviderName, after: ProviderName | undefined): boolean {
  if (after === undefined) return true
  return (compare(name, after.name) || compare(provider, after.provider)) > 0
}

async function namesIn(
  db: Database,
  table: 'user_groups' | 'group_roles',
  { search = '', after, limit }: GroupsQuery,
): Promise<readonly ProviderName[]> {
  return db
    .selectFrom(table)
    .select(['provider', 'group_name as name'])
    .distinct()
    .$if(after !== undefined, (query) =>
      // A mapping without a provider may stand for one that comes later.
      table === 'group_roles'
        ? query.where('group_name', '>=', after?.name ?? '')
        : query.where(({ eb, refTuple, tuple }) =>
            eb(refTuple('group_name', 'provider'), '>', tuple(after?.name ?? '', after?.provider ?? '')),
          ),
    )
    .$if(search !== '', (query) => query.where(containing(sql.ref('group_name'), search)))
    .orderBy('group_name')
    .orderBy('provider')
    .limit(limit)
    .execute()
}

async function peopleIn(db: Database, groups: readonly ProviderName[]): Promise<ReadonlyMap<string, number>> {
  if (groups.length === 0) return new Map()
  const rows = await db
    .selectFrom('user_groups')
    .select((eb) => ['provider', 'group_name as name', eb.fn.countAll<number>().as('people')])
    .where('group_name', 'in', [...new Set(groups.map(({ name }) => name))])
    .groupBy(['group_name', 'provider'])
    .execute()
  return new Map(rows.map((row) => [keyOf(row), Number(row.people)]))
}

async function rolesOf(
  db: Database,
  groups: readonly ProviderName[],
  asOf: (group: ProviderName) => ProviderName,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  if (groups.length === 0) return new Map()
  const rows = await db
    .selectFrom('group_roles')
    .select(['provider', 'group_name as name', 'role_id'])
    .where('group_name', 'in', [...new Set(groups.map(({ name }) => name))])
    .execute()
  const of = Map.groupBy(rows, (row) => keyOf(asOf(row)))
  return new Map([...of].map(([key, each]) => [key, new Set(each.map((row) => row.role_id))]))
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
