import type { ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { readConfig } from '../../src/config.ts'
import { createAccessTokens } from '../../src/identity/access-token.ts'
import { ownIssuer } from '../../src/identity/gateway-token.ts'
import { createKeyring } from '../../src/identity/keyring.ts'
import { createSessionTokens } from '../../src/identity/session-token.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { gatewayEnvironment, startGateway } from '../../test/support/gateway.ts'
import { freePort } from '../../test/support/mlflow.ts'
import { seedSession } from '../../test/support/test-members.ts'
import type { Subject } from './subjects.ts'

/** One gateway, asked in two ways. */
export type GatewaySubject = Subject & {
  /** As a browser that has signed in asks, with its session's cookies. */
  readonly cookies: Readonly<Record<string, string>>
  readonly process: ChildProcess
}

export type GatewaySettings = {
  readonly upstreamUrl: string
  readonly dir: string
  /** Further options for Node. */
  readonly nodeOptions: readonly string[]
  /** How many roles there are, all of which the person holds. */
  readonly roles: number
  /** Opens an IPC channel, for what `nodeOptions` loads. */
  readonly ipc?: boolean
}

const LIFETIME_S = 12 * 3600

/**
 * The gateway as it is run in production, on SQLite and with its audit log, and an access token and a session of a person
 * whose only right is EDIT on experiments named `alpha/*`, by as many roles as that.
 */
export async function startGatewaySubject(settings: GatewaySettings): Promise<GatewaySubject> {
  const { upstreamUrl, dir, nodeOptions, ipc = false } = settings
  mkdirSync(dir, { recursive: true })
  const port = await freePort()
  const limits = {
    // Counted as ever, and never reached.
    RATE_LIMIT_PRINCIPAL: '1000000',
    RATE_LIMIT_ADDRESS: '1000000',
  }
  const env = gatewayEnvironment(port, dir, {
    upstreamUrl,
    env: { OIDC_ISSUER: 'https://issuer.invalid', OIDC_CLIENT_ID: 'bench', LOG_LEVEL: 'warn', ...limits },
  })
  const { token, cookie } = await seedEditor(env, settings.roles)
  const gateway = await startGateway({
    ...{ upstreamUrl, port, dir, env, nodeOptions, ipc },
    logFile: '/dev/null',
  })
  return {
    url: gateway.url,
    headers: { authorization: `Bearer ${token}` },
    // A page of the gateway's own: others may not write.
    cookies: { cookie, origin: gateway.url },
    pids: [gateway.pid],
    process: gateway.child,
    stop: gateway.stop,
  }
}

async function seedEditor(env: Readonly<Record<string, string>>, roles: number) {
  const config = readConfig(env)
  const now = () => Math.floor(Date.now() / 1000)
  const store = await openStore({ databaseUrl: config.databaseUrl, redis: config.redis, now })
  try {
    const { id: userId } = await store.people.signIn({
      ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: 'editor', username: 'editor' },
      groups: [],
    })
    for (let index = 0; index < roles; index++) await addRole(store, userId, index)
    const secret = config.gatewaySecret
    const keyring = await createKeyring({ store, secret, now, tokenMaxTtl: LIFETIME_S })
    const tokens = { keyring, issuer: ownIssuer(config.publicUrl), now }
    const accessTokens = createAccessTokens({ ...tokens, store, maxTtl: LIFETIME_S })
    const { token } = await accessTokens.create({ userId, name: 'bench', scope: [], ttl: LIFETIME_S })
    const sessionTokens = createSessionTokens(tokens)
    return { token, cookie: await seedSession({ store, config, now }, userId, sessionTokens, LIFETIME_S) }
  } finally {
    await store.close()
  }
}

/** The first role is about what is asked for, the others about other teams' experiments. */
async function addRole(store: Store, userId: string, index: number): Promise<void> {
  const pattern = index === 0 ? 'alpha/*' : `team-${index}/*`
  const role = await store.roles.create({ name: `role-${index}` })
  await store.roles.grant(role.id, {
    ...{ resourceType: 'experiment', match: 'name', pattern, level: 'EDIT', source: 'manual' },
  })
  await store.roles.assign(userId, role.id)
}
