import { GatewayError } from '../errors.ts'
import type { Profile } from './claims.ts'
import type { ProviderLogout } from './logout-token.ts'

/** How far a provider's clock may differ from ours, seconds. Stated once, the same for every token a provider signs. */
export const PROVIDER_CLOCK_TOLERANCE = 30

/** Whom a provider vouches for: identified by issuer and subject (OIDC Core 1.0 §5.7). */
export type ProviderIdentity = Profile & {
  readonly provider: string
  readonly issuer: string
  readonly subject: string
}

/** A completed sign-in at a provider, or a renewed one. */
export type SignIn = ProviderIdentity & {
  /** Absent unless the provider gave one (scope `offline_access`). */
  readonly refreshToken: string | undefined
  /** What the provider will end the session by, if it says (OpenID Connect Back-Channel Logout 1.0 §2.1). */
  readonly sid: string | undefined
  /** When the provider said so, seconds since the epoch; 0 if it gave no ID Token. */
  readonly issuedAt: number
  /** Hint for signing out at the provider. A refresh need not bring a new one. */
  readonly idToken: string | undefined
}

/** A bearer JWT of a provider that was verified. */
export type ProviderToken = ProviderIdentity & {
  /** False if the token does not speak of groups at all: it then changes nothing about them. */
  readonly saysGroups: boolean
  /** `jti` of the token if it has one, else its subject. */
  readonly tokenId: string
  /** Seconds since the epoch; 0 if the token does not say. */
  readonly issuedAt: number
  /** Seconds since the epoch. */
  readonly expiresAt: number
}

/** What the authorization request carries. */
export type AuthorizationRequest = {
  /** Exactly as registered at the provider. */
  readonly redirectUri: string
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  /** Ask for the credential even if the provider still knows the browser. */
  readonly askAgain: boolean
}

/** What the answer must match. */
export type ExpectedCallback = Pick<AuthorizationRequest, 'redirectUri' | 'state' | 'nonce' | 'codeVerifier'>

/** One configured way to sign in. Reaching out happens on first use, so a provider that is down stops nobody else. */
export type Provider = {
  readonly id: string
  readonly label: string
  /** Whether people sign in with it. */
  readonly offersSignIn: boolean
  /** Issuers whose bearer JWTs come here; empty if none are accepted. Google spells its own in two ways. */
  readonly bearerIssuers: readonly string[]
  /** @throws {GatewayError} `ERR_PROVIDER_UNREACHABLE` */
  authorizationUrl(request: AuthorizationRequest): Promise<URL>
  /**
   * Exchanges the code, once: a code is spent by the first try whatever its outcome.
   *
   * @param parameters The query of the callback.
   * @throws {GatewayError} `ERR_SIGN_IN_FAILED`, with the provider's own error as cause; `ERR_PROVIDER_UNREACHABLE`.
   */
  finish(parameters: URLSearchParams, expected: ExpectedCallback): Promise<SignIn>
  /**
   * Reads the person's name and groups again.
   *
   * @throws {GatewayError} `ERR_SIGN_IN_FAILED` with reason `invalid_grant` if the provider has ended the grant, with
   *   another reason if it refuses otherwise; `ERR_PROVIDER_UNREACHABLE`.
   */
  refresh(refreshToken: string, subject: string): Promise<SignIn>
  /** Where to send the browser to sign out there too; `undefined` if the provider does not announce it or is away. */
  endSessionUrl(idToken: string | undefined, postLogoutRedirectUri: string): Promise<URL | undefined>
  /** Origin of that address as far as it is known, for the pages' Content-Security-Policy. */
  logoutOrigin(): string | undefined
  /**
   * @throws {GatewayError} `ERR_INVALID_TOKEN`, `ERR_EXPIRED_TOKEN`, or `ERR_PROVIDER_UNREACHABLE` if its keys cannot
   *   be read.
   */
  verifyBearer(token: string): Promise<ProviderToken>
  /**
   * Judges a logout token; absent at providers that send none.
   *
   * @throws {GatewayError} as {@link verifyBearer}.
   */
  readonly verifyLogout?: (token: string) => Promise<ProviderLogout>
}

