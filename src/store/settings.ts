import type { Transaction } from 'kysely'
import type { Level } from '../policy/grants.ts'
import type { Schema } from './schema.ts'

const DEFAULT_PERMISSION = 'default_permission'

/** The level the policy file sets for what no grant covers; undefined if it leaves that to the configuration. */
export async function readDefaultPermission(trx: Transaction<Schema>): Promise<Level | undefined> {
  const row = await trx
    .selectFrom('settings')
    .select('value')
    .where('name', '=', DEFAULT_PERMISSION)
    .executeTakeFirst()
  // Written by writeDefaultPermission only.
  return row?.value as Level | undefined
}

/** Sets that level, or with undefined leaves it to the configuration again. */
export async function writeDefaultPermission(
  trx: Transaction<Schema>,
  level: Level | undefined,
): Promise<void> {
  await trx.deleteFrom('settings').where('name', '=', DEFAULT_PERMISSION).execute()
  if (level === undefined) return
  await trx.insertInto('settings').values({ name: DEFAULT_PERMISSION, value: level }).execute()
}
