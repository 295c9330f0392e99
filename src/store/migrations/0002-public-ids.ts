import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnDialect } from './list.ts'

/** Numbers for what MLflow's clients know by a number, see `public-ids.ts`. */
export function publicIds(dialect: ColumnDialect): Migration {
  return {
    async up(db: Kysely<unknown>): Promise<void> {
      const table = db.schema.createTable('public_ids')
      await counted(table, dialect)
        .addColumn('id', 'text', (column) => column.notNull().unique())
        .execute()
    },
  }
}

/** Never a number twice, not even after its row is gone. */
function counted(table: ReturnType<Kysely<unknown>['schema']['createTable']>, dialect: ColumnDialect) {
  switch (dialect) {
    case 'sqlite':
      return table.addColumn('number', 'integer', (column) => column.primaryKey().autoIncrement())
  }
}
