import type { Database } from './database.ts'

/** Somebody the gateway knows, person or service account. */
export type Person = {
  readonly id: string
  /** Unique here and for people to read. Holds a `:` only after the provider's id. */
  readonly username: string
  readonly displayName?: string | undefined
  readonly email?: string | undefined
  readonly disabled: boolean
  /** Who vouches, or is expected to for somebody who has not signed in yet. */
  readonly provider?: string | undefined
  /** Issuer and subject are what the person is recognised by; absent until the first sign-in. */
  readonly issuer?: string | undefined
  readonly subject?: string | undefined
  /** Seconds since the epoch. */
  readonly createdAt: number
  readonly lastSeenAt?: number | undefined
}

export type PersonKey =
  | { readonly id: string }
  | { readonly username: string }
  | { readonly issuer: string; readonly subject: string }

/** The person with that id, who is known to exist. */
export async function existingPerson(db: Database, id: string): Promise<Person> {
  return toPerson(await selectPeople(db).where('users.id', '=', id).executeTakeFirstOrThrow())
}

/** @returns Undefined if there is nobody. */
export async function findPerson(db: Database, key: PersonKey): Promise<Person | undefined> {
  const query = selectPeople(db)
  const row =
    // The narrowest key first: somebody may hand over more than a key.
    'subject' in key
      ? await query.where('issuer', '=', key.issuer).where('subject', '=', key.subject).executeTakeFirst()
      : 'id' in key
        ? await query.where('users.id', '=', key.id).executeTakeFirst()
        : await query.where('users.username', '=', key.username).executeTakeFirst()
  return row && toPerson(row)
}

/** People with the identity they sign in by, if they have one. */
export function selectPeople(db: Database) {
  return db
    .selectFrom('users')
    .leftJoin('identities', 'identities.user_id', 'users.id')
    .select([
      'users.id',
      'users.username',
      'users.display_name',
      'users.email',
      'users.disabled',
      'users.pending_provider',
      'users.pending_username',
      'users.created_at',
      'users.last_seen_at',
      'identities.provider',
      'identities.issuer',
      'identities.subject',
      'identities.claimed_username',
    ])
}

export type PersonRow = Awaited<ReturnType<ReturnType<typeof selectPeople>['executeTakeFirstOrThrow']>>

/** The person in a row of {@link selectPeople}. */
export function toPerson(row: PersonRow): Person {
  return {
    id: row.id,
    username: row.username,
    displayName: row.display_name ?? undefined,
    email: row.email ?? undefined,
    disabled: row.disabled !== 0,
    provider: row.provider ?? row.pending_provider ?? undefined,
    issuer: row.issuer ?? undefined,
    subject: row.subject ?? undefined,
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at ?? undefined,
  }
}
