import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { counted } from './counted.ts'
import type { ColumnDialect } from './list.ts'

/** Numbers for what MLflow's clients know by a number, see `public-ids.ts`. */
export function publicIds(dialect: ColumnDialect): Migration {
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      const table = db.schema.createTable('public_ids')
      await counted(table, 'number', dialect)
        .addColumn('id', 'text', (column) => column.notNull().unique())
        .execute()
    },
  }
}
