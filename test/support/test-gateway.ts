import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../src/app.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { readConfig } from '../../src/config.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { freePort } from './mlflow.ts'
import { isLookup, mlflowStandIn } from './mlflow-stand-in.ts'
import { rawRequest } from './raw-request.ts'
import { type Answer, type Ask, bytesOf, readAnswer } from './spoken-request.ts'
import { type Member, type MemberName, seedMembers } from './test-members.ts'
import {
  type RecordedRequest,
  type RecordingUpstream,
  startUpstream,
  type UpstreamHandlers,
} from './upstream.ts'

export type TestGatewaySettings = {
  /** Answers of the tracking server that go before the stand-in's own. */
  readonly mlflow?: UpstreamHandlers
  /** Variables on top of the ones needed to start; see `.env.example`. */
  readonly env?: Readonly<Record<string, string>>
  /** Variables that need to know where the gateway is, as `http://127.0.0.1:PORT`. */
  readonly publicUrls?: (own: string) => Readonly<Record<string, string>>
  /** Called with each SQL statement the gateway runs. */
  readonly onStatement?: (sql: string) => void
  /** Milliseconds between two looks for what other processes changed. */
  readonly pollMs?: number
  /** How long spans are gathered, and how many. */
  readonly spans?: { readonly queueSize?: number; readonly delayMs?: number }
  /** Milliseconds: what rates are counted by. */
  readonly nowMs?: () => number
  /** Another gateway, to be a replica of: on its database, under its public URL, for its members. */
  readonly beside?: TestGateway
  /** Where everything is kept, if it is not for this gateway to make and drop. */
  readonly database?: TestDatabase
  /** What the tracking server says its version is, told afresh each time; it says none if absent. */
  readonly version?: () => string | undefined
  /** Options for the log besides where it goes. */
  readonly logger?: object
}

/** What became of a request: what the client got, what was recorded of it, and what it made reach MLflow. */
export type Outcome = Answer & {
  /**
   * In one line, for tables: `200 allow`, `403 PERMISSION_DENIED no_grant`, `400 INVALID_PARAMETER_VALUE
   * ERR_AMBIGUOUS_REQUEST`; status, MLflow's error code, and the reason on record (`-` if nothing was recorded).
   */
  readonly line: string
  readonly event: AuditEvent | undefined
  /** What reached MLflow, the gateway's own look-ups left out. */
  readonly forwarded: readonly RecordedRequest[]
  /** The same for tables, each as `GET /target`. */
  readonly reached: readonly string[]
}

export type TestGateway = {
  readonly app: FastifyInstance
  readonly port: number
  readonly url: string
  readonly database: TestDatabase
  /** What a command needs to work on it, beside the gateway. */
  readonly env: Readonly<Record<string, string>>
  /** A second handle on it; what is changed there is seen within 20 ms, or at once after `refresh`. */
  readonly store: Store
  readonly upstream: RecordingUpstream
  readonly members: Readonly<Record<MemberName, Member>>
  /** Every audit event so far, in order. */
  readonly events: AuditEvent[]
  /** Everything logged, as JSON lines. */
  readonly log: string[]
  /** Sends one request over a socket of its own, exactly as described, and looks what became of it. One at a time. */
  ask(ask: Ask): Promise<Outcome>
  /** What reached MLflow since `upstream.forget()`, the gateway's own look-ups left out. */
  forwarded(): readonly RecordedRequest[]
  /** Sets what MLflow answers besides what the stand-in does. */
  script(mlflow: UpstreamHandlers): void
  stop(): Promise<void>
}

/** `GATEWAY_SECRET` of every test gateway. */
export const SECRET = 'Rk7vJ2nQ9mX4pL1sTt5WzYb8NcH3fGdA6eUoIi0k'

/** An event is recorded before its answer leaves, or while it does: some turns of the loop later there is none to come. */
const TURNS = 50

