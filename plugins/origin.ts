import type { FastifyRequest } from 'fastify'
import { GatewayError } from '../src/errors.ts'
import type { Credential } from '../src/identity/principal.ts'

/**
 * Refuses a request that another site made the browser send (RFC 6454, W3C Fetch Metadata §2). Only cookies are sent by
 * browsers on their own, so only they need it. Reading is for our own pages too, and for whoever opens a link: a sibling
 * of our host is the same site to a browser, which then sends the cookie with its images, scripts and frames.
 *
 * @param publicUrl Its origin is the only one of ours.
 * @throws {GatewayError} `ERR_CROSS_ORIGIN`
 */
export function assertSameOrigin(
  request: Pick<FastifyRequest, 'method' | 'headers'>,
  credential: Pick<Credential, 'form'>,
  publicUrl: URL,
): void {
  if (credential.form !== 'cookie') return
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (reads ? mayRead(request.headers, publicUrl) : mayChange(request.headers, publicUrl)) return
  throw new GatewayError('ERR_CROSS_ORIGIN', `This request did not come from a page of ${publicUrl.origin}`, {
    reason: 'cross_origin',
  })
}

type Headers = FastifyRequest['headers']

function mayChange({ origin, 'sec-fetch-site': site }: Headers, publicUrl: URL): boolean {
  return origin === undefined ? site === 'same-origin' : origin === publicUrl.origin
}

/** A browser that sends no Fetch Metadata is old, or on plain http: there the cookie's `SameSite` has to do. */
function mayRead(headers: Headers, publicUrl: URL): boolean {
  const { origin, 'sec-fetch-site': site } = headers
  if (origin !== undefined && origin !== publicUrl.origin) return false
  if (site === undefined || site === 'same-origin' || site === 'none') return true
  return headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document'
}
