import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { Provider } from 'oidc-provider'
import { loginPage, logoutPage } from './issuer-pages.ts'
import { createIssuerStorage } from './issuer-storage.ts'

export type AccountName = 'admin' | 'editor' | 'reader' | 'outsider'

/** Groups at the start; see {@link Issuer.setGroups}. */
const GROUPS: Readonly<Record<AccountName, readonly string[]>> = {
  admin: ['mlflow-admins'],
  editor: ['alpha-editors'],
  reader: ['alpha-readers'],
  outsider: [],
}

export type IssuerOptions = {
  /** Default: any free one. */
  readonly port?: number
  /** Its issuer identifier, if it is reached by another address than its own. */
  readonly issuer?: string
  /** Public URLs of gateways that may send people here; more by {@link Issuer.allow}. */
  readonly publicUrls?: readonly string[]
  /** The gateway's id for this provider, as in `/auth/callback/oidc`. */
  readonly providerId?: string
  readonly clientId?: string
  readonly clientSecret?: string
  /** Every refresh spends the refresh token and gives a new one; a spent one ends the grant. */
  readonly rotateRefreshTokens?: boolean
  /** Where it tells that a session has ended (OpenID Connect Back-Channel Logout 1.0); nowhere by default. */
  readonly backchannelLogoutUri?: string
}

/** A real OpenID Provider on loopback. Sub, preferred_username and the part before the `@` are the account's name. */
export type Issuer = {
  readonly url: string
  readonly port: number
  readonly clientId: string
  readonly clientSecret: string
  /** Lets a gateway at this public URL sign people in and out. */
  allow(publicUrl: string): void
  /** From the next token on. */
  setGroups(name: AccountName, groups: readonly string[]): void
  /** Claims that replace or join an account's own; `undefined` takes one away. From the next token on. */
  setClaims(name: AccountName, claims: Readonly<Record<string, unknown>>): void
  /** Requests received so far, as `POST /token refresh_token` or `GET /auth`. */
  readonly requests: readonly string[]
  /** Answers every following request to a path with this, until called with `undefined`: what a provider in trouble does. */
  breakPath(path: string, answer: { status: number; body: unknown } | undefined): void
  /**
   * Signs a JWT with the provider's own key. `iss`, `aud` (the client), `iat` and `exp` (an hour) unless given;
   * `undefined` leaves one out.
   */
  signJwt(
    claims: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ): Promise<string>
  /** The public key, for tests that confuse it with something else. */
  readonly publicJwk: JWK
  stop(): Promise<void>
}

/** Starts oidc-provider with the accounts admin, editor, reader and outsider, who sign in with the name alone. */
export async function startIssuer(options: IssuerOptions = {}): Promise<Issuer> {
  const key = await createKey()
  const state: IssuerState = {
    clientId: options.clientId ?? 'mlflow-gateway',
    clientSecret: options.clientSecret ?? 'the-client-secret-of-a-loopback-provider',
    providerId: options.providerId ?? 'oidc',
    rotate: options.rotateRefreshTokens ?? false,
    backchannelLogoutUri: options.backchannelLogoutUri,
    origins: new Set(options.publicUrls?.map(trimmed)),
    claims: new Map(Object.entries(GROUPS).map(([name, groups]) => [name, { groups }])),
    requests: [],
    broken: new Map(),
    privateJwk: key.privateJwk,
  }
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const url = options.issuer ?? `http://127.0.0.1:${port}`
  const provider = createProvider(url, state)
  const handle = provider.callback()
  server.on('request', (request, response) => answer(request, response, { provider, handle, state }))
  return {
    ...{ url, port, clientId: state.clientId, clientSecret: state.clientSecret, requests: state.requests },
    allow: (publicUrl) => state.origins.add(trimmed(publicUrl)),
    setGroups: (name, groups) => state.claims.set(name, { ...state.claims.get(name), groups }),
    setClaims: (name, claims) => state.claims.set(name, { ...state.claims.get(name), ...claims }),
    breakPath: (path, broken) => (broken ? state.broken.set(path, broken) : state.broken.delete(path)),
    signJwt: (claims, header) => signJwt(key, { iss: url, aud: state.clientId, ...claims }, header),
    publicJwk: key.publicJwk,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type IssuerState = {
  readonly clientId: string
  readonly clientSecret: string
  readonly providerId: string
  readonly rotate: boolean
  readonly backchannelLogoutUri: string | undefined
  readonly origins: Set<string>
  readonly claims: Map<string, Readonly<Record<string, unknown>>>
  readonly requests: string[]
  readonly broken: Map<string, { status: number; body: unknown }>
  readonly privateJwk: JWK
}

function createProvider(url: string, state: IssuerState): Provider {
  const provider = new Provider(url, {
    adapter: createIssuerStorage(),
    clients: [
      {
        client_id: state.clientId,
        client_secret: state.clientSecret,
        grant_types: ['authorization_code', 'refresh_token'],
        // Any more are let in by `allow`.
        redirect_uris: ['http://127.0.0.1/never'],
        ...(state.backchannelLogoutUri && {
          backchannel_logout_uri: state.backchannelLogoutUri,
          backchannel_logout_session_required: true,
        }),
      },
    ],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name', 'preferred_username', 'groups'],
    },
    conformIdTokenClaims: false,
    cookies: { keys: ['loopback'] },
    features: {
      backchannelLogout: { enabled: true },
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (context: { body: string }, form: string) => {
          context.body = logoutPage(form)
        },
      },
    },
    // Its own keeps away from loopback.
    fetch: (url: string, { dispatcher: _, ...options }: RequestInit & { dispatcher?: unknown }) =>
      fetch(url, options),
    findAccount: (_context: unknown, id: string) => findAccount(id, state),
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    jwks: { keys: [state.privateJwk] },
    loadExistingGrant: (context: GrantContext) => grantAll(provider, context),
    rotateRefreshToken: state.rotate,
    ttl: {
      AccessToken: 3600,
      Grant: 86_400,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 86_400,
      Session: 86_400,
    },
  })
  const callback = (uri: string) => uri.endsWith(`/auth/callback/${state.providerId}`)
  const under = (uri: string) => [...state.origins].some((origin) => uri.startsWith(`${origin}/`))
  Object.assign(provider.Client.prototype, {
    redirectUriAllowed: (uri: string) => under(uri) && callback(uri),
    postLogoutRedirectUriAllowed: (uri: string) => under(uri) && uri.endsWith('/auth/signed-out'),
  })
  return provider
}

