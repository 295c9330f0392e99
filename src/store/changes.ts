import type { Transaction } from 'kysely'
import { type ChangeSignal, NO_SIGNAL } from './change-signal.ts'
import type { Database } from './database.ts'
import type { Schema } from './schema.ts'

/**
 * What has changed: `user` (key: user id), `role` (role id), `groups` (`*`: anybody's rights may differ), `token` (jti),
 * `session` (the store's session id), `keys` (kid), `lockdown` (`*`), `experiment` (id), `model` (name) and any other `resource`
 * (`type/key`) renamed or deleted.
 */
export type ChangeKind =
  | 'user'
  | 'role'
  | 'groups'
  | 'token'
  | 'session'
  | 'keys'
  | 'lockdown'
  | 'experiment'
  | 'model'
  | 'resource'

export type Change = { readonly seq: number; readonly kind: ChangeKind; readonly key: string }

/** How long a change can still be read, seconds. Who was not listening for that long has to forget everything. */
export const CHANGES_KEPT = 3600

/** Old changes go whenever this many new ones have come. */
const PRUNE_EVERY = 256

export type Changes = {
  /** Every change after `seq`, oldest first. */
  readonly since: (seq: number) => Promise<readonly Change[]>
  /** The number of the newest change, 0 before the first. */
  readonly latest: () => Promise<number>
  /** Announces something the store itself does not hold, such as an experiment that was renamed upstream. */
  readonly note: (kind: ChangeKind, key: string) => Promise<void>
  /**
   * Calls `onSignal` when there may be changes to read, as far as the database can tell: a way to hear of them sooner,
   * besides looking.
   */
  readonly listen: (onSignal: () => void) => ChangeSignal
}

/**
 * Announces a change within the transaction that makes it: seen by nobody before the change is, and not lost if it is kept.
 *
 * Readers go by the number, so numbers must become visible in their order: they do, since a transaction that writes is
 * alone from its start to its commit, in every dialect.
 */
export async function noteChange(
  trx: Transaction<Schema>,
  change: { readonly kind: ChangeKind; readonly key: string; readonly at: number },
): Promise<void> {
  const { seq } = await trx.insertInto('changes').values(change).returning('seq').executeTakeFirstOrThrow()
  if (seq % PRUNE_EVERY !== 0) return
  await trx
    .deleteFrom('changes')
    .where('at', '<', change.at - CHANGES_KEPT)
    .execute()
}

/** Announces the roles that have or had these grants, each once. */
export async function noteRoles(
  trx: Transaction<Schema>,
  grants: readonly { readonly role_id: string }[],
  at: number,
): Promise<void> {
  for (const key of new Set(grants.map((grant) => grant.role_id))) {
    await noteChange(trx, { kind: 'role', key, at })
  }
}

/** The feed every replica follows to forget what it keeps in memory. */
export function createChanges(
  db: Database,
  now: () => number,
  listen: Changes['listen'] = () => NO_SIGNAL,
): Changes {
  return {
    since: async (seq) => {
      const rows = await db
        .selectFrom('changes')
        .select(['seq', 'kind', 'key'])
        .where('seq', '>', seq)
        .orderBy('seq')
        .execute()
      // Written by noteChange only.
      return rows.map((row) => ({ ...row, kind: row.kind as ChangeKind }))
    },

    latest: async () => {
      const row = await db
        .selectFrom('changes')
        .select((eb) => eb.fn.max('seq').as('seq'))
        .executeTakeFirst()
      return row?.seq ?? 0
    },

    note: (kind, key) => db.transaction().execute((trx) => noteChange(trx, { kind, key, at: now() })),

    listen,
  }
}
