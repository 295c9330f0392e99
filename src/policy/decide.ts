import { type Access, type ResourceRef, satisfies } from './access.ts'
import type { Action, Level } from './grants.ts'

/** What an operation does, and to what. */
export type Demand = {
  readonly action: Action
  readonly resource: ResourceRef
  /** What is asked of the resource itself where no grant speaks of the sub-resource; the same action if absent. */
  readonly inherited?: Action | undefined
  /** A grant on the sub-resource may add to what is held on the resource, but takes nothing away, save by `DENY`. */
  readonly either?: boolean | undefined
  /** Where the demand is not met, one of these is enough; but what a grant denies stays denied. */
  readonly anyOf?: readonly Demand[] | undefined
}

export type DenyReason = 'no_grant' | 'level_too_low' | 'explicit_deny' | 'admin_only'

export type Decision =
  | { readonly effect: 'allow' }
  | {
      readonly effect: 'deny'
      readonly reason: DenyReason
      readonly demand: Demand
      /** The level that would have allowed it. */
      readonly needed: Level
      /** The level that decided. */
      readonly held: Level
    }

/**
 * The level each action asks for (mlflow/server/auth/permissions.py, 3.17.2: only MANAGE deletes).
 */
export const LEVEL_FOR = {
  not_denied: 'NO_PERMISSIONS',
  read: 'READ',
  use: 'USE',
  update: 'EDIT',
  create: 'EDIT',
  delete: 'MANAGE',
  manage: 'MANAGE',
} as const satisfies Record<Action, Level>

export const ALLOW: Decision = { effect: 'allow' }

/**
 * Allows only if every resource is covered by a grant of at least the level its action needs; DENY outweighs all.
 * What lies in a resource (a run, a trace, a version) is judged by the resource, unless a grant on all of its kind says
 * otherwise: then that one decides, for whoever can read the resource (MLflow's own rule, mlflow/server/auth/requirements.py, 3.17.2).
 * Pure: no clock, no I/O.
 *
 * @param demands Everything the request touches. Empty means the catalogue is wrong, so it throws rather than allows.
 * @returns On deny, the first demand that failed.
 * @throws {Error} If there is nothing to decide on.
 */
export function decide(demands: readonly Demand[], access: Access): Decision {
  if (demands.length === 0) throw new Error('decide() was asked about nothing')
  for (const demand of demands) {
    const decision = decideOne(demand, access)
    if (decision.effect === 'deny' && metInstead(demand, decision, access) === undefined) return decision
  }
  return ALLOW
}

/**
 * What an allowed request was allowed by: each demand, or the one of its `anyOf` that was met in its place.
 */
export function metBy(demands: readonly Demand[], access: Access): readonly Demand[] {
  if (demands.every(({ anyOf }) => anyOf === undefined)) return demands
  return demands.map((demand) => metInstead(demand, decideOne(demand, access), access) ?? demand)
}

function metInstead({ anyOf = [] }: Demand, decision: Decision, access: Access): Demand | undefined {
  if (decision.effect === 'allow' || decision.reason === 'explicit_deny') return undefined
  return anyOf.find((each) => decideOne(each, access).effect === 'allow')
}

function decideOne(demand: Demand, access: Access): Decision {
  const { resource } = demand
  const own = resource.tier === undefined ? undefined : access.levelOfAll(resource.tier)
  return own === undefined ? judge(demand, access) : judgeTier(demand, own, access)
}

function judge(demand: Demand, access: Access): Decision {
  const { resource, action, inherited = action } = demand
  // A veto is about the sub-resource alone.
  if (action === 'not_denied' && resource.tier !== undefined) return ALLOW
  const held = access.levelOf(resource)
  // A member of the workspace may create in it what no grant denies (`_can_create_in_workspace`, mlflow/server/auth, 3.17.2).
  if (action === 'create' && access.isMember && held !== 'DENY') return ALLOW
  return weigh(demand, LEVEL_FOR[inherited], held)
}

/** @param own The level that grants on all sub-resources of that kind give. */
function judgeTier(demand: Demand, own: Level, access: Access): Decision {
  const { action, resource, inherited = action, either = false } = demand
  const held = access.levelOf(resource)
  if (action !== 'not_denied') {
    const base = weigh(demand, 'READ', held)
    if (base.effect === 'deny') return base
    if (either && own !== 'DENY' && satisfies(held, LEVEL_FOR[inherited])) return ALLOW
  }
  return weigh(demand, LEVEL_FOR[action], own)
}

function weigh(demand: Demand, needed: Level, held: Level): Decision {
  if (satisfies(held, needed)) return ALLOW
  return { effect: 'deny', reason: reasonFor(demand.resource, held), demand, needed, held }
}

function reasonFor(resource: ResourceRef, held: Level): DenyReason {
  if (resource.type === 'server') return 'admin_only'
  if (held === 'DENY') return 'explicit_deny'
  return held === 'NO_PERMISSIONS' ? 'no_grant' : 'level_too_low'
}
