import * as client from 'openid-client'
import type { ProviderConfig } from '../config.ts'
import { GatewayError } from '../errors.ts'
import { verifyLogoutToken } from './logout-token.ts'
import { toRefusal } from './openid-fault.ts'
import { readSignIn, type Tokens } from './openid-sign-in.ts'
import {
  type AuthorizationRequest,
  createBackoff,
  type ExpectedCallback,
  PROVIDER_CLOCK_TOLERANCE,
  type Provider,
  unreachable,
} from './provider.ts'
import { createEgress, type Egress } from './provider-fetch.ts'
import { createIssuerKeys, verifyProviderToken } from './provider-token.ts'
import { createSingleFlight } from './single-flight.ts'

/** Seconds for each request to the provider. */
const TIMEOUT = 10

/** After discovery failed it is not tried again for this long, seconds: strangers decide when we try. */
const RETRY_AFTER = 2

/** A longer hint does not fit into a URL; the provider then asks which session to end. */
const MAX_ID_TOKEN_HINT = 4096

export type ProviderOptions = {
  readonly config: ProviderConfig
  readonly fetch: typeof fetch
  /** Seconds since the epoch. Answers of the provider are judged by the machine's own clock. */
  readonly now: () => number
  /** As `createEgress`. */
  readonly authorities?: (() => string) | undefined
}

/** A provider that speaks OpenID Connect: discovery, authorization code with PKCE, refresh, RP-initiated logout. */
export function createOpenidProvider(options: ProviderOptions): Provider {
  const { config } = options
  const egress = createEgress(config, options.fetch, options.authorities)
  const { discover, known } = createDiscovery(options, egress)
  const keys = createIssuerKeys({
    label: config.label,
    jwks: config.jwks,
    fetch: egress.fetch,
    now: options.now,
    metadata: async () => {
      if (config.jwks !== undefined) return { issuer: config.issuer, jwksUri: undefined }
      const { issuer, jwks_uri: jwksUri = '' } = (await discover()).serverMetadata()
      return { issuer, jwksUri: new URL(jwksUri) }
    },
  })
  const toSignIn = async (tokens: Tokens, subject: string | undefined) =>
    readSignIn(await discover(), config, keys, tokens, subject)
  return {
    id: config.id,
    label: config.label,
    offersSignIn: config.signIn,
    bearerIssuers: config.acceptBearer ? spellings(config.issuer) : [],
    authorizationUrl: async (request) => buildAuthorizationUrl(await discover(), config, request),
    async finish(parameters, expected) {
      const tokens = await exchangeCode(await discover(), config, parameters, expected)
      return toSignIn(tokens, undefined)
    },
    async refresh(refreshToken, subject) {
      const configuration = await discover()
      const grant = client.refreshTokenGrant(configuration, refreshToken)
      const tokens = await grant.catch((fault) => {
        throw toRefusal(config.label, fault, `${config.label} did not renew the sign-in`)
      })
      const signIn = await toSignIn(tokens, subject)
      // Without rotation the answer has no refresh token and the old one goes on (RFC 6749 §6).
      return { ...signIn, refreshToken: signIn.refreshToken ?? refreshToken }
    },
    async endSessionUrl(idToken, postLogoutRedirectUri) {
      const configuration = await discover().catch(() => undefined)
      if (configuration?.serverMetadata().end_session_endpoint === undefined) return undefined
      const hint =
        idToken !== undefined && idToken.length <= MAX_ID_TOKEN_HINT ? { id_token_hint: idToken } : {}
      return client.buildEndSessionUrl(configuration, {
        ...hint,
        post_logout_redirect_uri: postLogoutRedirectUri,
      })
    },
    logoutOrigin: () => originOf(known()?.serverMetadata().end_session_endpoint ?? config.issuer),
    verifyBearer: (token) => verifyProviderToken(token, config, keys),
    verifyLogout: (token) => verifyLogoutToken(token, config, keys, options.now()),
  }
}

type Discovery = {
  readonly discover: () => Promise<client.Configuration>
  /** What was discovered, as far as it was. */
  readonly known: () => client.Configuration | undefined
}

