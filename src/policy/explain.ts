import type { Membership, RoleVia } from '../store/membership.ts'
import { type Access, compileAccess, type ResourceRef, satisfies } from './access.ts'
import { type Decision, type Demand, type DenyReason, decide, LEVEL_FOR } from './decide.ts'
import { compileGlob } from './glob.ts'
import { DEFAULT_WORKSPACE, type Grant, type GrantType, type Level } from './grants.ts'
import { defaultLevelIn } from './member.ts'
import { namesFor, type WorkspaceName } from './workspace-name.ts'

/** A grant that speaks of what was asked about, with how the person comes to hold it. */
export type ConsideredGrant = {
  readonly role: string
  readonly personal: boolean
  readonly via: readonly RoleVia[]
  readonly grant: Grant
  /** True for those that the level comes from. */
  readonly decides: boolean
}

/** Why one thing that an operation asks for holds, or does not. */
export type Explanation = {
  readonly demand: Demand
  readonly effect: 'allow' | 'deny'
  readonly reason?: DenyReason | undefined
  /** The level that is asked for, and the one that is held. */
  readonly needed: Level
  readonly held: Level
  /** Every grant that speaks of it, strongest first. */
  readonly grants: readonly ConsideredGrant[]
  /** True if nothing but `DEFAULT_PERMISSION` says what is held. */
  readonly byDefault: boolean
  /** What would allow it: the smallest grant, or the grants that would have to go. Absent if it is allowed, or nothing would. */
  readonly remedy?: Remedy | undefined
}

export type Remedy =
  | { readonly kind: 'grant'; readonly grant: Grant }
  | { readonly kind: 'revoke'; readonly grants: readonly Grant[] }
  | { readonly kind: 'admin' }

type Options = {
  /** `DEFAULT_PERMISSION`, where the policy file says nothing else. */
  readonly defaultPermission: Level
  /** Seconds since the epoch. */
  readonly now: number
  /** The one that the request would go to; the default one if absent. */
  readonly workspace?: WorkspaceName | undefined
}

/**
 * The same decision as a request gets, demand by demand, with every grant that was considered. Pure: what is found here
 * is found by {@link decide}, never by rules of its own.
 */
export function explain(
  demands: readonly Demand[],
  membership: Pick<Membership, 'roles' | 'defaultPermission' | 'defaultPermissions'>,
  { defaultPermission, now, workspace = DEFAULT_WORKSPACE }: Options,
): readonly Explanation[] {
  const defaultLevel = defaultLevelIn(workspace, membership, defaultPermission)
  const access = compileAccess(membership.roles, { defaultLevel, now, workspace })
  return demands.map((demand) => {
    const decision = decide([demand], access)
    const governing = decision.effect === 'deny' ? decision.held : heldOn(demand, access)
    const needed = decision.effect === 'deny' ? decision.needed : LEVEL_FOR[demand.action]
    const grants = considered(demand.resource, membership.roles, { now, workspace, governing })
    return {
      demand,
      effect: decision.effect,
      reason: decision.effect === 'deny' ? decision.reason : undefined,
      needed,
      held: governing,
      grants,
      byDefault: governing !== 'NO_PERMISSIONS' && !grants.some(({ decides }) => decides),
      remedy: decision.effect === 'deny' ? remedyFor(decision, { grants, access, workspace }) : undefined,
    }
  })
}

function heldOn({ resource }: Demand, access: ReturnType<typeof compileAccess>): Level {
  const own = resource.tier === undefined ? undefined : access.levelOfAll(resource.tier)
  return own ?? access.levelOf(resource)
}

const STRENGTH: readonly Level[] = ['DENY', 'MANAGE', 'EDIT', 'USE', 'READ', 'NO_PERMISSIONS']

function considered(
  resource: ResourceRef,
  roles: Membership['roles'],
  {
    now,
    workspace,
    governing,
  }: { readonly now: number; readonly workspace: string; readonly governing: Level },
): readonly ConsideredGrant[] {
  const places = namesFor(workspace)
  const found = roles.flatMap((role) =>
    role.grants
      .filter(
        (grant) =>
          places.includes(grant.workspace ?? DEFAULT_WORKSPACE) &&
          (grant.expiresAt ?? Number.POSITIVE_INFINITY) > now &&
          speaksOf(grant, resource),
      )
      .map((grant) => ({
        role: role.name,
        personal: role.personal,
        via: role.via,
        grant,
        decides: decides(grant, governing),
      })),
  )
  return found.toSorted((a, b) => STRENGTH.indexOf(a.grant.level) - STRENGTH.indexOf(b.grant.level))
}

/** A workspace's administrator manages everything in it. */
function decides({ resourceType, level }: Grant, governing: Level): boolean {
  return level === governing && (resourceType !== 'workspace' || level === 'MANAGE')
}

/** True if the grant is on the resource, on all of its kind, on all of the sub-resource's, or on the workspace. */
function speaksOf({ resourceType, match, pattern }: Grant, { type, key, name, tier }: ResourceRef): boolean {
  if (resourceType === 'workspace' || resourceType === tier) return match === 'any'
  if (resourceType !== type) return false
  if (match === 'any') return true
  if (match === 'exact') return pattern === key
  return name !== undefined && compileGlob(pattern)(name)
}

function remedyFor(
  { reason, needed, demand }: Decision & { effect: 'deny' },
  {
    grants,
    access,
    workspace,
  }: {
    readonly grants: readonly ConsideredGrant[]
    readonly access: Access
    readonly workspace: string
  },
): Remedy {
  if (reason === 'admin_only' || demand.resource.type === 'server') return { kind: 'admin' }
  if (reason === 'explicit_deny') {
    const denying = grants.filter(({ grant }) => grant.level === 'DENY')
    return { kind: 'revoke', grants: denying.map(({ grant }) => grant) }
  }
  const grant = smallestGrant(demand, needed, access)
  return { kind: 'grant', grant: workspace === DEFAULT_WORKSPACE ? grant : { ...grant, workspace } }
}

/** One that names the very thing, unless a grant on all sub-resources is what says too little. */
function smallestGrant({ action, resource }: Demand, level: Level, access: Access): Grant {
  const { type, key, name, tier } = resource
  const all = (resourceType: GrantType): Grant => ({ resourceType, match: 'any', pattern: '*', level })
  const own = tier === undefined ? undefined : access.levelOfAll(tier)
  if (tier !== undefined && own !== undefined && satisfies(access.levelOf(resource), 'READ')) return all(tier)
  const resourceType = type as GrantType
  if (action === 'create' && name !== undefined) return { resourceType, match: 'name', pattern: name, level }
  return key === undefined ? all(resourceType) : { resourceType, match: 'exact', pattern: key, level }
}
