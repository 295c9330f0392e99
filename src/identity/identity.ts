import { type Measurements, observedFetch } from '../audit/measurements.ts'
import type { Config } from '../config.ts'
import type { Directory } from '../policy/directory.ts'
import { createFollower } from '../policy/follower.ts'
import type { Store } from '../store/store.ts'
import { type AccessTokens, createAccessTokens } from './access-token.ts'
import { createBearerVerifier } from './bearer-credential.ts'
import { type BrowserSessions, createBrowserSessions } from './browser-session.ts'
import { type CookieSettings, cookieSettings } from './cookies.ts'
import { createCredentialCache } from './credential-cache.ts'
import { ownIssuer } from './gateway-token.ts'
import { createIdentifier, type Identifier } from './identifier.ts'
import { createKeyring, type Keyring } from './keyring.ts'
import { createLoginTransactions, type LoginTransactions } from './login-transaction.ts'
import { createOpenidProvider, type ProviderOptions } from './openid-provider.ts'
import type { Provider, SignIn } from './provider.ts'
import { createEndByProvider, type EndByProvider } from './provider-logout.ts'
import { createRenewal } from './renewal.ts'
import { createSessionCookies, type SessionCookies } from './session-cookie.ts'
import { createSessionVerifier } from './session-credential.ts'
import { createSessionTokens, type SessionTokens } from './session-token.ts'
import { recordSignIn } from './sign-in.ts'
import { createSignedOut, type SignedOut } from './signed-out.ts'
import { createTokenUse } from './token-use.ts'

export type IdentityOptions = {
  readonly config: Pick<
    Config,
    | 'publicUrl'
    | 'gatewaySecret'
    | 'providers'
    | 'sessionIdleTtl'
    | 'sessionAbsoluteTtl'
    | 'sessionTokenTtl'
    | 'accessTokenMaxTtl'
  >
  readonly store: Store
  readonly directory: Directory
  readonly fetch: typeof fetch
  /** By the provider's id, as `createEgress` takes it. */
  readonly authorities?: ReadonlyMap<string, () => string> | undefined
  /** Seconds since the epoch. */
  readonly now: () => number
  /** Told of trouble that no request was refused for. */
  readonly onFault?: ((fault: unknown) => void) | undefined
  /** Told how each request to a provider ended, and counted up with each credential that is looked for. */
  readonly measurements?: Pick<Measurements, 'providerAnswered' | 'credentials'> | undefined
}

/** Everything that has to do with who is calling, put together once. */
export type Identity = {
  readonly cookies: CookieSettings
  readonly keyring: Keyring
  readonly accessTokens: AccessTokens
  readonly sessionTokens: SessionTokens
  readonly sessions: BrowserSessions
  readonly sessionCookies: SessionCookies
  /** In the order they are configured. */
  readonly providers: ReadonlyMap<string, Provider>
  readonly transactions: LoginTransactions
  readonly identify: Identifier
  /**
   * The same people and credentials at the address of a further tracking server. Below the main address the browser has one
   * sign-in for both; under a host name of its own it has another.
   */
  at(publicUrl: URL): Identity
  recordSignIn(signIn: SignIn): ReturnType<typeof recordSignIn>
  /** Once the session is in the store. */
  readonly assertNotSignedOut: SignedOut['assertNot']
  /** Ends a session, here at once. */
  endSession(sid: string): Promise<void>
  /** Ends what a provider's logout token names, here at once. */
  readonly endByProvider: EndByProvider
  /** Origins a sign-out may lead to besides our own, for `form-action`. */
  formTargets(): readonly string[]
  /** Resolves once no keys are being read. */
  settled(): Promise<void>
  /** Follows revocations and begins writing when tokens were last used. */
  start(): void
  stop(): Promise<void>
}

/**
 * Opens the signing keys and puts the parts together. Providers are reached on first use.
 *
 * @throws {Error} as `createKeyring`.
 */
