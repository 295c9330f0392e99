import { noteChange } from './changes.ts'
import type { Database } from './database.ts'

/** `closed`: nobody but administrators. `read_only`: nobody changes anything in MLflow, administrators neither. */
export type LockdownMode = 'closed' | 'read_only'

/** That the gateway is locked down, and why. */
export type LockdownState = {
  readonly mode: LockdownMode
  /** Told to everybody who is refused. */
  readonly reason: string | undefined
  /** Who did it. */
  readonly by: string
  /** Seconds since the epoch. */
  readonly since: number
}

export type Lockdowns = {
  /** @returns Undefined if there is none. What cannot be read counts as `closed`. */
  readonly read: () => Promise<LockdownState | undefined>
  /** Locks down, or changes how. */
  readonly set: (lockdown: Omit<LockdownState, 'since'>) => Promise<LockdownState>
  /** @returns False if there was none. */
  readonly clear: () => Promise<boolean>
}

const NAME = 'lockdown'

/** Longest reason, in characters. */
export const REASON_LIMIT = 500

export function createLockdowns(db: Database, now: () => number): Lockdowns {
  const note = { kind: 'lockdown', key: '*' } as const
  return {
    read: async () => {
      const row = await db.selectFrom('settings').select('value').where('name', '=', NAME).executeTakeFirst()
      return row && parse(row.value)
    },

    set: ({ mode, reason, by }) =>
      db.transaction().execute(async (trx) => {
        const at = now()
        const state = { mode, reason, by, since: at }
        const value = JSON.stringify(state)
        await trx
          .insertInto('settings')
          .values({ name: NAME, value })
          .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
          .execute()
        await noteChange(trx, { ...note, at })
        return state
      }),

    clear: () =>
      db.transaction().execute(async (trx) => {
        const { numDeletedRows } = await trx
          .deleteFrom('settings')
          .where('name', '=', NAME)
          .executeTakeFirst()
        if (numDeletedRows > 0n) await noteChange(trx, { ...note, at: now() })
        return numDeletedRows > 0n
      }),
  }
}

function parse(value: string): LockdownState {
  try {
    const { mode, reason, by, since } = JSON.parse(value)
    if (mode === 'read_only' || mode === 'closed')
      return { mode, reason, by: String(by), since: Number(since) }
  } catch {
    // As below.
  }
  return { mode: 'closed', reason: 'what the store says of the lockdown cannot be read', by: '', since: 0 }
}
