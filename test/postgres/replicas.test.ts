/**
 * Two gateways on one PostgreSQL: what is taken away at one is gone at the other within a second, also while the
 * connection that hears of it is cut; and what becomes of requests while PostgreSQL is down, and once it is back.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKeyring } from '../../src/identity/keyring.ts'
import { openStore } from '../../src/store/store.ts'
import { postgresDatabase, TEMPLATE, type TestDatabase } from '../support/database.ts'
import { type PostgresServer, run, startPostgres } from '../support/postgres-server.ts'
import type { Ask } from '../support/spoken-request.ts'
import { SECRET, startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

const EXPERIMENT = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const NO_GRANT = '403 PERMISSION_DENIED no_grant'
const TROUBLE = '503 TEMPORARILY_UNAVAILABLE ERR_STORE_UNAVAILABLE'

/** Seconds that what is in memory counts in these gateways without the store. */
const GRACE = 4

const idOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).jti

let server: PostgresServer
let database: TestDatabase
let here: TestGateway
let there: TestGateway

async function startBoth(): Promise<void> {
  const env = { STORE_OUTAGE_GRACE: String(GRACE), DATABASE_CONNECT_TIMEOUT: '2' }
  // As often as a gateway really looks.
  here = await startTestGateway({ database, env, pollMs: 500 })
  there = await startTestGateway({ beside: here, env, pollMs: 500 })
}

beforeAll(async () => {
  server = await startPostgres()
  await run(server.url('postgres'), `create database ${TEMPLATE}`)
  const store = await openStore({ databaseUrl: server.url(TEMPLATE), now: () => 0 })
  await store.close()
})
afterAll(() => server.stop())

const as = (member: MemberName): Ask => ({ target: EXPERIMENT, as: member })

/** Seconds until the request comes to that at the other gateway. */
async function until(line: string, ask: Ask): Promise<number> {
  const since = performance.now()
  await expect.poll(async () => (await there.ask(ask)).line, { interval: 5, timeout: 5000 }).toBe(line)
  return (performance.now() - since) / 1000
}

async function readerLosesRole(): Promise<void> {
  const role = (await here.store.roles.list()).find(({ name }) => name === 'alpha-reader')
  await here.store.roles.unassign(here.members.reader.userId, role?.id ?? '')
}

async function readerGetsRole(): Promise<void> {
  const role = (await here.store.roles.list()).find(({ name }) => name === 'alpha-reader')
  await here.store.roles.assign(here.members.reader.userId, role?.id ?? '')
}

const cutListening = () =>
  database.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%' and datname = current_database()",
  )

describe('what is ended at one gateway is over at the other', () => {
  beforeAll(async () => {
    database = await postgresDatabase(server.url('postgres'))
    await startBoth()
  })
  afterAll(async () => {
    await there.stop()
    await here.stop()
    await database.drop()
  })

  it.each<readonly [string, () => Ask, string, () => Promise<unknown>]>([
    ['a grant removed', () => as('reader'), NO_GRANT, readerLosesRole],
    [
      'a token revoked',
      () => as('observer'),
      '401 UNAUTHENTICATED revoked',
      () => here.store.tokens.revoke(idOf(here.members.observer.token)),
    ],
    [
      'a session ended',
      () => ({ target: EXPERIMENT, headers: [`Cookie: ${here.members.editor.cookie}`] }),
      '401 UNAUTHENTICATED session_ended',
      () => here.store.sessions.destroyOf(here.members.editor.userId),
    ],
    [
      'a person disabled',
      () => as('admin'),
      '401 UNAUTHENTICATED no_such_person',
      () => here.store.people.setDisabled(here.members.admin.userId, true),
    ],
  ])('%s, within a second', async (name, ask, line, end) => {
    await expect.poll(async () => (await there.ask(ask())).line, { timeout: 5000 }).toBe('200 allow')
    await end()
    const seconds = await until(line, ask())
    console.info(`${name}: effective at the other gateway after ${(seconds * 1000).toFixed(0)} ms`)
    expect(seconds).toBeLessThan(1)
    expect((await there.ask(ask())).reached).toEqual([])
  })

  it('a signing key made, within a second', async () => {
    const known = async () => {
      const response = await fetch(`${there.url}/.well-known/jwks.json`)
      // Keys of one second are in no order.
      return ((await response.json()) as { keys: readonly { kid: string }[] }).keys
        .map(({ kid }) => kid)
        .sort()
    }
    const before = await known()
    const kid = await rotate(here)
    const since = performance.now()
    await expect.poll(known, { interval: 5, timeout: 5000 }).toEqual([...before, kid].sort())
    const seconds = (performance.now() - since) / 1000
    console.info(`a key rotated: known to the other gateway after ${(seconds * 1000).toFixed(0)} ms`)
    expect(seconds).toBeLessThan(1)
  })

  it('also while the connection that hears of it is cut again and again', async () => {
    await readerGetsRole()
    await until('200 allow', as('reader'))
    let isOver = false
    const cutting = (async () => {
      while (!isOver) await cutListening().then(() => delay(20))
    })()
    const times: number[] = []
    for (let round = 0; round < 3; round++) {
      await readerLosesRole()
      times.push(await until(NO_GRANT, as('reader')))
      await readerGetsRole()
      times.push(await until('200 allow', as('reader')))
    }
    isOver = true
    await cutting
    console.info(
      `with no connection to hear by: ${times.map((each) => `${(each * 1000).toFixed(0)} ms`).join(', ')}`,
    )
    expect(Math.max(...times)).toBeLessThan(1)
  })
})

