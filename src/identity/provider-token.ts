import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
  type RemoteJWKSet,
} from 'jose'
import type { ProviderConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { compileGlob } from '../policy/glob.ts'
import { hasGroups, readProfile } from './claims.ts'
import { assertCompact, invalidToken, toTokenError } from './gateway-token.ts'
import { createBackoff, PROVIDER_CLOCK_TOLERANCE, type ProviderToken, unreachable } from './provider.ts'

/** Types a provider's JWT may name (RFC 7519 §5.1, RFC 9068 §2.1). Session, logout and other tokens are none of these. */
const BEARER: TokenKind = {
  types: new Set(['jwt', 'at+jwt', 'application/at+jwt']),
  requiredClaims: ['sub', 'exp'],
}

/** After the keys could not be read they are not asked for again for this long, seconds: strangers decide when we try. */
const RETRY_AFTER = 5

/** Unknown key ids make the keys be read again at most this often, milliseconds. */
const KEY_COOLDOWN_MS = 30_000

const TIMEOUT_MS = 5000

/** Keys that were read go on counting for this long while they cannot be read again, seconds. */
const KEYS_OUTLAST = 3600

type Algorithms = readonly string[]

/** What tells one kind of a provider's JWTs from the others (RFC 8725 §3.11, §3.12). */
export type TokenKind = {
  /** What `typ` may say, in lower case, if it says anything. */
  readonly types: ReadonlySet<string>
  readonly requiredClaims: readonly string[]
}

/** Checks the signature and the times of JWTs that one issuer signed. */
export type IssuerKeys = {
  /** @throws {GatewayError} as `Provider.verifyBearer`. */
  verify(token: string, algorithms: Algorithms, kind?: TokenKind): Promise<JWTPayload>
}

export type IssuerKeysOptions = {
  readonly label: string
  /** `issuer` and `jwks_uri` as the issuer announces them (RFC 8414 §2); the only place keys ever come from. */
  readonly metadata: () => Promise<{ readonly issuer: string; readonly jwksUri: URL | undefined }>
  /** The keys themselves, where they are not read from the issuer. */
  readonly jwks?: JSONWebKeySet | undefined
  readonly fetch: typeof fetch
  readonly now: () => number
}

/**
 * Keys are read on first use and kept ten minutes, while the provider is away an hour more; an unknown `kid` has them read
 * again, rarely.
 */
export function createIssuerKeys(options: IssuerKeysOptions): IssuerKeys {
  const { now } = options
  const readKeys = createKeyReader(options)
  return {
    async verify(token, algorithms, { types, requiredClaims } = BEARER) {
      assertCompact(token)
      const { typ } = decodeHeader(token)
      if (typ !== undefined && !types.has(typ.toLowerCase())) throw invalidToken(`typ ${typ.slice(0, 40)}`)
      try {
        const { issuer } = await options.metadata()
        const { payload } = await jwtVerify(token, await readKeys(), {
          algorithms: [...algorithms],
          issuer,
          requiredClaims: [...requiredClaims],
          clockTolerance: PROVIDER_CLOCK_TOLERANCE,
          currentDate: new Date(now() * 1000),
        })
        if (typeof payload.iat === 'number' && payload.iat > now() + PROVIDER_CLOCK_TOLERANCE) {
          throw invalidToken('issued in the future')
        }
        return payload
      } catch (fault) {
        throw isUnusableKeySet(fault) ? unreachable(options.label, fault) : toTokenError(fault)
      }
    },
  }
}

/**
 * Judges a bearer JWT of a configured issuer: pinned asymmetric algorithms, exact issuer, an audience of the list,
 * times within {@link PROVIDER_CLOCK_TOLERANCE}.
 *
 * @throws {GatewayError} as `Provider.verifyBearer`.
 */
export async function verifyProviderToken(
  token: string,
  config: ProviderConfig,
  keys: IssuerKeys,
): Promise<ProviderToken> {
  const claims = await keys.verify(token, config.bearerAlgorithms)
  const { sub, exp, jti, iss } = claims
  if (typeof sub !== 'string' || sub === '' || sub.length > 255) throw invalidToken('sub is not usable')
  if (exp === undefined || iss === undefined) throw invalidToken('missing claims')
  if (!isMeantForUs(claims, config.audiences)) throw invalidToken('audience', 'foreign_audience')
  if (!isPermitted(sub, config.bearerSubjects)) throw subjectNotPermitted(config.label)
  // OpenID Connect Back-Channel Logout 1.0 §2.4: what names an event is no credential.
  if ('events' in claims) throw invalidToken('a logout token')
  return {
    ...readProfile(claims, config),
    provider: config.id,
    issuer: iss,
    subject: sub,
    saysGroups: hasGroups(claims, config.groupsClaim),
    tokenId: typeof jti === 'string' && jti !== '' ? jti.slice(0, 255) : sub,
    issuedAt: typeof claims.iat === 'number' ? claims.iat : 0,
    expiresAt: exp,
  }
}

function isPermitted(subject: string, patterns: readonly string[]): boolean {
  return patterns.length === 0 || patterns.some((pattern) => compileGlob(pattern)(subject))
}

/** The token is what it says, and is not of those that may come: no credential of that issuer will do. */
function subjectNotPermitted(label: string): GatewayError {
  const message = `${label} vouches for this caller, but its subject is not one that this gateway lets in; ask an administrator`
  return new GatewayError('ERR_PERMISSION_DENIED', message, { reason: 'subject_not_allowed' })
}

/**
 * True if `aud` names one of `audiences`. Amazon Cognito's access tokens have no `aud`: there `client_id` counts, and
 * only with `token_use: access`.
 */
export function isMeantForUs(claims: JWTPayload, audiences: readonly string[]): boolean {
  if (claims.aud !== undefined) return [claims.aud].flat().some((audience) => audiences.includes(audience))
  const { client_id: clientId, token_use: use } = claims
  return use === 'access' && typeof clientId === 'string' && audiences.includes(clientId)
}

function decodeHeader(token: string) {
  try {
    return decodeProtectedHeader(token)
  } catch {
    throw invalidToken('unreadable header')
  }
}

function createKeyReader({
  label,
  metadata,
  jwks,
  fetch,
  now,
}: IssuerKeysOptions): () => Promise<JWTVerifyGetKey> {
  let keySet: JWTVerifyGetKey | undefined = jwks && createLocalJWKSet(jwks)
  const backoff = createBackoff(label, RETRY_AFTER, now)
  const guardedFetch = async (url: string, init: RequestInit) => {
    backoff.assertReady()
    try {
      const response = await fetch(url, init)
      if (response.status !== 200) throw new Error(`status ${response.status}`)
      return response
    } catch (fault) {
      backoff.failed()
      throw unreachable(label, fault)
    }
  }
  return async () => {
    if (keySet !== undefined) return keySet
    const { jwksUri } = await metadata()
    if (jwksUri === undefined) throw unreachable(label, 'no jwks_uri')
    const remote = createRemoteJWKSet(jwksUri, {
      [customFetch]: guardedFetch,
      cooldownDuration: KEY_COOLDOWN_MS,
      timeoutDuration: TIMEOUT_MS,
    })
    keySet = lasting(remote, now)
    return keySet
  }
}

/** The same keys, also for a while after they could not be read again. */
function lasting(remote: RemoteJWKSet, now: () => number): JWTVerifyGetKey {
  let freshAt = Number.NEGATIVE_INFINITY
  return async (header, token) => {
    try {
      const key = await remote(header, token)
      freshAt = now()
      return key
    } catch (fault) {
      const keys = remote.jwks()
      if (remote.fresh || keys === undefined || freshAt + KEYS_OUTLAST < now()) throw fault
      // One that is not among them may be new: that is for the provider to say.
      return createLocalJWKSet(keys)(header, token).catch(() => {
        throw fault
      })
    }
  }
}

/** The answer came but was no key set; jose says that it was no JSON with its base class. */
function isUnusableKeySet(fault: unknown): boolean {
  return (
    fault instanceof errors.JWKSInvalid ||
    fault instanceof errors.JWKSTimeout ||
    (fault instanceof errors.JOSEError && fault.code === 'ERR_JOSE_GENERIC')
  )
}
