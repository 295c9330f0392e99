import { createHash } from 'node:crypto'
import type { Selectable, Transaction, Updateable } from 'kysely'
import { noteChange } from './changes.ts'
import { compositeKey } from './composite-key.ts'
import type { Database } from './database.ts'
import type { Schema, SessionsTable } from './schema.ts'

/** A browser session. `data` is whatever the caller keeps in it, opaque here. Times in seconds since the epoch. */
export type SessionRecord = {
  readonly id: string
  readonly userId: string
  readonly data: string
  readonly idleExpiresAt: number
  readonly absoluteExpiresAt: number
  readonly createdAt: number
}

export type SessionExpiry = Pick<SessionRecord, 'userId' | 'idleExpiresAt' | 'absoluteExpiresAt'> & {
  /** What the provider ends it by, see {@link providerSessionKey}. */
  readonly providerSession?: string | undefined
}

/** Every `id` is what {@link sessionStoreId} makes of a session id; a session id itself is refused. */
export type Sessions = {
  /** @returns Undefined if there is none, it has ended, or either of its expiries has passed. */
  readonly get: (id: string) => Promise<SessionRecord | undefined>
  /**
   * Makes the session, or saves its data and idle expiry. Who it belongs to, what its
   * provider ends it by and its absolute expiry stay as first set.
   *
   * @returns False if the session has ended meanwhile: it stays ended, nothing was saved.
   */
  readonly set: (id: string, data: string, expiry: SessionExpiry) => Promise<boolean>
  /** Saves other data only while it is still `from`: what another replica has saved since is not undone. @returns False if not. */
  readonly swap: (id: string, data: { readonly from: string; readonly to: string }) => Promise<boolean>
  /** Puts off the idle expiry, and leaves the data as it is. @returns False if the session has ended meanwhile. */
  readonly extend: (id: string, idleExpiresAt: number) => Promise<boolean>
  /** Ends the session for good. @returns False if there was none to end. */
  readonly destroy: (id: string) => Promise<boolean>
  /** Ids of the live sessions under this {@link providerSessionKey}: one, unless browsers share the provider's session. */
  readonly begunBy: (providerSession: string) => Promise<readonly string[]>
  /** Ends all sessions of a person. @returns How many there were. */
  readonly destroyOf: (userId: string) => Promise<number>
  /** Ends everybody's. @returns How many there were. */
  readonly destroyAll: () => Promise<number>
  /** One person's live sessions or everybody's, newest first. */
  readonly list: (userId?: string) => Promise<readonly SessionRecord[]>
  /** How many live ones there are, of everybody. */
  readonly count: () => Promise<number>
  /** Deletes the rows of sessions that have expired before `before`. @returns How many. */
  readonly prune: (before: number) => Promise<number>
}

/** What the store knows a session by: SHA-256 of the session id in base64url, so that its rows cannot be used to sign in. */
export function sessionStoreId(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('base64url')
}

/** What a session is found by that a provider knows by its `sid`: both of them, hashed. */
export function providerSessionKey(provider: string, sid: string): string {
  return compositeKey(provider, sid)
}

