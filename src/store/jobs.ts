import type { Database } from './database.ts'

/**
 * Who started which of MLflow's jobs: a bare server keeps no creator (`creator` is null, 3.17.2). A person is their id
 * here, so a name given to somebody else carries no job over.
 */
export type Jobs = {
  /** Remembers whose jobs these are. One that has an owner keeps them: MLflow never gives an id twice. */
  readonly remember: (userId: string, jobIds: readonly string[]) => Promise<void>
  readonly isOwner: (userId: string, jobId: string) => Promise<boolean>
  /** All that somebody has started. */
  readonly startedBy: (userId: string) => Promise<ReadonlySet<string>>
  /** Forgets jobs from before that second. @returns How many. */
  readonly prune: (before: number) => Promise<number>
}

/** Rows in one statement: 3 parameters each, of the 32,766 that SQLite takes. */
const ROWS_PER_STATEMENT = 1000

/** Rows in one deletion: other requests run in between. */
const ROWS_PER_DELETION = 5000

export function createJobs(db: Database, now: () => number): Jobs {
  return {
    remember: (userId, jobIds) =>
      db.transaction().execute(async (trx) => {
        const rows = jobIds.map((job_id) => ({ job_id, user_id: userId, created_at: now() }))
        for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT) {
          await trx
            .insertInto('jobs')
            .values(rows.slice(at, at + ROWS_PER_STATEMENT))
            .onConflict((conflict) => conflict.column('job_id').doNothing())
            .execute()
        }
      }),

    isOwner: async (userId, jobId) => {
      const row = await db
        .selectFrom('jobs')
        .select('job_id')
        .where('job_id', '=', jobId)
        .where('user_id', '=', userId)
        .executeTakeFirst()
      return row !== undefined
    },

    startedBy: async (userId) => {
      const rows = await db.selectFrom('jobs').select('job_id').where('user_id', '=', userId).execute()
      return new Set(rows.map(({ job_id }) => job_id))
    },

    prune: async (before) => {
      for (let deleted = 0; ; ) {
        const { numDeletedRows } = await db
          .deleteFrom('jobs')
          .where('job_id', 'in', (eb) =>
            eb.selectFrom('jobs').select('job_id').where('created_at', '<', before).limit(ROWS_PER_DELETION),
          )
          .executeTakeFirst()
        deleted += Number(numDeletedRows)
        if (numDeletedRows < ROWS_PER_DELETION) return deleted
        await new Promise(setImmediate)
      }
    },
  }
}
