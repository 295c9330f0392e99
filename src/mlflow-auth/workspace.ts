import type { Config } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { isWorkspaceName } from '../mlflow/workspace.ts'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'

/**
 * The workspace that a request names in a field.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for what is none; for any but the default one while none are kept apart.
 */
export function workspaceNamed(name: string, { workspaces }: Pick<Config, 'workspaces'>): string {
  if (name === DEFAULT_WORKSPACE || (workspaces && isWorkspaceName(name))) return name
  const message = workspaces
    ? 'workspace is 2 to 63 lower-case letters, digits and inner hyphens'
    : `There is no such workspace; the only one here is ${DEFAULT_WORKSPACE}`
  throw new GatewayError('ERR_INVALID_PARAMETER', message)
}
