import { type GatewayTokenOptions, invalidToken, signToken, verifyToken } from './gateway-token.ts'

/** What a session token says. */
export type SessionClaims = {
  readonly userId: string
  /** The store's id of the session. Knowing it does not open the session. */
  readonly sid: string
  /** Seconds since the epoch. */
  readonly expiresAt: number
}

export type SessionTokens = {
  /** Signs the token a browser sends with each request; at most 600 bytes with an ordinary public URL. */
  issue(claims: SessionClaims): Promise<string>
  /** @throws {GatewayError} as `verifyToken` does; never looks whether the session was ended meanwhile. */
  verify(token: string): Promise<SessionClaims>
}

/** The short-lived JWT signed for a browser session, `typ: session+jwt`. */
export function createSessionTokens(options: GatewayTokenOptions): SessionTokens {
  return {
    issue: ({ userId, sid, expiresAt }) =>
      signToken('session+jwt', { sub: userId, sid, exp: expiresAt }, options),
    async verify(token) {
      const { sub, exp, ['sid']: sid } = await verifyToken('session+jwt', token, options)
      if (typeof sid !== 'string') throw invalidToken('no sid')
      return { userId: sub, sid, expiresAt: exp }
    },
  }
}