/** Discovers on first use and keeps the answer; a failure is not kept. */
function createDiscovery({ config, now }: ProviderOptions, egress: Egress): Discovery {
  let known: client.Configuration | undefined
  const once = createSingleFlight<client.Configuration>()
  const backoff = createBackoff(config.label, RETRY_AFTER, now)
  const discover = async () => {
    backoff.assertReady()
    try {
      const found = await client.discovery(
        new URL(config.issuer),
        config.clientId,
        { [client.clockTolerance]: PROVIDER_CLOCK_TOLERANCE },
        clientAuthentication(config.clientSecret),
        {
          [client.customFetch]: (url, { body, signal, ...init }) =>
            egress.fetch(url, { ...init, body: body ?? null, signal: signal ?? null }),
          timeout: TIMEOUT,
          execute: [
            // OIDC Core 1.0 §3.1.3.7 lets a client trust TLS instead; the signature is checked all the same.
            client.enableNonRepudiationChecks,
            ...(config.allowHttpIssuer ? [client.allowInsecureRequests] : []),
          ],
        },
      )
      assertPermitted(found.serverMetadata(), config, egress)
      known = found
      return known
    } catch (fault) {
      backoff.failed()
      if (fault instanceof GatewayError) throw fault
      throw unreachable(config.label, fault)
    }
  }
  return { known: () => known, discover: async () => known ?? once('', discover) }
}

/** What the gateway itself calls; the other endpoints are for browsers. */
const CALLED = ['token_endpoint', 'jwks_uri', 'userinfo_endpoint'] as const

/** @throws {GatewayError} If the provider names an address that may not be called; which one is in the log. */
function assertPermitted(metadata: client.ServerMetadata, { label }: ProviderConfig, egress: Egress): void {
  for (const name of CALLED) {
    const url = metadata[name]
    if (url === undefined || egress.permits(url)) continue
    const host = URL.parse(url)?.host ?? 'no host at all'
    const cause = new Error(
      `${name} is at ${host.slice(0, 200)}: if that is right, add it to OIDC_ALLOWED_HOSTS (or the provider's own)`,
    )
    throw new GatewayError(
      'ERR_PROVIDER_UNREACHABLE',
      `${label} cannot be used: it names a host that this gateway may not call; tell an administrator`,
      { cause, reason: 'host_not_allowed' },
    )
  }
}

/** Where an issuer is a bare origin, the slash at its end is the provider's choice; which one counts it announces. */
function spellings(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer)
  return pathname === '/' ? [origin, `${origin}/`] : [issuer]
}

function originOf(url: string): string | undefined {
  return URL.parse(url)?.origin
}

/** RFC 6749 §2.3.1: every server supports Basic unless it says otherwise. */
function clientAuthentication(secret: string | undefined): client.ClientAuth {
  if (secret === undefined) return client.None()
  const basic = client.ClientSecretBasic(secret)
  const post = client.ClientSecretPost(secret)
  return (server, metadata, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported
    const supportsBasic = methods === undefined || methods.includes('client_secret_basic')
    return (supportsBasic ? basic : post)(server, metadata, body, headers)
  }
}

async function buildAuthorizationUrl(
  configuration: client.Configuration,
  config: ProviderConfig,
  request: AuthorizationRequest,
): Promise<URL> {
  // OIDC Core 1.0 §11: without the prompt the provider must ignore the scope.
  const offline = config.scopes.split(' ').includes('offline_access')
  const prompt = [...(request.askAgain ? ['login'] : []), ...(offline ? ['consent'] : [])].join(' ')
  return client.buildAuthorizationUrl(configuration, {
    redirect_uri: request.redirectUri,
    scope: config.scopes,
    state: request.state,
    nonce: request.nonce,
    code_challenge: await client.calculatePKCECodeChallenge(request.codeVerifier),
    code_challenge_method: 'S256',
    ...(prompt === '' ? {} : { prompt }),
  })
}

/** State, `iss` of the response (RFC 9207), nonce, audience, times and signature of the ID Token are checked inside. */
async function exchangeCode(
  configuration: client.Configuration,
  { label }: ProviderConfig,
  parameters: URLSearchParams,
  expected: ExpectedCallback,
): Promise<Tokens> {
  const currentUrl = new URL(expected.redirectUri)
  currentUrl.search = parameters.toString()
  try {
    return await client.authorizationCodeGrant(configuration, currentUrl, {
      expectedState: expected.state,
      expectedNonce: expected.nonce,
      pkceCodeVerifier: expected.codeVerifier,
      idTokenExpected: true,
    })
  } catch (fault) {
    const denied = fault instanceof client.AuthorizationResponseError && fault.error === 'access_denied'
    throw toRefusal(
      label,
      fault,
      denied ? `${label} says you cancelled` : `${label} did not confirm the sign-in`,
    )
  }
}
