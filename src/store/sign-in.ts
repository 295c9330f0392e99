import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import type { Schema } from './schema.ts'

/** Groups in one statement: 3 parameters each. */
const GROUPS_PER_STATEMENT = 500

/** Tries at `provider:name-2`, `-3`, ... before a random ending is taken. */
const NUMBERED_NAMES = 20

/** What somebody is called at a provider. */
export type ClaimedName = { readonly provider: string; readonly username: string }

/**
 * The username to show for somebody who is called `username` at `provider`: that name itself while nobody else has it,
 * else `provider:name`, else that with a number.
 *
 * A name with a colon is always given the provider's, so that nobody can call themselves `corp:alice`.
 *
 * @param current The username the person has now, which they keep if nothing better is free.
 */
export async function freeUsername(
  trx: Transaction<Schema>,
  { provider, username }: ClaimedName,
  current: string | undefined,
): Promise<string> {
  const qualified = `${provider}:${username}`
  const candidates = username.includes(':') ? [qualified] : [username, qualified]
  for (let number = 2; number <= NUMBERED_NAMES; number += 1) candidates.push(`${qualified}-${number}`)
  const rows = await trx
    .selectFrom('users')
    .select('username')
    .where('username', 'in', candidates)
    .$if(current !== undefined, (query) => query.where('username', '!=', current ?? ''))
    .execute()
  const taken = new Set(rows.map((row) => row.username))
  return candidates.find((candidate) => !taken.has(candidate)) ?? `${qualified}-${randomUUID()}`
}

/**
 * Makes the person the holder of the name at that provider unless somebody came before.
 *
 * @returns True if the name was free.
 */
export async function claimName(
  trx: Transaction<Schema>,
  { provider, username, userId, at }: ClaimedName & { readonly userId: string; readonly at: number },
): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('claimed_names')
    .values({ provider, username, user_id: userId, claimed_at: at })
    .onConflict((conflict) => conflict.columns(['provider', 'username']).doNothing())
    .executeTakeFirstOrThrow()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

/**
 * Sets the person's groups to exactly those the provider gives now; groups of another provider they once signed in
 * through are gone with it.
 *
 * @returns True if anything changed.
 */
export async function replaceGroups(
  trx: Transaction<Schema>,
  userId: string,
  { provider, groups }: { readonly provider: string; readonly groups: readonly string[] },
): Promise<boolean> {
  const rows = await trx
    .selectFrom('user_groups')
    .select(['provider', 'group_name'])
    .where('user_id', '=', userId)
    .execute()
  const before = new Set(rows.map((row) => JSON.stringify([row.provider, row.group_name])))
  const after = new Set(groups.map((group) => JSON.stringify([provider, group])))
  if (before.size === after.size && [...after].every((group) => before.has(group))) return false
  await trx.deleteFrom('user_groups').where('user_id', '=', userId).execute()
  const names = [...new Set(groups)]
  for (let start = 0; start < names.length; start += GROUPS_PER_STATEMENT) {
    const batch = names.slice(start, start + GROUPS_PER_STATEMENT)
    await trx
      .insertInto('user_groups')
      .values(batch.map((group_name) => ({ user_id: userId, provider, group_name })))
      .execute()
  }
  return true
}
