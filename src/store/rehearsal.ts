import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Transaction } from 'kysely'
import { type Database, openDatabase } from './database.ts'
import { type Membership, type ProviderRef, readMembership } from './membership.ts'
import { type PolicyContent, replacePolicy } from './policy.ts'
import type { Schema } from './schema.ts'

export type Rehearsal = {
  readonly policy: PolicyContent
  readonly userIds: readonly string[]
  readonly providers: readonly ProviderRef[]
  /** Seconds since the epoch. */
  readonly at: number
}

/** What people can do, by their id; those that there are. */
export type Memberships = ReadonlyMap<string, Membership>

/**
 * What people can do as the store stands, and could once the policy were applied. It is applied, but to a copy of what
 * decides: a file for this alone, gone afterwards. The store itself is only read, so nobody has to wait.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` as applying it would.
 */
export async function rehearse(
  db: Database,
  { policy, userIds, providers, at }: Rehearsal,
): Promise<{ readonly before: Memberships; readonly after: Memberships }> {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-rehearsal-'))
  try {
    const copy = await openDatabase({ databaseUrl: `sqlite:${join(folder, 'rules.db')}` })
    try {
      await copyRules(db, copy, userIds)
      const read = () => copy.transaction().execute((trx) => readAll(trx, userIds, { providers, at }))
      const before = await read()
      await copy.transaction().execute((trx) => replacePolicy(trx, policy, at))
      return { before, after: await read() }
    } finally {
      await copy.destroy()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function readAll(
  trx: Transaction<Schema>,
  userIds: readonly string[],
  context: Pick<Rehearsal, 'providers' | 'at'>,
): Promise<Memberships> {
  const found = new Map<string, Membership>()
  for (const userId of userIds) {
    const membership = await readMembership(trx, userId, context)
    if (membership !== undefined) found.set(userId, membership)
  }
  return found
}

/** Ids in one question, and rows in one insertion: SQLite takes 32,766 parameters. */
const IDS_AT_ONCE = 500
const ROWS_AT_ONCE = 1000

/** Everything that `readMembership` looks at, of these people: no credentials, no sessions, no record. */
async function copyRules(from: Database, to: Database, userIds: readonly string[]): Promise<void> {
  const source = from.transaction().setAccessMode('read only')
  await source.execute((trx) =>
    to.transaction().execute(async (target) => {
      const put = inserter(target)
      for (let start = 0; start < userIds.length; start += IDS_AT_ONCE) {
        const ids = userIds.slice(start, start + IDS_AT_ONCE)
        const of = <T extends 'identities' | 'claimed_names' | 'user_groups'>(table: T) =>
          trx
            .selectFrom(table as 'identities')
            .selectAll()
            .where('user_id', 'in', ids)
            .execute()
        await put('users', await trx.selectFrom('users').selectAll().where('id', 'in', ids).execute())
        for (const table of ['identities', 'claimed_names', 'user_groups'] as const)
          await put(table, await of(table))
        const personal = trx.selectFrom('roles').where('owner_user_id', 'in', ids)
        await put('roles', await personal.selectAll().execute())
        const held = trx.selectFrom('grants').where('role_id', 'in', personal.select('id'))
        await put('grants', await held.selectAll().execute())
      }
      const shared = trx.selectFrom('roles').where('owner_user_id', 'is', null)
      await put('roles', await shared.selectAll().execute())
      const grants = trx.selectFrom('grants').where('role_id', 'in', shared.select('id'))
      await put('grants', await grants.selectAll().execute())
      const people = new Set((await target.selectFrom('users').select('id').execute()).map(({ id }) => id))
      const assigned = await trx.selectFrom('role_assignments').selectAll().execute()
      await put(
        'role_assignments',
        assigned.filter(({ user_id: id }) => people.has(id)),
      )
      await put('group_roles', await trx.selectFrom('group_roles').selectAll().execute())
      await put('user_roles_by_name', await trx.selectFrom('user_roles_by_name').selectAll().execute())
      await put('settings', await trx.selectFrom('settings').selectAll().execute())
    }),
  )
}

/** Rows go over as they are: both databases have the same schema. */
function inserter(target: Transaction<Schema>) {
  return async (table: keyof Schema, rows: readonly object[]): Promise<void> => {
    for (let start = 0; start < rows.length; start += ROWS_AT_ONCE) {
      const some = rows.slice(start, start + ROWS_AT_ONCE)
      await target
        .insertInto(table)
        .values(some as never)
        .execute()
    }
  }
}
