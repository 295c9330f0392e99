import { ASYMMETRIC_ALGORITHMS } from '../config/provider-schema.ts'
import { type Finding, fault, ok, skipped, warning } from './check.ts'
import {
  type Discovery,
  foreignEndpoints,
  isIssuer,
  type Metadata,
  type ProviderAtHand,
  readMetadata,
  short,
} from './provider-at-hand.ts'
import { type ReachFault, reach } from './reach.ts'
import type { Setup } from './setup.ts'

/** Whether the provider answers, and is the issuer that is configured. */
export function judgeDiscovery(provider: ProviderAtHand, { reached, metadata }: Discovery): Finding {
  const { config, prefix } = provider
  if ('fault' in reached) return unreachable(provider, reached.fault)
  if (metadata === undefined) {
    return fault({
      what: `${config.label} has no discovery document: it answered ${reached.response.status}`,
      why: `${prefix}ISSUER is not the issuer, or something else answers in its place.`,
      advice: `Open ${prefix}ISSUER followed by /.well-known/openid-configuration in a browser: it must show JSON.`,
    })
  }
  if (isIssuer(config, metadata)) return ok(`${config.label} answers and is the issuer that is configured`)
  return fault({
    what: `${config.label} says that its issuer is ${short(metadata['issuer'])}`,
    why: 'Tokens name the issuer, and each has to be the one that is configured, letter by letter (OIDC Core 1.0 §3.1.3.7).',
    advice: `Set ${prefix}ISSUER to what it says, if that is the provider you mean.`,
  })
}

function unreachable({ config, prefix }: ProviderAtHand, { reason, isUntrusted }: ReachFault): Finding {
  const advice = isUntrusted
    ? `If its authority is your own, set ${config.kind === 'google' ? 'NODE_EXTRA_CA_CERTS' : `${prefix}CA_FILE`} to a file with the authority's certificate.`
    : `Check ${prefix === 'GOOGLE_' ? 'the way to accounts.google.com' : `${prefix}ISSUER`}, the name server and the firewall of this machine.`
  return fault({
    what: `${config.label} cannot be reached: ${reason}`,
    why: 'Nobody can sign in there, and what it signed cannot be checked.',
    advice,
  })
}

/** Whether a sign-in finds what it needs, where the gateway may go. */
export function judgeEndpoints({ config, prefix, egress }: ProviderAtHand, metadata: Metadata): Finding {
  const missing = ['authorization_endpoint', 'token_endpoint', 'jwks_uri'].filter(
    (name) => typeof metadata[name] !== 'string',
  )
  if (missing.length > 0) {
    return fault({
      what: `${config.label} does not name its ${missing.join(' and ')}`,
      why: 'A sign-in needs all three (OIDC Discovery 1.0 §3).',
      advice: 'Turn the authorization code flow on at the provider, or use the issuer of one that has it.',
    })
  }
  const foreign = foreignEndpoints(egress, metadata)
  if (foreign.length === 0) return ok(`what is called of ${config.label} is on hosts that may be called`)
  const hosts = [...new Set(foreign.map((name) => URL.parse(String(metadata[name]))?.host ?? 'no host'))].map(
    short,
  )
  return fault({
    what: `${foreign.join(', ')} of ${config.label}: at ${hosts.join(', ')}, where the gateway does not go`,
    why: 'A discovery document must not be able to send the gateway anywhere. It goes to the host of the issuer, by https.',
    advice: `If these hosts are the provider's, set ${prefix}ALLOWED_HOSTS=${hosts.join(',')}; plain http it refuses.`,
  })
}

