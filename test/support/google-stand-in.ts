import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Claims = Readonly<Record<string, unknown>>

/**
 * Google on loopback, as far as a sign-in sees it: its paths, its issuer in the tokens, its RS256 keys and claim shapes.
 * The certificates are given as bare public keys in PEM, which the library takes alike.
 */
export type GoogleStandIn = {
  /** For GOOGLE_ISSUER_FOR_TESTS_ONLY. */
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  /** Whoever signs in next. Joined to `iss`, `aud`, `azp`, `iat`, `exp` and the nonce of the request. */
  setAccount(claims: Claims): void
  /** Signs as Google does. `iss`, `aud`, `iat`, `exp` unless given; `undefined` leaves one out. */
  signJwt(claims: Claims, header?: Claims): Promise<string>
  /** Method and path, and for `/o/oauth2/v2/auth` the query too. */
  readonly requests: readonly string[]
  breakPath(path: string, answer: { status: number; body: unknown } | undefined): void
  stop(): Promise<void>
}

/** An account of the organisation `corp.org`, in the shape of Google's ID Tokens. */
export const ALICE: Claims = {
  sub: '110169484474386276334',
  hd: 'corp.org',
  email: 'alice@corp.org',
  email_verified: true,
  name: 'Alice Example',
  given_name: 'Alice',
  family_name: 'Example',
  picture: 'https://lh3.googleusercontent.com/a/x',
  at_hash: 'HK6E_P6Dh8Y93mRNtsDB1Q',
}

export const CLIENT_ID = '1234987819200.apps.googleusercontent.com'

export async function startGoogleStandIn(): Promise<GoogleStandIn> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const state: State = {
    clientId: CLIENT_ID,
    clientSecret: 'GOCSPX-loopback-stand-in',
    kid: randomBytes(20).toString('hex'),
    privateKey,
    publicKey,
    account: ALICE,
    codes: new Map(),
    requests: [],
    broken: new Map(),
  }
  const server = createServer((request, response) => {
    answer(request, response, state).catch((fault) => response.writeHead(500).end(String(fault)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    clientId: state.clientId,
    clientSecret: state.clientSecret,
    requests: state.requests,
    setAccount: (claims) => {
      state.account = claims
    },
    signJwt: (claims, header) => signJwt(state, claims, header),
    breakPath: (path, broken) => (broken ? state.broken.set(path, broken) : state.broken.delete(path)),
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

type State = {
  readonly clientId: string
  readonly clientSecret: string
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  account: Claims
  readonly codes: Map<string, { challenge: string; nonce: string; redirectUri: string }>
  readonly requests: string[]
  readonly broken: Map<string, { status: number; body: unknown }>
}

async function answer(request: IncomingMessage, response: ServerResponse, state: State): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://loopback')
  state.requests.push(`${request.method} ${url.pathname.endsWith('/auth') ? request.url : url.pathname}`)
  const broken = state.broken.get(url.pathname)
  if (broken !== undefined) return send(response, broken.status, broken.body)
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /o/oauth2/v2/auth':
      return authorize(response, url.searchParams, state)
    case 'POST /token':
      return exchange(response, new URLSearchParams(await readText(request)), state)
    case 'GET /oauth2/v1/certs':
      return send(response, 200, { [state.kid]: state.publicKey.export({ type: 'spki', format: 'pem' }) })
    case 'GET /oauth2/v3/certs':
      return send(response, 200, {
        keys: [{ ...state.publicKey.export({ format: 'jwk' }), kid: state.kid, alg: 'RS256' }],
      })
    default:
      return send(response, 404, { error: 'not_found' })
  }
}

function authorize(response: ServerResponse, query: URLSearchParams, state: State): void {
  const code = `4/${randomBytes(30).toString('base64url')}`
  const redirectUri = query.get('redirect_uri') ?? ''
  state.codes.set(code, {
    challenge: query.get('code_challenge') ?? '',
    nonce: query.get('nonce') ?? '',
    redirectUri,
  })
  const target = new URL(redirectUri)
  target.search = new URLSearchParams({
    state: query.get('state') ?? '',
    iss: 'https://accounts.google.com',
    code,
    scope: 'email profile openid',
    authuser: '0',
    prompt: 'none',
  }).toString()
  response.writeHead(302, { location: target.href }).end()
}

async function exchange(response: ServerResponse, form: URLSearchParams, state: State): Promise<void> {
  const code = form.get('code') ?? ''
  const grant = state.codes.get(code)
  state.codes.delete(code)
  const challenge = createHash('sha256')
    .update(form.get('code_verifier') ?? '')
    .digest('base64url')
  if (form.get('client_id') !== state.clientId || form.get('client_secret') !== state.clientSecret) {
    return send(response, 401, {
      error: 'invalid_client',
      error_description: 'The OAuth client was not found.',
    })
  }
  if (
    grant === undefined ||
    grant.challenge !== challenge ||
    grant.redirectUri !== form.get('redirect_uri')
  ) {
    return send(response, 400, { error: 'invalid_grant', error_description: 'Bad Request' })
  }
  const idToken = await signJwt(state, { azp: state.clientId, nonce: grant.nonce, ...state.account })
  send(response, 200, {
    access_token: `ya29.${randomBytes(40).toString('base64url')}`,
    expires_in: 3599,
    scope:
      'openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile',
    token_type: 'Bearer',
    id_token: idToken,
  })
}

/** By hand, so that the header may name what it likes: the signature is RS256's all the same. */
async function signJwt(state: State, claims: Claims, header: Claims = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000)
  const standard = { iss: 'https://accounts.google.com', aud: state.clientId, iat: now, exp: now + 3600 }
  const parts = [
    { alg: 'RS256', kid: state.kid, typ: 'JWT', ...header },
    { ...standard, ...claims },
  ]
  const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${input}.${sign('sha256', Buffer.from(input), state.privateKey).toString('base64url')}`
}

/** Google lets its keys be kept for hours, which is also what keeps strangers from making us fetch them. */
function send(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, {
      'content-type': 'application/json; charset=UTF-8',
      'cache-control': 'public, max-age=20000',
    })
    .end(JSON.stringify(body))
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