export function createSessions(db: Database, now: () => number): Sessions {
  return {
    get: async (id) => {
      const row = await live(db, now()).where('id', '=', hashed(id)).executeTakeFirst()
      return row && toRecord(row)
    },

    set: (id, data, expiry) => save(db, { id: hashed(id), data, ...expiry }, now()),

    swap: (id, { from, to }) => update(db, { id: hashed(id), from, to: { data: to } }, now()),

    extend: (id, idleExpiresAt) =>
      update(db, { id: hashed(id), to: { idle_expires_at: idleExpiresAt } }, now()),

    destroy: async (id) => (await end(db, { column: 'id', value: hashed(id) }, now())) > 0,

    begunBy: async (providerSession) => {
      const rows = await live(db, now()).where('provider_session', '=', providerSession).execute()
      return rows.map(({ id }) => id)
    },

    destroyOf: (userId) => end(db, { column: 'user_id', value: userId }, now()),

    destroyAll: () => db.transaction().execute((trx) => endAllSessions(trx, now())),

    list: async (userId) => {
      const rows = await live(db, now())
        .$if(userId !== undefined, (query) => query.where('user_id', '=', userId ?? ''))
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .execute()
      return rows.map(toRecord)
    },

    count: async () => {
      const { count } = await live(db, now())
        .clearSelect()
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return Number(count)
    },

    prune: async (before) => {
      // An ended session waits for its absolute expiry: until then a late save must find it ended.
      const { numDeletedRows } = await db
        .deleteFrom('sessions')
        .where((eb) =>
          eb.or([
            eb('absolute_expires_at', '<=', before),
            eb.and([eb('revoked', '=', 0), eb('idle_expires_at', '<=', before)]),
          ]),
        )
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}

function live(db: Database, at: number) {
  return db
    .selectFrom('sessions')
    .selectAll()
    .where('revoked', '=', 0)
    .where('idle_expires_at', '>', at)
    .where('absolute_expires_at', '>', at)
}

type SavedSession = SessionExpiry & { readonly id: string; readonly data: string }

async function save(db: Database, session: SavedSession, at: number): Promise<boolean> {
  if (session.absoluteExpiresAt <= at) return false
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('sessions')
    .values({
      id: session.id,
      user_id: session.userId,
      data: session.data,
      idle_expires_at: session.idleExpiresAt,
      absolute_expires_at: session.absoluteExpiresAt,
      created_at: at,
      revoked: 0,
      provider_session: session.providerSession ?? null,
    })
    .onConflict((conflict) =>
      conflict
        .column('id')
        .doUpdateSet({ data: session.data, idle_expires_at: session.idleExpiresAt })
        .where('sessions.revoked', '=', 0)
        .where('sessions.user_id', '=', session.userId)
        .where('sessions.idle_expires_at', '>', at)
        .where('sessions.absolute_expires_at', '>', at),
    )
    .executeTakeFirst()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

type SessionUpdate = {
  readonly id: string
  readonly from?: string
  readonly to: Updateable<SessionsTable>
}

/** Changes a session that has not ended. @returns False if there is none, or its data is not `from`. */
async function update(db: Database, { id, from, to }: SessionUpdate, at: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('sessions')
    .set(to)
    .where('id', '=', id)
    .where('revoked', '=', 0)
    .where('idle_expires_at', '>', at)
    .where('absolute_expires_at', '>', at)
    .$if(from !== undefined, (query) => query.where('data', '=', from ?? ''))
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

type SessionSelector = { readonly column: 'id' | 'user_id'; readonly value: string }

async function end(db: Database, { column, value }: SessionSelector, at: number): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const ended = await trx
      .updateTable('sessions')
      .set({ revoked: 1, data: '' })
      .where(column, '=', value)
      .where('revoked', '=', 0)
      .returning('id')
      .execute()
    for (const { id } of ended) await noteChange(trx, { kind: 'session', key: id, at })
    return ended.length
  })
}

/** @returns How many of them could still have been used. */
export async function endAllSessions(trx: Transaction<Schema>, at: number): Promise<number> {
  const { count } = await trx
    .selectFrom('sessions')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('revoked', '=', 0)
    .where('idle_expires_at', '>', at)
    .where('absolute_expires_at', '>', at)
    .executeTakeFirstOrThrow()
  await trx.updateTable('sessions').set({ revoked: 1, data: '' }).where('revoked', '=', 0).execute()
  await noteChange(trx, { kind: 'session', key: '*', at })
  return Number(count)
}

/** @throws {TypeError} For a session id itself, which must not be kept anywhere. */
export function hashed(id: string): string {
  if (!/^[A-Za-z0-9_-]{43}$/.test(id))
    throw new TypeError('Sessions are stored under sessionStoreId(sessionId)')
  return id
}

function toRecord(row: Selectable<SessionsTable>): SessionRecord {
  return {
    id: row.id,
    userId: row.user_id,
    data: row.data,
    idleExpiresAt: row.idle_expires_at,
    absoluteExpiresAt: row.absolute_expires_at,
    createdAt: row.created_at,
  }
}
