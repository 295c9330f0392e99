import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildApp } from '../../src/app.ts'
import { readConfig } from '../../src/config.ts'
import { type AccessTokens, createAccessTokens } from '../../src/identity/access-token.ts'
import { createBrowserSessions } from '../../src/identity/browser-session.ts'
import { ownIssuer } from '../../src/identity/gateway-token.ts'
import { createKeyring } from '../../src/identity/keyring.ts'
import { createSessionTokens } from '../../src/identity/session-token.ts'
import { sessionStoreId } from '../../src/store/sessions.ts'
import { openStore, type Store } from '../../src/store/store.ts'

const ISSUER = 'https://op.example.org'

/** The whole gateway on loopback, over a store the test can reach; no provider and no MLflow behind it. */
export type SignedInApp = {
  readonly origin: string
  readonly port: number
  readonly store: Store
  readonly accessTokens: AccessTokens
  /** Everything logged. */
  readonly log: string[]
  /** Makes a person and a session of theirs, as signing in does. @returns The `Cookie` header and the user's id. */
  readonly signIn: (
    username: string,
    groups?: readonly string[],
  ) => Promise<{ readonly cookie: string; readonly userId: string }>
  readonly close: () => Promise<void>
}

export async function startSignedInApp(env: Readonly<Record<string, string>> = {}): Promise<SignedInApp> {
  const folder = mkdtempSync(join(tmpdir(), 'console-'))
  const now = () => Math.floor(Date.now() / 1000)
  const config = readConfig({
    NODE_ENV: 'test',
    PUBLIC_URL: 'http://localhost:8080',
    UPSTREAM_URL: 'http://127.0.0.1:9',
    DATABASE_URL: `sqlite:${join(folder, 'gateway.db')}`,
    GATEWAY_SECRET: 'Zk3vJ9nQ2mX7pL0sRt8WzYb4NcH6fGdA1eUoIi5k',
    OIDC_ISSUER: ISSUER,
    OIDC_CLIENT_ID: 'mlflow',
    OIDC_CLIENT_SECRET: 'not-used',
    ADMIN_USERS: 'admin',
    AUDIT_STDOUT: 'false',
    PORT: '0',
    ...env,
  })
  const log: string[] = []
  const stream = { write: (line: string) => void log.push(line) }
  const app = await buildApp({ config, now, pollMs: 20, logger: { level: 'debug', stream } })
  await app.listen({ port: config.port, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo

  const store = await openStore({ databaseUrl: config.databaseUrl, now })
  const keyring = await createKeyring({
    store,
    secret: config.gatewaySecret,
    now,
    tokenMaxTtl: config.accessTokenMaxTtl,
  })
  const issuer = ownIssuer(config.publicUrl)
  const sessions = createBrowserSessions({ store, secret: config.gatewaySecret, now, idleTtl: 3600 })
  const sessionTokens = createSessionTokens({ keyring, issuer, now })
  return {
    origin: config.publicUrl.origin,
    port,
    store,
    accessTokens: createAccessTokens({ keyring, issuer, now, store, maxTtl: config.accessTokenMaxTtl }),
    log,
    signIn: async (username, groups = []) => {
      const { id: userId } = await store.people.signIn({
        provider: 'oidc',
        issuer: ISSUER,
        subject: username,
        username,
        groups,
      })
      const [sid, expiresAt] = [sessionStoreId(`session of ${username}`), now() + 300]
      await sessions.write(sid, {
        userId,
        provider: 'oidc',
        subject: username,
        absoluteExpiresAt: now() + 3600,
        groupsReadAt: now(),
      })
      return { cookie: `gateway_token=${await sessionTokens.issue({ userId, sid, expiresAt })}`, userId }
    },
    close: async () => {
      await app.close()
      await store.close()
      rmSync(folder, { recursive: true })
    },
  }
}
