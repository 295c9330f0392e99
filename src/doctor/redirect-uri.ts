import type { Config, ProviderConfig } from '../config.ts'
import { isGatewayError } from '../errors.ts'
import { createGoogle } from '../identity/google.ts'
import { createOpenidProvider } from '../identity/openid-provider.ts'
import { type AuthorizationRequest, oauthError, type Provider } from '../identity/provider.ts'
import { type Check, type Finding, fault, ok, skipped, warning } from './check.ts'
import { foreignEndpoints, type Metadata, needing, type ProviderAtHand, short } from './provider-at-hand.ts'
import { reach } from './reach.ts'
import { placesOf, type Setup } from './setup.ts'

/** Stand where random ones do in a sign-in of somebody's; nobody's browser ever brings them back. */
const TRIAL: Omit<AuthorizationRequest, 'redirectUri'> = {
  state: 'doctor-doctor-doctor-doctor',
  nonce: 'doctor-doctor-doctor-doctor',
  codeVerifier: 'doctor-doctor-doctor-doctor-doctor-doctor-doctor',
  askAgain: false,
}

/** OIDC Core 1.0 §3.1.2.6: what a provider says, to the redirect URI, when nobody is signed in and it may not ask. */
const NOBODY_THERE = [
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
]

/** What must be registered at the provider, tried as far as that goes without a person. */
export function redirectUriChecks(setup: Setup, provider: ProviderAtHand): readonly Check[] {
  /** A sign-in ends before it begins if the provider names an address that may not be called. */
  const trying = (redirectUri: string, attempt: (trial: Trial) => Promise<Finding>) =>
    needing(provider, async (metadata, signal) => {
      if (foreignEndpoints(provider.egress, metadata).length > 0)
        return skipped('not tried: see the endpoints')
      return attempt({ metadata, redirectUri, signal })
    })
  // Each tracking server has an address of its own to come back to.
  const uris = placesOf(setup).map(({ id, setup: { config } }): Check => {
    const run = trying(redirectUriOf(config, provider.config), (trial) =>
      tryAuthorization(setup, provider, trial),
    )
    return { name: id === undefined ? 'redirect URI' : `redirect URI of ${id}`, run }
  })
  const main = redirectUriOf(setup.config, provider.config)
  return [...uris, { name: 'client', run: trying(main, (trial) => tryClient(setup, provider, trial)) }]
}

/** Where the provider sends people back to; what has to be registered there. */
export function redirectUriOf(
  { publicUrl }: Pick<Config, 'publicUrl'>,
  { id }: Pick<ProviderConfig, 'id'>,
): string {
  return `${publicUrl.href.replace(/\/$/, '')}/auth/callback/${id}`
}

type Trial = { readonly metadata: Metadata; readonly redirectUri: string; readonly signal: AbortSignal }

/**
 * Asks for a sign-in in which nobody may be asked anything (`prompt=none`). RFC 6749 §4.1.2.1: a provider that does not
 * know the redirect URI must not send anybody there.
 */
async function tryAuthorization(
  setup: Setup,
  provider: ProviderAtHand,
  { metadata, redirectUri, signal }: Trial,
): Promise<Finding> {
  const endpoint = String(metadata['authorization_endpoint'])
  const notTried = (why: string) =>
    ok(`${redirectUri} must be registered at ${provider.config.label}; ${why}`)
  if (!provider.egress.permits(endpoint))
    return notTried('it was not tried: sign-ins are on a host where the gateway does not go')
  const url = await openForTrial(setup, provider).authorizationUrl({ ...TRIAL, redirectUri })
  url.searchParams.set('prompt', 'none')
  const reached = await reach(provider.egress.fetch, url.href, { signal }, setup.nowMs)
  if ('fault' in reached) {
    return warning({
      what: `${redirectUri} could not be tried at ${provider.config.label}: ${reached.fault.reason}`,
      why: 'Sign-ins begin at this address of the provider, in the browser.',
      advice: 'Sign in once with a browser. It must be registered exactly as it is written here.',
    })
  }
  return (
    judgeAnswer(provider, redirectUri, reached) ??
    notTried('it shows a page for people, so only a sign-in tells')
  )
}

