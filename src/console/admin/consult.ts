import type { AdminParts, AdminRequest, Endpoint } from '../../admin/endpoint.ts'
import { assertMayAsk } from '../../admin/place.ts'
import { GatewayError } from '../../errors.ts'
import type { Caller } from '../../identity/caller.ts'

/** What the pages show: whatever the JSON API answers, in its words. */
export type Json = { readonly [name: string]: JsonValue }
export type JsonValue = string | number | boolean | null | Json | readonly JsonValue[]

export type Consulted = { readonly body: Json; readonly etag: string }

/** Asks an endpoint of the JSON API for a page, as the person who looks at it. */
export type Consult = (
  name: string,
  about?: { readonly params?: Json; readonly query?: Json },
) => Promise<Consulted>

/**
 * Pages have no rights and no queries of their own: they ask the JSON API's endpoints.
 *
 * @throws {GatewayError} As the endpoint; `ERR_PERMISSION_DENIED` for one that is for administrators.
 */
export function consultant(endpoints: readonly Endpoint[], parts: AdminParts, caller: Caller): Consult {
  return async (name, { params = {}, query = {} } = {}) => {
    const endpoint = endpointNamed(name, endpoints)
    assertMayAsk(endpoint, caller, parts)
    const request = { caller, params, query, body: undefined, ifMatch: undefined }
    const answer = await endpoint.handle(request as unknown as AdminRequest<never, never, never>, parts)
    return { body: (answer.body ?? {}) as Json, etag: answer.etag ?? '' }
  }
}

/** @throws {GatewayError} `ERR_NO_SUCH_ROUTE` */
export function endpointNamed(name: string, endpoints: readonly Endpoint[]): Endpoint {
  const endpoint = endpoints.find((each) => each.name === name)
  if (endpoint === undefined)
    throw new GatewayError('ERR_NO_SUCH_ROUTE', 'This address is not one the gateway serves')
  return endpoint
}
