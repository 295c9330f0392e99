import type { Insertable, Selectable, Transaction } from 'kysely'
import type { Scope } from '../identity/principal.ts'
import { noteChange } from './changes.ts'
import type { Database } from './database.ts'
import type { AccessTokensTable, Schema } from './schema.ts'

/** An access token as it is listed; the token itself is kept nowhere. Times in seconds since the epoch. */
export type TokenRecord = {
  readonly jti: string
  readonly userId: string
  readonly name: string
  /** Empty: all its owner may do. */
  readonly scope: readonly Scope[]
  readonly createdAt: number
  readonly expiresAt: number
  readonly revokedAt?: number | undefined
  readonly lastUsedAt?: number | undefined
  /** Username of who made it, if that was not the owner. */
  readonly createdBy?: string | undefined
}

export type NewToken = Omit<TokenRecord, 'revokedAt' | 'lastUsedAt'>

export type Tokens = {
  readonly add: (token: NewToken) => Promise<void>
  /** The token, revoked or not. */
  readonly get: (jti: string) => Promise<TokenRecord | undefined>
  /** One person's tokens or everybody's, newest first. */
  readonly list: (userId?: string) => Promise<readonly TokenRecord[]>
  /** How many there are that are neither expired nor revoked, of everybody. */
  readonly count: () => Promise<number>
  /** @returns False if there is no such token or it was revoked before. */
  readonly revoke: (jti: string) => Promise<boolean>
  /** Revokes all of a person's. @returns How many of them worked. */
  readonly revokeOf: (userId: string) => Promise<number>
  /** Revokes everybody's. @returns How many of them worked. */
  readonly revokeAll: () => Promise<number>
  /** Remembers when tokens were last used. No change is announced: nobody keeps this in memory. */
  readonly touch: (lastUses: ReadonlyMap<string, number>) => Promise<void>
}

export function createTokens(db: Database, now: () => number): Tokens {
  return {
    add: (token) =>
      db.transaction().execute(async (trx) => {
        await trx.insertInto('access_tokens').values(toRow(token)).execute()
        await noteChange(trx, { kind: 'token', key: token.jti, at: now() })
      }),

    get: async (jti) => {
      const row = await db.selectFrom('access_tokens').selectAll().where('jti', '=', jti).executeTakeFirst()
      return row && toRecord(row)
    },

    list: async (userId) => {
      const rows = await db
        .selectFrom('access_tokens')
        .selectAll()
        .$if(userId !== undefined, (query) => query.where('user_id', '=', userId ?? ''))
        .orderBy('created_at', 'desc')
        .orderBy('jti')
        .execute()
      return rows.map(toRecord)
    },

    count: async () => {
      const { count } = await db
        .selectFrom('access_tokens')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('expires_at', '>', now())
        .where('revoked_at', 'is', null)
        .executeTakeFirstOrThrow()
      return Number(count)
    },

    revoke: (jti) =>
      db.transaction().execute(async (trx) => {
        const at = now()
        const { numUpdatedRows } = await trx
          .updateTable('access_tokens')
          .set({ revoked_at: at })
          .where('jti', '=', jti)
          .where('revoked_at', 'is', null)
          .executeTakeFirst()
        if (numUpdatedRows > 0n) await noteChange(trx, { kind: 'token', key: jti, at })
        return numUpdatedRows > 0n
      }),

    revokeOf: (userId) =>
      db.transaction().execute(async (trx) => {
        const at = now()
        const revoked = await trx
          .updateTable('access_tokens')
          .set({ revoked_at: at })
          .where('user_id', '=', userId)
          .where('revoked_at', 'is', null)
          .returning(['jti', 'expires_at'])
          .execute()
        for (const { jti } of revoked) await noteChange(trx, { kind: 'token', key: jti, at })
        return revoked.filter(({ expires_at }) => expires_at > at).length
      }),

    revokeAll: () => db.transaction().execute((trx) => revokeAllTokens(trx, now())),

    touch: (lastUses) =>
      db.transaction().execute(async (trx) => {
        for (const [jti, at] of lastUses) {
          await trx
            .updateTable('access_tokens')
            .set({ last_used_at: at })
            .where('jti', '=', jti)
            .where((eb) => eb.or([eb('last_used_at', 'is', null), eb('last_used_at', '<', at)]))
            .execute()
        }
      }),
  }
}

/** @returns How many of them worked. */
export async function revokeAllTokens(trx: Transaction<Schema>, at: number): Promise<number> {
  const { count } = await trx
    .selectFrom('access_tokens')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', at)
    .executeTakeFirstOrThrow()
  await trx.updateTable('access_tokens').set({ revoked_at: at }).where('revoked_at', 'is', null).execute()
  await noteChange(trx, { kind: 'token', key: '*', at })
  return Number(count)
}

function toRow(token: NewToken): Insertable<AccessTokensTable> {
  return {
    jti: token.jti,
    user_id: token.userId,
    name: token.name,
    scope: token.scope.join(' '),
    created_at: token.createdAt,
    expires_at: token.expiresAt,
    created_by: token.createdBy ?? null,
  }
}

function toRecord(row: Selectable<AccessTokensTable>): TokenRecord {
  return {
    jti: row.jti,
    userId: row.user_id,
    name: row.name,
    // Written by toRow only.
    scope: row.scope === '' ? [] : (row.scope.split(' ') as Scope[]),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at ?? undefined,
    lastUsedAt: row.last_used_at ?? undefined,
    createdBy: row.created_by ?? undefined,
  }
}