/** Keeps strangers, whose requests make us ask a provider, from having one that is away asked again and again. */
export type Backoff = {
  /** @throws {GatewayError} `ERR_PROVIDER_UNREACHABLE` if the last try failed less than `seconds` ago. */
  assertReady(): void
  failed(): void
}

export function createBackoff(label: string, seconds: number, now: () => number): Backoff {
  let failedAt = Number.NEGATIVE_INFINITY
  return {
    assertReady() {
      if (failedAt + seconds > now()) throw unreachable(label, 'asked a moment ago')
    },
    failed() {
      failedAt = now()
    },
  }
}

/** The refusal when a provider does not answer. @param fault What {@link describeFault} says. */
export function unreachable(label: string, fault: unknown): GatewayError {
  return new GatewayError('ERR_PROVIDER_UNREACHABLE', `${label} does not answer right now`, {
    cause: describeFault(fault),
    reason: 'provider_unreachable',
  })
}

/** The refusal when a provider, or what it sent, says no. @param fault What {@link describeFault} is told. */
export function signInFailed(message: string, fault: unknown, reason = 'sign_in_failed'): GatewayError {
  return new GatewayError('ERR_SIGN_IN_FAILED', message, { cause: describeFault(fault), reason })
}

/**
 * What may be logged of a library's error. Theirs carry codes, tokens, claims and secrets in message and properties,
 * so only short names that the protocol defines get through: class, code, and OAuth's `error` and `error_description`
 * (RFC 6749 §5.2).
 */
export function describeFault(fault: unknown): Error {
  if (!(fault instanceof Error)) return new Error(typeof fault === 'string' ? fault : 'unknown fault')
  const parts = [fault.name, ...chain(fault).flatMap(protocolNames)]
  return new Error([...new Set(parts)].join(' '))
}

/** Registered (RFC 6749 §4.1.2.1, §5.2, RFC 6750 §3.1, OIDC Core 1.0 §3.1.2.6, RFC 9449 §7.1). */
const ERROR_CODES: ReadonlySet<string> = new Set([
  ...[
    'access_denied',
    'invalid_client',
    'invalid_grant',
    'invalid_request',
    'invalid_scope',
    'invalid_token',
  ],
  ...['server_error', 'temporarily_unavailable', 'unauthorized_client', 'unsupported_grant_type'],
  ...['unsupported_response_type', 'insufficient_scope', 'account_selection_required', 'consent_required'],
  ...['interaction_required', 'login_required', 'invalid_request_object', 'request_not_supported'],
  ...['request_uri_not_supported', 'registration_not_supported', 'use_dpop_nonce'],
])

/**
 * OAuth's `error` of whatever a library threw, if the provider sent one; `other_error` for one that no standard names.
 * It goes on record as the reason, and whoever opens a callback can write what they like in its address.
 */
export function oauthError(fault: unknown): string | undefined {
  const error = chain(fault)
    .map((link) => read(link, 'error'))
    .find((code) => code !== undefined)
  return error === undefined || ERROR_CODES.has(error) ? error : 'other_error'
}

function protocolNames(fault: object): string[] {
  const status = 'status' in fault && typeof fault.status === 'number' ? `status ${fault.status}` : undefined
  const claim = 'cause' in fault ? read(fault.cause, 'claim') : undefined
  const names = [read(fault, 'code'), status, claim && `claim ${claim}`, read(fault, 'error')]
  const description = read(fault, 'error_description')
  return [...names, description && JSON.stringify(description)].filter((name) => name !== undefined)
}

/** The error, its causes, and the body of the response it tells of. */
function chain(fault: unknown): object[] {
  const links: object[] = []
  let link = fault
  while (typeof link === 'object' && link !== null && links.length < 5) {
    links.push(link)
    link = 'cause' in link ? link.cause : undefined
  }
  return links
}

function read(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null || !(name in value)) return undefined
  const text = (value as Record<string, unknown>)[name]
  if (typeof text !== 'string') return undefined
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, 200)
}
