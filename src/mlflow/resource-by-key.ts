import { isGatewayError } from '../errors.ts'
import type { ResourceRef } from '../policy/access.ts'
import type { ResourceType } from '../policy/grants.ts'
import { experimentById, type Locating } from './locate.ts'
import { gatewayRef } from './locators/ai-gateway.ts'
import { scorerByKey } from './locators/scorers.ts'

/**
 * What a grant on just that key is on, as a request about it would find it: with the name that grants by name are matched
 * with, never the key in its place. What no such thing can be called is covered by grants on all of them only.
 *
 * @throws {GatewayError} As {@link Lookup}.
 */
export async function resourceByKey(
  type: ResourceType,
  key: string,
  locating: Locating,
): Promise<ResourceRef> {
  try {
    return await BY_KEY[type](key, locating)
  } catch (fault) {
    if (isGatewayError(fault, 'ERR_INVALID_PARAMETER')) return { type, key: undefined }
    throw fault
  }
}

type ByKey = (key: string, locating: Locating) => Promise<ResourceRef> | ResourceRef

const BY_KEY: Readonly<Record<ResourceType, ByKey>> = {
  experiment: experimentById,
  registered_model: (name) => ({ type: 'registered_model', key: name, name }),
  prompt: (name) => ({ type: 'prompt', key: name, name }),
  mcp_server: (name) => ({ type: 'mcp_server', key: name, name }),
  scorer: scorerByKey,
  gateway_secret: (id, locating) => gatewayRef('gateway_secret', id, locating),
  gateway_endpoint: (id, locating) => gatewayRef('gateway_endpoint', id, locating),
  gateway_model_definition: (id, locating) => gatewayRef('gateway_model_definition', id, locating),
}
