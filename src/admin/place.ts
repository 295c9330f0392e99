import { Type } from 'typebox'
import { GatewayError } from '../errors.ts'
import { administeredBy, administers, type Caller, enter } from '../identity/caller.ts'
import { notAMember } from '../mlflow/workspace.ts'
import { workspaceNamed } from '../mlflow-auth/workspace.ts'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import { keepsWorkspacesApart, LONGEST_WORKSPACE, type WorkspaceConfig } from '../policy/workspace-name.ts'
import type { AdminParts, Endpoint } from './endpoint.ts'

/** The field by which the API is asked about a workspace. */
export const InWorkspace = {
  workspace: Type.Optional(
    Type.String({
      maxLength: LONGEST_WORKSPACE,
      description:
        'With WORKSPACES: the one that it is about, the default one if left out. One of a further tracking server is `staging/default`.',
    }),
  ),
}

/** The same in what is answered: left out for the default workspace. */
export const WorkspaceWire = {
  workspace: Type.Optional(Type.String({ description: 'Where it counts, if not in the default workspace.' })),
}

export function workspaceToWire(workspace: string | undefined): { readonly workspace?: string } {
  return workspace === undefined || workspace === DEFAULT_WORKSPACE ? {} : { workspace }
}

type Placeable = Pick<AdminParts, 'lookup' | 'workspace' | 'servicesIn'> & {
  readonly config: WorkspaceConfig
}

/**
 * The parts as they are in a workspace, by its name or, if absent, in the default one.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for what is no name, and for any but the default one while none are kept
 *   apart.
 */
export function partsIn<P extends Placeable>(workspace: string | undefined, parts: P): P {
  const name = workspaceNamed(workspace ?? DEFAULT_WORKSPACE, parts.config)
  return keepsWorkspacesApart(parts.config) ? { ...parts, ...parts.servicesIn(name), workspace: name } : parts
}

/**
 * Somebody with what they may do in the workspace that the parts are of.
 *
 * @throws {GatewayError} `ERR_PERMISSION_DENIED` (reason `no_such_membership`) as a request to it.
 */
export function callerIn(caller: Caller, { workspace = DEFAULT_WORKSPACE }: AdminParts): Caller {
  const placed = enter(workspace, caller)
  if (placed === undefined) throw notAMember(workspace)
  return placed
}

/** True for administrators, and with `WORKSPACES` for whoever administers that workspace by a grant. */
export function administersIn(
  caller: Caller,
  workspace: string | undefined,
  { config }: AdminParts,
): boolean {
  return (
    caller.principal.isAdmin ||
    (keepsWorkspacesApart(config) && administers(caller, workspace ?? DEFAULT_WORKSPACE))
  )
}

/** @throws {GatewayError} `ERR_PERMISSION_DENIED` (reason `admin_only`), whether there is such a workspace or not. */
export function assertAdministers(caller: Caller, workspace: string, parts: AdminParts): void {
  if (administersIn(caller, workspace, parts)) return
  const message = `Permission denied: it takes MANAGE on the workspace ${workspace}`
  throw new GatewayError('ERR_PERMISSION_DENIED', message, { reason: 'admin_only' })
}

/** The workspaces that somebody who does not administer the gateway administers; none while none are kept apart. */
export function ownWorkspaces(caller: Caller, { config }: Pick<AdminParts, 'config'>): readonly string[] {
  return keepsWorkspacesApart(config) && !caller.principal.isAdmin ? administeredBy(caller) : []
}

/**
 * Who may ask an endpoint at all; which workspace it is about is looked at by those that `workspace_admin` may ask.
 *
 * @throws {GatewayError} `ERR_PERMISSION_DENIED` (reason `admin_only`)
 */
export function assertMayAsk(
  { who, name }: Pick<Endpoint, 'who' | 'name'>,
  caller: Caller,
  parts: Pick<AdminParts, 'config'>,
): void {
  if (caller.principal.isAdmin || who === 'signed_in') return
  if (who === 'workspace_admin' && ownWorkspaces(caller, parts).length > 0) return
  throw new GatewayError('ERR_PERMISSION_DENIED', `Permission denied: ${name} is for administrators`, {
    reason: 'admin_only',
  })
}
