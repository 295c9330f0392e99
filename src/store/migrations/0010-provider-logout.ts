import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

/** What providers end sessions by, and which of their logout tokens have been used. */
export const providerLogout: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema.alterTable('sessions').addColumn('provider_session', 'text').execute()
    await db.schema
      .createIndex('sessions_provider_session')
      .on('sessions')
      .columns(['provider_session'])
      .execute()
    await db.schema
      .createTable('logout_tokens')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute()
    await db.schema
      .createIndex('logout_tokens_expires_at')
      .on('logout_tokens')
      .columns(['expires_at'])
      .execute()
  },
}
