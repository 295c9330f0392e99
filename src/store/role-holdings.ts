import { sql } from 'kysely'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import type { Database } from './database.ts'
import type { ProviderName, ProviderRef, RoleVia } from './membership.ts'
import { withGrants } from './role-reads.ts'
import type { RoleRecord } from './roles.ts'

/**
 * A role in a workspace. A personal role holds what its person has anywhere, and is one such for each workspace: always
 * for the default one. Grants that have expired are left out.
 */
export type PlacedRole = RoleRecord & {
  readonly workspace: string
  /** Tells it from the same role in another workspace: the role's id, after the default one with `/` and the workspace. */
  readonly placeId: string
}

/** Somebody holds a role, in one of the ways there are. */
export type Holding = {
  readonly userId: string
  readonly roleId: string
  readonly kind: RoleVia['kind']
  /** Of the group or the name that it is held by; else both are ''. */
  readonly provider: string
  readonly name: string
}

export type RoleHoldings = {
  /** The role by its `placeId`, a personal one too. */
  readonly find: (placeId: string) => Promise<PlacedRole | undefined>
  /** Those of them that exist, by name, in every workspace they are in. */
  readonly findAll: (roleIds: Iterable<string>) => Promise<readonly PlacedRole[]>
  /** Every role, personal ones too, by name. */
  readonly listAll: () => Promise<readonly PlacedRole[]>
  /** Who holds what, by whichever way: of everybody, of some people or of one role. Somebody may hold a role in several. */
  readonly holdings: (
    providers: readonly ProviderRef[],
    of?: { readonly userId: string } | { readonly userIds: readonly string[] } | { readonly roleId: string },
  ) => Promise<readonly Holding[]>
  /** Who is called so, or is in such a group, at that provider: of everybody or of one person. */
  readonly namedSo: (names: NamedSo, userId?: string) => Promise<ReadonlySet<string>>
}

export type NamedSo = { readonly users: readonly ProviderName[]; readonly groups: readonly ProviderName[] }

/** Roles and who holds them, for many people in few statements; `people.membership` is the same for one. */
export function createRoleHoldings(db: Database, now: () => number): RoleHoldings {
  const placed = async (ids?: Iterable<string>): Promise<readonly PlacedRole[]> => {
    const query = db.selectFrom('roles').selectAll().orderBy('name').orderBy('workspace')
    const rows = await (ids === undefined ? query : query.where('id', 'in', [...new Set(ids)])).execute()
    const at = now()
    return (await withGrants(db, rows)).flatMap((role, index) => {
      const grants = role.grants.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > at)
      return places({ ...role, grants }, rows[index]?.workspace ?? DEFAULT_WORKSPACE)
    })
  }
  return {
    find: async (placeId) => {
      const [roleId = ''] = placeId.split('/', 1)
      return (await placed([roleId])).find((role) => role.placeId === placeId)
    },
    findAll: (roleIds) => placed(roleIds),
    listAll: () => placed(),
    holdings: async (providers, of) => {
      const held = db
        .selectFrom(selectHoldings(db, providers).as('held'))
        .selectAll()
        .orderBy('userId')
        .orderBy('roleId')
        .orderBy('kind')
      if (of === undefined) return held.execute()
      if ('userIds' in of) return held.where('userId', 'in', [...of.userIds]).execute()
      return 'userId' in of
        ? held.where('userId', '=', of.userId).execute()
        : held.where('roleId', '=', of.roleId).execute()
    },
    namedSo: async (names, userId) => {
      const query = db.selectFrom(selectNamed(db, names).as('named')).select('userId')
      const rows = await (userId === undefined ? query : query.where('userId', '=', userId)).execute()
      return new Set(rows.map((row) => row.userId))
    },
  }
}

