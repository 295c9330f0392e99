import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openStore, type Store, type StoreOptions } from '../../src/store/store.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

export { OIDC, signInOf } from './provider.ts'

export type TemporaryStore = {
  readonly store: Store
  readonly database: TestDatabase
  readonly databaseUrl: string
  /** Seconds since the epoch; the store reads it at each call. */
  readonly clock: { now: number }
  /** Every statement run so far, the store's own migrations left out. */
  readonly statements: string[]
}

/** A store on a database of its own, both gone when the test ends. */
export async function openTemporaryStore(redis?: StoreOptions['redis']): Promise<TemporaryStore> {
  const database = await temporaryDatabase()
  const { databaseUrl } = database
  const clock = { now: 1_800_000_000 }
  const statements: string[] = []
  const store = await openStore({
    databaseUrl,
    now: () => clock.now,
    redis,
    onStatement: (sql) => statements.push(sql),
  })
  onTestFinished(() => store.close())
  statements.length = 0
  return { store, database, databaseUrl, clock, statements }
}

/** A database that is gone when the test ends. @param empty Without the schema that others begin with. */
export async function temporaryDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const database = await createTestDatabase(temporaryFolder(), { empty })
  onTestFinished(database.drop)
  return database
}

/** A folder that is gone when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gateway-store-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
