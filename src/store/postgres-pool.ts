import type { ConnectionOptions } from 'node:tls'
import type { PostgresPool, PostgresPoolClient } from 'kysely'
import pg from 'pg'
import type { PostgresAddress } from './database-url.ts'
import type { PostgresSettings } from './postgres-settings.ts'
import { assertStorable, ConstraintError, storeUnavailable } from './store-fault.ts'

/** How long a statement waits for another transaction, ms: as on SQLite. */
const LOCK_TIMEOUT_MS = 5000

/** A connection is replaced after this many seconds, so that none outlives a move of the database for long. */
const LIFETIME = 600

/** Kept when a connection is quiet, ms: how soon one whose other end is gone without a word is noticed. */
const KEEP_ALIVE_MS = 10_000

/** Oid of `bigint`: seconds and counters, all far below 2^53. */
const INT8 = 20

export type PoolPurpose = {
  readonly size: number
  /** False: commits do not wait for the disk. */
  readonly durable: boolean
  /** False for what may take its time, such as a migration. */
  readonly limited: boolean
}

/** What a single connection needs, for `pg.Client` and `pg.Pool` alike. */
export function connectionConfig(address: PostgresAddress, settings: PostgresSettings): pg.ClientConfig {
  const { host, port, database, user, password } = address
  return {
    ...{ host, port, database, user, password },
    ssl: tlsOptions(address, settings),
    application_name: 'mlflow-auth-gateway',
    connectionTimeoutMillis: settings.connectTimeout * 1000,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: {
      getTypeParser: ((oid: number, format?: 'text') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
    },
  }
}

/** Connections for Kysely, whose statements fail with the store's own errors only. */
export function createPool(
  address: PostgresAddress,
  settings: PostgresSettings,
  { size, durable, limited }: PoolPurpose,
): PostgresPool {
  const statementMs = settings.statementTimeout * 1000
  const limits = limited
    ? {
        statement_timeout: statementMs,
        lock_timeout: LOCK_TIMEOUT_MS,
        // A replica that stops in the middle of a transaction must not hold up the others for longer.
        idle_in_transaction_session_timeout: statementMs,
        // For a server that has gone silent and ends nothing itself.
        query_timeout: statementMs + 1000,
      }
    : {}
  const pool = new pg.Pool({
    ...connectionConfig(address, settings),
    ...limits,
    max: size,
    maxLifetimeSeconds: LIFETIME,
    ...(durable ? {} : { options: '-c synchronous_commit=off' }),
  })
  // Without listeners a connection that breaks ends the process; the pool itself replaces it.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return {
    options: {},
    connect: async () => {
      try {
        return guarded(await pool.connect())
      } catch (error) {
        throw storeUnavailable(error)
      }
    },
    end: () => pool.end(),
  }
}

/** Says what went wrong in the store's own words, and gives a connection back to the pool only while it is of use. */
function guarded(client: pg.PoolClient): PostgresPoolClient {
  let broken: unknown
  const query = async (sql: string, parameters: readonly unknown[]) => {
    if (broken !== undefined) throw storeUnavailable(broken)
    assertStorable(parameters)
    try {
      return await client.query(sql, [...parameters])
    } catch (error) {
      if (!leavesConnectionUsable(error)) broken = error
      throw storeFault(error)
    }
  }
  return {
    // Kysely declares a second form, for cursors, that is used by its streams only: nothing here is read as one.
    query: query as unknown as PostgresPoolClient['query'],
    release: (destroy = false) => client.release(destroy || broken !== undefined),
  }
}

/** Not after the connection was lost or ended, nor while it is to a server that has become a standby (25006). */
function leavesConnectionUsable(error: unknown): boolean {
  return error instanceof pg.DatabaseError && !/^(?:57P|08|25P03|25006)/.test(error.code ?? '08')
}

function storeFault(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError) || !error.code?.startsWith('23')) return storeUnavailable(error)
  // Not as `cause`: its details hold the values of the row.
  const kind = ({ 23505: 'unique', 23503: 'foreign_key' } as const)[error.code]
  return new ConstraintError(kind ?? 'other', error.constraint ?? error.table ?? 'unnamed')
}

function tlsOptions({ sslMode }: PostgresAddress, { ca }: PostgresSettings): ConnectionOptions | false {
  const trusted = ca === undefined ? {} : { ca }
  switch (sslMode) {
    case 'disable':
      return false
    case 'require':
      return { rejectUnauthorized: false }
    case 'verify-ca':
      return { ...trusted, checkServerIdentity: () => undefined }
    case 'verify-full':
      return trusted
  }
}
