import type { Access } from '../policy/access.ts'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import type { Credential, Principal } from './principal.ts'

/** Who makes a request, what they may do, and what proved it. */
export type Caller = {
  readonly principal: Principal
  /** In the workspace that the request is about. */
  readonly access: Access
  /** In each workspace other than the default one that they hold a grant in. */
  readonly workspaces?: ReadonlyMap<string, Access> | undefined
  readonly credential: Credential
}

/** True for a workspace that the caller may see: the default one, those they hold a grant in, all for administrators. */
export function isMemberOf({ principal, workspaces }: Caller, workspace: string): boolean {
  return principal.isAdmin || workspace === DEFAULT_WORKSPACE || workspaces?.has(workspace) === true
}
