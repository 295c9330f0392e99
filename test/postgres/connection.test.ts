import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { DEFAULT_POSTGRES_SETTINGS } from '../../src/store/postgres-settings.ts'
import { openStore } from '../../src/store/store.ts'
import { openTemporaryStore, signInOf, temporaryDatabase } from '../store/temporary-store.ts'
import { serverUrl } from '../support/database.ts'
import { freePort } from '../support/mlflow.ts'
import { type PostgresServer, run, startPostgres } from '../support/postgres-server.ts'

const now = () => 1_800_000_000

let server: PostgresServer
let ca: string
beforeAll(async () => {
  server = await startPostgres((folder) => {
    const [cert, key, hba] = ['tls.crt', 'tls.key', 'hba.conf'].map((name) => join(folder, name))
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
    const how = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30'.split(' ')
    execFileSync('openssl', ['req', ...how, ...subject, '-keyout', `${key}`, '-out', `${cert}`], {
      stdio: 'ignore',
    })
    ca = readFileSync(`${cert}`, 'utf8')
    writeFileSync(`${hba}`, 'hostssl all guarded samehost scram-sha-256\nhost all gateway samehost trust\n')
    return ['ssl=on', `ssl_cert_file=${cert}`, `ssl_key_file=${key}`, `hba_file=${hba}`]
  })
  await run(server.url('postgres'), "create role guarded login password 'the-right-one'")
  await run(server.url('postgres'), 'create database gw owner guarded')
  await run(server.url('postgres'), "create database latin encoding 'LATIN1' locale 'C' template template0")
})
afterAll(() => server.stop())

/** What opening the database comes to: `open`, or the message. */
async function opening(databaseUrl: string, settings: { ca?: string; connectTimeout?: number } = {}) {
  try {
    const store = await openStore({
      databaseUrl,
      now,
      postgres: { ...DEFAULT_POSTGRES_SETTINGS, ...settings },
    })
    await store.close()
    return 'open'
  } catch (error) {
    return (error as Error).message
  }
}

const at = (host: string, who: string, parameters: string, database = 'gw') =>
  `postgres://${who}@${host}:${server.port}/${database}?${parameters}`

describe('TLS', () => {
  it.each([
    ['require, whatever the certificate', 'localhost', 'sslmode=require', false, 'open'],
    ['verify-full without the authority', 'localhost', 'sslmode=verify-full', false, 'set DATABASE_CA_FILE'],
    ['verify-full with it', 'localhost', 'sslmode=verify-full', true, 'open'],
    ['verify-full under another name', '127.0.0.1', 'sslmode=verify-full', true, 'is for another name'],
    ['verify-ca under another name', '127.0.0.1', 'sslmode=verify-ca', true, 'open'],
    ['none, where the server asks for it', '127.0.0.1', 'sslmode=disable', false, 'pg_hba.conf, and sslmode'],
  ])('%s', async (_what, host, parameters, trusted, expected) => {
    const outcome = await opening(at(host, 'guarded:the-right-one', parameters), trusted ? { ca } : {})
    expect(outcome).toContain(expected)
    expect(outcome).not.toMatch(/the-right-one|127\.0\.0\.1|localhost/)
  })

  it('covers every connection, also the one that listens', async () => {
    const databaseUrl = at('localhost', 'guarded:the-right-one', 'sslmode=verify-full')
    const store = await openStore({ databaseUrl, now, postgres: { ...DEFAULT_POSTGRES_SETTINGS, ca } })
    onTestFinished(() => store.close())
    const signal = store.changes.listen(() => undefined)
    onTestFinished(signal.stop)
    await expect.poll(signal.isLive, { timeout: 5000 }).toBe(true)
    await Promise.all([store.people.list(), store.people.list(), store.audit.page({ limit: 1 })])
    const connections = await run(
      server.url('postgres'),
      "select ssl from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'guarded'",
    )
    expect(connections.length).toBeGreaterThan(2)
    expect(connections.every(({ ssl }) => ssl === true)).toBe(true)
  })

  it('is not given up where the server has none', async () => {
    const plain = new URL(serverUrl())
    plain.search = 'sslmode=require'
    expect(await opening(plain.href)).toContain('PostgreSQL offers no TLS')
  })
})

