import type { ResourceRef } from '../policy/access.ts'
import { qualifiedNames } from '../policy/admins.ts'
import type { Demand } from '../policy/decide.ts'
import { type ConsideredGrant, explain } from '../policy/explain.ts'
import { DEFAULT_WORKSPACE, type Level } from '../policy/grants.ts'
import { createMemberCompiler, defaultLevelIn, type MemberConfig } from '../policy/member.ts'
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
  /** What everybody else who signs in has; in another than the default workspace, everybody else who holds something there. */
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
  const compile = createMemberCompiler(config, now)
  const people: Reach[] = []
  const options = { defaultPermission: config.defaultPermission, now: at, workspace }
  let byDefault: Level | undefined
  for (const { id, username } of candidates) {
    const membership = await store.people.membership(id, config.providers)
    const member = membership && compile(membership)?.member
    if (membership === undefined || member === undefined) continue
    byDefault ??= defaultLevelIn(workspace ?? DEFAULT_WORKSPACE, membership, config.defaultPermission)
    const { isAdmin } = member.principal
    const demand: Demand = { action: 'read', resource }
    const [found] = explain([demand], membership, options)
    if (found === undefined) continue
    const through = found.grants.filter(({ decides }) => decides)
    if (isAdmin || through.length > 0) {
      people.push({
        userId: id,
        username,
        level: isAdmin ? 'MANAGE' : found.held,
        isAdmin,
        through: isAdmin ? [] : through,
      })
    }
  }
  const last = candidates.at(-1)
  return {
    people,
    byDefault: byDefault ?? defaultLevelIn(workspace ?? DEFAULT_WORKSPACE, {}, config.defaultPermission),
    next: candidates.length === limit ? last?.username : undefined,
  }
}
