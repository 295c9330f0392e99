import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** Each audit event's place in the chain of the process that recorded it, and what is known of each chain. */
export const incidents: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const column of ['chain', 'seq'] as const) {
      await db.schema.alterTable('audit_events').addColumn(column, 'bigint').execute()
    }
    await db.schema.alterTable('audit_events').addColumn('digest', 'text').execute()
    await db.schema
      .createIndex('audit_events_chain_seq')
      .on('audit_events')
      .columns(['chain', 'seq'])
      .execute()
    await db.schema
      .createTable('audit_chains')
      .addColumn('number', 'bigint', (column) => column.primaryKey())
      .addColumn('id', 'text', (column) => column.notNull().unique())
      .addColumn('origin', 'text', (column) => column.notNull())
      .addColumn('key_id', 'text', (column) => column.notNull())
      .addColumn('began_at', 'bigint', (column) => column.notNull())
      .addColumn('unchained_until', 'bigint', (column) => column.notNull())
      .addColumn('opening_seal', 'text', (column) => column.notNull())
      .addColumn('last_seq', 'bigint', (column) => column.notNull())
      .addColumn('last_digest', 'text', (column) => column.notNull())
      .addColumn('chains_seen', 'bigint', (column) => column.notNull())
      .addColumn('ended_at', 'bigint')
      .addColumn('head_seal', 'text', (column) => column.notNull())
      .addColumn('pruned_seq', 'bigint', (column) => column.notNull())
      .addColumn('pruned_digest', 'text', (column) => column.notNull())
      .addColumn('pruned_seal', 'text', (column) => column.notNull())
      .execute()
  },
}
