import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import { comparableName } from '../mlflow/person-name.ts'
import { noteChange } from './changes.ts'
import { existingPerson, type Person, selectPeople, toPerson } from './person.ts'
import type { Schema } from './schema.ts'
import { type ClaimedName, claimName, freeUsername } from './sign-in.ts'

/** See `People.add`. */
export async function addPending(
  trx: Transaction<Schema>,
  { username, provider }: ClaimedName,
  at: number,
): Promise<Person> {
  if (await isCalled(trx, { username, provider })) {
    throw new GatewayError(
      'ERR_ALREADY_EXISTS',
      `Somebody is known as ${username} at ${provider} already; remove that user first if the name now belongs to somebody else`,
    )
  }
  const id = randomUUID()
  const shown = await freeUsername(trx, { username, provider }, undefined)
  await trx
    .insertInto('users')
    .values({
      id,
      username: shown,
      comparable_name: comparableName(shown),
      disabled: 0,
      pending_provider: provider,
      pending_username: username,
      created_at: at,
    })
    .execute()
  // Who held the name before is called something else by now; an admin says whose it is.
  await trx
    .deleteFrom('claimed_names')
    .where((eb) => eb.and({ provider, username }))
    .execute()
  await claimName(trx, { userId: id, provider, username, at })
  await noteChange(trx, { kind: 'user', key: id, at })
  return existingPerson(trx, id)
}

/** True if somebody goes by that name at that provider, or is expected to. */
async function isCalled(trx: Transaction<Schema>, { username, provider }: ClaimedName): Promise<boolean> {
  const row = await selectPeople(trx)
    .where((eb) =>
      eb.or([
        eb.and({ 'identities.provider': provider, 'identities.claimed_username': username }),
        eb.and({ pending_provider: provider, pending_username: username }),
      ]),
    )
    .executeTakeFirst()
  return row !== undefined
}

/**
 * Whom an admin added for exactly this provider and username, as they were until now. From here on nobody else can take
 * them over.
 */
export async function takePending(
  trx: Transaction<Schema>,
  { username, provider }: ClaimedName,
): Promise<Person | undefined> {
  const row = await selectPeople(trx)
    .where((eb) => eb.and({ pending_provider: provider, pending_username: username }))
    .executeTakeFirst()
  if (row === undefined) return undefined
  await trx
    .updateTable('users')
    .set({ pending_provider: null, pending_username: null })
    .where('id', '=', row.id)
    .execute()
  return toPerson(row)
}
