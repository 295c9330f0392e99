import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Dialect, HandleEmptyInListsPlugin, Kysely, replaceWithNoncontingentExpression } from 'kysely'
import { Migrator } from 'kysely/migration'
import { type ChangeSignal, NO_SIGNAL } from './change-signal.ts'
import { type DatabaseAddress, type PostgresAddress, parseDatabaseUrl } from './database-url.ts'
import { migrations } from './migrations/list.ts'
import type { PoolPurpose } from './postgres.ts'
import { DEFAULT_POSTGRES_SETTINGS, type PostgresSettings } from './postgres-settings.ts'
import { explained } from './postgres-start.ts'
import type { Schema } from './schema.ts'
import { GatewaySqliteDialect } from './sqlite-dialect.ts'
import { explainedSqlite } from './sqlite-start.ts'

export type Database = Kysely<Schema>

export type DatabaseOptions = {
  /** See {@link parseDatabaseUrl}; a path is relative to the working directory or absolute. */
  readonly databaseUrl: string
  readonly postgres?: PostgresSettings | undefined
  /** Called with each SQL statement run, without its parameters. */
  readonly onStatement?: ((sql: string) => void) | undefined
}

/**
 * What a connection is for. `requests`: what was answered with "done" is still there after a power cut, and a transaction
 * that writes is alone. `records`: much is written that no decision reads and that may be short of its last moments, so it
 * waits neither for the disk nor for those. `migration`: may take its time.
 */
type Purpose = 'requests' | 'records' | 'migration'

/** Connections for what is recorded: batches come one after the other. */
const RECORDING_CONNECTIONS = 2

/**
 * Opens the database and brings it to the newest schema, under a lock: any number of processes may start at once.
 *
 * @throws {DatabaseUrlError} If the URL is not understood.
 * @throws {Error} If the database cannot be opened, or a migration fails (nothing of it is kept).
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const address = parseDatabaseUrl(options.databaseUrl)
  if (address.kind === 'postgres') await check(address, options)
  const migrating = await connect(options, address.kind === 'sqlite' ? 'requests' : 'migration')
  try {
    await migrate(migrating, address.kind)
  } catch (error) {
    await migrating.destroy()
    throw address.kind === 'postgres' ? explained(error) : explainedSqlite(error)
  }
  // SQLite's file stays open, or its journal would be written out and made anew.
  if (address.kind === 'sqlite') return migrating
  await migrating.destroy()
  return connect(options, 'requests')
}

/** Another way to a database that is open already, for what is recorded rather than decided on. */
export function openForRecords(options: DatabaseOptions): Promise<Database> {
  return connect(options, 'records')
}

/** What tells of changes that others make, where the database can; its parameter is as for `listenForChanges`. */
export async function openChangeSignal(
  options: DatabaseOptions,
): Promise<(onSignal: () => void) => ChangeSignal> {
  const address = parseDatabaseUrl(options.databaseUrl)
  if (address.kind === 'sqlite') return () => NO_SIGNAL
  const { connectionConfig, listenForChanges } = await loadPostgres()
  return (onSignal) => listenForChanges(connectionConfig(address, settingsOf(options)), onSignal)
}

function loadPostgres() {
  return import('./postgres.ts')
}

async function check(address: PostgresAddress, options: DatabaseOptions): Promise<void> {
  const { checkPostgres } = await loadPostgres()
  await checkPostgres(address, settingsOf(options))
}

async function connect(options: DatabaseOptions, purpose: Purpose): Promise<Database> {
  const { databaseUrl, onStatement } = options
  return new Kysely<Schema>({
    dialect: await dialectFor(parseDatabaseUrl(databaseUrl), settingsOf(options), purpose),
    // `in ()` is SQLite's own; with this nothing is in an empty list everywhere.
    plugins: [new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })],
    ...(onStatement && { log: (event) => onStatement(event.query.sql) }),
  })
}

function settingsOf({ postgres = DEFAULT_POSTGRES_SETTINGS }: DatabaseOptions): PostgresSettings {
  return postgres
}

async function dialectFor(
  address: DatabaseAddress,
  settings: PostgresSettings,
  purpose: Purpose,
): Promise<Dialect> {
  if (address.kind === 'sqlite') {
    return new GatewaySqliteDialect(existingPath(address.path), purpose === 'records' ? 'crash' : 'power_cut')
  }
  const { createPool, GatewayPostgresDialect } = await loadPostgres()
  const pool = createPool(address, settings, poolFor(purpose, settings))
  return new GatewayPostgresDialect(pool, purpose === 'records' ? 'records' : 'state')
}

function poolFor(purpose: Purpose, { poolSize }: PostgresSettings): PoolPurpose {
  switch (purpose) {
    case 'requests':
      return { size: poolSize, durable: true, limited: true }
    case 'records':
      return { size: RECORDING_CONNECTIONS, durable: false, limited: true }
    case 'migration':
      return { size: 1, durable: true, limited: false }
  }
}

function existingPath(path: string): string {
  const absolute = resolve(path)
  if (!existsSync(dirname(absolute))) {
    throw new Error(`The folder of the database does not exist: create ${dirname(absolute)}`)
  }
  return absolute
}

/**
 * Brings the database to the newest schema, or just to the step named, under a lock.
 *
 * @throws {Error} If a step fails; nothing of it is kept.
 */
export async function migrate(db: Database, kind: DatabaseAddress['kind'], step?: string): Promise<void> {
  const migrator = createMigrator(db, kind)
  const { error } = await (step === undefined ? migrator.migrateToLatest() : migrator.migrateTo(step))
  if (error === undefined) return
  throw new Error('The database could not be brought to the current schema', { cause: error })
}

/** The last step of the schema that the database has had, if any, and the last there is. */
export async function schemaOf(
  db: Database,
  kind: DatabaseAddress['kind'],
): Promise<{ readonly current: string | undefined; readonly newest: string }> {
  const steps = await createMigrator(db, kind).getMigrations()
  const current = steps.findLast(({ executedAt }) => executedAt !== undefined)?.name
  return { current, newest: steps.at(-1)?.name ?? '' }
}

function createMigrator(db: Database, kind: DatabaseAddress['kind']): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => migrations(kind) } })
}

/**
 * Runs `use` on a connection that may take its time, with the schema as it is.
 *
 * @throws {DatabaseUrlError} If the URL is not understood.
 * @throws {Error} If the database cannot be opened.
 */
export async function withDatabase<T>(
  options: DatabaseOptions,
  use: (db: Database, kind: DatabaseAddress['kind']) => Promise<T>,
): Promise<T> {
  const address = parseDatabaseUrl(options.databaseUrl)
  if (address.kind === 'postgres') await check(address, options)
  const db = await connect(options, address.kind === 'sqlite' ? 'requests' : 'migration')
  try {
    return await use(db, address.kind)
  } finally {
    await db.destroy()
  }
}
