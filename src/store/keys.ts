import type { JWK } from 'jose'
import type { Selectable } from 'kysely'
import { noteChange } from './changes.ts'
import type { Database } from './database.ts'
import type { SigningKeysTable } from './schema.ts'

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

export type Keys = {
  /** Every key, retired ones too, oldest first. */
  readonly list: () => Promise<readonly KeyRecord[]>
  readonly add: (key: NewKey) => Promise<void>
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
        await noteChange(trx, { kind: 'keys', key: key.kid, at: now() })
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