/**
 * The whole gateway in this process, over a real socket and a real database, in front of a recording stand-in for
 * MLflow. Everybody of {@link seedMembers} is there; nothing is replaced inside.
 */
export async function startTestGateway(settings: TestGatewaySettings = {}): Promise<TestGateway> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-regression-'))
  const upstream = await startUpstream(mlflowStandIn(settings.mlflow), settings.version)
  const port = await freePort()
  const given = settings.beside?.database ?? settings.database
  const database = given ?? (await createTestDatabase(dir))
  const env = {
    ...environment(port, upstream.url, database.databaseUrl),
    ...(settings.beside && { PUBLIC_URL: settings.beside.url, ALLOWED_HOSTS: '127.0.0.1' }),
    ...settings.env,
    ...settings.publicUrls?.(`http://127.0.0.1:${port}`),
  }
  const config = readConfig(env)
  const now = () => Math.floor(Date.now() / 1000)
  const store = await openStore({ databaseUrl: config.databaseUrl, redis: config.redis, now })
  const members = settings.beside?.members ?? (await seedMembers({ store, config, now }))
  const log: string[] = []
  const stream = { write: (line: string) => void log.push(line) }
  const logger = { level: 'debug', ...settings.logger, stream }
  const app = await buildApp({
    ...{ config, now, logger },
    onStatement: settings.onStatement,
    pollMs: settings.pollMs ?? 20,
    nowMs: settings.nowMs,
    spans: { delayMs: 10, ...settings.spans },
    policyPollMs: 20,
  })
  const events = listen(app)
  await app.listen({ port, host: '127.0.0.1' })

  const forwarded = () => upstream.requests.filter((request) => !isLookup(request))
  const ask = async (sent: Ask): Promise<Outcome> => {
    const before = upstream.requests.length
    const answer = readAnswer(await rawRequest(port, bytesOf(sent, port, members)))
    const event = await eventOf(answer, events)
    const line = [
      answer.status,
      ...(event?.effect === 'allow' ? ['allow'] : [answer.code, event?.reason ?? '-']),
    ]
    const since = upstream.requests.slice(before).filter((request) => !isLookup(request))
    const reached = since.map(({ method, url }) => `${method} ${url}`)
    return { ...answer, event, line: line.join(' '), forwarded: since, reached }
  }
  return {
    ...{ app, port, database, env, store, upstream, members, events, log, ask, forwarded },
    url: `http://127.0.0.1:${port}`,
    script: (mlflow) => upstream.script(mlflowStandIn(mlflow)),
    async stop() {
      await app.close()
      await store.close()
      await upstream.stop()
      if (given === undefined) await database.drop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function environment(port: number, upstreamUrl: string, databaseUrl: string): Record<string, string> {
  return {
    NODE_ENV: 'development',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    UPSTREAM_URL: upstreamUrl,
    DATABASE_URL: databaseUrl,
    GATEWAY_SECRET: SECRET,
    // Tables of bad credentials, all from one address.
    RATE_LIMIT_SIGN_IN: '0',
    OIDC_ISSUER: 'https://issuer.invalid',
    OIDC_CLIENT_ID: 'mlflow',
    ADMIN_USERS: 'admin',
    AUDIT_STDOUT: 'false',
    AUDIT_STORE_DAYS: '1',
  }
}

/** Hears every event on its way to the sink, which gets it all the same. */
function listen(app: FastifyInstance): AuditEvent[] {
  const events: AuditEvent[] = []
  const { record } = app.audit
  Object.assign(app.audit, {
    record: (event: AuditEvent) => {
      events.push(event)
      record(event)
    },
  })
  return events
}

async function eventOf(answer: Answer, events: readonly AuditEvent[]): Promise<AuditEvent | undefined> {
  const [id] = answer.headers['x-request-id'] ?? []
  if (id === undefined) return undefined
  for (let turn = 0; ; turn++) {
    const event = events.findLast(({ requestId }) => requestId === id)
    if (event !== undefined || turn === TURNS) return event
    await new Promise(setImmediate)
  }
}
