import { existsSync } from 'node:fs'
import SQLite from 'better-sqlite3'
import pg from 'pg'
import type { DatabaseOptions } from './database.ts'
import { type PostgresAddress, parseDatabaseUrl } from './database-url.ts'
import { migrations } from './migrations/list.ts'
import { connectionConfig } from './postgres-pool.ts'
import { DEFAULT_POSTGRES_SETTINGS, type PostgresSettings } from './postgres-settings.ts'
import { explained } from './postgres-start.ts'

/** A signing key as it is kept: sealed under GATEWAY_SECRET, for its `kid`. */
export type SealedKey = { readonly kid: string; readonly privateSealed: string }

/** What a store looks like from outside; nothing in it is changed, and none is made. */
export type StoreState = {
  /** Steps of this version's schema that the store has not had. */
  readonly missing: readonly string[]
  /** Steps it has had that this version does not know. */
  readonly unknown: readonly string[]
  readonly keys: readonly SealedKey[]
  /** PostgreSQL: milliseconds since the epoch, by its clock, and by ours at that moment. */
  readonly clock: { readonly itsMs: number; readonly oursMs: number } | undefined
  /** PostgreSQL: it takes no changes. */
  readonly isStandby: boolean
}

/** Milliseconds for a statement. */
const STATEMENT_MS = 3000

/** Runs a statement and gives its rows. */
type Ask = (sql: string) => Promise<readonly Readonly<Record<string, unknown>>[]>

/**
 * Looks at a store by reading alone.
 *
 * @returns Undefined if there is no such SQLite file.
 * @throws {DatabaseStartError} As `checkPostgres`; {@link Error} if the file is no database.
 */
export async function inspectStore(
  { databaseUrl, postgres = DEFAULT_POSTGRES_SETTINGS }: Pick<DatabaseOptions, 'databaseUrl' | 'postgres'>,
  nowMs: () => number,
): Promise<StoreState | undefined> {
  const address = parseDatabaseUrl(databaseUrl)
  if (address.kind === 'postgres') return inspectPostgres(address, postgres, nowMs)
  return existsSync(address.path) ? inspectSqlite(address.path) : undefined
}

async function inspectSqlite(path: string): Promise<StoreState> {
  const database = new SQLite(path, { readonly: true, fileMustExist: true, timeout: STATEMENT_MS })
  try {
    const ask: Ask = async (sql) => database.prepare<[], Readonly<Record<string, unknown>>>(sql).all()
    const tables = await ask("select name from sqlite_master where type = 'table'")
    return { ...(await readSchema(ask, tables, 'sqlite')), clock: undefined, isStandby: false }
  } finally {
    database.close()
  }
}

async function inspectPostgres(
  address: PostgresAddress,
  settings: PostgresSettings,
  nowMs: () => number,
): Promise<StoreState> {
  const limits = { statement_timeout: STATEMENT_MS, query_timeout: STATEMENT_MS }
  const connectTimeout = Math.min(settings.connectTimeout, STATEMENT_MS / 1000)
  const client = new pg.Client({ ...connectionConfig(address, { ...settings, connectTimeout }), ...limits })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const ask: Ask = async (sql) => (await client.query<Record<string, unknown>>(sql)).rows
    const sent = nowMs()
    const [now] = await ask(
      'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms, pg_is_in_recovery() as standby',
    )
    const oursMs = (sent + nowMs()) / 2
    const tables = await ask('select tablename as name from pg_tables where schemaname = current_schema()')
    const schema = await readSchema(ask, tables, 'postgres')
    return { ...schema, clock: { itsMs: Number(now?.['ms']), oursMs }, isStandby: now?.['standby'] === true }
  } catch (error) {
    throw explained(error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function readSchema(
  ask: Ask,
  tables: readonly Readonly<Record<string, unknown>>[],
  kind: 'sqlite' | 'postgres',
): Promise<Pick<StoreState, 'missing' | 'unknown' | 'keys'>> {
  const has = (table: string) => tables.some(({ name }) => name === table)
  const ours = Object.keys(migrations(kind))
  const done = has('kysely_migration')
    ? (await ask('select name from kysely_migration order by name')).map(({ name }) => String(name))
    : []
  const keys = has('signing_keys') ? await ask('select kid, private_sealed from signing_keys') : []
  return {
    missing: ours.filter((name) => !done.includes(name)),
    unknown: done.filter((name) => !ours.includes(name)),
    keys: keys.map(({ kid, private_sealed: sealed }) => ({
      kid: String(kid),
      privateSealed: String(sealed),
    })),
  }
}
