import { closeSync, constants, fchmodSync, openSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import SQLite from 'better-sqlite3'
import {
  CompiledQuery,
  type DatabaseConnection,
  type Driver,
  SqliteAdapter,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
  type TransactionSettings,
} from 'kysely'
import { GatewayError } from '../errors.ts'

/** How long a statement waits for another process to finish its transaction. */
const BUSY_TIMEOUT_MS = 5000

/**
 * Kysely's SQLite dialect with what several processes on one file need.
 *
 * A transaction that writes takes the write lock at its start: one that reads first and writes later would fail at once
 * with SQLITE_BUSY, whatever the timeout, if another process wrote in between.
 *
 * @throws {GatewayError} from every statement: `ERR_STORE_UNAVAILABLE` for trouble that is not a violated constraint.
 */
export class GatewaySqliteDialect extends SqliteDialect {
  readonly #config: SqliteDialectConfig

  constructor(path: string) {
    const config = { database: () => openFile(path) }
    super(config)
    this.#config = config
  }

  override createDriver(): Driver {
    return new GatewaySqliteDriver(this.#config)
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

  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection()
    if (!this.#wrapped.has(connection)) {
      this.#wrapped.add(connection)
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
}

function translateFaults(connection: DatabaseConnection): void {
  const execute = connection.executeQuery.bind(connection)
  connection.executeQuery = async (query, options) => {
    try {
      return await execute(query, options)
    } catch (error) {
      throw storeFault(error)
    }
  }
}

function storeFault(error: unknown): unknown {
  if (error instanceof SQLite.SqliteError && error.code.startsWith('SQLITE_CONSTRAINT')) return error
  return new GatewayError('ERR_STORE_UNAVAILABLE', 'The gateway cannot reach its store; try again shortly', {
    cause: error,
  })
}

async function openFile(path: string): Promise<SQLite.Database> {
  createPrivately(path)
  const database = new SQLite(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    await switchToWal(database)
    // FULL: a revocation that was answered with "done" is still there after a power cut.
    database.pragma('synchronous = FULL')
    database.pragma('foreign_keys = ON')
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

/** SQLite does not wait for its busy timeout while two processes switch the same new file to WAL, so this does. */
async function switchToWal(database: SQLite.Database): Promise<void> {
  for (let waitedMs = 0; ; waitedMs += 20) {
    try {
      database.pragma('journal_mode = WAL')
      return
    } catch (error) {
      const busy = error instanceof SQLite.SqliteError && error.code.startsWith('SQLITE_BUSY')
      if (!busy || waitedMs >= BUSY_TIMEOUT_MS) throw error
      await delay(20)
    }
  }
}
