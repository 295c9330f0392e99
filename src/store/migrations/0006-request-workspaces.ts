import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** In which workspace somebody asks for a right: the default one, for what was asked before. */
export const requestWorkspaces: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .alterTable('access_requests')
      .addColumn('workspace', 'text', (column) => column.notNull().defaultTo('default'))
      .execute()
    // Who is in a group is asked by the group.
    await db.schema
      .createIndex('user_groups_group_name')
      .on('user_groups')
      .columns(['group_name', 'provider'])
      .execute()
  },
}
