import type { OAuth2Client, TokenPayload } from 'google-auth-library'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import type { GatewayError } from '../errors.ts'
import { expiredToken, invalidToken } from './gateway-token.ts'
import { createBackoff, describeFault, PROVIDER_CLOCK_TOLERANCE, unreachable } from './provider.ts'

/** The issuer people and service accounts are known by, however their token spells it. */
export const GOOGLE_ISSUER = 'https://accounts.google.com'

/** Google signs with either (https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken). */
export const GOOGLE_ISSUERS = [GOOGLE_ISSUER, 'accounts.google.com']

/** After the certificates could not be read they are not asked for again for this long, seconds. */
const RETRY_AFTER = 5

export type GoogleVerifier = (token: string, audiences: readonly string[]) => Promise<TokenPayload>

export type GoogleVerifierOptions = {
  readonly google: OAuth2Client
  readonly label: string
  readonly now: () => number
}

/**
 * Verifies ID Tokens of people and service accounts: signature, issuer and audience by the library, and what it leaves
 * open: the algorithm, and times by the tolerance stated for every provider (the library's own is five minutes).
 * Throws as `Provider.verifyBearer`.
 */
export function createGoogleVerifier({ google, label, now }: GoogleVerifierOptions): GoogleVerifier {
  const backoff = createBackoff(label, RETRY_AFTER, now)
  return async (token, audiences) => {
    assertHeader(token)
    backoff.assertReady()
    await google.getFederatedSignonCerts().catch((fault) => {
      backoff.failed()
      throw unreachable(label, fault)
    })
    const ticket = await google.verifyIdToken({ idToken: token, audience: [...audiences] }).catch((fault) => {
      throw toRefusal(fault, token)
    })
    const claims = ticket.getPayload()
    if (claims === undefined || typeof claims.sub !== 'string' || claims.sub === '')
      throw invalidToken('no sub')
    assertTimes(claims, now())
    return claims
  }
}

function assertTimes(claims: TokenPayload & { nbf?: unknown }, now: number): void {
  const { exp, iat, nbf } = claims
  if (typeof exp !== 'number' || typeof iat !== 'number') throw invalidToken('times are not numbers')
  if (exp + PROVIDER_CLOCK_TOLERANCE <= now) throw expiredToken(exp)
  const earliest = Math.max(iat, typeof nbf === 'number' ? nbf : iat)
  if (earliest > now + PROVIDER_CLOCK_TOLERANCE) throw invalidToken('not valid yet')
}

function assertHeader(token: string): void {
  const header = (() => {
    try {
      return decodeProtectedHeader(token)
    } catch {
      throw invalidToken('unreadable header')
    }
  })()
  // RFC 8725 §3.1: the library verifies RS256 whatever the header names.
  if (header.alg !== 'RS256') throw invalidToken('alg is not RS256')
  if (header.typ !== undefined && header.typ.toLowerCase() !== 'jwt') throw invalidToken('typ is not JWT')
  if (header.crit !== undefined) throw invalidToken('crit is not understood')
}

/** The library's messages repeat token and claims after their first words. What it says of times it says last. */
function toRefusal(fault: unknown, token: string): GatewayError {
  const message = fault instanceof Error ? fault.message : ''
  const { exp } = message.startsWith('Token used too late') ? decodeJwt(token) : {}
  if (exp !== undefined) return expiredToken(exp)
  return invalidToken(/^[A-Za-z' ]{1,60}/.exec(message)?.[0] ?? describeFault(fault).message)
}
