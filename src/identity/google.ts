import { createHash } from 'node:crypto'
import { CodeChallengeMethod, OAuth2Client, type TokenPayload } from 'google-auth-library'
import { decodeProtectedHeader } from 'jose'
import type { ProviderConfig } from '../config.ts'
import { GatewayError, isGatewayError } from '../errors.ts'
import { readProfile } from './claims.ts'
import { expiredToken, invalidToken } from './gateway-token.ts'
import type { ProviderOptions } from './openid-provider.ts'
import {
  type AuthorizationRequest,
  createBackoff,
  describeFault,
  type ExpectedCallback,
  PROVIDER_CLOCK_TOLERANCE,
  type Provider,
  type ProviderToken,
  type SignIn,
  signInFailed,
  unreachable,
} from './provider.ts'

/** The issuer people and service accounts are known by, however their token spells it. */
export const GOOGLE_ISSUER = 'https://accounts.google.com'

/** Google signs with either (https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken). */
const GOOGLE_ISSUERS = [GOOGLE_ISSUER, 'accounts.google.com']

const TIMEOUT_MS = 10_000

/** After the certificates could not be read they are not asked for again for this long, seconds. */
const RETRY_AFTER = 5

/**
 * Google, by its own library. Its ID Token must carry the hosted domain in the `hd` claim when one is configured: the
 * request parameter of that name is only a hint, and the domain of an e-mail address says nothing (field report 79).
 */
export function createGoogle(options: ProviderOptions): Provider {
  const { config, now } = options
  const google = createClient(options)
  const backoff = createBackoff(config.label, RETRY_AFTER, now)
  const verify = async (token: string, audiences: readonly string[]) => {
    assertHeader(token)
    backoff.assertReady()
    await google.getFederatedSignonCerts().catch((fault) => {
      backoff.failed()
      throw unreachable(config.label, fault)
    })
    return verifyIdToken(google, { token, audiences, now })
  }
  return {
    id: config.id,
    label: config.label,
    bearerIssuers: config.acceptBearer && config.serviceAccounts.length > 0 ? GOOGLE_ISSUERS : [],
    authorizationUrl: async (request) => authorizationUrl(google, config, request),
    async finish(parameters, expected) {
      const code = readCode(config, parameters)
      const idToken = await exchangeCode(google, config, code, expected)
      const claims = await verifyIdToken(google, config, {
        token: idToken,
        audiences: [config.clientId],
        now,
      })
      return toSignIn(config, claims, { idToken, nonce: expected.nonce })
    },
    // Google's groups are in no token, and without them there is nothing to read again.
    refresh: async () => {
      throw signInFailed('Google sign-ins are not renewed', 'no refresh at Google', 'unsupported')
    },
    endSessionUrl: async () => undefined,
    async verifyBearer(token) {
      return toServiceAccount(config, await verify(token, config.audiences))
    },
  }
}

/** @param config With another issuer than Google's (the loopback stand-in of tests) all endpoints are there. */
function createClient({ config, fetch }: ProviderOptions): OAuth2Client {
  const base = config.issuer === GOOGLE_ISSUER ? undefined : config.issuer.replace(/\/$/, '')
  return new OAuth2Client({
    clientId: config.clientId,
    ...(config.clientSecret === undefined ? {} : { clientSecret: config.clientSecret }),
    issuers: GOOGLE_ISSUERS,
    // One exchange per code: a second try would fail for a reason of its own and hide the first (field report 54).
    transporterOptions: { fetchImplementation: fetch, retryConfig: { retry: 0 }, timeout: TIMEOUT_MS },
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
    const { status, body } = readResponse(fault)
    if (status === undefined || status >= 500) throw unreachable(label, fault)
    const error = Object.assign(new Error('token response'), body, { status })
    throw signInFailed(`${label} did not confirm the sign-in`, error, body.error)
  }
}

/** Status and OAuth error of what the library's transport threw; the rest of it holds code and secret. */
function readResponse(fault: unknown): {
  status: number | undefined
  body: { error?: string; error_description?: string }
} {
  const response = fault instanceof Error && 'response' in fault ? fault.response : undefined
  if (typeof response !== 'object' || response === null) return { status: undefined, body: {} }
  const status = 'status' in response && typeof response.status === 'number' ? response.status : undefined
  const data =
    'data' in response && typeof response.data === 'object' && response.data !== null ? response.data : {}
  const error = 'error' in data && typeof data.error === 'string' ? { error: data.error } : {}
  const description =
    'error_description' in data && typeof data.error_description === 'string'
      ? { error_description: data.error_description }
      : {}
  return { status, body: { ...error, ...description } }
}

type Verification = {
  readonly token: string
  readonly audiences: readonly string[]
  readonly now: () => number
}

/**
 * Verifies signature, issuer and audience by the library, and what it leaves open: the algorithm, and times by the
 * tolerance stated for every provider (the library's own is five minutes).
 *
 * @throws {GatewayError} as `Provider.verifyBearer`.
 */
async function verifyIdToken(
  google: OAuth2Client,
  { token, audiences, now }: Verification,
): Promise<TokenPayload> {
  const ticket = await google.verifyIdToken({ idToken: token, audience: [...audiences] }).catch((fault) => {
    throw invalidToken(shortReason(fault))
  })
  const claims = ticket.getPayload()
  if (claims === undefined || typeof claims.sub !== 'string' || claims.sub === '')
    throw invalidToken('no sub')
  const { exp, iat } = claims
  const nbf = 'nbf' in claims ? claims.nbf : undefined
  if (typeof exp !== 'number' || typeof iat !== 'number') throw invalidToken('times are not numbers')
  if (exp + PROVIDER_CLOCK_TOLERANCE <= now()) throw expiredToken(exp)
  const earliest = Math.max(iat, typeof nbf === 'number' ? nbf : iat)
  if (earliest > now() + PROVIDER_CLOCK_TOLERANCE) throw invalidToken('not valid yet')
  return claims
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

/** The library's messages repeat token and claims after their first words. */
function shortReason(fault: unknown): string {
  const message = fault instanceof Error ? fault.message : ''
  return /^[A-Za-z' ]{1,60}/.exec(message)?.[0] ?? describeFault(fault).message
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
  return { ...readIdentity(config, claims), refreshToken: undefined, idToken }
}

function readIdentity(config: ProviderConfig, claims: TokenPayload) {
  return {
    ...readProfile({ ...claims }, config),
    provider: config.id,
    issuer: GOOGLE_ISSUER,
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
  return { ...identity, saysGroups: false, id: claims.sub, expiresAt: claims.exp }
}
