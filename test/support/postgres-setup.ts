import { openStore } from '../../src/store/store.ts'
import { SERVER_VARIABLE, TEMPLATE } from './database.ts'
import { type PostgresServer, run, startPostgres } from './postgres-server.ts'

let server: PostgresServer | undefined

/** Starts PostgreSQL once for a run of the tests; vitest calls both. */
export async function setup(): Promise<void> {
  server = await startPostgres()
  await run(server.url('postgres'), `create database ${TEMPLATE}`)
  const store = await openStore({ databaseUrl: server.url(TEMPLATE), now: () => 0 })
  await store.close()
  process.env[SERVER_VARIABLE] = server.url('postgres')
}

export async function teardown(): Promise<void> {
  await server?.stop()
}
