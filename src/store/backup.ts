import { existsSync } from 'node:fs'
import { type Database, type DatabaseOptions, migrate, schemaOf, withDatabase } from './database.ts'
import { type DatabaseAddress, parseDatabaseUrl } from './database-url.ts'
import { openDump, writeDump } from './dump-file.ts'
import {
  continueCounting,
  digestRows,
  loadRows,
  type Progress,
  type RowBatch,
  readRows,
  type StoreDigest,
} from './transfer.ts'

/** Brings the store to the newest schema. @returns Its last step before, if it had any, and now. */
export function migrateStore(
  options: DatabaseOptions,
): Promise<{ readonly before: string | undefined; readonly now: string }> {
  return withDatabase(options, async (db, kind) => {
    const { current: before, newest: now } = await schemaOf(db, kind)
    await migrate(db, kind)
    return { before, now }
  })
}

/**
 * Writes everything in the store, as it is at one moment, into a new file; gateways may go on meanwhile.
 *
 * @param madeAt Seconds since the epoch.
 * @throws {Error} As `writeDump`; if there is no such store, or it is not at this version's schema.
 */
export function backUpStore(
  source: DatabaseOptions,
  path: string,
  { madeAt, onTable }: { readonly madeAt: number; readonly onTable: Progress },
): Promise<StoreDigest> {
  return readingStore(source, async ({ db, schema }) => {
    const tables = await digestRows(readRows(db), onTable)
    await writeDump(path, { schema, madeAt, tables }, readRows(db))
    return tables
  })
}

/**
 * Puts a backup into a store that nothing was kept in yet, all of it or nothing, and brings it to the newest schema.
 *
 * @throws {Error} As `openDump` and `loadRows`.
 */
export async function restoreStore(
  path: string,
  target: DatabaseOptions,
  onTable: Progress,
): Promise<StoreDigest> {
  const { header, batches, close } = await openDump(path)
  try {
    await fillStore(target, { ...header, batches, onTable })
    return header.tables
  } finally {
    await close()
  }
}

/**
 * Carries a store over to another that nothing was kept in yet, all of it or nothing, as it is at one moment.
 *
 * @throws {Error} As `backUpStore` and `loadRows`.
 */
export function copyStore(
  source: DatabaseOptions,
  target: DatabaseOptions,
  onTable: Progress,
): Promise<StoreDigest> {
  return readingStore(source, async ({ db, schema }) => {
    const tables = await digestRows(readRows(db))
    await fillStore(target, { schema, tables, batches: readRows(db), onTable })
    return tables
  })
}

type Reading = { readonly db: Database; readonly schema: string }

/** Runs `use` in one transaction that reads: what others write meanwhile is not in it. */
function readingStore<T>(source: DatabaseOptions, use: (reading: Reading) => Promise<T>): Promise<T> {
  const address = parseDatabaseUrl(source.databaseUrl)
  if (address.kind === 'sqlite' && !existsSync(address.path)) {
    throw new Error(`There is no database at ${address.path}: check the path`)
  }
  return withDatabase(source, async (db, kind) => {
    const schema = await currentSchema(db, kind)
    const reading = db.transaction().setAccessMode('read only')
    return reading.execute((trx) => use({ db: trx, schema }))
  })
}

async function currentSchema(db: Database, kind: DatabaseAddress['kind']): Promise<string> {
  const { current, newest } = await schemaOf(db, kind)
  if (current === newest) return newest
  throw new Error(
    `The store is at schema ${current ?? 'none'} and this version reads ${newest}: use the version it belongs to, or run store migrate first`,
  )
}

type Filling = {
  readonly schema: string
  readonly tables: StoreDigest
  readonly batches: AsyncIterable<RowBatch>
  readonly onTable: Progress
}

function fillStore(target: DatabaseOptions, { schema, tables, batches, onTable }: Filling): Promise<void> {
  return withDatabase(target, async (db, kind) => {
    const { current, newest } = await schemaOf(db, kind)
    if (schema > newest) throw new Error(`This is of a newer gateway (${schema}): restore it with that one`)
    if (current !== undefined && current > schema) {
      throw new Error(
        `The target is at schema ${current}, later than ${schema}: name a database without tables`,
      )
    }
    // As it was when the rows were written; then as this version wants it.
    await migrate(db, kind, schema)
    await db.transaction().execute(async (trx) => {
      await loadRows(trx, batches, tables, onTable)
      if (kind === 'postgres') await continueCounting(trx)
    })
    await migrate(db, kind)
  })
}
