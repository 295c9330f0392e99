import type { AuditedResource } from '../audit/event.ts'
import { GatewayError } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import { DEFAULT_WORKSPACE, type Grant } from '../policy/grants.ts'
import { keepsWorkspacesApart } from '../policy/workspace-name.ts'
import type { RoleChange } from '../store/role-change.ts'
import type { RoleDetails, RoleRecord } from '../store/roles.ts'
import { type AdminAnswer, type AdminParts, type AdminRequest, etagOf, requiredMatch } from './endpoint.ts'
import { assertNotLonger } from './limits.ts'
import { administersIn } from './place.ts'
import { roleToWire } from './wire.ts'

/** The answer that shows a role. */
export function shown(role: RoleDetails, parts: AdminParts): AdminAnswer {
  const body = roleToWire(role)
  const resources = [{ type: 'role', id: role.id, name: role.name }]
  return { body, etag: etagOf(body), resources, workspace: whereOf(role, parts) }
}

/** For the record: nothing while workspaces are not kept apart. */
function whereOf({ workspace }: RoleRecord, { config }: AdminParts): string | undefined {
  return keepsWorkspacesApart(config) ? (workspace ?? DEFAULT_WORKSPACE) : undefined
}

/** An administrator of a workspace sees the roles in it, and nobody's own: those hold what somebody has anywhere. */
export function isSeenBy(caller: Caller, { workspace, ownerUserId }: RoleRecord, parts: AdminParts): boolean {
  return caller.principal.isAdmin || (ownerUserId === undefined && administersIn(caller, workspace, parts))
}

/** @throws {GatewayError} `ERR_NOT_FOUND`, also for one that the caller does not see. */
export async function found(id: string, caller: Caller, parts: AdminParts): Promise<RoleDetails> {
  const role = await parts.store.roles.details(id)
  if (role === undefined || !isSeenBy(caller, role, parts))
    throw new GatewayError('ERR_NOT_FOUND', 'There is no such role')
  return role
}

type Changing = Pick<AdminRequest<{ readonly id: string }, object, object>, 'caller' | 'params' | 'ifMatch'>

/**
 * Changes a role that the caller sees, as they have seen it (`If-Match`).
 *
 * @throws {GatewayError} As `Roles.change`; `ERR_PERMISSION_DENIED` (reason `wider_than_own`).
 */
export async function changed(
  { caller, params, ifMatch }: Changing,
  parts: AdminParts,
  change: RoleChange,
  alsoAbout: readonly AuditedResource[] = [],
): Promise<AdminAnswer> {
  const { store } = parts
  const wanted = requiredMatch(ifMatch)
  const seen = await found(params.id, caller, parts)
  await assertNotLonger(caller, seen.workspace, givenBy(change, seen), parts)
  let before: RoleDetails | undefined
  const isCurrent = (role: RoleDetails) => {
    before = role
    return etagOf(roleToWire(role)) === wanted
  }
  const after = await store.roles.change(params.id, isCurrent, change)
  if (after !== undefined) {
    const answer = shown(after, parts)
    return { ...answer, resources: [...(answer.resources ?? []), ...alsoAbout] }
  }
  return {
    resources: [{ type: 'role', id: params.id, name: before?.name }],
    workspace: whereOf(seen, parts),
  }
}

/** What somebody has by the change that they had not before. */
function givenBy(change: RoleChange, { grants }: RoleDetails): readonly Grant[] {
  if (change.kind === 'grant') return [change.grant]
  return change.kind === 'assign' || change.kind === 'map' ? grants : []
}
