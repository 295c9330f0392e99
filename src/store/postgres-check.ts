import pg from 'pg'
import type { PostgresAddress } from './database-url.ts'
import { connectionConfig } from './postgres-pool.ts'
import type { PostgresSettings } from './postgres-settings.ts'
import { DatabaseStartError, explained } from './postgres-start.ts'

/**
 * Makes sure that the database answers and keeps every text.
 *
 * @throws {DatabaseStartError}
 */
export async function checkPostgres(address: PostgresAddress, settings: PostgresSettings): Promise<void> {
  const client = new pg.Client(connectionConfig(address, settings))
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<{ server_encoding: string }>('show server_encoding')
    const encoding = rows[0]?.server_encoding
    if (encoding !== 'UTF8') {
      throw new DatabaseStartError(
        `The database of DATABASE_URL is encoded in ${encoding}. Create one with: createdb --encoding=UTF8 --template=template0 NAME`,
      )
    }
  } catch (error) {
    throw explained(error)
  } finally {
    await client.end().catch(() => undefined)
  }
}
