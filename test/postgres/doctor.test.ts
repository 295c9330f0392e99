/** What `doctor` finds of a real PostgreSQL. */
import { expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { runChecks } from '../../src/doctor/run.ts'
import { storeChecks } from '../../src/doctor/store.ts'
import { openStore } from '../../src/store/store.ts'
import { MINIMAL } from '../config/environment.ts'
import { temporaryDatabase } from '../store/temporary-store.ts'
import type { TestDatabase } from '../support/database.ts'

async function found(databaseUrl: string, offMs = 0): Promise<readonly string[]> {
  const env = { ...MINIMAL, DATABASE_URL: databaseUrl }
  const nowMs = () => Date.now() + offMs
  const checks = storeChecks({ config: readConfig(env), env, fetch, nowMs, ownAddresses: [], uid: 1000 })
  const lines: string[] = []
  for await (const { name, level, what } of runChecks(checks)) lines.push(`${name}: ${level}: ${what}`)
  return lines
}

async function made(): Promise<TestDatabase> {
  const database = await temporaryDatabase()
  await (await openStore({ databaseUrl: database.databaseUrl, now: () => 1_800_000_000 })).close()
  return database
}

it('that is in order', async () => {
  expect(await found((await made()).databaseUrl)).toEqual([
    'store: schema: ok: the PostgreSQL database answers and has the schema of this version',
    'store: secret: skipped: there is no signing key in the store yet: the gateway makes one at its first start',
    "store: clock: ok: the clock of the database agrees with this machine's",
  ])
})

it('whose clock is not ours', async () => {
  const [, , clock] = await found((await made()).databaseUrl, -90_000)
  expect(clock).toMatch(
    /^store: clock: fault: the clock of the database is (?:89|90|91) s ahead of this machine's$/,
  )
})

it('that is empty, and stays so', async () => {
  const database = await temporaryDatabase({ empty: true })
  const [schema] = await found(database.databaseUrl)
  expect(schema).toMatch(
    /^store: schema: warning: the store lacks \d+ steps of this version's schema: 0001-initial, /,
  )
  expect(await database.tables()).toEqual([])
})

it('that does not exist', async () => {
  const { databaseUrl } = await temporaryDatabase()
  const [schema] = await found(databaseUrl.replace(/\/[^/?]+(\?|$)/, '/no_such_database$1'))
  expect(schema).toBe(
    'store: schema: fault: The database of DATABASE_URL cannot be used: there is no such database. Create it: createdb --encoding=UTF8 NAME.',
  )
})
