import { join } from 'node:path'
import BetterSqlite3 from 'better-sqlite3'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../src/app.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { type Config, readConfig } from '../../src/config.ts'
import { createAccessTokens } from '../../src/identity/access-token.ts'
import { ownIssuer } from '../../src/identity/gateway-token.ts'
import { createKeyring } from '../../src/identity/keyring.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { freePort } from '../support/mlflow.ts'
import { type Account, keyOf } from './accounts.ts'
import { JOB_OWNER, type Seed } from './seed.ts'

export type OracleGateway = {
  readonly url: string
  readonly file: string
  /** `Authorization` of each account, by name. */
  readonly credentials: ReadonlyMap<string, string>
  /** What was recorded of a request, by the id in its answer; forgotten once told. */
  readonly eventOf: (requestId: string) => AuditEvent | undefined
  /** Puts all grants back as they were and has the gateway forget what it knew of names. */
  readonly restore: (seed: Seed) => Promise<void>
  readonly stop: () => Promise<void>
}

const DAY = 86_400
const POLL_MS = 5

/** The gateway in this process over a real socket, in front of a bare server, with the accounts and their grants. */
export async function startOracleGateway(
  dir: string,
  upstreamUrl: string,
  accounts: readonly Account[],
  seed: Seed,
): Promise<OracleGateway> {
  const [port, file] = [await freePort(), join(dir, 'gateway.db')]
  const config = readConfig(environment(port, upstreamUrl, file))
  const now = () => Math.floor(Date.now() / 1000)
  const store = await openStore({ databaseUrl: config.databaseUrl, now })
  const credentials = await seedAccounts({ store, config, now, accounts, seed })
  const app = await buildApp({ config, now, pollMs: POLL_MS, logger: false })
  const events = listen(app)
  await app.listen({ port, host: '127.0.0.1' })
  const grants = keepGrants(file, store)
  return {
    ...{ url: `http://127.0.0.1:${port}`, file, credentials },
    eventOf(requestId) {
      const event = events.get(requestId)
      events.delete(requestId)
      return event
    },
    restore: grants.restore,
    async stop() {
      grants.close()
      await app.close()
      await store.close()
    },
  }
}

function environment(port: number, upstreamUrl: string, file: string): Record<string, string> {
  return {
    NODE_ENV: 'development',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    UPSTREAM_URL: upstreamUrl,
    DATABASE_URL: `sqlite:${file}`,
    GATEWAY_SECRET: 'Rk7vJ2nQ9mX4pL1sTt5WzYb8NcH3fGdA6eUoIi0k',
    OIDC_ISSUER: 'https://issuer.invalid',
    OIDC_CLIENT_ID: 'mlflow',
    ADMIN_USERS: 'admin',
    AUDIT_STDOUT: 'false',
    AUDIT_STORE_DAYS: '0',
    AUDIT_FILE: `${file}.audit`,
  }
}

type Seeding = {
  readonly store: Store
  readonly config: Config
  readonly now: () => number
  readonly accounts: readonly Account[]
  readonly seed: Seed
}

async function seedAccounts(seeding: Seeding): Promise<ReadonlyMap<string, string>> {
  const { store, config, now, accounts, seed } = seeding
  const { gatewaySecret: secret, publicUrl, accessTokenMaxTtl: maxTtl } = config
  const keyring = await createKeyring({ store, secret, now, tokenMaxTtl: maxTtl })
  const tokens = createAccessTokens({ keyring, issuer: ownIssuer(publicUrl), now, store, maxTtl })
  const credentials = new Map<string, string>()
  for (const { name: username, grants } of accounts) {
    const { id: userId } = await store.people.signIn({
      ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: `subject-${username}`, username },
      groups: [],
    })
    const { token } = await tokens.create({ userId, name: 'test', scope: [], ttl: DAY })
    credentials.set(username, `Bearer ${token}`)
    const role = await store.roles.create({ name: `of ${username}` })
    for (const grant of grants) {
      const pattern = keyOf(grant, seed.own)
      await store.roles.grant(role.id, {
        ...{ resourceType: grant.type, match: pattern === '*' ? 'any' : 'exact', pattern },
        ...{ level: grant.level, source: 'manual' },
      })
    }
    await store.roles.assign(userId, role.id)
    // A bare server does not say whose job it is, so whoever starts one here is remembered here.
    if (username === JOB_OWNER) await store.jobs.remember(userId, jobsOf(seed))
  }
  return credentials
}

function jobsOf({ own, other }: Seed): readonly string[] {
  return [own, other].flatMap(({ job, promptJob }) => [job, promptJob])
}

/** Hears every event on its way to the sink. */
function listen(app: FastifyInstance): Map<string, AuditEvent> {
  const events = new Map<string, AuditEvent>()
  const { record } = app.audit
  Object.assign(app.audit, {
    record: (event: AuditEvent) => {
      events.set(event.requestId, event)
      record(event)
    },
  })
  return events
}

/** What an allowed request may have done to grants: whoever makes a thing manages it, a deleted thing has none left. */
function keepGrants(file: string, store: Store) {
  const db = new BetterSqlite3(file, { timeout: 10_000 })
  db.exec(
    'create temp table kept as select * from grants; create temp table kept_roles as select * from roles',
  )
  const latest = db.prepare('select max(seq) from changes').pluck()
  let seen = latest.get()
  const putBack = db.transaction(() => {
    db.exec('delete from grants; delete from roles where id not in (select id from kept_roles)')
    db.exec('insert into grants select * from kept')
  })
  return {
    async restore({ own, other }: Seed): Promise<void> {
      if (latest.get() === seen) return
      putBack.immediate()
      await store.changes.note('groups', '*')
      for (const { experiment, model, prompt } of [own, other]) {
        await store.changes.note('experiment', experiment)
        for (const name of [model, prompt]) await store.changes.note('model', name)
      }
      seen = latest.get()
      // Until it was looked for changes, for certain.
      await new Promise((resolve) => setTimeout(resolve, POLL_MS * 6))
    },
    close: () => db.close(),
  }
}
