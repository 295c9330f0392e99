import { closeSync, constants, fchmodSync, openSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import {
  type AbortableOperationOptions,
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  SqliteDriver,
  type TransactionSettings,
} from 'kysely'
import { LRUCache } from 'lru-cache'
import { type Checkpoints, createCheckpoints } from './checkpoints.ts'
import { inSteps, isRowsQuery } from './many-rows.ts'
import { assertStorable, ConstraintError, storeUnavailable } from './store-fault.ts'

/** How long a statement waits for another process to finish its transaction. */
const BUSY_TIMEOUT_MS = 5000

/** The longest pause between two tries. */
const BUSY_PAUSE_MS = 20

/** Prepared statements kept: more than the store has in all, less what differs only in the length of a list. */
const STATEMENTS_KEPT = 200

/** Of an insertion: with fewer, what each statement costs tells; with hundreds, what one costs for its length. */
const ROWS_PER_STATEMENT = 16

/** In the write-ahead log, at which whoever writes moves them into the database: so many only if no thread does. */
const MOST_PAGES = 16_000

export type Durability = 'power_cut' | 'crash'

type PreparingDatabase = Omit<SqliteDatabase, 'prepare'> & {
  readonly prepare: (sql: string) => SQLite.Statement<unknown[]>
  readonly isInTransaction: () => boolean
  /** How many pages of the write-ahead log are not in the database yet. */
  readonly pagesWaiting: () => number
}

/**
 * Kysely's SQLite dialect with what several processes on one file need.
 *
 * A transaction that writes takes the write lock at its start: one that reads first and writes later would fail at once
 * with SQLITE_BUSY, whatever the timeout, if another process wrote in between.
 *
 * @throws {GatewayError} from every statement: `ERR_STORE_UNAVAILABLE` for trouble that is not a violated constraint.
 */
export class GatewaySqliteDialect extends SqliteDialect {
  readonly #open: () => Promise<PreparingDatabase>
  readonly #checkpoints: Checkpoints

  /** @param durability `power_cut`: what was kept survives one; `crash`: only the end of this process. */
  constructor(path: string, durability: Durability = 'power_cut') {
    const open = async () => withPreparedStatements(await openFile(path, durability))
    super({ database: open })
    this.#open = open
    this.#checkpoints = createCheckpoints(path)
  }

  override createDriver(): Driver {
    return new GatewaySqliteDriver(this.#open, this.#checkpoints)
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalSqliteAdapter()
  }
}

/** SQLite does roll back DDL; with it the migrator works in one transaction, whose write lock is the migration lock. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class GatewaySqliteDriver extends SqliteDriver implements Driver {
  readonly #wrapped = new WeakSet<DatabaseConnection>()
  readonly #opened: () => PreparingDatabase | undefined
  readonly #checkpoints: Checkpoints

  constructor(open: () => Promise<PreparingDatabase>, checkpoints: Checkpoints) {
    let opened: PreparingDatabase | undefined
    const database = async () => {
      opened = await open()
      return opened
    }
    super({ database })
    this.#opened = () => opened
    this.#checkpoints = checkpoints
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection()
    if (!this.#wrapped.has(connection)) {
      this.#wrapped.add(connection)
      runManyRows(connection, this.#opened)
      translateFaults(connection)
    }
    return connection
  }

  override async beginTransaction(
    connection: DatabaseConnection,
    settings?: TransactionSettings,
  ): Promise<void> {
    const readOnly = settings?.accessMode === 'read only'
    await connection.executeQuery(CompiledQuery.raw(readOnly ? 'begin' : 'begin immediate'))
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await super.commitTransaction(connection)
    try {
      this.#checkpoints.consider(this.#opened()?.pagesWaiting() ?? 0)
    } catch {
      // It is committed: whoever is told otherwise would do it again. Trouble with the file meets the next who writes.
    }
  }

  /** The last connection to close removes the write-ahead log, and that is to be ours. */
  override async destroy(): Promise<void> {
    await this.#checkpoints.close()
    await super.destroy()
  }

  /** A full disk ends the transaction before we do: what is told is the full disk, not that there is nothing to end. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await super.rollbackTransaction(connection)
    } catch (error) {
      if (!hasEnded(error)) throw error
    }
  }
}

function hasEnded(error: unknown): boolean {
  return error instanceof Error && String(error.cause).includes('no transaction is active')
}

function runManyRows(connection: DatabaseConnection, opened: () => PreparingDatabase | undefined): void {
  const execute = connection.executeQuery.bind(connection)
  connection.executeQuery = async <R>(query: CompiledQuery, options?: AbortableOperationOptions) => {
    if (!isRowsQuery(query)) return execute<R>(query, options)
    const database = opened()
    // The rows before one that is refused have to go with it.
    if (database?.isInTransaction() !== true) throw new Error('many rows are for a transaction')
    for (const rows of inSteps(query.rows, ROWS_PER_STATEMENT)) {
      const values: unknown[] = []
      for (const row of rows) values.push(...row)
      database.prepare(query.statementFor(rows.length)).run(...values)
    }
    return { rows: [] }
  }
}

function translateFaults(connection: DatabaseConnection): void {
  const execute = connection.executeQuery.bind(connection)
  connection.executeQuery = async (query, options) => {
    assertStorable(query.parameters)
    if (isRowsQuery(query)) query.rows.forEach(assertStorable)
    try {
      return await retryWhileBusy(() => execute(query, options))
    } catch (error) {
      throw storeFault(error)
    }
  }
}

/**
 * SQLite's own busy timeout would hold up everything in this process while it waits, so the waiting is done here.
 *
 * Trying again is safe: a statement that found the database busy has done nothing, and within a transaction that writes
 * none does, since the lock was taken at its start.
 */
async function retryWhileBusy<T>(step: () => T | Promise<T>): Promise<T> {
  const deadline = performance.now() + BUSY_TIMEOUT_MS
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, BUSY_PAUSE_MS)) {
    try {
      return await step()
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error
      await delay(pauseMs)
    }
  }
}

