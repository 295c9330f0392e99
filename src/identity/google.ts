import { createHash } from 'node:crypto'
import { CodeChallengeMethod, gaxios, OAuth2Client, type TokenPayload } from 'google-auth-library'
import type { ProviderConfig } from '../config.ts'
import { GatewayError, isGatewayError } from '../errors.ts'
import { type Claims, readProfile } from './claims.ts'
import { invalidToken } from './gateway-token.ts'
import { createGoogleVerifier, GOOGLE_ISSUER, GOOGLE_ISSUERS } from './google-token.ts'
import type { ProviderOptions } from './openid-provider.ts'
import {
  type AuthorizationRequest,
  type ExpectedCallback,
  oauthError,
  type Provider,
  type ProviderToken,
  type SignIn,
  signInFailed,
  unreachable,
} from './provider.ts'
import { createEgress } from './provider-fetch.ts'

const TIMEOUT_MS = 10_000

/**
 * Google, by its own library. Its ID Token must carry the hosted domain in the `hd` claim when one is configured: the
 * request parameter of that name is only a hint, and the domain of an e-mail address says nothing (field report 79).
 */
export function createGoogle(options: ProviderOptions): Provider {
  const { config, now } = options
  const google = createClient(options)
  const verify = createGoogleVerifier({ google, label: config.label, now })
  return {
    id: config.id,
    label: config.label,
    offersSignIn: config.signIn,
    bearerIssuers: config.acceptBearer && config.serviceAccounts.length > 0 ? GOOGLE_ISSUERS : [],
    authorizationUrl: async (request) => authorizationUrl(google, config, request),
    async finish(parameters, expected) {
      const code = readCode(config, parameters)
      const idToken = await exchangeCode(google, config, code, expected)
      const claims = await verify(idToken, [config.clientId]).catch((fault) => {
        if (!isGatewayError(fault) || fault.code === 'ERR_PROVIDER_UNREACHABLE') throw fault
        const { cause } = fault
        const reason = cause instanceof Error ? cause.message : fault.message
        throw signInFailed(`${config.label} did not confirm the sign-in`, reason)
      })
      return toSignIn(config, claims, { idToken, nonce: expected.nonce })
    },
    // Google's groups are in no token, and without them there is nothing to read again.
    refresh: async () => {
      throw signInFailed('Google sign-ins are not renewed', 'no refresh at Google', 'unsupported')
    },
    endSessionUrl: async () => undefined,
    logoutOrigin: () => undefined,
    async verifyBearer(token) {
      return toServiceAccount(config, await verify(token, config.audiences))
    },
  }
}

/** @param config With another issuer than Google's (the loopback stand-in of tests) all endpoints are there. */
function createClient({ config, fetch }: ProviderOptions): OAuth2Client {
  const egress = createEgress(config, fetch)
  const base = config.issuer === GOOGLE_ISSUER ? undefined : config.issuer.replace(/\/$/, '')
  return new OAuth2Client({
    clientId: config.clientId,
    ...(config.clientSecret === undefined ? {} : { clientSecret: config.clientSecret }),
    issuers: GOOGLE_ISSUERS,
    // One exchange per code: a second try would fail for a reason of its own and hide the first (field report 54).
    transporterOptions: { fetchImplementation: egress.fetch, retryConfig: { retry: 0 }, timeout: TIMEOUT_MS },
    ...(base === undefined
      ? {}
      : {
          endpoints: {
            oauth2AuthBaseUrl: `${base}/o/oauth2/v2/auth`,
            oauth2TokenUrl: `${base}/token`,
            oauth2FederatedSignonPemCertsUrl: `${base}/oauth2/v1/certs`,
            oauth2FederatedSignonJwkCertsUrl: `${base}/oauth2/v3/certs`,
          },
        }),
  })
}

