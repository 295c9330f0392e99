import type { Transaction } from 'kysely'
import { DEFAULT_WORKSPACE, type ResourceType } from '../policy/grants.ts'
import { type ChangeKind, noteChange, noteRoles } from './changes.ts'
import type { Database } from './database.ts'
import type { Schema } from './schema.ts'

/**
 * Grants on one resource by its key go where the resource goes, whatever role holds them, in the workspace it is in (the
 * default one if none is named): a name may be another thing's in another. Grants by pattern stay: they
 * are about names, not things.
 */
export type Carry = {
  /** After a rename upstream. */
  readonly renameResource: (type: ResourceType, from: string, to: string, workspace?: string) => Promise<void>
  /** After a deletion upstream that cannot be undone. */
  readonly forgetResource: (type: ResourceType, key: string, workspace?: string) => Promise<void>
  /**
   * After a creation upstream, before the creator is given anything: what an earlier resource of that key left to its
   * creator (it may have been deleted behind the gateway's back) is not for this one.
   */
  readonly forgetCreators: (type: ResourceType, key: string, workspace?: string) => Promise<void>
  /** After a workspace was deleted upstream: nothing is left of its roles, nor of what was granted in it. */
  readonly forgetWorkspace: (workspace: string) => Promise<void>
}

type Resource = {
  readonly type: ResourceType
  readonly key: string
  readonly workspace: string
  readonly at: number
}

export function createCarry(db: Database, now: () => number): Carry {
  return {
    renameResource: (type, from, to, workspace = DEFAULT_WORKSPACE) =>
      db.transaction().execute(async (trx) => {
        const at = now()
        await forgetCreators(trx, { type, key: to, workspace, at })
        const moved = await trx
          .updateTable('grants')
          .set({ pattern: to })
          .where((eb) => eb.and({ resource_type: type, workspace, match: 'exact', pattern: from }))
          .returning('role_id')
          .execute()
        await noteRoles(trx, moved, at)
        await noteChange(trx, { ...changeOf({ type, key: from }), at })
      }),

    forgetResource: (type, key, workspace = DEFAULT_WORKSPACE) =>
      db.transaction().execute(async (trx) => {
        const at = now()
        const gone = await trx
          .deleteFrom('grants')
          .where((eb) => eb.and({ resource_type: type, workspace, match: 'exact', pattern: key }))
          .returning('role_id')
          .execute()
        await noteRoles(trx, gone, at)
        await noteChange(trx, { ...changeOf({ type, key }), at })
      }),

    forgetCreators: (type, key, workspace = DEFAULT_WORKSPACE) =>
      db.transaction().execute((trx) => forgetCreators(trx, { type, key, workspace, at: now() })),

    forgetWorkspace: (workspace) =>
      db.transaction().execute(async (trx) => {
        await trx
          .deleteFrom('roles')
          .where('workspace', '=', workspace)
          .where('owner_user_id', 'is', null)
          .execute()
        await trx.deleteFrom('grants').where('workspace', '=', workspace).execute()
        await noteChange(trx, { kind: 'role', key: '*', at: now() })
      }),
  }
}

async function forgetCreators(
  trx: Transaction<Schema>,
  { type, key, workspace, at }: Resource,
): Promise<void> {
  const gone = await trx
    .deleteFrom('grants')
    .where((eb) =>
      eb.and({ resource_type: type, workspace, match: 'exact', pattern: key, source: 'creator' }),
    )
    .returning('role_id')
    .execute()
  await noteRoles(trx, gone, at)
}

/** What may be kept in memory of the resource. Prompts are registered models to MLflow's registry: one name space. */
function changeOf({ type, key }: Pick<Resource, 'type' | 'key'>): { kind: ChangeKind; key: string } {
  if (type === 'experiment') return { kind: 'experiment', key }
  if (type === 'registered_model' || type === 'prompt') return { kind: 'model', key }
  return { kind: 'resource', key: `${type}/${key}` }
}
