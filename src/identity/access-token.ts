import { randomUUID } from 'node:crypto'
import { GatewayError } from '../errors.ts'
import type { Tokens } from '../store/tokens.ts'
import { type GatewayTokenOptions, invalidToken, signToken, verifyToken } from './gateway-token.ts'
import type { Scope } from './principal.ts'

/** RFC 9068 §2.2 asks for a client id: scripts have none of their own, so the gateway is the client. */
const CLIENT_ID = 'mlflow-auth-gateway'

/** What an access token says. */
export type AccessTokenClaims = {
  readonly jti: string
  readonly userId: string
  readonly scope: readonly Scope[]
  readonly expiresAt: number
}

export type AccessTokenRequest = {
  readonly userId: string
  /** What its owner calls it. */
  readonly name: string
  /** Empty: all its owner may do. */
  readonly scope: readonly Scope[]
  /** Seconds. */
  readonly ttl: number
  /** Username of who made it, if that was not the owner. */
  readonly createdBy?: string | undefined
}

export type AccessTokens = {
  /**
   * Makes and records a token. It is shown once: only its `jti` is kept.
   *
   * @throws {GatewayError} `ERR_INVALID_PARAMETER` if `ttl` is not between 1 and the configured maximum.
   */
  create(request: AccessTokenRequest): Promise<{ token: string; jti: string; expiresAt: number }>
  /** @throws {GatewayError} as `verifyToken` does; never looks whether the token was revoked. */
  verify(token: string): Promise<AccessTokenClaims>
}

export type AccessTokenOptions = GatewayTokenOptions & {
  readonly store: { readonly tokens: Pick<Tokens, 'add'> }
  /** Seconds. */
  readonly maxTtl: number
}

/** The JWTs scripts send (RFC 9068), `typ: at+jwt`. */
export function createAccessTokens(options: AccessTokenOptions): AccessTokens {
  return {
    async create({ userId, name, scope, ttl, createdBy }) {
      if (!Number.isInteger(ttl) || ttl < 1 || ttl > options.maxTtl) {
        throw new GatewayError(
          'ERR_INVALID_PARAMETER',
          `A token lives between 1 and ${options.maxTtl} seconds (ACCESS_TOKEN_MAX_TTL)`,
        )
      }
      const jti = randomUUID()
      const createdAt = options.now()
      const expiresAt = createdAt + ttl
      const claims = { sub: userId, jti, client_id: CLIENT_ID, exp: expiresAt, scope: scope.join(' ') }
      const token = await signToken('at+jwt', claims, options)
      await options.store.tokens.add({ jti, userId, name, scope, createdAt, expiresAt, createdBy })
      return { token, jti, expiresAt }
    },
    async verify(token) {
      const { sub, jti, exp, ['scope']: scope } = await verifyToken('at+jwt', token, options)
      if (typeof jti !== 'string') throw invalidToken('no jti')
      return { jti, userId: sub, scope: readScope(scope), expiresAt: exp }
    },
  }
}

/** @throws {GatewayError} on a scope that is not known: to leave it out would widen the token. */
function readScope(scope: unknown): readonly Scope[] {
  if (scope === undefined || scope === '') return []
  if (typeof scope !== 'string') throw invalidToken('scope is not a string')
  return scope.split(' ').map((name) => {
    if (name !== 'read') throw invalidToken(`unknown scope`)
    return name
  })
}
