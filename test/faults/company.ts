import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Haproxy, startHaproxy } from '../support/haproxy.ts'
import { type Keycloak, startKeycloak } from '../support/keycloak.ts'
import { freePort, type RunningMlflow, startMlflow } from '../support/mlflow.ts'
import { type PostgresServer, run, startPostgres } from '../support/postgres-server.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'

export const REPLICAS = ['1', '2', '3'] as const
export type ReplicaId = (typeof REPLICAS)[number]

/** Seconds between two looks at the provider for a session. */
export const SESSION_TOKEN_TTL = 5

/** Three replicas behind HAProxy with all they need: nothing stands in for anything. */
export type Company = {
  readonly publicUrl: string
  readonly haproxy: Haproxy
  readonly keycloak: Keycloak
  readonly mlflow: RunningMlflow
  readonly replica: (id: ReplicaId) => RunningGateway
  /** Every process that was started, also those that are gone. */
  readonly started: readonly RunningGateway[]
  /** Starts it anew where it was; resolves once it answers. */
  readonly start: (id: ReplicaId) => Promise<void>
  readonly stop: () => Promise<void>
}

export type CompanySettings = {
  /** Each person's groups at the provider. */
  readonly people: Readonly<{ [name: string]: readonly string[] }>
  /** A policy file. */
  readonly policy: string
}

/** @throws {Error} if any part does not start; nothing is left behind. */
export async function startCompany({ people, policy }: CompanySettings): Promise<Company> {
  const front = await freePort()
  const publicUrl = `https://localhost:${front}`
  const parts = [startKeycloak({ publicUrl, people }), startMlflow(), startPostgres(), startRedis()] as const
  const replicas = new Map<ReplicaId, RunningGateway>()
  const started: RunningGateway[] = []
  let haproxy: Haproxy | undefined
  const stop = async () => {
    const others = await Promise.allSettled(parts)
    await Promise.allSettled([haproxy, ...replicas.values()].map((part) => part?.stop()))
    await Promise.allSettled(others.map((part) => part.status === 'fulfilled' && part.value.stop()))
  }
  try {
    const [keycloak, mlflow, postgres, redis] = await Promise.all(parts)
    await run(postgres.url('postgres'), 'create database gateway')
    const policyFile = join(mlflow.dir, 'policy.yaml')
    writeFileSync(policyFile, policy)
    const env = environment({ publicUrl, keycloak, postgres, redis, policyFile })
    const ports = [await freePort(), await freePort(), await freePort()] as const
    const start = async (id: ReplicaId) => {
      const settings = { port: ports[REPLICAS.indexOf(id)], upstreamUrl: mlflow.url, env }
      const gateway = await startGateway(settings)
      replicas.set(id, gateway)
      started.push(gateway)
    }
    for (const id of REPLICAS) await start(id)
    haproxy = await startHaproxy([...ports], front)
    const replica = (id: ReplicaId) => replicas.get(id) as RunningGateway
    return { publicUrl, haproxy, keycloak, mlflow, replica, started, start, stop }
  } catch (fault) {
    await stop()
    throw fault
  }
}

type Parts = {
  readonly publicUrl: string
  readonly keycloak: Keycloak
  readonly postgres: PostgresServer
  readonly redis: RedisServer
  readonly policyFile: string
}

/** As in deploy/compose.replicas.yml, save for what is said. */
function environment({ publicUrl, keycloak, postgres, redis, policyFile }: Parts) {
  return {
    ...{ NODE_ENV: 'production', PUBLIC_URL: publicUrl, TRUSTED_PROXIES: 'loopback' },
    GATEWAY_SECRET: randomBytes(48).toString('base64'),
    ...{ DATABASE_URL: postgres.url('gateway'), REDIS_URL: redis.url },
    ...{ OIDC_ISSUER: keycloak.issuer, OIDC_CLIENT_ID: keycloak.clientId },
    ...{ OIDC_CLIENT_SECRET: keycloak.clientSecret, OIDC_GROUPS_CLAIM: 'groups', ALLOW_HTTP_ISSUER: 'true' },
    ...{ ADMIN_GROUPS: 'admins', POLICY_FILE: policyFile },
    // Replicas are asked past HAProxy too.
    ALLOWED_HOSTS: '127.0.0.1',
    // HAProxy notices within two looks, a second apart.
    SHUTDOWN_DELAY: '4',
    SESSION_TOKEN_TTL: String(SESSION_TOKEN_TTL),
    // Everybody is at one address here, and much of what is sent has to be refused.
    RATE_LIMIT_SIGN_IN: '0',
    ...{ AUDIT_STDOUT: 'false', LOG_LEVEL: 'warn' },
  }
}
