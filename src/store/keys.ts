import type { JWK } from 'jose'
import type { Selectable, Transaction } from 'kysely'
import { noteChange } from './changes.ts'
import type { Database } from './database.ts'
import type { Schema, SigningKeysTable } from './schema.ts'
import { endAllSessions } from './sessions.ts'
import { revokeAllTokens } from './tokens.ts'

/** A signing key of the gateway. Times in seconds since the epoch. */
export type KeyRecord = {
  readonly kid: string
  readonly alg: string
  readonly publicJwk: JWK
  /** The private part as its owner sealed it; opaque here. */
  readonly privateSealed: string
  readonly createdAt: number
  /** Set for a key that signs no more; what it signed is still verified with it until that has expired. */
  readonly retiredAt?: number | undefined
}

export type NewKey = Omit<KeyRecord, 'retiredAt'>

/** How many of each still worked. */
export type EndedWithKeys = { readonly sessions: number; readonly tokens: number }

export type Keys = {
  /** Every key, retired ones too, oldest first. */
  readonly list: () => Promise<readonly KeyRecord[]>
  readonly add: (key: NewKey) => Promise<void>
  /** Puts a key in the place of all others, and ends every session and every access token of ours with them. */
  readonly replaceAll: (key: NewKey) => Promise<EndedWithKeys>
  /** @returns False if there is no such key or it was retired before. */
  readonly retire: (kid: string) => Promise<boolean>
}

export function createKeys(db: Database, now: () => number): Keys {
  return {
    list: async () => {
      const rows = await db
        .selectFrom('signing_keys')
        .selectAll()
        .orderBy('created_at')
        .orderBy('kid')
        .execute()
      return rows.map(toRecord)
    },

    add: (key) =>
      db.transaction().execute(async (trx) => {
        await insert(trx, key)
        await noteChange(trx, { kind: 'keys', key: key.kid, at: now() })
      }),

    replaceAll: (key) =>
      db.transaction().execute(async (trx) => {
        const at = now()
        await trx.deleteFrom('signing_keys').execute()
        await insert(trx, key)
        const ended = { sessions: await endAllSessions(trx, at), tokens: await revokeAllTokens(trx, at) }
        await noteChange(trx, { kind: 'keys', key: key.kid, at })
        return ended
      }),

    retire: (kid) =>
      db.transaction().execute(async (trx) => {
        const at = now()
        const { numUpdatedRows } = await trx
          .updateTable('signing_keys')
          .set({ retired_at: at })
          .where('kid', '=', kid)
          .where('retired_at', 'is', null)
          .executeTakeFirst()
        if (numUpdatedRows > 0n) await noteChange(trx, { kind: 'keys', key: kid, at })
        return numUpdatedRows > 0n
      }),
  }
}

async function insert(trx: Transaction<Schema>, key: NewKey): Promise<void> {
  await trx
    .insertInto('signing_keys')
    .values({
      kid: key.kid,
      alg: key.alg,
      public_jwk: JSON.stringify(key.publicJwk),
      private_sealed: key.privateSealed,
      created_at: key.createdAt,
    })
    .execute()
}

function toRecord(row: Selectable<SigningKeysTable>): KeyRecord {
  return {
    kid: row.kid,
    alg: row.alg,
    // Written by add only.
    publicJwk: JSON.parse(row.public_jwk) as JWK,
    privateSealed: row.private_sealed,
    createdAt: row.created_at,
    retiredAt: row.retired_at ?? undefined,
  }
}
