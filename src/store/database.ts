import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { HandleEmptyInListsPlugin, Kysely, replaceWithNoncontingentExpression } from 'kysely'
import { Migrator } from 'kysely/migration'
import { type ColumnDialect, migrations } from './migrations/list.ts'
import type { Schema } from './schema.ts'
import { type Durability, GatewaySqliteDialect } from './sqlite-dialect.ts'

export type Database = Kysely<Schema>

export type DatabaseOptions = {
  /** `sqlite:` and a path, relative to the working directory or absolute. */
  readonly databaseUrl: string
  /** Called with each SQL statement run, without its parameters. */
  readonly onStatement?: ((sql: string) => void) | undefined
}

/**
 * Opens the database and brings it to the newest schema, under a lock: any number of processes may start at once.
 *
 * @throws {Error} If the URL is not understood, the file cannot be opened, or a migration fails (nothing of it is kept).
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const db = connect(options, 'power_cut')
  try {
    await migrate(db, 'sqlite')
  } catch (error) {
    await db.destroy()
    throw error
  }
  return db
}

/**
 * A second connection to a database that is open already, for what is written much and may be short of its last moments
 * after a power cut: it does not wait for the disk.
 */
export function openRelaxed(options: DatabaseOptions): Database {
  return connect(options, 'crash')
}

function connect({ databaseUrl, onStatement }: DatabaseOptions, durability: Durability): Database {
  return new Kysely<Schema>({
    dialect: new GatewaySqliteDialect(sqlitePath(databaseUrl), durability),
    // `in ()` is SQLite's own; with this nothing is in an empty list everywhere.
    plugins: [new HandleEmptyInListsPlugin({ strategy: replaceWithNoncontingentExpression })],
    ...(onStatement && { log: (event) => onStatement(event.query.sql) }),
  })
}

/**
 * The file a `sqlite:` URL names.
 *
 * `sqlite://` is refused: what is relative and what absolute after it differs from tool to tool.
 */
function sqlitePath(databaseUrl: string): string {
  const path = /^sqlite:(?!\/\/)(.+)$/.exec(databaseUrl)?.[1]
  if (path === undefined || path === ':memory:') {
    throw new Error('The database URL is not of the form sqlite:PATH, for example sqlite:./gateway.db')
  }
  const absolute = resolve(path)
  if (!existsSync(dirname(absolute))) {
    throw new Error(`The folder of the database does not exist: create ${dirname(absolute)}`)
  }
  return absolute
}

async function migrate(db: Database, dialect: ColumnDialect): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations(dialect) } })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined)
    throw new Error('The database could not be brought to the current schema', { cause: error })
}
