import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { type Browser, createBrowser } from './browserless-sign-in.ts'
import type { FaultyDeployment } from './faulty-deployment.ts'

/** What is asked of the gateway, each time anew, to see what goes on under a fault. */
export type ProbeName =
  | 'known token'
  | 'known session'
  | 'new token'
  | "provider's token"
  | 'renewal'
  | 'begin of a sign-in'
  | 'end of a sign-in'
  | 'change'
  | 'nobody'
  | 'forged token'
  | 'life'
  | 'readiness'

export type Probed = {
  /** Status, MLflow's error code if there is one, and of the readiness the parts that fail. */
  readonly line: string
  readonly ms: number
  readonly text: string
}

export type Probes = {
  /** Makes ready what a look needs, and makes renewals due; while everything works. */
  readonly prepare: () => Promise<() => Promise<Readonly<Record<ProbeName, Probed>>>>
  /** The token that is known. */
  readonly known: { readonly token: string; readonly jti: string }
  readonly readerId: string
  readonly ask: (path: string, init?: RequestInit) => Promise<Probed>
}

/** An experiment that readers may read. */
export const GET = '/api/2.0/mlflow/experiments/get?experiment_id=1'

/** An answer that takes longer is none. */
const GIVE_UP_MS = 30_000

/** Signs people in, and has the gateway know a token and a session of the reader's. */
export async function createProbes(deployment: FaultyDeployment): Promise<Probes> {
  const { gateway, issuer, store, createToken, signIn } = deployment
  const [reader, renewing, editor] = [await signIn('reader'), await signIn('reader'), await signIn('editor')]
  const userId = (await store.people.list()).find(({ username }) => username === 'reader')?.id ?? ''
  const known = await createToken(userId)
  const ask = (path: string, init: RequestInit = {}) => timed(gateway.url + path, init)
  const cookie = (browser: Browser) => browser.cookieHeader(gateway.url)

  const prepare = async () => {
    const fresh = await createToken(userId)
    const providersToken = await issuer.signJwt({
      sub: 'reader',
      preferred_username: 'reader',
      jti: randomUUID(),
    })
    const endSignIn = await beginSignIn(gateway.url)
    await makeRenewalsDue(deployment.redis.url)
    const look = async (): Promise<Readonly<Record<ProbeName, Probed>>> => {
      const asked: Readonly<Record<ProbeName, Promise<Probed>>> = {
        'known token': ask(GET, bearer(known.token)),
        'known session': ask(GET, { headers: { cookie: cookie(reader) } }),
        'new token': ask(GET, bearer(fresh.token)),
        "provider's token": ask(GET, bearer(providersToken)),
        renewal: ask(GET, { headers: { cookie: withoutToken(cookie(renewing)) } }),
        'begin of a sign-in': ask('/auth/login?provider=oidc'),
        'end of a sign-in': endSignIn(),
        change: ask('/auth/api/v1/tokens', makesToken(cookie(editor), gateway.url)),
        nobody: ask(GET),
        'forged token': ask(GET, bearer(`${known.token.slice(0, -8)}AAAAAAAA`)),
        life: ask('/healthz'),
        readiness: ask('/readyz'),
      }
      const names = Object.keys(asked) as ProbeName[]
      const answers = await Promise.all(names.map(async (name) => [name, await asked[name]] as const))
      return Object.fromEntries(answers) as Record<ProbeName, Probed>
    }
    return look
  }
  // Known from here on, the provider's keys too.
  await (await prepare())()
  await ask(GET, bearer(known.token))
  await ask(GET, { headers: { cookie: cookie(reader) } })
  return { prepare, known, readerId: userId, ask }
}

function bearer(token: string): RequestInit {
  return { headers: { authorization: `Bearer ${token}` } }
}

function makesToken(cookie: string, origin: string): RequestInit {
  const headers = { cookie, origin, 'content-type': 'application/json' }
  return { method: 'POST', headers, body: JSON.stringify({ name: 'of a probe', expires_in: 600 }) }
}

/** What is left when the session's token has run out. */
function withoutToken(cookie: string): string {
  return cookie
    .split('; ')
    .filter((pair) => !pair.startsWith('gateway_token='))
    .join('; ')
}

async function timed(url: string, init: RequestInit): Promise<Probed> {
  const since = performance.now()
  const signal = AbortSignal.timeout(GIVE_UP_MS)
  const response = await fetch(url, { redirect: 'manual', signal, ...init })
  const text = await response.text()
  return { line: [response.status, ...marks(text)].join(' '), ms: performance.now() - since, text }
}

/** MLflow's error code, or the parts that are not ready. */
function marks(text: string): readonly string[] {
  const { error_code: code, parts = {} } = parsed(text)
  const failed = Object.entries(parts).filter(([, { status }]) => status === 'failed')
  return [...(code === undefined ? [] : [code]), ...failed.map(([name]) => name)]
}

type Body = {
  readonly error_code?: string
  readonly parts?: Readonly<Record<string, { readonly status: string }>>
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text) as Body
  } catch {
    return {}
  }
}

/** Goes all the way but for the last step. @returns That step. */
async function beginSignIn(publicUrl: string): Promise<() => Promise<Probed>> {
  const browser = createBrowser()
  const page = await browser.navigate(`${publicUrl}/auth/login?provider=oidc`)
  const action = /<form method="post" action="([^"]+)"/.exec(page.body)?.[1] ?? ''
  const { headers } = await browser.navigate(new URL(action, page.url).href, {
    method: 'POST',
    form: { login: 'reader' },
    stop: ({ pathname }) => pathname.startsWith('/auth/callback/'),
  })
  return async () => {
    const since = performance.now()
    const { status, body } = await browser.send(String(headers['location']))
    return { line: String(status), ms: performance.now() - since, text: body }
  }
}

/** As if every session had last been renewed long ago. */
async function makeRenewalsDue(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl)
  try {
    for (const key of await redis.keys('mlflow-auth-gateway:session:*')) {
      const data = JSON.parse((await redis.hget(key, 'data')) || '{}') as object
      const due = JSON.stringify({ ...data, groupsReadAt: 0, refreshingUntil: undefined })
      await redis.hset(key, 'data', due)
    }
  } finally {
    redis.disconnect()
  }
}
