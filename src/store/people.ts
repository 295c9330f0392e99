import { randomUUID } from 'node:crypto'
import { sql, type Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import { comparableName } from '../mlflow/person-name.ts'
import { noteChange } from './changes.ts'
import type { Database } from './database.ts'
import { type Membership, type ProviderRef, readMembership } from './membership.ts'
import { type MembershipsQuery, readMemberships } from './memberships.ts'
import { addPending, takePending } from './pending.ts'
import { existingPerson, findPerson, type Person, type PersonKey, selectPeople, toPerson } from './person.ts'
import { type Candidate, type ReachQuery, reachCandidates } from './reach.ts'
import type { Schema } from './schema.ts'
import { containing } from './search.ts'
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

export type PeopleQuery = {
  readonly search?: string | undefined
  /** Username after which to begin; '' for the first. */
  readonly after: string
  readonly limit: number
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
   * @throws {GatewayError} `ERR_ALREADY_EXISTS` if somebody is called so at that provider, or was added before.
   */
  readonly add: (pending: { readonly username: string; readonly provider: string }) => Promise<Person>
  readonly find: (key: PersonKey) => Promise<Person | undefined>
  /** True if somebody has a username that MLflow takes for this one, see `comparableName`. */
  readonly isCalled: (name: string) => Promise<boolean>
  /** Everybody, by username. */
  readonly list: () => Promise<readonly Person[]>
  /** Some of them, by username; `search` is found anywhere in the username, name or e-mail address, in whichever case. */
  readonly page: (query: PeopleQuery) => Promise<readonly Person[]>
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
  /** What several people may do about some things, see {@link readMemberships}; grants that have expired are left out. */
  readonly memberships: (query: Omit<MembershipsQuery, 'at'>) => Promise<readonly Membership[]>
  /** Who may hold something on a resource, see {@link reachCandidates}. */
  readonly reaching: (query: ReachQuery) => Promise<readonly Candidate[]>
}

export function createPeople(db: Database, now: () => number): People {
  return {
    signIn: (signIn) => db.transaction().execute((trx) => recordSignIn(trx, signIn, now())),

    add: (pending) => db.transaction().execute((trx) => addPending(trx, pending, now())),

    find: (key) => findPerson(db, key),

    list: async () => (await selectPeople(db).orderBy('users.username').execute()).map(toPerson),

    page: (query) => pageOfPeople(db, query),

    isCalled: async (name) => {
      const called = db.selectFrom('users').select('id').where('comparable_name', '=', comparableName(name))
      return (await called.executeTakeFirst()) !== undefined
    },

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

    memberships: async (query) => {
      if (query.userIds.length === 0) return []
      const reading = db.transaction().setAccessMode('read only')
      return reading.execute((trx) => readMemberships(trx, { ...query, at: now() }))
    },

    reaching: (query) => reachCandidates(db, query),
  }
}

async function pageOfPeople(
  db: Database,
  { search = '', after, limit }: PeopleQuery,
): Promise<readonly Person[]> {
  const text = sql`users.username || ' ' || coalesce(users.display_name, '') || ' ' || coalesce(users.email, '')`
  const rows = await selectPeople(db)
    .where('users.username', '>', after)
    .$if(search !== '', (query) => query.where(containing(text, search)))
    .orderBy('users.username')
    .limit(limit)
    .execute()
  return rows.map(toPerson)
}

async function recordSignIn(trx: Transaction<Schema>, signIn: SignIn, at: number): Promise<Person> {
  const before = (await findPerson(trx, signIn)) ?? (await takePending(trx, signIn))
  const id = before?.id ?? randomUUID()
  const username = await freeUsername(trx, signIn, before?.username)
  const details = {
    username,
    comparable_name: comparableName(username),
    display_name: signIn.displayName ?? null,
    email: signIn.email ?? null,
    last_seen_at: at,
  }
  if (before === undefined) {
    await trx
      .insertInto('users')
      .values({ id, ...details, disabled: 0, created_at: at })
      .execute()
  } else {
    await trx.updateTable('users').set(details).where('id', '=', id).execute()
  }
  await saveIdentity(trx, id, signIn, at)
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

async function saveIdentity(
  trx: Transaction<Schema>,
  userId: string,
  { issuer, subject, provider, username }: SignIn,
  at: number,
): Promise<void> {
  await trx
    .insertInto('identities')
    .values({ issuer, subject, user_id: userId, provider, claimed_username: username, created_at: at })
    .onConflict((conflict) =>
      conflict.columns(['issuer', 'subject']).doUpdateSet({ provider, claimed_username: username }),
    )
    .execute()
}
