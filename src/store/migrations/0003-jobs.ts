import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Who started which job of MLflow's. What a person who was removed has started is nobody's from then on. */
export const jobs: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('jobs')
      .addColumn('job_id', 'text', (column) => column.primaryKey())
      .addColumn('user_id', 'text', (column) => column.notNull().references('users.id').onDelete('cascade'))
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('jobs_user_id').on('jobs').columns(['user_id']).execute()
    await db.schema.createIndex('jobs_created_at').on('jobs').columns(['created_at']).execute()
  },
}