function judgeAnswer(
  { config, prefix }: ProviderAtHand,
  redirectUri: string,
  { response, text }: { readonly response: Response; readonly text: string },
): Finding | undefined {
  const location = response.headers.get('location') ?? ''
  const back = URL.parse(location)
  if (back !== null && `${back.origin}${back.pathname}` === redirectUri) {
    return judgeReturn(config, prefix, redirectUri, new URLSearchParams(back.search || back.hash.slice(1)))
  }
  const said = `${decoded(location)} ${text.slice(0, 100_000)}`
  if (/redirect[_ ]?ur[il]|redirect address|AADSTS50011/i.test(said)) {
    return fault({
      what: `${config.label} does not take the redirect URI ${redirectUri}`,
      why: 'It sends people back only to addresses that are registered for the client, compared letter by letter. The address comes from PUBLIC_URL.',
      advice: `Register exactly ${redirectUri} at the provider, or correct PUBLIC_URL.`,
    })
  }
  if (
    /invalid_client|unauthorized_client|(?:unknown|invalid) client|client (?:is )?(?:invalid|not found|unknown)|AADSTS700016/i.test(
      said,
    )
  ) {
    return fault({
      what: `${config.label} does not know the client`,
      why: `${prefix}CLIENT_ID is not that of a client there, or that client may not sign people in.`,
      advice: `Copy the client id from the provider into ${prefix}CLIENT_ID, and allow the authorization code flow for it.`,
    })
  }
  if (response.status < 400) return undefined
  return warning({
    what: `${config.label} answered ${response.status} to the beginning of a sign-in`,
    why: `Perhaps it does not know the redirect URI, or refuses the client; it does not say so in words that are known here.`,
    advice: `Check that exactly ${redirectUri} is registered there, and sign in once with a browser.`,
  })
}

/** It sent us back, so it knows the redirect URI; what it says there may still be a no. */
function judgeReturn(
  config: ProviderConfig,
  prefix: string,
  redirectUri: string,
  parameters: URLSearchParams,
): Finding {
  const error = parameters.get('error')
  if (error === null || NOBODY_THERE.includes(error))
    return ok(`${config.label} takes the redirect URI ${redirectUri}`)
  const description = parameters.get('error_description')
  return fault({
    what: `${config.label} takes the redirect URI ${redirectUri} and refuses the sign-in: ${short(error)}${description === null ? '' : ` (${short(description)})`}`,
    why: 'The client may not do at the provider what the gateway asks for.',
    advice:
      error === 'invalid_scope'
        ? `Add the scopes of ${prefix}SCOPES to the client at the provider, or take out what it does not know.`
        : 'Allow the authorization code flow for the client at the provider.',
  })
}

/**
 * Exchanges a code that there never was: a provider that knows the client and its secret says that the code is wrong,
 * any other that the client is (RFC 6749 §5.2).
 */
async function tryClient(
  setup: Setup,
  provider: ProviderAtHand,
  { metadata, redirectUri }: Trial,
): Promise<Finding> {
  const { config, prefix } = provider
  const parameters = new URLSearchParams({
    code: 'doctor',
    state: TRIAL.state,
    iss: String(metadata['issuer']),
  })
  const refusal = await openForTrial(setup, provider)
    .finish(parameters, { ...TRIAL, redirectUri })
    .then(
      () => undefined,
      (error: unknown) => error,
    )
  const reason = isGatewayError(refusal) ? refusal.reason : oauthError(refusal)
  if (reason === 'invalid_grant')
    return ok(`${config.label} knows the client${config.clientSecret === undefined ? '' : ' and its secret'}`)
  if (reason === 'invalid_client' || reason === 'unauthorized_client') {
    return fault({
      what: `${config.label} refuses the client: ${reason}`,
      why:
        config.clientSecret === undefined
          ? `It wants a secret, or does not know ${prefix}CLIENT_ID.`
          : `${prefix}CLIENT_ID and ${prefix}CLIENT_SECRET do not belong together, or the secret has expired.`,
      advice: `Copy both from the provider once more; set the secret as ${prefix}CLIENT_SECRET or in the file of ${prefix}CLIENT_SECRET_FILE, without a line break.`,
    })
  }
  return skipped(`${config.label} did not say whether it knows the client and its secret; a sign-in tells`)
}

function openForTrial({ fetch, nowMs }: Setup, { config }: ProviderAtHand): Provider {
  const create = config.kind === 'google' ? createGoogle : createOpenidProvider
  return create({ config, fetch, now: () => Math.floor(nowMs() / 1000) })
}

function decoded(location: string): string {
  try {
    return decodeURIComponent(location)
  } catch {
    return location
  }
}
