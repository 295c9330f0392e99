import { type AccessRequests, createAccessRequests } from './access-requests.ts'
import { type AuditEvents, createAuditEvents } from './audit.ts'
import { type AuditSnapshot, readSnapshot } from './audit-snapshot.ts'
import { type Changes, createChanges } from './changes.ts'
import { type DatabaseOptions, openChangeSignal, openDatabase, openForRecords } from './database.ts'
import { createGroups, type Groups } from './groups.ts'
import { createJobs, type Jobs } from './jobs.ts'
import { createKeys, type Keys } from './keys.ts'
import { createLockdowns, type Lockdowns } from './lockdown.ts'
import { createPeople, type People } from './people.ts'
import { createPublicIds, type PublicIds } from './public-ids.ts'
import { createRoles, type Roles } from './roles.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { createTokens, type Tokens } from './tokens.ts'

export type StoreOptions = DatabaseOptions & {
  /** Seconds since the epoch. */
  readonly now: () => number
}

/**
 * Everything the gateway keeps. Whatever changes what another process may have in memory is announced in `changes`, in
 * the same transaction.
 *
 * Every method throws {@link GatewayError} `ERR_STORE_UNAVAILABLE` when the database cannot be reached or is busy for
 * longer than five seconds: trouble here is never an answer to a question about rights.
 */
export type Store = {
  readonly people: People
  readonly groups: Groups
  readonly roles: Roles
  readonly publicIds: PublicIds
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly keys: Keys
  readonly lockdowns: Lockdowns
  readonly audit: AuditEvents
  /** Looks through the whole record, as it is at this moment. */
  readonly readAudit: <T>(use: (snapshot: AuditSnapshot) => Promise<T>) => Promise<T>
  readonly changes: Changes
  readonly accessRequests: AccessRequests
  readonly jobs: Jobs
  /** Finishes what is running and closes the database. */
  readonly close: () => Promise<void>
}

/**
 * Opens the store, bringing its schema up to date first.
 *
 * @throws {Error} As `openDatabase`.
 */
export async function openStore({ now, ...options }: StoreOptions): Promise<Store> {
  const db = await openDatabase(options)
  const records = openForRecords(options)
  return {
    people: createPeople(db, now),
    groups: createGroups(db, now),
    roles: createRoles(db, now),
    publicIds: createPublicIds(db),
    // What only tells when a token was last used must not have reads wait while another process holds the write lock.
    tokens: { ...createTokens(db, now), touch: createTokens(records, now).touch },
    sessions: createSessions(db, now),
    keys: createKeys(db, now),
    lockdowns: createLockdowns(db, now),
    audit: createAuditEvents(records, now),
    readAudit: (use) => readSnapshot(records, use),
    changes: createChanges(db, now, (onSignal) => openChangeSignal(options, onSignal)),
    accessRequests: createAccessRequests(db, now),
    jobs: createJobs(db, now),
    close: async () => {
      await records.destroy()
      await db.destroy()
    },
  }
}