function findAccount(id: string, state: IssuerState) {
  if (!state.claims.has(id)) return undefined
  return {
    accountId: id,
    claims: () => ({
      sub: id,
      preferred_username: id,
      name: `${id.slice(0, 1).toUpperCase()}${id.slice(1)} Example`,
      email: `${id}@example.org`,
      email_verified: true,
      ...state.claims.get(id),
    }),
  }
}

type GrantContext = {
  readonly oidc: {
    readonly client: { readonly clientId: string }
    readonly session: { readonly accountId: string }
    readonly params: { readonly scope?: string }
  }
}

/** The gateway is the provider's own: nobody is asked for consent. */
async function grantAll(provider: Provider, { oidc }: GrantContext) {
  const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId })
  grant.addOIDCScope(oidc.params.scope ?? 'openid')
  await grant.save()
  return grant
}

type Serving = {
  readonly provider: Provider
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  readonly state: IssuerState
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { provider, handle, state }: Serving,
) {
  const { pathname } = new URL(request.url ?? '/', 'http://loopback')
  const broken = state.broken.get(pathname)
  if (pathname === '/token') note(request, state)
  else state.requests.push(`${request.method} ${pathname}`)
  if (broken !== undefined) {
    response.writeHead(broken.status, { 'content-type': 'application/json' }).end(JSON.stringify(broken.body))
  } else if (pathname.startsWith('/interaction/')) {
    await interact(request, response, provider, state).catch((fault) =>
      response.writeHead(500).end(String(fault)),
    )
  } else {
    handle(request, response)
  }
}

/** Which grant was asked for is in the body, which the provider still has to read: so it is only overheard. */
function note(request: IncomingMessage, state: IssuerState): void {
  let body = ''
  request.on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () => {
    state.requests.push(`${request.method} /token ${new URLSearchParams(body).get('grant_type')}`)
  })
}

async function interact(
  request: IncomingMessage,
  response: ServerResponse,
  provider: Provider,
  state: IssuerState,
) {
  const details = await provider.interactionDetails(request, response)
  const finish = (result: Readonly<Record<string, unknown>>) =>
    provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
  if (details.prompt.name === 'consent') return finish({ consent: { grantId: details.grantId } })
  const accounts = [...state.claims.keys()]
  const page = (error?: string) =>
    response
      .writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
      .end(loginPage(`/interaction/${details.uid}`, accounts, error))
  if (request.method !== 'POST') return page()
  const form = new URLSearchParams(await readText(request))
  const name = form.get('name') ?? form.get('login') ?? ''
  return state.claims.has(name) ? finish({ login: { accountId: name } }) : page('There is no such account')
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}

type Key = { readonly privateKey: CryptoKey; readonly privateJwk: JWK; readonly publicJwk: JWK }

async function createKey(): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true })
  const names = { kid: 'loopback-1', alg: 'RS256', use: 'sig' }
  return {
    privateKey,
    privateJwk: { ...(await exportJWK(privateKey)), ...names },
    publicJwk: { ...(await exportJWK(publicKey)), ...names },
  }
}

function signJwt(
  { privateKey, publicJwk }: Key,
  claims: Readonly<Record<string, unknown>>,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  return new SignJWT({ iat: now, exp: now + 3600, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: publicJwk.kid ?? '', ...header })
    .sign(privateKey)
}

function trimmed(publicUrl: string): string {
  return publicUrl.replace(/\/$/, '')
}
