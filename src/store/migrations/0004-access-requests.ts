import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Who asked for which right on what, and what became of it. */
export const accessRequests: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('access_requests')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('resource_type', 'text', (column) => column.notNull())
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('level', 'text', (column) => column.notNull())
      .addColumn('note', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('decided_at', 'bigint')
      .addColumn('decided_by', 'text')
      .execute()
    await db.schema
      .createIndex('access_requests_state')
      .on('access_requests')
      .columns(['state', 'created_at'])
      .execute()
    await db.schema
      .createIndex('access_requests_user_id')
      .on('access_requests')
      .columns(['user_id'])
      .execute()
  },
}
