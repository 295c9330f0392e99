import { GatewayError } from '../errors.ts'

/** The one there is as long as the gateway keeps no workspaces apart; MLflow's name for it. */
const DEFAULT_WORKSPACE = 'default'

/**
 * @param name As a request gives it; the default one if it gives none.
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for any other: a role in it would hold everywhere.
 */
export function workspaceNamed(name: string | undefined): string {
  if (name === undefined || name === DEFAULT_WORKSPACE) return DEFAULT_WORKSPACE
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    `There is no such workspace; the only one here is ${DEFAULT_WORKSPACE}`,
  )
}