describe('what keeps the gateway from starting is said, with what to do', () => {
  it.each([
    [
      'a wrong password',
      () => at('localhost', 'guarded:the-wrong-one', 'sslmode=require'),
      'user and password do not fit',
    ],
    ['no password', () => at('localhost', 'guarded', 'sslmode=require'), 'holds none'],
    ['an unknown database', () => at('127.0.0.1', 'gateway', 'sslmode=disable', 'nope'), 'createdb'],
    ['another encoding', () => at('127.0.0.1', 'gateway', 'sslmode=disable', 'latin'), 'encoded in LATIN1'],
    ['an unknown host', () => 'postgres://u:the-wrong-one@nowhere.invalid/gw', 'host'],
    ['an unknown socket', () => 'postgres://u@localhost/gw?host=/nowhere', 'no such socket'],
  ])('%s', async (_what, databaseUrl, remedy) => {
    const outcome = await opening(databaseUrl())
    expect(outcome).toContain(remedy)
    expect(outcome).not.toMatch(/the-wrong-one|nowhere\.invalid|127\.0\.0\.1/)
  })

  it('nobody who listens', async () => {
    const outcome = await opening(`postgres://u@127.0.0.1:${await freePort()}/gw`)
    expect(outcome).toContain('nothing answers there')
  })

  it('a server that is silent: within the time a connection may take', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => {
      silent.close()
    })
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const since = performance.now()
    const outcome = await opening(`postgres://u@127.0.0.1:${port}/gw`, { connectTimeout: 1 })
    expect(outcome).toContain('nothing answers there')
    expect(performance.now() - since).toBeLessThan(5000)
  })

  it('a user who may not create tables', async () => {
    await run(server.url('postgres'), 'create database owned')
    const outcome = await opening(at('localhost', 'guarded:the-right-one', 'sslmode=require', 'owned'))
    expect(outcome).toContain('Make the user the owner of the database')
  })
})

describe('connections', () => {
  it('that the server ends are replaced, and those in use fail as a store that is not there', async () => {
    const { store, database } = await openTemporaryStore()
    const release = await database.holdWriteLock()
    const waiting = store.people.signIn(signInOf('alice')).catch((error: unknown) => error)
    const others =
      "pid <> pg_backend_pid() and application_name = 'mlflow-auth-gateway' and datname = current_database()"
    await expect
      .poll(
        async () =>
          (await database.query(`select pid from pg_stat_activity where wait_event_type = 'Lock'`)).length,
      )
      .toBe(1)
    await database.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${others}`)
    expect(await waiting).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    await release()
    expect(await store.people.signIn(signInOf('alice'))).toMatchObject({ username: 'alice' })
  })

  it('wait five seconds for another transaction, and no longer', async () => {
    const { store, database } = await openTemporaryStore()
    const release = await database.holdWriteLock()
    const since = performance.now()
    await expect(store.people.signIn(signInOf('alice'))).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    expect(performance.now() - since).toBeGreaterThan(4500)
    await release()
    expect(await store.people.signIn(signInOf('alice'))).toMatchObject({ username: 'alice' })
  })

  it('are no more than the pool has, however many ask', async () => {
    const { databaseUrl, query } = await temporaryDatabase()
    const store = await openStore({
      databaseUrl,
      now,
      postgres: { ...DEFAULT_POSTGRES_SETTINGS, poolSize: 3 },
    })
    onTestFinished(() => store.close())
    await Promise.all(Array.from({ length: 50 }, (_, index) => store.people.signIn(signInOf(`u${index}`))))
    const open = await query(
      "select 1 from pg_stat_activity where datname = current_database() and application_name = 'mlflow-auth-gateway'",
    )
    expect(open).toHaveLength(3)
  })

  it('let nobody hold up the others by stopping in the middle', async () => {
    const { databaseUrl } = await temporaryDatabase()
    const store = await openStore({
      databaseUrl,
      now,
      postgres: { ...DEFAULT_POSTGRES_SETTINGS, statementTimeout: 1 },
    })
    onTestFinished(() => store.close())
    const { id } = await store.roles.create({ name: 'r' })
    const stop = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500) === 'timed-out'
    const stopped = store.roles.change(id, stop, { kind: 'delete' })
    await expect(stopped).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect((await store.roles.list()).map(({ name }) => name)).toEqual(['r'])
  })
})
