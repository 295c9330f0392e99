import { GatewayError } from '../errors.ts'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import {
  isPlace,
  isPlaceOrPlaces,
  type WorkspaceConfig,
  type WorkspaceName,
} from '../policy/workspace-name.ts'

/**
 * The workspace that somebody names.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for what is none, or cannot be while none are kept apart.
 */
export function workspaceNamed(name: WorkspaceName, config: WorkspaceConfig): WorkspaceName {
  if (isPlace(name, config)) return name
  throw noSuchWorkspace(config)
}

/**
 * The same for what may count on every tracking server.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER`
 */
export function workspacesNamed(name: WorkspaceName, config: WorkspaceConfig): WorkspaceName {
  if (isPlaceOrPlaces(name, config)) return name
  throw noSuchWorkspace(config)
}

function noSuchWorkspace({ workspaces, upstreams: [further] }: WorkspaceConfig): GatewayError {
  const names = workspaces ? '2 to 63 lower-case letters, digits and inner hyphens' : DEFAULT_WORKSPACE
  const others = further && `; on the tracking server ${further.id} it begins with ${further.id}/`
  const message =
    others || workspaces
      ? `workspace is ${names}${others ?? ''}`
      : `There is no such workspace; the only one here is ${DEFAULT_WORKSPACE}`
  return new GatewayError('ERR_INVALID_PARAMETER', message)
}
