import type { InsertObject } from 'kysely'
import type { Database } from '../../../src/store/database.ts'
import type { Schema } from '../../../src/store/schema.ts'

/** Parameters in one statement: fewer than the 32,766 that SQLite takes. */
const PARAMETERS = 4000

/** Rows in one transaction: few enough that nobody waits long for the write lock. */
const ROWS_PER_TRANSACTION = 20_000

/** Puts rows into a table as they are made, many at a time. @returns How many. */
export async function insertAll<T extends keyof Schema>(
  db: Database,
  table: T,
  rows: Iterable<InsertObject<Schema, T>>,
  onRows: (count: number) => void = () => undefined,
): Promise<number> {
  let [count, batch]: [number, InsertObject<Schema, T>[]] = [0, []]
  const flush = async () => {
    await insertBatch(db, table, batch)
    count += batch.length
    onRows(count)
    batch = []
  }
  for (const row of rows) {
    batch.push(row)
    if (batch.length === ROWS_PER_TRANSACTION) await flush()
  }
  if (batch.length > 0) await flush()
  return count
}

async function insertBatch<T extends keyof Schema>(
  db: Database,
  table: T,
  rows: readonly InsertObject<Schema, T>[],
): Promise<void> {
  const step = Math.floor(PARAMETERS / Object.keys(rows[0] ?? {}).length)
  await db.transaction().execute(async (trx) => {
    for (let start = 0; start < rows.length; start += step) {
      await trx
        .insertInto(table)
        .values(rows.slice(start, start + step))
        .execute()
    }
  })
}