function places(role: RoleRecord, workspace: string): readonly PlacedRole[] {
  if (role.ownerUserId === undefined) return [{ ...role, workspace, placeId: role.id }]
  const byWorkspace = Map.groupBy(role.grants, (grant) => grant.workspace ?? DEFAULT_WORKSPACE)
  return [...new Set([DEFAULT_WORKSPACE, ...byWorkspace.keys()])].map((name) => ({
    ...role,
    grants: byWorkspace.get(name) ?? [],
    workspace: name,
    placeId: placeIdOf(role.id, name),
  }))
}

/** The `placeId` of a personal role. */
export function placeIdOf(roleId: string, workspace: string = DEFAULT_WORKSPACE): string {
  return workspace === DEFAULT_WORKSPACE ? roleId : `${roleId}/${workspace}`
}

/** As `rolesHeld` in `membership.ts`, of everybody at once. */
export function selectHoldings(db: Database, providers: readonly ProviderRef[]) {
  const configured = providers.map(({ id }) => id)
  const unqualified = configured.length === 1 ? [''] : []
  return db
    .selectFrom('role_assignments')
    .select(['user_id as userId', 'role_id as roleId', ...held('assigned')])
    .unionAll((eb) =>
      eb
        .selectFrom('roles')
        .select([sql<string>`owner_user_id`.as('userId'), 'id as roleId', ...held('personal')])
        .where('owner_user_id', 'is not', null),
    )
    .unionAll((eb) =>
      eb
        .selectFrom('user_groups')
        .innerJoin('group_roles', 'group_roles.group_name', 'user_groups.group_name')
        .select(['user_id as userId', 'role_id as roleId', kindOf('group')])
        .select(['user_groups.provider as provider', 'user_groups.group_name as name'])
        .where('user_groups.provider', 'in', configured)
        .where((sub) =>
          sub.or([
            sub('group_roles.provider', '=', sub.ref('user_groups.provider')),
            sub('group_roles.provider', 'in', unqualified),
          ]),
        ),
    )
    .unionAll((eb) =>
      eb
        .selectFrom(selectNames(db).as('names'))
        .innerJoin('user_roles_by_name', 'user_roles_by_name.username', 'names.name')
        .select(['userId', 'role_id as roleId', kindOf('name')])
        .select(['user_roles_by_name.provider as provider', 'user_roles_by_name.username as name'])
        .where('names.voucher', 'in', configured)
        .where((sub) =>
          sub.or([
            sub('user_roles_by_name.provider', '=', sub.ref('names.provider')),
            sub('user_roles_by_name.provider', 'in', unqualified),
          ]),
        ),
    )
}

function kindOf(kind: Holding['kind']) {
  return sql<Holding['kind']>`${sql.lit(kind)}`.as('kind')
}

function held(kind: 'assigned' | 'personal') {
  return [kindOf(kind), sql<string>`''`.as('provider'), sql<string>`''`.as('name')] as const
}

/** What everybody is called at their provider, as far as they were the first to be called so. */
function selectNames(db: Database) {
  return db
    .selectFrom('claimed_names')
    .innerJoin('users', 'users.id', 'claimed_names.user_id')
    .leftJoin('identities', 'identities.user_id', 'users.id')
    .select(['claimed_names.user_id as userId', 'claimed_names.provider as provider'])
    .select((eb) => [
      'claimed_names.username as name',
      // The same as `provider`, but no index leads by it to everybody of a provider.
      eb.fn.coalesce('identities.provider', 'pending_provider').as('voucher'),
    ])
    .where((eb) =>
      eb.and([
        eb('claimed_names.provider', '=', eb.fn.coalesce('identities.provider', 'pending_provider')),
        eb('claimed_names.username', '=', eb.fn.coalesce('claimed_username', 'pending_username')),
      ]),
    )
}

function selectNamed(db: Database, { users, groups }: NamedSo) {
  return db
    .selectFrom(selectNames(db).as('names'))
    .select('userId')
    .where((eb) => eb.or(users.map(({ provider, name }) => eb.and({ provider, name }))))
    .unionAll((eb) =>
      eb
        .selectFrom('user_groups')
        .select('user_id as userId')
        .where((sub) => sub.or(groups.map(({ provider, name }) => sub.and({ provider, group_name: name })))),
    )
}
