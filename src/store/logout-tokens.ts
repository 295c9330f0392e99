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
    prune: async (before) => {
      const { numDeletedRows } = await db
        .deleteFrom('logout_tokens')
        .where('expires_at', '<', before)
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}