function authorizationUrl(google: OAuth2Client, config: ProviderConfig, request: AuthorizationRequest): URL {
  return new URL(
    google.generateAuthUrl({
      redirect_uri: request.redirectUri,
      scope: config.scopes,
      state: request.state,
      nonce: request.nonce,
      code_challenge: createHash('sha256').update(request.codeVerifier).digest('base64url'),
      code_challenge_method: CodeChallengeMethod.S256,
      ...(config.hostedDomain === undefined ? {} : { hd: config.hostedDomain }),
      ...(request.askAgain ? { prompt: 'select_account' } : {}),
    }),
  )
}

/** Reads the code from the callback's query, whose state the caller has matched. RFC 9207: `iss`, if there, is Google's. */
function readCode({ label }: ProviderConfig, parameters: URLSearchParams): string {
  const [error, code, iss] = ['error', 'code', 'iss'].map((name) => {
    const values = parameters.getAll(name)
    if (values.length > 1) throw signInFailed(`${label} sent an unclear answer`, `${name} repeats`)
    return values[0]
  })
  if (iss !== undefined && !GOOGLE_ISSUERS.includes(iss)) {
    throw signInFailed(`${label} sent an unclear answer`, 'the response is of another issuer')
  }
  if (error !== undefined) {
    const message =
      error === 'access_denied' ? `${label} says you cancelled` : `${label} did not confirm the sign-in`
    throw signInFailed(
      message,
      Object.assign(new Error('authorization response'), { error }),
      error.slice(0, 60),
    )
  }
  if (code === undefined || code === '') throw signInFailed(`${label} sent an unclear answer`, 'no code')
  return code
}

async function exchangeCode(
  google: OAuth2Client,
  { label }: ProviderConfig,
  code: string,
  { redirectUri, codeVerifier }: ExpectedCallback,
): Promise<string> {
  try {
    const { tokens } = await google.getToken({ code, codeVerifier, redirect_uri: redirectUri })
    if (typeof tokens.id_token !== 'string')
      throw signInFailed(`${label} did not say who signed in`, 'no ID Token')
    return tokens.id_token
  } catch (fault) {
    if (fault instanceof GatewayError) throw fault
    const response = fault instanceof gaxios.GaxiosError ? fault.response : undefined
    if (response === undefined || response.status >= 500) throw unreachable(label, fault)
    // The rest of the library's error holds the code and the client secret.
    const { error, error_description } = toClaims(response.data)
    const answer = Object.assign(new Error('token response'), {
      error,
      error_description,
      status: response.status,
    })
    throw signInFailed(`${label} did not confirm the sign-in`, answer, oauthError(answer))
  }
}

function toClaims(data: unknown): Claims {
  return typeof data === 'object' && data !== null ? (data as Claims) : {}
}

function toSignIn(
  config: ProviderConfig,
  claims: TokenPayload,
  { idToken, nonce }: { readonly idToken: string; readonly nonce: string },
): SignIn {
  if (claims.nonce !== nonce) throw signInFailed(`${config.label} sent an unclear answer`, 'unexpected nonce')
  if (config.hostedDomain !== undefined && claims.hd !== config.hostedDomain) {
    throw signInFailed(
      `This Google account does not belong to ${config.hostedDomain}; sign in with one that does`,
      'hd claim is missing or another',
      'hosted_domain',
    )
  }
  return {
    ...readIdentity(config, claims),
    refreshToken: undefined,
    sid: undefined,
    issuedAt: claims.iat,
    idToken,
  }
}

function readIdentity(config: ProviderConfig, claims: TokenPayload) {
  return {
    ...readProfile({ ...claims }, config),
    provider: config.id,
    // Google's own in both spellings; a stand-in's address while one is configured.
    issuer: config.issuer,
    subject: claims.sub,
  }
}

/** Only listed service accounts: by subject, or by an e-mail address Google has verified. */
function toServiceAccount(config: ProviderConfig, claims: TokenPayload): ProviderToken {
  const identity = readIdentity(config, claims)
  const names = [claims.sub, ...(identity.email === undefined ? [] : [identity.email])]
  if (!names.some((name) => config.serviceAccounts.includes(name))) {
    throw invalidToken('not a listed service account', 'not_listed')
  }
  return { ...identity, saysGroups: false, tokenId: claims.sub, issuedAt: claims.iat, expiresAt: claims.exp }
}
