import { createHash, type Hash } from 'node:crypto'
import { type Kysely, sql, type Transaction } from 'kysely'
import type { Schema } from './schema.ts'
import { COUNTED, TABLES, type TableName } from './tables.ts'

export type Value = string | number | null

/** Rows of one table with the same columns, in the order of the table's key. */
export type RowBatch = {
  readonly table: TableName
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Value[])[]
}

/** What tells whether two tables hold the same. */
export type TableDigest = { readonly rows: number; readonly digest: string }

export type StoreDigest = ReadonlyMap<TableName, TableDigest>

/** Called with each table that is done. */
export type Progress = (table: TableName, rows: number) => void

/** Rows in one batch: at most a dozen parameters each, of the 32,766 that SQLite takes. */
const ROWS_PER_BATCH = 1000

const TABLE_NAMES = Object.keys(TABLES) as TableName[]

/** Every row there is, table by table. Within one transaction it is the state of one moment. */
export async function* readRows(
  db: Kysely<Schema>,
  tables: readonly TableName[] = TABLE_NAMES,
): AsyncGenerator<RowBatch> {
  for (const table of tables) yield* readTable(db, table)
}

/** By the key rather than in one go: the record of months need not fit into memory. */
async function* readTable(db: Kysely<Schema>, table: TableName): AsyncGenerator<RowBatch> {
  const key: readonly string[] = TABLES[table]
  const keyRefs = sql.join(key.map((column) => sql.ref(column)))
  let after = sql`1 = 1`
  for (;;) {
    const { rows } = await sql<Record<string, Value>>`
      select * from ${sql.table(table)} where ${after} order by ${keyRefs} limit ${sql.lit(ROWS_PER_BATCH)}`.execute(
      db,
    )
    const [first, last] = [rows[0], rows.at(-1)]
    if (first === undefined || last === undefined) return
    // Not as the table has them: a column that a later version added is last in one database and not in another.
    const columns = Object.keys(first).sort()
    yield { table, columns, rows: rows.map((row) => columns.map((column) => row[column] ?? null)) }
    if (rows.length < ROWS_PER_BATCH) return
    after = sql`(${keyRefs}) > (${sql.join(key.map((column) => last[column]))})`
  }
}

/** Number of rows and SHA-256 of each table, the same on either database for the same rows. */
export async function digestRows(
  batches: AsyncIterable<RowBatch>,
  onTable: Progress = () => undefined,
): Promise<StoreDigest> {
  const sums = new Map<TableName, { rows: number; readonly hash: Hash }>(
    TABLE_NAMES.map((table) => [table, { rows: 0, hash: createHash('sha256') }]),
  )
  for await (const { table, columns, rows } of batches) {
    const sum = sums.get(table)
    if (sum === undefined) continue
    if (sum.rows === 0) sum.hash.update(`${JSON.stringify(columns)}\n`)
    for (const row of rows) sum.hash.update(`${JSON.stringify(row)}\n`)
    sum.rows += rows.length
  }
  return new Map(
    [...sums].map(([table, { rows, hash }]) => {
      onTable(table, rows)
      return [table, { rows, digest: hash.digest('hex') }]
    }),
  )
}

/**
 * Puts the rows into a store that has none, and makes sure that they are there as they were.
 *
 * @param expected What the tables have to come to.
 * @throws {Error} If the store has rows already, or holds something else afterwards: then the transaction must not be kept.
 */
export async function loadRows(
  trx: Transaction<Schema>,
  batches: AsyncIterable<RowBatch>,
  expected: StoreDigest,
  onTable: Progress,
): Promise<void> {
  const tables = [...expected.keys()]
  const filled = await firstFilled(trx, tables)
  if (filled !== undefined) {
    throw new Error(
      `The target is not empty: there are rows in ${filled}. Name a database that nothing was kept in yet`,
    )
  }
  for await (const batch of batches) await insert(trx, batch)
  const loaded = await digestRows(readRows(trx, tables), onTable)
  for (const [table, { rows, digest }] of expected) {
    const found = loaded.get(table)
    if (found?.digest === digest && found.rows === rows) continue
    throw new Error(
      `The table ${table} was not carried over whole: ${found?.rows ?? 0} of ${rows} rows, or others. Nothing was kept`,
    )
  }
}

async function firstFilled(
  trx: Transaction<Schema>,
  tables: readonly TableName[],
): Promise<TableName | undefined> {
  for (const table of tables) {
    const { rows } = await sql`select 1 from ${sql.table(table)} limit 1`.execute(trx)
    if (rows.length > 0) return table
  }
  return undefined
}

async function insert(trx: Transaction<Schema>, { table, columns, rows }: RowBatch): Promise<void> {
  const names = sql.join(columns.map((column) => sql.ref(column)))
  const values = sql.join(rows.map((row) => sql`(${sql.join(row)})`))
  await sql`insert into ${sql.table(table)} (${names}) values ${values}`.execute(trx)
}

/** Has what counts up go on after the rows that were carried over; SQLite does so by itself. */
export async function continueCounting(trx: Transaction<Schema>): Promise<void> {
  for (const [table, column] of Object.entries(COUNTED)) {
    const last = sql`(select max(${sql.ref(column)}) from ${sql.table(table)})`
    await sql`
      select setval(pg_get_serial_sequence(${table}, ${column}), coalesce(${last}, 1), ${last} is not null)`.execute(
      trx,
    )
  }
}
