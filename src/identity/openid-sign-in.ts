import * as client from 'openid-client'
import type { ProviderConfig } from '../config.ts'
import { type Claims, hasGroups, readClaim, readGroups, readProfile } from './claims.ts'
import { toRefusal } from './openid-fault.ts'
import { type SignIn, signInFailed } from './provider.ts'
import type { IssuerKeys } from './provider-token.ts'

/** What the token endpoint answered, checked by openid-client. */
export type Tokens = client.TokenEndpointResponse & client.TokenEndpointResponseHelpers

/**
 * Reads who signed in. The ID Token counts first; what it lacks is asked for at the UserInfo endpoint, and groups at
 * last in the access token, where Keycloak puts roles: its signature is checked first.
 *
 * @param subject Who it must be, on a refresh.
 */
export async function readSignIn(
  configuration: client.Configuration,
  config: ProviderConfig,
  keys: IssuerKeys,
  tokens: Tokens,
  subject: string | undefined,
): Promise<SignIn> {
  const idClaims: Claims = tokens.claims() ?? {}
  const sub = idClaims['sub'] ?? subject
  if (
    typeof sub !== 'string' ||
    sub === '' ||
    sub.length > 255 ||
    (subject !== undefined && sub !== subject)
  ) {
    throw signInFailed(`${config.label} did not say who signed in`, 'unexpected sub')
  }
  const userInfo = isComplete(idClaims, config) ? {} : await fetchUserInfo(configuration, config, tokens, sub)
  if (userInfo === undefined && tokens.id_token === undefined) {
    throw signInFailed(
      `${config.label} did not say who signed in`,
      'neither ID Token nor UserInfo',
      'no_claims',
    )
  }
  const sources = [idClaims, userInfo ?? {}]
  const named = sources.some((claims) => hasGroups(claims, config.groupsClaim))
  if (config.groupsClaim !== undefined && !named)
    sources.push(await readAccessToken(tokens, config, keys, sub))
  const groups = sources.find((claims) => hasGroups(claims, config.groupsClaim)) ?? {}
  return {
    ...readProfile({ ...userInfo, ...idClaims, sub }, config),
    groups: readGroups(groups, config.groupsClaim),
    provider: config.id,
    issuer: configuration.serverMetadata().issuer,
    subject: sub,
    refreshToken: tokens.refresh_token,
    sid: readSid(idClaims['sid']),
    issuedAt: Number(idClaims['iat'] ?? 0),
    idToken: tokens.id_token,
  }
}

/** Longer than any provider's, it is not kept: its logout tokens then have to name the subject. */
function readSid(sid: unknown): string | undefined {
  return typeof sid === 'string' && sid !== '' && sid.length <= 255 ? sid : undefined
}

function isComplete(claims: Claims, { usernameClaim, groupsClaim }: ProviderConfig): boolean {
  const named = readClaim(claims, usernameClaim) !== undefined
  return named && (groupsClaim === undefined || hasGroups(claims, groupsClaim))
}

async function fetchUserInfo(
  configuration: client.Configuration,
  { label }: ProviderConfig,
  tokens: Tokens,
  subject: string,
): Promise<Claims | undefined> {
  if (configuration.serverMetadata().userinfo_endpoint === undefined) return undefined
  try {
    return await client.fetchUserInfo(configuration, tokens.access_token, subject)
  } catch (fault) {
    throw toRefusal(label, fault, `${label} did not say who signed in`)
  }
}

async function readAccessToken(
  tokens: Tokens,
  config: ProviderConfig,
  keys: IssuerKeys,
  subject: string,
): Promise<Claims> {
  if (tokens.access_token.split('.').length !== 3) return {}
  const claims = await keys.verify(tokens.access_token, config.bearerAlgorithms).catch(() => undefined)
  return claims?.sub === subject ? claims : {}
}
