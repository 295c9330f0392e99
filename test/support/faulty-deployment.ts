import { randomBytes } from 'node:crypto'
import { readConfig } from '../../src/config.ts'
import { type AccessTokens, createAccessTokens } from '../../src/identity/access-token.ts'
import { ownIssuer } from '../../src/identity/gateway-token.ts'
import { createKeyring } from '../../src/identity/keyring.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { type Browser, createBrowser, signInAs } from './browserless-sign-in.ts'
import { DEMO_POLICY } from './deployment.ts'
import { gatewayEnvironment, type RunningGateway, startGateway } from './gateway.ts'
import { type AccountName, type Issuer, startIssuer } from './issuer.ts'
import { freePort } from './mlflow.ts'
import { mlflowStandIn } from './mlflow-stand-in.ts'
import { createDatabase, type PostgresServer, run, startPostgres } from './postgres-server.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { startToxiproxy, type ToxicProxy, type Toxiproxy } from './toxiproxy.ts'
import { type RecordingUpstream, startUpstream } from './upstream.ts'

export const PARTS = ['provider', 'postgres', 'redis', 'upstream'] as const

/** What a gateway depends on, each behind a proxy that can break the way there. */
export type Part = (typeof PARTS)[number]

/** A gateway whose every part is behind Toxiproxy; what tests do to the parts themselves goes past it. */
export type FaultyDeployment = {
  readonly gateway: RunningGateway
  readonly issuer: Issuer
  readonly upstream: RecordingUpstream
  readonly redis: RedisServer
  readonly ways: Readonly<Record<Part, ToxicProxy>>
  /** Past the proxy. */
  readonly store: Store
  readonly query: (sql: string) => ReturnType<typeof run>
  /** A token that the gateway has not seen yet. */
  readonly createToken: (userId: string) => ReturnType<AccessTokens['create']>
  readonly signIn: (name: AccountName) => Promise<Browser>
  readonly stop: () => Promise<void>
}

/** @param env Further variables of the gateway. */
export async function startFaultyDeployment(
  env: Readonly<Record<string, string>>,
): Promise<FaultyDeployment> {
  const opened: (() => Promise<unknown>)[] = []
  const stop = async () => {
    for (const close of opened.splice(0).reverse()) await close()
  }
  const keep = async <T extends { readonly stop: () => Promise<unknown> }>(
    starting: Promise<T>,
  ): Promise<T> => {
    const part = await starting
    opened.push(part.stop)
    return part
  }
  try {
    return { ...(await startAll(env, keep)), stop }
  } catch (fault) {
    await stop()
    throw fault
  }
}

type Keep = <T extends { readonly stop: () => Promise<unknown> }>(starting: Promise<T>) => Promise<T>

async function startAll(
  env: Readonly<Record<string, string>>,
  keep: Keep,
): Promise<Omit<FaultyDeployment, 'stop'>> {
  const [port, issuerPort] = [await freePort(), await freePort()]
  const publicUrl = `http://127.0.0.1:${port}`
  const issuer = await keep(
    startIssuer({ issuer: `http://127.0.0.1:${issuerPort}`, publicUrls: [publicUrl] }),
  )
  const postgres = await keep(startPostgres())
  const redis = await keep(startRedis())
  const upstream = await keep(startUpstream(mlflowStandIn({ 'GET /health': { status: 200 } })))
  const toxiproxy = await keep(startToxiproxy())
  const ways = await startWays(toxiproxy, { issuer, issuerPort, postgres, redis, upstream })
  const direct = {
    DATABASE_URL: await createDatabase(postgres.url('postgres'), 'template1'),
    REDIS_URL: redis.url,
  }
  const variables = {
    ...{ OIDC_ISSUER: issuer.url, OIDC_CLIENT_ID: issuer.clientId, OIDC_CLIENT_SECRET: issuer.clientSecret },
    ...{ OIDC_GROUPS_CLAIM: 'groups', ALLOW_HTTP_ISSUER: 'true', ADMIN_GROUPS: 'mlflow-admins' },
    ...{ OIDC_SCOPES: 'openid profile email offline_access' },
    ...{ POLICY_FILE: DEMO_POLICY, LOG_LEVEL: 'warn', AUDIT_STDOUT: 'false', AUDIT_STORE_DAYS: '1' },
    GATEWAY_SECRET: randomBytes(48).toString('base64'),
    DATABASE_URL: throughPort(direct.DATABASE_URL, ways.postgres.port),
    REDIS_URL: throughPort(direct.REDIS_URL, ways.redis.port),
    ...env,
  }
  const upstreamUrl = `http://127.0.0.1:${ways.upstream.port}`
  const gateway = await keep(startGateway({ port, upstreamUrl, env: variables }))
  const pastProxies = gatewayEnvironment(port, gateway.dir, { upstreamUrl, env: { ...variables, ...direct } })
  const { store, createToken } = await keep(openPastProxies(pastProxies))
  return {
    ...{ gateway, issuer, upstream, redis, ways, store, createToken },
    query: (sql) => run(direct.DATABASE_URL, sql),
    async signIn(name) {
      const browser = createBrowser()
      await signInAs(browser, { publicUrl }, name)
      return browser
    },
  }
}

type Servers = {
  readonly issuer: Issuer
  readonly issuerPort: number
  readonly postgres: PostgresServer
  readonly redis: RedisServer
  readonly upstream: RecordingUpstream
}

async function startWays(
  { before }: Toxiproxy,
  { issuer, issuerPort, postgres, redis, upstream }: Servers,
): Promise<FaultyDeployment['ways']> {
  return {
    provider: await before(issuer.port, issuerPort),
    postgres: await before(postgres.port),
    redis: await before(redis.port),
    upstream: await before(upstream.port),
  }
}

function throughPort(url: string, port: number): string {
  const through = new URL(url)
  through.port = String(port)
  return through.href
}

async function openPastProxies(environment: Readonly<Record<string, string>>) {
  const config = readConfig(environment)
  const now = () => Math.floor(Date.now() / 1000)
  const store = await openStore({ databaseUrl: config.databaseUrl, redis: config.redis, now })
  const { gatewaySecret: secret, accessTokenMaxTtl: maxTtl, publicUrl } = config
  const keyring = await createKeyring({ store, secret, now, tokenMaxTtl: maxTtl })
  const tokens = createAccessTokens({ store, keyring, issuer: ownIssuer(publicUrl), now, maxTtl })
  return {
    store,
    createToken: (userId: string) => tokens.create({ userId, name: 'test', scope: [], ttl: 3600 }),
    stop: store.close,
  }
}
