import { RATE_SCRIPTS } from '../limits/shared-rate-limit.ts'
import { type AccessRequests, createAccessRequests } from './access-requests.ts'
import { type AuditEvents, createAuditEvents } from './audit.ts'
import { type AuditSnapshot, readSnapshot } from './audit-snapshot.ts'
import { type Changes, createChanges } from './changes.ts'
import { type DatabaseOptions, openChangeSignal, openDatabase, openForRecords } from './database.ts'
import { createGroups, type Groups } from './groups.ts'
import { createJobs, type Jobs } from './jobs.ts'
import { createKeys, type Keys } from './keys.ts'
import { createLockdowns, type Lockdowns } from './lockdown.ts'
import { createLogoutTokens, type LogoutTokens } from './logout-tokens.ts'
import { createPeople, type People } from './people.ts'
import { createPublicIds, type PublicIds } from './public-ids.ts'
import type { RedisConnection, RedisOptions } from './redis.ts'
import { createRedisSessions, SESSION_SCRIPTS } from './redis-sessions.ts'
import { createRoles, type Roles } from './roles.ts'
import { createSessions, type Sessions } from './sessions.ts'
import { createTokens, type Tokens } from './tokens.ts'

export type StoreOptions = DatabaseOptions & {
  /** Seconds since the epoch. */
  readonly now: () => number
  /** Where sessions go instead of the database. */
  readonly redis?: Omit<RedisOptions, 'scripts'> | undefined
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
  readonly logoutTokens: LogoutTokens
  readonly keys: Keys
  readonly lockdowns: Lockdowns
  readonly audit: AuditEvents
  /** Looks through the whole record, as it is at this moment. */
  readonly readAudit: <T>(use: (snapshot: AuditSnapshot) => Promise<T>) => Promise<T>
  readonly changes: Changes
  readonly accessRequests: AccessRequests
  readonly jobs: Jobs
  /** Where sessions are, if not in the database, and what replicas count together. */
  readonly redis: RedisConnection | undefined
  /** Finishes what is running and closes the database. */
  readonly close: () => Promise<void>
}

/**
 * Opens the store, bringing its schema up to date first.
 *
 * @throws {Error} As `openDatabase`.
 */
export async function openStore({ now, redis: redisOptions, ...options }: StoreOptions): Promise<Store> {
  const db = await openDatabase(options)
  const records = await openForRecords(options)
  const redis = redisOptions && (await connectRedis(redisOptions))
  const changes = createChanges(db, now, await openChangeSignal(options))
  const sessions = redis === undefined ? createSessions(db, now) : createRedisSessions(redis, changes, now)
  return {
    people: createPeople(db, now),
    groups: createGroups(db, now),
    roles: createRoles(db, now),
    publicIds: createPublicIds(db),
    // What only tells when a token was last used must not have reads wait while another process holds the write lock.
    tokens: { ...createTokens(db, now), touch: createTokens(records, now).touch },
    sessions,
    logoutTokens: createLogoutTokens(db),
    keys: redis === undefined ? createKeys(db, now) : endingSessions(createKeys(db, now), sessions),
    lockdowns: createLockdowns(db, now),
    audit: createAuditEvents(records, now),
    readAudit: (use) => readSnapshot(records, use),
    changes,
    accessRequests: createAccessRequests(db, now),
    jobs: createJobs(db, now),
    redis,
    close: async () => {
      await redis?.close()
      await records.destroy()
      await db.destroy()
    },
  }
}

async function connectRedis(options: Omit<RedisOptions, 'scripts'>): Promise<RedisConnection> {
  const { openRedis } = await import('./redis.ts')
  return openRedis({ ...options, scripts: [...SESSION_SCRIPTS, ...RATE_SCRIPTS] })
}

/** What ends with the keys is here not in their transaction: the sessions go after them, or whoever asked is told. */
function endingSessions(keys: Keys, sessions: Pick<Sessions, 'destroyAll'>): Keys {
  return {
    ...keys,
    replaceAll: async (key) => {
      const ended = await keys.replaceAll(key)
      return { ...ended, sessions: await sessions.destroyAll() }
    },
  }
}