/** Whether its signatures can be checked: by an algorithm with a public key, and keys that are there. */
export async function judgeSignatures(
  { nowMs }: Setup,
  { config, prefix, egress }: ProviderAtHand,
  metadata: Metadata,
  signal: AbortSignal,
): Promise<Finding> {
  const announced = texts(metadata['id_token_signing_alg_values_supported']) ?? ['RS256']
  const usable = announced.filter((algorithm) => ASYMMETRIC_ALGORITHMS.some((known) => known === algorithm))
  if (usable.length === 0) {
    return fault({
      what: `${config.label} signs ID tokens with ${announced.map(short).join(', ')} only`,
      why: 'The gateway believes signatures with a public key; with HMAC whoever can check a token can make one.',
      advice: `Have it sign with one of ${ASYMMETRIC_ALGORITHMS.join(', ')}.`,
    })
  }
  const uri = String(metadata['jwks_uri'])
  if (!egress.permits(uri)) return skipped('its keys are on a host where the gateway does not go')
  const reached = await reach(egress.fetch, uri, { signal }, nowMs)
  const keys = 'fault' in reached ? undefined : keysOf(reached)
  if (keys === undefined || keys.length === 0) {
    return fault({
      what: `${config.label} gives no keys: ${'fault' in reached ? reached.fault.reason : `its jwks_uri answered ${reached.response.status}`}`,
      why: 'Without them no signature can be checked, so nobody can sign in.',
      advice: 'Look at the provider: its jwks_uri must answer with a JSON Web Key Set (RFC 7517 §5).',
    })
  }
  const bearer = config.bearerAlgorithms.filter((algorithm) => usable.includes(algorithm))
  if (config.acceptBearer && bearer.length === 0) {
    return warning({
      what: `${config.label} signs with ${usable.join(', ')}, and none of these is accepted in bearer tokens`,
      why: 'Scripts that bring a token of the provider are refused.',
      advice: `Add one to ${prefix}BEARER_ALGORITHMS, or set ${prefix}ACCEPT_BEARER=false.`,
    })
  }
  return ok(
    `${config.label} signs with ${usable.join(', ')}; ${keys.length === 1 ? '1 key' : `${keys.length} keys`}`,
  )
}

function keysOf({ response, text }: { response: Response; text: string }): readonly unknown[] | undefined {
  const keys = readMetadata({ response, text })?.['keys']
  return Array.isArray(keys) ? keys : undefined
}

/** Whether a code is bound to who asked for it. */
export function judgePkce({ config, prefix }: ProviderAtHand, metadata: Metadata): Finding {
  const methods = texts(metadata['code_challenge_methods_supported'])
  if (methods?.includes('S256')) return ok(`${config.label} supports PKCE with S256`)
  if (methods === undefined && config.clientSecret !== undefined) {
    return ok(
      `${config.label} does not say whether it supports PKCE; the gateway sends it, and has a client secret`,
    )
  }
  return warning({
    what: `${config.label} ${methods === undefined ? 'does not say that it supports PKCE' : `supports PKCE with ${methods.map(short).join(', ')} only`}`,
    why: `A code that somebody else gets hold of is then protected ${config.clientSecret === undefined ? 'by nothing' : 'by the client secret alone'} (RFC 7636 §1).`,
    advice: `Turn PKCE with S256 on at the provider${config.clientSecret === undefined ? `, or make the client a confidential one (${prefix}CLIENT_SECRET)` : ''}.`,
  })
}

/** Whether it knows the scopes that are asked for. */
export function judgeScopes({ config, prefix }: ProviderAtHand, metadata: Metadata): Finding {
  const supported = texts(metadata['scopes_supported'])
  if (supported === undefined) return ok(`${config.label} does not say which scopes it knows`)
  const unknown = config.scopes.split(' ').filter((scope) => !supported.includes(scope))
  if (unknown.length === 0) return ok(`${config.label} knows the scopes that are asked for`)
  return warning({
    what: `${config.label} does not list ${unknown.map(short).join(', ')} among its scopes`,
    why: 'It may refuse the sign-in, or leave out what comes with the scope, such as groups.',
    advice: `Add the scope to the client at the provider, or take it out of ${prefix}SCOPES.`,
  })
}

function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : undefined
}
