import { GatewayError } from '../errors.ts'
import type { Directory, Member } from '../policy/directory.ts'
import type { BearerVerifier } from './bearer-credential.ts'
import type { Caller } from './caller.ts'
import { type CookieSettings, type CredentialHeaders, readCredentialHeaders } from './cookies.ts'
import { type CredentialCache, digestOf, type VerifiedCredential } from './credential-cache.ts'
import { invalidToken } from './gateway-token.ts'
import type { HeaderSink, SessionVerifier } from './session-credential.ts'
import type { TokenUse } from './token-use.ts'

/**
 * Finds out who calls, from the raw headers. Answers at once, without I/O, when credential and member are in memory.
 *
 * Throws, or rejects with, a {@link GatewayError}: `ERR_NO_CREDENTIAL`, `ERR_INVALID_TOKEN`, `ERR_EXPIRED_TOKEN`,
 * `ERR_AMBIGUOUS_REQUEST`; `ERR_STORE_UNAVAILABLE` and `ERR_PROVIDER_UNREACHABLE` for trouble that is not the caller's.
 */
export type Identifier = {
  (rawHeaders: readonly string[], sink: HeaderSink): Caller | Promise<Caller>
  /** The caller as far as credential and member are in memory. Asks and verifies nothing. */
  readonly recall: (rawHeaders: readonly string[]) => Caller | undefined
}

export type IdentifierOptions = {
  readonly publicUrl: URL
  readonly cookies: CookieSettings
  readonly cache: CredentialCache
  readonly directory: Pick<Directory, 'cached' | 'resolve'>
  readonly verifyBearer: BearerVerifier
  readonly verifySession: SessionVerifier
  readonly tokenUse: Pick<TokenUse, 'note'>
}

/** An `Authorization` header goes before cookies, and what it fails to prove no cookie makes up for. */
export function createIdentifier(options: IdentifierOptions): Identifier {
  const { cache, directory, tokenUse } = options
  const complete = (
    { credential }: VerifiedCredential,
    { principal, access, workspaces }: Member,
  ): Caller => {
    if (credential.kind === 'access_token') tokenUse.note(credential.id)
    return { principal, access, workspaces, credential }
  }
  const verify = (headers: CredentialHeaders, sink: HeaderSink) =>
    headers.authorization === undefined
      ? options.verifySession(headers, sink)
      : options.verifyBearer(headers.authorization)

  const identifySlowly = async (headers: CredentialHeaders, sink: HeaderSink): Promise<Caller> => {
    const known = cachedFor(headers, cache)
    let verified = known ?? (await verify(headers, sink))
    const member = await directory.resolve(verified.userId)
    // To resolve may have meant following changes, and one of them may have ended this very credential.
    if (known !== undefined && cachedFor(headers, cache) === undefined) verified = await verify(headers, sink)
    if (member === undefined) throw invalidToken('the person is unknown or disabled', 'no_such_person')
    return complete(verified, member)
  }

  const read = (rawHeaders: readonly string[]): CredentialHeaders => {
    const headers = readCredentialHeaders(rawHeaders, options.cookies)
    if (!headers.authorization && !headers.tokenCookie && !headers.sessionCookie)
      throw noCredential(options.publicUrl)
    return headers
  }
  const recall = (headers: CredentialHeaders): Caller | undefined => {
    const verified = cachedFor(headers, cache)
    const member = verified && directory.cached(verified.userId)
    return verified && member && complete(verified, member)
  }
  const identify = (rawHeaders: readonly string[], sink: HeaderSink) => {
    const headers = read(rawHeaders)
    return recall(headers) ?? identifySlowly(headers, sink)
  }
  return Object.assign(identify, { recall: (rawHeaders: readonly string[]) => recall(read(rawHeaders)) })
}

/** The credential as it was verified before, if what proves it was sent in the same way then. */
function cachedFor(headers: CredentialHeaders, cache: CredentialCache): VerifiedCredential | undefined {
  const sent = headers.authorization ?? headers.tokenCookie
  if (sent === undefined) return undefined
  const verified = cache.get(digestOf(sent))
  const asCookie = headers.authorization === undefined
  return verified !== undefined && (verified.credential.form === 'cookie') === asCookie ? verified : undefined
}

function noCredential(publicUrl: URL): GatewayError {
  const tokens = `${publicUrl.href.replace(/\/$/, '')}/auth/tokens`
  return new GatewayError(
    'ERR_NO_CREDENTIAL',
    `Nobody is signed in. Set MLFLOW_TRACKING_TOKEN to an access token, made at ${tokens}`,
    { reason: 'no_credential' },
  )
}
