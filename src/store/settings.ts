import type { Transaction } from 'kysely'
import { DEFAULT_WORKSPACE, type Level } from '../policy/grants.ts'
import type { Schema } from './schema.ts'

const DEFAULT_PERMISSION = 'default_permission'

/** What the policy file sets for what no grant covers, by workspace; none for those it says nothing of. */
export type DefaultPermissions = ReadonlyMap<string, Level>

/** The levels the policy file sets; that of the default workspace is left to the configuration if it is not there. */
export async function readDefaultPermissions(trx: Transaction<Schema>): Promise<DefaultPermissions> {
  const rows = await trx
    .selectFrom('settings')
    .select(['name', 'value'])
    .where((eb) =>
      eb.or([eb('name', '=', DEFAULT_PERMISSION), eb('name', 'like', `${DEFAULT_PERMISSION}:%`)]),
    )
    .orderBy('name')
    .execute()
  // Written by writeDefaultPermissions only.
  return new Map(rows.map(({ name, value }) => [workspaceIn(name), value as Level]))
}

/** Sets those levels and no others. */
export async function writeDefaultPermissions(
  trx: Transaction<Schema>,
  levels: DefaultPermissions,
): Promise<void> {
  for (const workspace of (await readDefaultPermissions(trx)).keys()) {
    await trx.deleteFrom('settings').where('name', '=', nameFor(workspace)).execute()
  }
  for (const [workspace, value] of levels) {
    await trx
      .insertInto('settings')
      .values({ name: nameFor(workspace), value })
      .execute()
  }
}

function nameFor(workspace: string): string {
  return workspace === DEFAULT_WORKSPACE ? DEFAULT_PERMISSION : `${DEFAULT_PERMISSION}:${workspace}`
}

function workspaceIn(name: string): string {
  return name === DEFAULT_PERMISSION ? DEFAULT_WORKSPACE : name.slice(DEFAULT_PERMISSION.length + 1)
}
