import { LRUCache } from 'lru-cache'
import { upTo } from '../room.ts'
import type { Database } from './database.ts'

/**
 * Numbers for users, roles and grants: MLflow's clients know these by an integer. A number is given when it is first
 * asked for, stays, and is never given to anything else.
 */
export type PublicIds = {
  /** @returns A number for each id, whether or not there is such a thing. */
  readonly numbersOf: (ids: Iterable<string>) => Promise<ReadonlyMap<string, number>>
  /** What a number was given to; it may be gone since. */
  readonly idOf: (number: number) => Promise<string | undefined>
  /** Forgets the numbers of what is gone. @returns How many. */
  readonly prune: () => Promise<number>
}

/** Ids in one statement: a parameter each. */
const IDS_PER_STATEMENT = 500

/** Numbers kept in memory; they never change. */
const CAPACITY = 20_000

export function createPublicIds(db: Database): PublicIds {
  const known = new LRUCache<string, number>(upTo(CAPACITY))
  return {
    numbersOf: async (ids) => {
      const numbers = new Map<string, number>()
      const unknown: string[] = []
      for (const id of new Set(ids)) {
        const number = known.get(id)
        if (number === undefined) unknown.push(id)
        else numbers.set(id, number)
      }
      for (let start = 0; start < unknown.length; start += IDS_PER_STATEMENT) {
        for (const { id, number } of await numbered(db, unknown.slice(start, start + IDS_PER_STATEMENT))) {
          known.set(id, number)
          numbers.set(id, number)
        }
      }
      return numbers
    },
    idOf: async (number) => {
      const row = await db
        .selectFrom('public_ids')
        .select('id')
        .where('number', '=', number)
        .executeTakeFirst()
      return row?.id
    },
    prune: async () => {
      const { numDeletedRows } = await db
        .deleteFrom('public_ids')
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('users').select('id').whereRef('users.id', '=', 'public_ids.id'))),
        )
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('roles').select('id').whereRef('roles.id', '=', 'public_ids.id'))),
        )
        .where(({ not, exists, selectFrom }) =>
          not(exists(selectFrom('grants').select('id').whereRef('grants.id', '=', 'public_ids.id'))),
        )
        // Personal roles in other workspaces: a few for each person.
        .where('id', 'not like', '%/%')
        .executeTakeFirst()
      return Number(numDeletedRows)
    },
  }
}

/** The numbers of all of them. Writes only if some have none yet; another process may be doing the same. */
async function numbered(db: Database, ids: readonly string[]) {
  const read = () =>
    db
      .selectFrom('public_ids')
      .selectAll()
      .where('id', 'in', [...ids])
      .execute()
  const found = await read()
  if (found.length === ids.length) return found
  const has = new Set(found.map(({ id }) => id))
  await db
    .insertInto('public_ids')
    .values(ids.filter((id) => !has.has(id)).map((id) => ({ id })))
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
  return read()
}
