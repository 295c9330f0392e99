import type { ResourceRef } from '../policy/access.ts'
import { qualifiedNames } from '../policy/admins.ts'
import type { Demand } from '../policy/decide.ts'
import { type ConsideredGrant, explain } from '../policy/explain.ts'
import { compileGlob } from '../policy/glob.ts'
import { DEFAULT_WORKSPACE, type Grant, type Level, type ResourceType } from '../policy/grants.ts'
import { createMemberCompiler, defaultLevelIn, type MemberConfig } from '../policy/member.ts'
import { isDefault } from '../policy/workspace-name.ts'
import type { Membership } from '../store/membership.ts'
import type { About } from '../store/memberships.ts'
import type { Store } from '../store/store.ts'

/** What somebody holds on a resource, and through what. */
export type Reach = {
  readonly userId: string
  readonly username: string
  readonly level: Level
  readonly isAdmin: boolean
  /** The grants that the level comes from; none for an administrator, or where it is the default. */
  readonly through: readonly ConsideredGrant[]
}

export type ReachPage = {
  /** By username. */
  readonly people: readonly Reach[]
  /** What everybody else who signs in has; in another than a default workspace, everybody else who holds something there. */
  readonly byDefault: Level
  /** Username to go on after; absent on the last page. */
  readonly next?: string | undefined
}

export type ReachParts = {
  readonly store: Pick<Store, 'people'>
  readonly config: MemberConfig
  /** The workspace that it is in; the default one if absent. */
  readonly workspace?: string | undefined
  /** Seconds since the epoch. */
  readonly now: () => number
}

export type ReachOptions = {
  /** Username after which to begin. */
  readonly after?: string | undefined
  /** People looked at for one page. */
  readonly limit?: number | undefined
}

/**
 * Who can reach a resource, with the source of each right: found by what a request of theirs would be judged by (field
 * report 46). People who have nothing but the default are counted in `byDefault` only.
 */
export async function whoReaches(
  resource: ResourceRef,
  { store, config, now, workspace }: ReachParts,
  { after = '', limit = 200 }: ReachOptions = {},
): Promise<ReachPage> {
  const at = now()
  const candidates = await store.people.reaching({
    resource,
    workspace: workspace ?? DEFAULT_WORKSPACE,
    providers: config.providers,
    adminUsers: qualifiedNames(config.adminUsers, config),
    adminGroups: qualifiedNames(config.adminGroups, config),
    at,
    after,
    limit,
  })
  const place = workspace ?? DEFAULT_WORKSPACE
  const memberships = await store.people.memberships({
    userIds: candidates.map(({ id }) => id),
    providers: config.providers,
    about: aboutOf(resource, place),
  })
  const compile = createMemberCompiler(config, now)
  const options = { defaultPermission: config.defaultPermission, now: at, workspace }
  const speaks = speaksOf(resource, place)
  const people = memberships.flatMap((held): Reach | readonly [] => {
    const roles = held.roles.map((role) => ({ ...role, grants: role.grants.filter(speaks) }))
    return reachOf(resource, { ...held, roles }, { compile, options })
  })
  const last = candidates.at(-1)
  return {
    people,
    byDefault: defaultLevelIn(place, memberships[0] ?? {}, config.defaultPermission),
    next: candidates.length === limit ? last?.username : undefined,
  }
}

function aboutOf({ type, key }: ResourceRef, workspace: string): About {
  // Nothing but administrators reaches the server: no grant is on it, so none is found.
  return { type: type as ResourceType, keys: key === undefined ? [] : [key], workspace }
}

/**
 * Tells name patterns that match from those that do not, each looked at once however many roles have it. Elsewhere than in
 * a default workspace any grant makes a member, so all stay.
 */
function speaksOf({ name }: ResourceRef, workspace: string): (grant: Grant) => boolean {
  if (!isDefault(workspace)) return () => true
  const known = new Map<string, boolean>()
  return ({ match, pattern }) => {
    if (match !== 'name') return true
    const matches = known.get(pattern) ?? (name !== undefined && compileGlob(pattern)(name))
    known.set(pattern, matches)
    return matches
  }
}

type Judging = {
  readonly compile: ReturnType<typeof createMemberCompiler>
  readonly options: Parameters<typeof explain>[2]
}

/** @returns Nothing for somebody who is locked out, or has nothing but the default. */
function reachOf(
  resource: ResourceRef,
  membership: Membership,
  { compile, options }: Judging,
): Reach | readonly [] {
  const member = compile(membership)?.member
  const demand: Demand = { action: 'read', resource }
  const [found] = explain([demand], membership, options)
  if (member === undefined || found === undefined) return []
  const { isAdmin, userId, username } = member.principal
  const through = found.grants.filter(({ decides }) => decides)
  if (isAdmin) return { userId, username, level: 'MANAGE', isAdmin, through: [] }
  return through.length === 0 ? [] : { userId, username, level: found.held, isAdmin, through }
}
