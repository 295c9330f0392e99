import {
  CompiledQuery,
  type DatabaseConnection,
  type DataTypeNode,
  type Driver,
  PostgresDialect,
  PostgresDriver,
  type PostgresPool,
  PostgresQueryCompiler,
  type TransactionSettings,
} from 'kysely'

/** Numbers of the advisory locks that transactions that write hold; of this database's, and of no other program's. */
export const WRITE_LOCK = 7_164_533_027_801
const RECORD_LOCK = 7_164_533_027_802

const BEGIN_READING = 'start transaction isolation level repeatable read, read only'

/** What is written: what rules decide by, or records of what they decided, which nobody who waits for the first waits for. */
export type Writing = 'state' | 'records'

/**
 * Kysely's PostgreSQL dialect, made to keep what the store's rules rely on and SQLite gives by itself (decision 0011):
 *
 * - A transaction that writes is the only one of its kind, over all replicas: what it has read stays so until it commits,
 *   and what counts up becomes visible in its order.
 * - One that reads sees a single state of the database throughout.
 * - Text compares and sorts by its bytes, whatever the database's own collation.
 */
export class GatewayPostgresDialect extends PostgresDialect {
  readonly #pool: PostgresPool
  readonly #writing: Writing

  constructor(pool: PostgresPool, writing: Writing) {
    super({ pool })
    this.#pool = pool
    this.#writing = writing
  }

  override createDriver(): Driver {
    return new GatewayPostgresDriver(this.#pool, this.#writing)
  }

  override createQueryCompiler(): PostgresQueryCompiler {
    return new BytewiseQueryCompiler()
  }
}

class GatewayPostgresDriver extends PostgresDriver {
  readonly #beginWriting: string

  constructor(pool: PostgresPool, writing: Writing) {
    super({ pool })
    const lock = writing === 'state' ? WRITE_LOCK : RECORD_LOCK
    this.#beginWriting = `begin; select pg_advisory_xact_lock(${lock})`
  }

  override async beginTransaction(
    connection: DatabaseConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    const begin = settings.accessMode === 'read only' ? BEGIN_READING : this.#beginWriting
    try {
      await connection.executeQuery(CompiledQuery.raw(begin))
    } catch (error) {
      // The lock may be what failed, with the transaction open; if this fails too, the connection is not used again.
      await connection.executeQuery(CompiledQuery.raw('rollback')).catch(() => undefined)
      throw error
    }
  }
}

class BytewiseQueryCompiler extends PostgresQueryCompiler {
  protected override visitDataType(node: DataTypeNode): void {
    super.visitDataType(node)
    if (node.dataType === 'text') this.append(' collate "C"')
  }
}
