import type { CreateTableBuilder } from 'kysely'
import type { ColumnDialect } from './list.ts'

/** A primary key that counts up and never gives a number twice, not even after its row is gone. */
export function counted(
  table: CreateTableBuilder<string>,
  name: string,
  dialect: ColumnDialect,
): CreateTableBuilder<string> {
  switch (dialect) {
    case 'sqlite':
      return table.addColumn(name, 'integer', (column) => column.primaryKey().autoIncrement())
    case 'postgres':
      // By default, not always: a row that is carried over from another store keeps its number.
      return table.addColumn(name, 'bigint', (column) => column.primaryKey().generatedByDefaultAsIdentity())
  }
}
