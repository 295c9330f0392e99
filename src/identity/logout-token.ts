import type { ProviderConfig } from '../config.ts'
import { invalidToken } from './gateway-token.ts'
import { PROVIDER_CLOCK_TOLERANCE } from './provider.ts'
import type { IssuerKeys, TokenKind } from './provider-token.ts'

/** Whose sessions a provider has ended: one of them, all of one subject's, or one that is named by both. */
export type ProviderLogout = {
  readonly issuer: string
  readonly subject: string | undefined
  /** As in the ID Token that the session was begun with. At least one of the two is there. */
  readonly sid: string | undefined
  readonly tokenId: string
  /** From then on the token is refused by its age alone, seconds since the epoch. */
  readonly usableUntil: number
}

/** The member of `events` that makes a token a logout token (OpenID Connect Back-Channel Logout 1.0 §2.4). */
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** §2.4 recommends `logout+jwt`; many providers still send `JWT`, or none. */
const LOGOUT_TOKEN: TokenKind = {
  types: new Set(['jwt', 'logout+jwt', 'application/logout+jwt']),
  requiredClaims: ['aud', 'iat', 'exp', 'jti', 'events'],
}

/** Seconds after `iat`, whatever `exp` says: providers send it at once, and it is remembered for that long. */
const MAX_AGE = 300

/** Seconds from a logout token's `iat` to `usableUntil`. */
export const LOGOUT_MEMORY = MAX_AGE + 2 * PROVIDER_CLOCK_TOLERANCE

/**
 * Judges a logout token by OpenID Connect Back-Channel Logout 1.0 §2.6: the provider's own keys and pinned algorithms,
 * its issuer, our client as the audience, its age, the event, no nonce, and whom it is about. Whether it was used before
 * is not looked at.
 *
 * @throws {GatewayError} as `Provider.verifyBearer`; the reason says which check failed.
 */
export async function verifyLogoutToken(
  token: string,
  config: Pick<ProviderConfig, 'clientId' | 'bearerAlgorithms'>,
  keys: IssuerKeys,
  now: number,
): Promise<ProviderLogout> {
  const claims = await keys.verify(token, config.bearerAlgorithms, LOGOUT_TOKEN)
  const { iss, aud, iat, jti, nonce, events } = claims
  if (iss === undefined || typeof iat !== 'number') throw invalidToken('missing claims')
  if (![aud].flat().includes(config.clientId)) throw invalidToken('audience', 'foreign_audience')
  if (iat + MAX_AGE < now - PROVIDER_CLOCK_TOLERANCE) throw invalidToken('issued too long ago', 'too_old')
  if (!isObject(events) || !isObject(events[EVENT])) throw invalidToken('no logout event', 'no_event')
  // An ID Token must never serve: it has one wherever we asked for it.
  if (nonce !== undefined) throw invalidToken('has a nonce', 'has_nonce')
  const subject = readName(claims.sub, 'sub')
  const sid = readName(claims['sid'], 'sid')
  if (subject === undefined && sid === undefined) throw invalidToken('neither sub nor sid', 'about_nobody')
  const tokenId = readName(jti, 'jti')
  if (tokenId === undefined) throw invalidToken('no jti')
  return {
    ...{ issuer: iss, subject, sid, tokenId },
    usableUntil: iat + LOGOUT_MEMORY,
  }
}

function readName(value: unknown, name: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && value !== '' && value.length <= 255) return value
  throw invalidToken(`${name} is not usable`)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