/** SQLITE_BUSY_SNAPSHOT is not among them: the transaction it ends has to be done anew as a whole. */
function isBusy(error: unknown): boolean {
  return (
    error instanceof SQLite.SqliteError &&
    (error.code === 'SQLITE_BUSY' || error.code === 'SQLITE_BUSY_RECOVERY')
  )
}

function storeFault(error: unknown): unknown {
  if (!(error instanceof SQLite.SqliteError) || !error.code.startsWith('SQLITE_CONSTRAINT'))
    return storeUnavailable(error)
  const kind = (
    {
      SQLITE_CONSTRAINT_UNIQUE: 'unique',
      SQLITE_CONSTRAINT_PRIMARYKEY: 'unique',
      SQLITE_CONSTRAINT_FOREIGNKEY: 'foreign_key',
    } as const
  )[error.code]
  return new ConstraintError(kind ?? 'other', error.message)
}

async function openFile(path: string, durability: Durability): Promise<SQLite.Database> {
  createPrivately(path)
  const database = new SQLite(path, { timeout: 0 })
  try {
    await retryWhileBusy(() => database.pragma('journal_mode = WAL'))
    // FULL: a revocation that was answered with "done" is still there after a power cut.
    database.pragma(`synchronous = ${durability === 'power_cut' ? 'FULL' : 'NORMAL'}`)
    database.pragma('foreign_keys = ON')
    database.pragma(`wal_autocheckpoint = ${MOST_PAGES}`)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Creates the file with mode 0600 whatever the umask; SQLite gives `-wal` and `-shm` the mode of the file itself. */
function createPrivately(path: string): void {
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return
    throw error
  }
  fchmodSync(descriptor, 0o600)
  closeSync(descriptor)
}

/**
 * Prepares each statement once. Kysely would prepare it for every use, and what SQLite allocates for that is only freed
 * when the garbage collector comes by: hundreds of megabytes later, since it sees nothing but small objects.
 */
function withPreparedStatements(database: SQLite.Database): PreparingDatabase {
  const statements = new LRUCache<string, SQLite.Statement<unknown[]>>({ max: STATEMENTS_KEPT })
  const lookAtLog = database.prepare<[], { readonly log: number; readonly checkpointed: number }>(
    'pragma wal_checkpoint(NOOP)',
  )
  return {
    pagesWaiting: () => {
      const { log, checkpointed } = lookAtLog.get() ?? { log: 0, checkpointed: 0 }
      return log - checkpointed
    },
    close: () => database.close(),
    isInTransaction: () => database.inTransaction,
    prepare: (sql) => {
      const known = statements.get(sql)
      if (known !== undefined) return known
      const statement = database.prepare<unknown[]>(sql)
      statements.set(sql, statement)
      return statement
    },
  }
}
