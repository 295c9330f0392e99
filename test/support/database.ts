import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import pg from 'pg'
import { WRITE_LOCK } from '../../src/store/postgres-dialect.ts'
import { createDatabase, dropDatabase, run, withDatabase } from './postgres-server.ts'

/** True if the tests run on PostgreSQL (TEST_DATABASE=postgres), false on SQLite. */
export const ON_POSTGRES = process.env['TEST_DATABASE'] === 'postgres'

/** Set by `postgres-setup.ts` for the processes that run the tests. */
export const SERVER_VARIABLE = 'TEST_POSTGRES_URL'

/** What new databases begin as: the newest schema, and nothing in it. */
export const TEMPLATE = 'gateway_template'

export type Rows = readonly Readonly<Record<string, unknown>>[]

/** A database as the gateway uses it, with what tests do to it past the gateway. */
export type TestDatabase = {
  readonly databaseUrl: string
  /** Runs statements on a connection of their own. @returns The rows of the last; on SQLite of a single `select`. */
  readonly query: (sql: string) => Promise<Rows>
  /** Names of the gateway's own tables. */
  readonly tables: () => Promise<readonly string[]>
  /** From now on no row can be added to the table. */
  readonly refuseInserts: (table: string) => Promise<void>
  /** Keeps everybody else from writing. @returns What ends that. */
  readonly holdWriteLock: () => Promise<() => Promise<void>>
  readonly drop: () => Promise<void>
}

/**
 * A database of its own for one test: a file `gateway.db` that does not exist yet, or a PostgreSQL database.
 *
 * @param folder Where the file goes; it is left to the caller to remove.
 */
export async function createTestDatabase(folder: string, { empty = false } = {}): Promise<TestDatabase> {
  if (!ON_POSTGRES) return sqliteDatabase(join(folder, 'gateway.db'))
  return postgresDatabase(serverUrl(), empty ? 'template1' : TEMPLATE)
}

/** The server of this run, with its own database `postgres`. */
export function serverUrl(): string {
  const url = process.env[SERVER_VARIABLE]
  if (url === undefined) throw new Error('TEST_DATABASE=postgres is for vitest, which starts the server')
  return withDatabase(url, 'postgres')
}

/** A SQLite file, wherever the other tests keep their data. */
export function sqliteDatabase(path: string): TestDatabase {
  const query = async (sql: string): Promise<Rows> => {
    const database = new SQLite(path)
    try {
      if (/^\s*(?:select|pragma)\b/i.test(sql)) {
        return database.prepare<[], Readonly<Record<string, unknown>>>(sql).all()
      }
      database.exec(sql)
      return []
    } finally {
      database.close()
    }
  }
  return {
    databaseUrl: `sqlite:${path}`,
    query,
    tables: async () => {
      const rows = await query("select name from sqlite_master where type = 'table'")
      return rows.map(({ name }) => String(name)).filter((name) => !/^(?:sqlite|kysely)_/.test(name))
    },
    refuseInserts: async (table) => {
      await query(
        `create trigger refuse before insert on ${table} begin select raise(fail, 'disk full'); end`,
      )
    },
    holdWriteLock: async () => {
      const database = new SQLite(path)
      database.exec('begin immediate')
      return async () => void database.close()
    },
    drop: async () => undefined,
  }
}

/** Emptied databases of this process: to make one takes many times longer. */
const emptied: string[] = []

/** A database of its own on a server. @param template What it begins as. */
export async function postgresDatabase(server: string, template = TEMPLATE): Promise<TestDatabase> {
  const reused = template === TEMPLATE && server === process.env[SERVER_VARIABLE] ? emptied.pop() : undefined
  const databaseUrl = reused ?? (await createDatabase(server, template))
  let isAsMade = template === TEMPLATE
  const query = (sql: string) => {
    if (/\b(?:alter|create|drop)\b/i.test(sql)) isAsMade = false
    return run(databaseUrl, sql)
  }
  return {
    databaseUrl,
    query,
    tables: async () => {
      const rows = await query("select tablename as name from pg_tables where schemaname = 'public'")
      return rows.map(({ name }) => String(name)).filter((name) => !name.startsWith('kysely_'))
    },
    refuseInserts: async (table) => {
      await query(`
        create function refuse() returns trigger language plpgsql as
        $$ begin raise exception 'disk full' using errcode = '53100'; end $$;
        create trigger refuse before insert on ${table} for each row execute function refuse()`)
    },
    holdWriteLock: async () => {
      const client = new pg.Client({ connectionString: databaseUrl })
      await client.connect()
      await client.query(`select pg_advisory_lock(${WRITE_LOCK})`)
      return () => client.end()
    },
    drop: async () => {
      const isEmpty = isAsMade && (await empty(databaseUrl).catch(() => false))
      if (isEmpty) emptied.push(databaseUrl)
      else await dropDatabase(server, databaseUrl)
    },
  }
}

/** @returns False if somebody still uses it. */
async function empty(databaseUrl: string): Promise<boolean> {
  await run(
    databaseUrl,
    `set lock_timeout = '1s'; do $$ begin
      execute (select 'truncate ' || string_agg(quote_ident(tablename), ',') || ' restart identity cascade'
        from pg_tables where schemaname = 'public' and tablename not like 'kysely%');
    end $$`,
  )
  return true
}
