import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import { noteChange } from './changes.ts'
import type { Database } from './database.ts'
import { type Membership, type ProviderRef, readMembership } from './membership.ts'
import { existingPerson, findPerson, type Person, type PersonKey, selectPeople, toPerson } from './person.ts'
import type { Schema } from './schema.ts'
import { claimName, freeUsername, replaceGroups } from './sign-in.ts'

export type { Person, PersonKey } from './person.ts'

/** What a provider says about somebody who has just proved who they are. */
export type SignIn = {
  readonly provider: string
  readonly issuer: string
  readonly subject: string
  readonly username: string
  readonly email?: string | undefined
  readonly displayName?: string | undefined
  readonly groups: readonly string[]
}

export type People = {
  /**
   * Finds or makes the person with this issuer and subject, with the name, email and groups the provider gives now.
   *
   * A name never leads to a person (OIDC Core 1.0 §5.7), with one exception: somebody an admin added under exactly this
   * provider and username becomes this person, once. Disabled people are returned as such.
   */
  readonly signIn: (signIn: SignIn) => Promise<Person>
  /**
   * Adds somebody who has not signed in yet; who first signs in at that provider with that username takes it over.
   *
   * @throws {GatewayError} `ERR_INVALID_PARAMETER` if somebody holds that name at that provider.
   */
  readonly add: (pending: { readonly username: string; readonly provider: string }) => Promise<Person>
  readonly find: (key: PersonKey) => Promise<Person | undefined>
  /** Everybody, by username. */
  readonly list: () => Promise<readonly Person[]>
  /** @throws {GatewayError} `ERR_NOT_FOUND` */
  readonly setDisabled: (id: string, disabled: boolean) => Promise<void>
  /**
   * Forgets the person with all they hold: sessions, tokens, personal grants, and what is configured by their name.
   *
   * @returns False if there was nobody.
   */
  readonly remove: (id: string) => Promise<boolean>
  /**
   * What the person may do, in a constant number of statements whatever the number of groups and roles.
   *
   * @param providers The configured ones: groups and names vouched for by others do not count.
   */
  readonly membership: (id: string, providers: readonly ProviderRef[]) => Promise<Membership | undefined>
}

export function createPeople(db: Database, now: () => number): People {
  return {
    signIn: (signIn) => db.transaction().execute((trx) => recordSignIn(trx, signIn, now())),

    add: (pending) => db.transaction().execute((trx) => addPending(trx, pending, now())),

    find: (key) => findPerson(db, key),

    list: async () => (await selectPeople(db).orderBy('users.username').execute()).map(toPerson),

    setDisabled: (id, disabled) =>
      db.transaction().execute(async (trx) => {
        const { numUpdatedRows } = await trx
          .updateTable('users')
          .set({ disabled: disabled ? 1 : 0 })
          .where('id', '=', id)
          .executeTakeFirst()
        if (numUpdatedRows === 0n) throw new GatewayError('ERR_NOT_FOUND', 'There is no such user')
        await noteChange(trx, { kind: 'user', key: id, at: now() })
      }),

    remove: (id) =>
      db.transaction().execute(async (trx) => {
        const { numDeletedRows } = await trx.deleteFrom('users').where('id', '=', id).executeTakeFirst()
        if (numDeletedRows > 0n) await noteChange(trx, { kind: 'user', key: id, at: now() })
        return numDeletedRows > 0n
      }),

    membership: (id, providers) =>
      db
        .transaction()
        .setAccessMode('read only')
        .execute((trx) => readMembership(trx, id, { providers, at: now() })),
  }
}

async function recordSignIn(trx: Transaction<Schema>, signIn: SignIn, at: number): Promise<Person> {
  const before = (await findPerson(trx, signIn)) ?? (await adoptPending(trx, signIn, at))
  const id = before?.id ?? randomUUID()
  const details = {
    username: await freeUsername(trx, signIn, before?.username),
    display_name: signIn.displayName ?? null,
    email: signIn.email ?? null,
    last_seen_at: at,
  }
  if (before === undefined) {
    await trx
      .insertInto('users')
      .values({ id, ...details, disabled: 0, created_at: at })
      .execute()
    await addIdentity(trx, id, signIn, at)
  } else {
    await trx.updateTable('users').set(details).where('id', '=', id).execute()
    await trx
      .updateTable('identities')
      .set({ provider: signIn.provider, claimed_username: signIn.username })
      .where('user_id', '=', id)
      .execute()
  }
  const claimed = await claimName(trx, { ...signIn, userId: id, at })
  const regrouped = await replaceGroups(trx, id, signIn)
  const after = await existingPerson(trx, id)
  if (claimed || regrouped || JSON.stringify(identity(before)) !== JSON.stringify(identity(after))) {
    await noteChange(trx, { kind: 'user', key: id, at })
  }
  return after
}

/** What a {@link Person} is known by to the rest of the gateway, apart from rights. */
function identity(person: Person | undefined) {
  return person && [person.username, person.provider, person.issuer, person.subject]
}

/** Turns the person an admin added for exactly this provider and username into the one who now signs in, once. */
async function adoptPending(
  trx: Transaction<Schema>,
  signIn: SignIn,
  at: number,
): Promise<Person | undefined> {
  const pending = await trx
    .updateTable('users')
    .set({ pending_provider: null, pending_username: null })
    .where('pending_provider', '=', signIn.provider)
    .where('pending_username', '=', signIn.username)
    .returning('id')
    .executeTakeFirst()
  if (pending === undefined) return undefined
  await addIdentity(trx, pending.id, signIn, at)
  // As it was before: the change of identity is announced by the caller.
  return { ...(await existingPerson(trx, pending.id)), issuer: undefined, subject: undefined }
}

async function addIdentity(
  trx: Transaction<Schema>,
  userId: string,
  signIn: SignIn,
  at: number,
): Promise<void> {
  await trx
    .insertInto('identities')
    .values({
      issuer: signIn.issuer,
      subject: signIn.subject,
      user_id: userId,
      provider: signIn.provider,
      claimed_username: signIn.username,
      created_at: at,
    })
    .execute()
}

async function addPending(
  trx: Transaction<Schema>,
  { username, provider }: { readonly username: string; readonly provider: string },
  at: number,
): Promise<Person> {
  const id = randomUUID()
  await trx
    .insertInto('users')
    .values({
      id,
      username: await freeUsername(trx, { username, provider }, undefined),
      disabled: 0,
      pending_provider: provider,
      pending_username: username,
      created_at: at,
    })
    .execute()
  if (!(await claimName(trx, { userId: id, provider, username, at }))) {
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      `Somebody is known as ${username} at ${provider} already; remove that user first if the name now belongs to somebody else`,
    )
  }
  await noteChange(trx, { kind: 'user', key: id, at })
  return existingPerson(trx, id)
}
