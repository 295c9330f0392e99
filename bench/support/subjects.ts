import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exportSPKI, generateKeyPair, SignJWT } from 'jose'
import { createAccessTokens } from '../../src/identity/access-token.ts'
import { ownIssuer } from '../../src/identity/gateway-token.ts'
import { createKeyring } from '../../src/identity/keyring.ts'
import { openStore } from '../../src/store/store.ts'
import { endProcess, gatewayEnvironment, startGateway } from '../../test/support/gateway.ts'
import { freePort } from '../../test/support/mlflow.ts'
import type { Usage } from './report-usage.ts'

/** What `readUsage` needs Node to load with `--import`. */
export const REPORT_USAGE = fileURLToPath(new URL('./report-usage.ts', import.meta.url))
const BARE_PROXY = fileURLToPath(new URL('./bare-proxy.ts', import.meta.url))

/** A server that is measured. */
export type Subject = {
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly process: ChildProcess
  readonly stop: () => Promise<void>
}

/** What the process says it has used. */
export async function readUsage(subject: Pick<Subject, 'process'>): Promise<Usage> {
  const answer = once(subject.process, 'message') as Promise<[Usage]>
  subject.process.send('usage')
  const [usage] = await answer
  return usage
}

/** Fastify and reply-from with nothing on top. */
export function startBareProxy(upstreamUrl: string): Promise<Subject> {
  return startProxy('fastify + reply-from', [upstreamUrl], {})
}

/** The same, and a token verified for each request. */
export async function startVerifyingProxy(upstreamUrl: string, dir: string): Promise<Subject> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const keyFile = join(dir, 'public.pem')
  writeFileSync(keyFile, await exportSPKI(publicKey))
  const token = await new SignJWT({ sub: 'editor' })
    .setProtectedHeader({ alg: 'ES256', typ: 'JWT' })
    .setAudience('bench')
    .setExpirationTime('1h')
    .sign(privateKey)
  return startProxy('the same + jwtVerify', [upstreamUrl, '--jwt', keyFile], {
    authorization: `Bearer ${token}`,
  })
}

/**
 * The gateway as it is run in production, audit included, and an access token of a person whose only right is EDIT on
 * experiments named `alpha/*`.
 *
 * @param nodeOptions Further options for Node.
 */
export async function startGatewaySubject(
  upstreamUrl: string,
  dir: string,
  nodeOptions: readonly string[],
): Promise<Subject> {
  mkdirSync(dir, { recursive: true })
  const port = await freePort()
  const settings = {
    upstreamUrl,
    env: {
      OIDC_ISSUER: 'https://issuer.invalid',
      OIDC_CLIENT_ID: 'bench',
      // Counted as ever, and never reached.
      RATE_LIMIT_PRINCIPAL: '1000000',
    },
  }
  const env = gatewayEnvironment(port, dir, settings)
  const token = await seedEditor(env)
  const gateway = await startGateway({
    ...{ upstreamUrl, port, dir, ipc: true, logFile: '/dev/null' },
    env: { ...env, LOG_LEVEL: 'warn' },
    nodeOptions: ['--import', REPORT_USAGE, ...nodeOptions],
  })
  return {
    name: 'gateway',
    url: gateway.url,
    headers: { authorization: `Bearer ${token}` },
    process: gateway.child,
    stop: gateway.stop,
  }
}

async function startProxy(
  name: string,
  args: readonly string[],
  headers: Readonly<Record<string, string>>,
): Promise<Subject> {
  const child = spawn(process.execPath, ['--import', REPORT_USAGE, BARE_PROXY, ...args], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  if (child.stdout === null) throw new Error('no output to read the port from')
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    name,
    url: `http://127.0.0.1:${line.toString().trim()}`,
    headers,
    process: child,
    stop: () => endProcess(child),
  }
}

async function seedEditor(env: Readonly<Record<string, string>>): Promise<string> {
  const now = () => Math.floor(Date.now() / 1000)
  const store = await openStore({ databaseUrl: env['DATABASE_URL'] ?? '', now })
  try {
    const person = await store.people.add({ username: 'editor', provider: 'oidc' })
    const role = await store.roles.create({ name: 'alpha-editor' })
    await store.roles.grant(role.id, {
      ...{ resourceType: 'experiment', match: 'name', pattern: 'alpha/*', level: 'EDIT', source: 'manual' },
    })
    await store.roles.assign(person.id, role.id)
    const secret = env['GATEWAY_SECRET'] ?? ''
    const keyring = await createKeyring({ store, secret, now, tokenMaxTtl: 86_400 })
    const issuer = ownIssuer(new URL(env['PUBLIC_URL'] ?? ''))
    const tokens = createAccessTokens({ keyring, issuer, now, store, maxTtl: 86_400 })
    return (await tokens.create({ userId: person.id, name: 'bench', scope: [], ttl: 3600 })).token
  } finally {
    await store.close()
  }
}
