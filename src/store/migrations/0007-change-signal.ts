import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnDialect } from './list.ts'

/** What PostgreSQL announces changes on; names are of one database each. */
export const CHANGES_CHANNEL = 'mlflow_auth_gateway_changes'

/** Whoever writes to `changes` is heard by all who listen, at the commit. SQLite has no such thing: it is read often. */
export function changeSignal(dialect: ColumnDialect): Migration {
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      if (dialect === 'sqlite') return
      await sql`
        create function announce_changes() returns trigger language plpgsql as
        ${sql.lit(`begin perform pg_notify('${CHANGES_CHANNEL}', ''); return null; end`)}`.execute(db)
      await sql`
        create trigger announce_changes after insert on changes
        for each statement execute function announce_changes()`.execute(db)
    },
  }
}
