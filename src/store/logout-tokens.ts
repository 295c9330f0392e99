import type { Database } from './database.ts'

/** Logout tokens that providers have sent, so that each counts once, at whichever replica. */
export type LogoutTokens = {
  readonly isUsed: (id: string) => Promise<boolean>
  /**
   * @param id A digest, the same for the same token.
   * @param expiresAt Until then it is remembered, seconds since the epoch.
   * @returns False if it was used before.
   */
  readonly use: (id: string, expiresAt: number) => Promise<boolean>
  /** Remembers what a logout token was about, until then or longer. */
  readonly remember: (id: string, expiresAt: number) => Promise<void>
  /** Seconds since the epoch; absent if it is not remembered. */
  readonly rememberedUntil: (id: string) => Promise<number | undefined>
  /** @returns How many were forgotten. */
  readonly prune: (before: number) => Promise<number>
}

export function createLogoutTokens(db: Database): LogoutTokens {
  return {
    isUsed: async (id) => {
      const row = await db.selectFrom('logout_tokens').select('id').where('id', '=', id).executeTakeFirst()
      return row !== undefined
    },
    use: async (id, expiresAt) => {
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('logout_tokens')
        .values({ id, expires_at: expiresAt })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst()
      return (numInsertedOrUpdatedRows ?? 0n) > 0n
    },
    remember: async (id, expiresAt) => {
      await db
        .insertInto('logout_tokens')
        .values({ id, expires_at: expiresAt })
        .onConflict((conflict) =>
          conflict
            .column('id')
            .doUpdateSet({ expires_at: expiresAt })
            .where('logout_tokens.expires_at', '<', expiresAt),
        )
        .execute()
    },
    rememberedUntil: async (id) => {
      const query = db.selectFrom('logout_tokens').select('expires_at').where('id', '=', id)
      const row = await query.executeTakeFirst()
      return row && Number(row.expires_at)
    },
    prune: async (before) => {
      const { numDeletedRows } = await db
        .deleteFrom('logout_tokens')
        .where('expires_at', '<', before)
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}
