import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type FastifyInstance, fastify } from 'fastify'
import { audit } from '../../plugins/audit.ts'
import { clientAddress } from '../../plugins/client-address.ts'
import { errors } from '../../plugins/errors.ts'
import { identify } from '../../plugins/identify.ts'
import { login } from '../../plugins/login.ts'
import { assertSameOrigin } from '../../plugins/origin.ts'
import { security } from '../../plugins/security.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { type Config, readConfig } from '../../src/config.ts'
import { createIdentity, type Identity } from '../../src/identity/identity.ts'
import { createLimits } from '../../src/limits/limits.ts'
import { createClientAddresses } from '../../src/network/client-address.ts'
import { createDirectory, type Directory } from '../../src/policy/directory.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { type Browser, createBrowser } from './browserless-sign-in.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import type { Issuer } from './issuer.ts'

export type IdentityAppOptions = {
  readonly issuer?: Issuer | undefined
  /** Default `https://mlflow.example.org`: TLS ends in front of the gateway, which takes a path prefix away too. */
  readonly publicUrl?: string
  readonly env?: Readonly<Record<string, string>>
  /** Where to listen; any free one if absent. */
  readonly port?: number
  /** Share it to have two replicas. */
  readonly database?: TestDatabase
  readonly pollMs?: number
  readonly fetch?: typeof fetch
}

/** The identity part of the gateway over real sockets, and one route behind it that says who calls. */
export type IdentityApp = {
  readonly app: FastifyInstance
  readonly port: number
  readonly publicUrl: string
  readonly database: TestDatabase
  readonly config: Config
  readonly identity: Identity
  readonly directory: Directory
  readonly store: Store
  /** Added to the machine's clock, seconds. */
  readonly clock: { offset: number }
  readonly now: () => number
  /** SQL statements run so far. */
  readonly statements: string[]
  readonly events: AuditEvent[]
  /** Everything logged, as JSON lines. */
  readonly log: string[]
  /** A browser that reaches the app under its public URL. */
  browser(): Browser
  /** Who the headers say is calling: status and body of `/api/2.0/who`. */
  who(headers?: Readonly<Record<string, string>>, method?: string): Promise<Who>
  stop(): Promise<void>
}

export type Who = {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Headers
}

const SECRET = 'Zk3vJ9nQ2mX7pL0sRt8WzYb4NcH6fGdA1eUoIi5k'

export async function startIdentityApp(options: IdentityAppOptions = {}): Promise<IdentityApp> {
  const publicUrl = options.publicUrl ?? 'https://mlflow.example.org'
  options.issuer?.allow(publicUrl)
  const folder = mkdtempSync(join(tmpdir(), 'gateway-identity-'))
  const database = options.database ?? (await createTestDatabase(folder))
  const { databaseUrl } = database
  const config = readConfig(environment(options, publicUrl, databaseUrl))
  const clock = { offset: 0 }
  const now = () => Math.floor(Date.now() / 1000) + clock.offset
  const statements: string[] = []
  const events: AuditEvent[] = []
  const log: string[] = []
  const store = await openStore({ databaseUrl, now, onStatement: (sql) => statements.push(sql) })
  const directory = createDirectory({ store, config, now, pollMs: options.pollMs ?? 50 })
  await directory.refresh()
  directory.start()
  const identity = await createIdentity({ config, store, directory, now, fetch: options.fetch ?? fetch })
  const limits = createLimits({ config, nowMs: () => performance.now() + clock.offset * 1000 })
  const app = fastify({ logger: { level: 'debug', stream: { write: (line: string) => log.push(line) } } })
  await app.register(errors, { publicUrl: config.publicUrl })
  await app.register(clientAddress, {
    addresses: createClientAddresses({ isTrusted: () => false, header: 'X-Forwarded-For' }),
  })
  await app.register(audit, { sink: recordingSink(events) })
  await app.register(security, { ...config, formTargets: identity.formTargets })
  await app.register(identify, { identity, limits, lockdown: { current: () => undefined } })
  await app.register(login, { identity, directory, limits, now, ...config })
  app.route({
    method: ['GET', 'POST'],
    url: '/api/2.0/who',
    handler: async (request, reply) => {
      const caller = await app.identify(request, reply)
      assertSameOrigin(request, caller.credential, config.publicUrl)
      return reply.send({ ...caller.principal, credential: caller.credential })
    },
  })
  app.get('/', async (request, reply) => reply.send(await app.identify(request, reply)))
  await app.listen({ port: options.port ?? 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return {
    ...{
      app,
      port,
      publicUrl,
      database,
      config,
      identity,
      directory,
      store,
      clock,
      now,
      statements,
      events,
      log,
    },
    browser: () => createBrowser({ via: (url) => inFront(url, config.publicUrl, port) }),
    who: (headers = {}, method = 'GET') => ask(port, headers, method),
    async stop() {
      await app.close()
      directory.stop()
      await store.close().catch(() => {})
      if (options.database === undefined) await database.drop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** One provider, `oidc`, unless `env` names its own. */
function environment({ issuer, env }: IdentityAppOptions, publicUrl: string, databaseUrl: string) {
  const single = env?.['OIDC_PROVIDERS'] === undefined && env?.['GOOGLE_CLIENT_ID'] === undefined
  return {
    NODE_ENV: 'development',
    PUBLIC_URL: publicUrl,
    ALLOWED_HOSTS: '127.0.0.1',
    UPSTREAM_URL: 'http://127.0.0.1:9',
    DATABASE_URL: databaseUrl,
    GATEWAY_SECRET: SECRET,
    // Tables of bad credentials, all from one address.
    RATE_LIMIT_SIGN_IN: '0',
    ALLOW_HTTP_ISSUER: String(issuer !== undefined),
    ADMIN_USERS: 'admin',
    ...(single
      ? {
          OIDC_ISSUER: issuer?.url ?? 'https://sso.example.org',
          OIDC_CLIENT_ID: issuer?.clientId ?? 'mlflow',
          OIDC_CLIENT_SECRET: issuer?.clientSecret ?? 'not-used',
          OIDC_GROUPS_CLAIM: 'groups',
        }
      : {}),
    ...env,
  }
}

function recordingSink(events: AuditEvent[]) {
  return {
    record: (event: AuditEvent) => void events.push(event),
    flush: async () => {},
    dropped: () => 0,
    close: async () => {},
  }
}

/** What stands in front of the gateway: ends TLS, takes the path prefix away, and keeps the Host header. */
function inFront(url: URL, publicUrl: URL, port: number): URL {
  if (url.origin !== publicUrl.origin) return url
  const prefix = publicUrl.pathname.replace(/\/$/, '')
  const path = url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : url.pathname
  return new URL(`${path === '' ? '/' : path}${url.search}`, `http://127.0.0.1:${port}`)
}

async function ask(port: number, headers: Readonly<Record<string, string>>, method: string): Promise<Who> {
  const response = await fetch(`http://127.0.0.1:${port}/api/2.0/who`, { headers, method })
  return { status: response.status, body: (await response.json()) as Who['body'], headers: response.headers }
}
