import type { Access } from '../policy/access.ts'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import { isWorkspaceName, type WorkspaceName, workspaceOn } from '../policy/workspace-name.ts'
import type { Credential, Principal } from './principal.ts'

/** Who makes a request, what they may do, and what proved it. */
export type Caller = {
  readonly principal: Principal
  /** In the workspace that the request is about. */
  readonly access: Access
  /** In each other workspace that they hold a grant in, and in the default one of each further tracking server. */
  readonly workspaces?: ReadonlyMap<WorkspaceName, Access> | undefined
  readonly credential: Credential
}

/** Somebody with what they may do, here and in other workspaces. */
export type Placed = Pick<Caller, 'principal' | 'access' | 'workspaces'>

/**
 * Takes somebody to a workspace: from there on `access` is what they may do in it.
 *
 * @returns Undefined for one that they hold nothing in, whether there is one of that name or not. An administrator is
 *   judged by no grant.
 */
export function enter<P extends Placed>(workspace: WorkspaceName, somebody: P): P | undefined {
  if (workspace === DEFAULT_WORKSPACE) return somebody
  const access = somebody.workspaces?.get(workspace)
  if (access !== undefined) return { ...somebody, access }
  return somebody.principal.isAdmin ? somebody : undefined
}

/** True for whoever administers the gateway or, by a grant, that workspace. Asked of somebody who has entered none. */
export function administers({ principal, access, workspaces }: Placed, workspace: WorkspaceName): boolean {
  if (principal.isAdmin) return true
  const there = workspace === DEFAULT_WORKSPACE ? access : workspaces?.get(workspace)
  return there?.isAdministrator === true
}

/** The workspaces that somebody administers by a grant, by name. */
export function administeredBy(somebody: Placed): readonly string[] {
  const names = [DEFAULT_WORKSPACE, ...(somebody.workspaces?.keys() ?? [])]
  const byGrant = { ...somebody, principal: { ...somebody.principal, isAdmin: false } }
  return names.filter((name) => administers(byGrant, name)).toSorted()
}

/**
 * Tells workspaces of one tracking server, by their names there, that somebody may see: the default one, those they hold a
 * grant in, all for administrators.
 *
 * @param server The id of a further tracking server, or undefined.
 */
export function membershipOn(
  server: string | undefined,
  { principal, workspaces }: Placed,
): (workspace: string) => boolean {
  return (workspace) =>
    principal.isAdmin ||
    workspace === DEFAULT_WORKSPACE ||
    (isWorkspaceName(workspace) && workspaces?.has(workspaceOn(server, workspace)) === true)
}
