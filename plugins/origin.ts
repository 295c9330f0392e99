import type { FastifyRequest } from 'fastify'
import { GatewayError } from '../src/errors.ts'
import type { Credential } from '../src/identity/principal.ts'

/**
 * Refuses a request that another site made the browser send (RFC 6454, W3C Fetch Metadata §2). Only cookies are sent by
 * browsers on their own, so only they need it, and only where something may change.
 *
 * @param publicUrl Its origin is the only one of ours.
 * @throws {GatewayError} `ERR_CROSS_ORIGIN`
 */
export function assertSameOrigin(
  request: Pick<FastifyRequest, 'method' | 'headers'>,
  credential: Pick<Credential, 'form'>,
  publicUrl: URL,
): void {
  if (credential.form !== 'cookie' || request.method === 'GET' || request.method === 'HEAD') return
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin === undefined ? site === 'same-origin' : origin === publicUrl.origin) return
  throw new GatewayError('ERR_CROSS_ORIGIN', `This request did not come from a page of ${publicUrl.origin}`, {
    reason: 'cross_origin',
  })
}