describe('while PostgreSQL is down', () => {
  beforeAll(async () => {
    database = await postgresDatabase(server.url('postgres'))
    await startBoth()
  })
  afterAll(async () => {
    await there.stop()
    await here.stop()
    await database.drop()
  })

  it('who is known goes on for the grace, changes are refused, readiness says why, and all of it recovers alone', async () => {
    const session: Ask = {
      target: EXPERIMENT,
      headers: [`Cookie: ${here.members.editor.cookie.split('; ')[1]}`],
    }
    for (const ask of [as('reader'), session]) await until('200 allow', ask)
    await server.halt()
    const down = performance.now()
    expect((await there.ask(as('reader'))).line).toBe('200 allow')
    expect((await there.ask(session)).line).toBe('200 allow')
    const grant = await there.ask({
      ...{ method: 'POST', target: '/auth/api/v1/roles', as: 'admin', json: { name: 'new-role' } },
    })
    expect(grant.status).toBe(503)
    expect(grant.text).not.toMatch(/postgres|127\.0\.0\.1|ECONN/i)

    await expect
      .poll(async () => (await there.ask(as('reader'))).line, { interval: 50, timeout: GRACE * 1000 + 4000 })
      .toBe(TROUBLE)
    const held = (performance.now() - down) / 1000
    expect(held).toBeGreaterThan(GRACE - 1.5)
    const ready = await there.ask({ target: '/readyz' })
    expect(ready.status).toBe(503)
    expect(JSON.parse(ready.text).parts).toMatchObject({
      store: { status: 'failed', reason: 'the database does not answer' },
      changes: { status: 'failed' },
    })
    expect(ready.text).not.toMatch(/postgres|127\.0\.0\.1|ECONN/i)
    expect((await there.ask({ target: '/healthz' })).status).toBe(200)

    await server.resume()
    const since = performance.now()
    await expect
      .poll(async () => (await there.ask({ target: '/readyz' })).status, { timeout: 15_000 })
      .toBe(200)
    const seconds = (performance.now() - since) / 1000
    expect((await there.ask(as('reader'))).line).toBe('200 allow')
    await readerLosesRole()
    const afterwards = await until(NO_GRANT, as('reader'))
    console.info(
      `PostgreSQL gone: known people went on for ${held.toFixed(1)} s; ready again ${seconds.toFixed(1)} s after it was back`,
    )
    expect(afterwards).toBeLessThan(1)
    expect(there.log.join('')).not.toContain(`gateway@127.0.0.1`)
  })
})

/** Makes a new signing key as the CLI does. */
async function rotate({ store }: TestGateway): Promise<string> {
  const now = () => Math.floor(Date.now() / 1000)
  return (await createKeyring({ store, secret: SECRET, now, tokenMaxTtl: 86_400 })).rotate()
}