export async function createIdentity(options: IdentityOptions): Promise<Identity> {
  const { config, store, directory, now, onFault } = options
  const { gatewaySecret: secret, publicUrl } = config
  const issuer = ownIssuer(publicUrl)
  const cache = createCredentialCache({ now, use: options.measurements?.credentials })
  const keyring = await createKeyring({ store, secret, now, tokenMaxTtl: config.accessTokenMaxTtl })
  const accessTokens = createAccessTokens({ keyring, issuer, now, store, maxTtl: config.accessTokenMaxTtl })
  const sessionTokens = createSessionTokens({ keyring, issuer, now })
  const sessions = createBrowserSessions({ store, secret, now, idleTtl: config.sessionIdleTtl })
  const sessionCookies = createSessionCookies(secret)
  const providers = await createProviders(options)
  const signedOut = createSignedOut(store.logoutTokens)
  const endByProvider = createEndByProvider({ providers, sessions, signedOut, store })
  const tokenUse = createTokenUse({ tokens: store.tokens, now, onFault })
  const { people } = store
  const renewal = createRenewal({
    ...{ sessions, people, directory, providers, now, onFault },
    ...{ cookies: sessionCookies, tokens: sessionTokens, tokenTtl: config.sessionTokenTtl },
  })
  const bearers = { issuer, cache, accessTokens, tokens: store.tokens, people, directory }
  const verifyBearer = createBearerVerifier({ ...bearers, providers: providers.values() })
  const keys = createFollower({
    read: async () => {
      await keyring.reload()
      // What was verified while the keys were read may have been verified with one that is gone.
      cache.drop({ kind: 'keys', key: '*' })
    },
    onFault,
  })
  const atAddress = (address: URL): Pick<Identity, 'cookies' | 'transactions' | 'identify'> => {
    const cookies = cookieSettings(address.origin === publicUrl.origin ? publicUrl : address)
    const verifySession = createSessionVerifier({ cookies, cache, sessionTokens, sessions, renewal, now })
    const verifiers = { verifyBearer, verifySession, tokenUse }
    return {
      cookies,
      transactions: createLoginTransactions({ secret, now, prefix: cookies.transactionPrefix }),
      identify: createIdentifier({ publicUrl: address, cookies, cache, directory, ...verifiers }),
    }
  }
  let unfollow = () => {}
  const identity: Identity = {
    ...{ keyring, accessTokens, sessionTokens, sessions, sessionCookies, providers },
    assertNotSignedOut: signedOut.assertNot,
    ...atAddress(publicUrl),
    at: (address) => ({ ...identity, ...atAddress(address), start() {}, async stop() {} }),
    recordSignIn: (signIn) =>
      recordSignIn(signIn, { people, directory, now, absoluteTtl: config.sessionAbsoluteTtl }),
    async endSession(sid) {
      await sessions.end(sid)
      await directory.refresh()
    },
    async endByProvider(provider, token) {
      const ended = await endByProvider(provider, token)
      await directory.refresh()
      return ended
    },
    formTargets: () =>
      [...providers.values()]
        .map((provider) => provider.logoutOrigin())
        .filter((origin) => origin !== undefined),
    settled: keys.settled,
    start() {
      unfollow()
      unfollow = directory.onChange((change) => {
        cache.drop(change)
        if (change.kind === 'keys') void keys.follow()
      })
      tokenUse.start()
    },
    async stop() {
      unfollow()
      keys.stop()
      await tokenUse.stop()
    },
  }
  return identity
}

async function createProviders(options: IdentityOptions): Promise<ReadonlyMap<string, Provider>> {
  const { config, now, measurements } = options
  const entries = config.providers.map(async (provider) => {
    const fetch = observedFetch(options.fetch, (outcome) => {
      measurements?.providerAnswered(provider.id, outcome)
    })
    const authorities = options.authorities?.get(provider.id)
    return [provider.id, await createProvider({ config: provider, fetch, now, authorities })] as const
  })
  return new Map(await Promise.all(entries))
}

async function createProvider(options: ProviderOptions): Promise<Provider> {
  if (options.config.kind === 'oidc') return createOpenidProvider(options)
  // Its library is large, and few need it.
  const { createGoogle } = await import('./google.ts')
  return createGoogle(options)
}
