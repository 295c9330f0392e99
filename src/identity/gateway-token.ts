import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { GatewayError } from '../errors.ts'
import { type Keyring, SIGNING_ALGORITHM } from './keyring.ts'

/**
 * How far the clocks of two replicas may differ, in seconds. jose counts a token as expired at exactly `exp` plus the
 * tolerance, hence one more.
 */
const CLOCK_TOLERANCE = 5 + 1

/** The explicit types of the gateway's own tokens (RFC 8725 §3.11): one is never taken for the other. */
export type TokenType = 'session+jwt' | 'at+jwt'

export type GatewayTokenOptions = {
  readonly keyring: Keyring
  /** {@link ownIssuer} of the public URL; issuer and audience are both ourselves. */
  readonly issuer: string
  readonly now: () => number
}

/** The issuer identifier of the gateway's own tokens: the public URL, without a slash at its end. */
export function ownIssuer(publicUrl: URL): string {
  return publicUrl.href.replace(/\/$/, '')
}

/** Signs `claims` with the current key. `iss`, `aud` and `iat` are set here. */
export function signToken(
  type: TokenType,
  claims: JWTPayload,
  options: GatewayTokenOptions,
): Promise<string> {
  const { kid, privateKey } = options.keyring.current()
  return new SignJWT({ ...claims, iss: options.issuer, aud: options.issuer, iat: options.now() })
    .setProtectedHeader({ alg: SIGNING_ALGORITHM, typ: type, kid })
    .sign(privateKey)
}

/**
 * Verifies signature, issuer, audience, `exp` and `nbf`; pins `alg` and `typ` (RFC 8725 §3.1, §3.11). Keys come from
 * the keyring only: `jku`, `jwk`, `x5u` and `x5c` of the header are not read. Asks nobody.
 *
 * @throws {GatewayError} `ERR_EXPIRED_TOKEN` if all but the time is right, saying when it expired; else
 *   `ERR_INVALID_TOKEN`, the same for every fault.
 */
export async function verifyToken(
  type: TokenType,
  token: string,
  options: GatewayTokenOptions,
): Promise<JWTPayload & { readonly sub: string; readonly exp: number }> {
  try {
    assertCompact(token)
    const { payload } = await jwtVerify(token, ({ kid }) => findKey(options.keyring, kid), {
      algorithms: [SIGNING_ALGORITHM],
      typ: type,
      issuer: options.issuer,
      audience: options.issuer,
      requiredClaims: ['sub', 'exp', 'iat'],
      clockTolerance: CLOCK_TOLERANCE,
      currentDate: new Date(options.now() * 1000),
    })
    const { sub, exp, iat } = payload
    if (typeof sub !== 'string' || exp === undefined) throw invalidToken('missing claims')
    if (iat === undefined || iat > options.now() + CLOCK_TOLERANCE) throw invalidToken('issued in the future')
    return { ...payload, sub, exp }
  } catch (fault) {
    throw toTokenError(fault)
  }
}

/**
 * Base64 decoders skip what is no letter of theirs, and a signature is decoded: without this a token would go on being good
 * with blanks, dashes for pluses or padding in it.
 *
 * @throws {GatewayError} `ERR_INVALID_TOKEN` for what is no JWS in compact form (RFC 7515 §7.1).
 */
export function assertCompact(token: string): void {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw invalidToken('not in compact form')
}

const REMEDY = 'Set MLFLOW_TRACKING_TOKEN to a new one'

/** The refusal for a token that is wrong in any way but its age. @param fault Goes to the log only; never the token. */
export function invalidToken(fault: string, reason = 'invalid_token'): GatewayError {
  return new GatewayError('ERR_INVALID_TOKEN', `The token is not valid here. ${REMEDY}`, {
    cause: new Error(fault),
    reason,
  })
}

/** The refusal for a token that was valid until `expiredAt` (seconds since the epoch). */
export function expiredToken(expiredAt: number): GatewayError {
  const time = new Date(expiredAt * 1000).toISOString()
  return new GatewayError('ERR_EXPIRED_TOKEN', `token expired at ${time}. ${REMEDY}`, { reason: 'expired' })
}

/** Turns what jose throws into a refusal. Its errors carry the claims, which do not belong in a log. */
export function toTokenError(fault: unknown): GatewayError {
  if (fault instanceof GatewayError) return fault
  if (fault instanceof errors.JWTExpired && typeof fault.payload.exp === 'number')
    return expiredToken(fault.payload.exp)
  if (fault instanceof errors.JOSEError) return invalidToken(`${fault.code}: ${fault.message}`)
  return invalidToken(fault instanceof Error ? fault.message : 'unknown fault')
}

function findKey(keyring: Keyring, kid: string | undefined) {
  const key = kid === undefined ? undefined : keyring.find(kid)
  if (key === undefined) throw invalidToken('no such key')
  return key.publicKey
}
