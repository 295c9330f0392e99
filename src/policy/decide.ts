import { type Access, type ResourceRef, satisfies } from './access.ts'
import type { Action, Level } from './grants.ts'

/** What an operation does, and to what. */
export type Demand = { readonly action: Action; readonly resource: ResourceRef }

export type DenyReason = 'no_grant' | 'level_too_low' | 'explicit_deny' | 'admin_only'

export type Decision =
  | { readonly effect: 'allow' }
  | {
      readonly effect: 'deny'
      readonly reason: DenyReason
      readonly demand: Demand
      /** The level that would have allowed it. */
      readonly needed: Level
    }

/** The level each action asks for (mlflow/server/auth/permissions.py, 3.17.2: only MANAGE deletes). */
export const LEVEL_FOR = {
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
 * Pure: no clock, no I/O.
 *
 * @param demands Everything the request touches. Empty means the catalogue is wrong, so it throws rather than allows.
 * @returns On deny, the first demand that failed.
 * @throws {Error} If there is nothing to decide on.
 */
export function decide(demands: readonly Demand[], access: Access): Decision {
  if (demands.length === 0) throw new Error('decide() was asked about nothing')
  for (const demand of demands) {
    const needed = LEVEL_FOR[demand.action]
    const held = access.levelOf(demand.resource)
    if (!satisfies(held, needed)) {
      return { effect: 'deny', reason: reasonFor(demand.resource, held), demand, needed }
    }
  }
  return ALLOW
}

function reasonFor(resource: ResourceRef, held: Level): DenyReason {
  if (resource.type === 'server') return 'admin_only'
  if (held === 'DENY') return 'explicit_deny'
  return held === 'NO_PERMISSIONS' ? 'no_grant' : 'level_too_low'
}
