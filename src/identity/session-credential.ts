import { GatewayError } from '../errors.ts'
import type { BrowserSessions } from './browser-session.ts'
import { type CookieSettings, type CredentialHeaders, serializeCookie } from './cookies.ts'
import { type CredentialCache, digestOf, type VerifiedCredential } from './credential-cache.ts'
import type { Renewal } from './renewal.ts'
import type { SessionClaims, SessionTokens } from './session-token.ts'
import { createSingleFlight } from './single-flight.ts'

/** Where a renewed session's cookie goes; a Fastify reply is one. */
export type HeaderSink = { header(name: string, value: string): unknown }

export type SessionVerifierOptions = {
  readonly cookies: CookieSettings
  readonly cache: CredentialCache
  readonly sessionTokens: Pick<SessionTokens, 'verify'>
  readonly sessions: Pick<BrowserSessions, 'read'>
  readonly renewal: Renewal
  readonly now: () => number
}

/** Verifies our cookies and keeps the outcome; a session token that ran out is renewed from its session. */
export type SessionVerifier = (
  cookies: Pick<CredentialHeaders, 'tokenCookie' | 'sessionCookie'>,
  sink: HeaderSink,
) => Promise<VerifiedCredential>

/** Asks the store only once a signature of ours was checked, so that strangers cost nothing there. */
export function createSessionVerifier(options: SessionVerifierOptions): SessionVerifier {
  const { cache, sessions, sessionTokens, renewal } = options
  const once = createSingleFlight<VerifiedCredential | undefined>()

  const verifyToken = async (token: string) => {
    const version = cache.version()
    const claims = await sessionTokens.verify(token).catch(() => undefined)
    const session = claims && (await sessions.read(claims.sid))
    if (claims === undefined || session?.userId !== claims.userId) return undefined
    const verified = toCredential(claims)
    cache.put(digestOf(token), verified, version)
    return verified
  }

  const renew = async (sessionCookie: string, sink: HeaderSink) => {
    const version = cache.version()
    const renewed = await renewal.renew(sessionCookie)
    if (renewed === undefined) return undefined
    const maxAge = Math.max(0, renewed.expiresAt - options.now())
    const { token: name, attributes } = options.cookies
    sink.header('set-cookie', serializeCookie(name, renewed.token, attributes, maxAge))
    const verified = toCredential(renewed)
    cache.put(digestOf(renewed.token), verified, version)
    return verified
  }

  return async ({ tokenCookie, sessionCookie }, sink) => {
    const verified =
      (tokenCookie && (await once(tokenCookie, () => verifyToken(tokenCookie)))) ||
      (sessionCookie && (await renew(sessionCookie, sink)))
    if (verified) return verified
    throw new GatewayError('ERR_INVALID_TOKEN', 'The session has ended. Sign in again', {
      reason: 'session_ended',
    })
  }
}

function toCredential({ userId, sid, expiresAt }: SessionClaims): VerifiedCredential {
  return { userId, credential: { kind: 'session', form: 'cookie', id: sid, scope: [], expiresAt } }
}
