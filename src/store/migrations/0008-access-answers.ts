import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/** What a request for access is about once looked up, and what whoever answered it said. */
export const accessAnswers: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const column of ['about_type', 'about_key'])
      await db.schema.alterTable('access_requests').addColumn(column, 'text').execute()
    await db.schema
      .alterTable('access_requests')
      .addColumn('answer', 'text', (column) => column.notNull().defaultTo(''))
      .execute()
    await sql`update access_requests set about_type = resource_type, about_key = key`.execute(db)
  },
}
