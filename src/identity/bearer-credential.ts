import { decodeJwt } from 'jose'
import type { Directory } from '../policy/directory.ts'
import type { People } from '../store/people.ts'
import type { Tokens } from '../store/tokens.ts'
import type { AccessTokens } from './access-token.ts'
import { type Presented, readAuthorization } from './authorization.ts'
import { type CredentialCache, digestOf, type VerifiedCredential } from './credential-cache.ts'
import { invalidToken } from './gateway-token.ts'
import type { Provider } from './provider.ts'
import { recordBearer } from './sign-in.ts'
import { createSingleFlight } from './single-flight.ts'

export type BearerOptions = {
  /** {@link ownIssuer} of the public URL. */
  readonly issuer: string
  readonly cache: CredentialCache
  readonly accessTokens: Pick<AccessTokens, 'verify'>
  readonly tokens: Pick<Tokens, 'get'>
  readonly providers: Iterable<Provider>
  readonly people: Pick<People, 'signIn' | 'find'>
  readonly directory: Pick<Directory, 'refresh'>
}

/** Verifies an `Authorization` header and keeps the outcome; the same header at the same time is verified once. */
export type BearerVerifier = (authorization: string) => Promise<VerifiedCredential>

/**
 * Tokens of ours and JWTs of the configured issuers. The `iss` a token claims only decides whose keys it is held
 * against; a token of an issuer that is not configured is refused before anything is asked.
 */
export function createBearerVerifier(options: BearerOptions): BearerVerifier {
  const { cache } = options
  const providers = new Map<string, Provider>()
  for (const provider of options.providers) {
    for (const issuer of provider.bearerIssuers) providers.set(issuer, provider)
  }
  const once = createSingleFlight<VerifiedCredential>()
  const verify = async (authorization: string) => {
    const version = cache.version()
    const presented = readAuthorization(authorization)
    const issuer = readIssuer(presented.token)
    const provider = issuer === undefined ? undefined : providers.get(issuer)
    if (issuer !== options.issuer && provider === undefined) throw invalidToken('issuer', 'unknown_issuer')
    const verified =
      provider === undefined || issuer === options.issuer
        ? await verifyAccessToken(presented, options)
        : await verifyProviderJwt(presented, provider, options)
    cache.put(digestOf(authorization), verified, version)
    return verified
  }
  return (authorization) => once(authorization, () => verify(authorization))
}

/** Not verified yet. */
function readIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss
  } catch {
    throw invalidToken('not a JWT', 'unreadable')
  }
}

/** Asks the store once per token, cache aside: it alone knows whether the token was revoked. */
async function verifyAccessToken(
  { form, token }: Presented,
  { accessTokens, tokens }: BearerOptions,
): Promise<VerifiedCredential> {
  const { jti, userId, scope, expiresAt } = await accessTokens.verify(token)
  const record = await tokens.get(jti)
  if (record === undefined || record.userId !== userId) throw invalidToken('no such token', 'unknown_token')
  if (record.revokedAt !== undefined) throw invalidToken('revoked', 'revoked')
  return { userId, credential: { kind: 'access_token', form, id: jti, scope, expiresAt } }
}

async function verifyProviderJwt(
  { form, token }: Presented,
  provider: Provider,
  options: BearerOptions,
): Promise<VerifiedCredential> {
  const verified = await provider.verifyBearer(token)
  const userId = await recordBearer(verified, options)
  const { tokenId: id, expiresAt } = verified
  return { userId, credential: { kind: 'provider_token', form, id, scope: [], expiresAt } }
}
