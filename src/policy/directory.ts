import { LRUCache } from 'lru-cache'
import { type ChangeSignal, NO_SIGNAL } from '../store/change-signal.ts'
import type { Store } from '../store/store.ts'
import { storeUnavailable } from '../store/store-fault.ts'
import { createChangeFeed, createPoll, type DirectoryChange } from './change-feed.ts'
import { createMemberCompiler, type Member, type MemberConfig, type MemberEntry } from './member.ts'

export type { DirectoryChange } from './change-feed.ts'
export { LOCAL_ISSUER, type Member } from './member.ts'

export type Directory = {
  /** The member as far as it is in memory and still certain. Asks nobody. */
  readonly cached: (userId: string) => Member | undefined
  /**
   * The member as the store has it now; who asks for the same person meanwhile shares the answer. While the changes
   * cannot be followed nobody waits for them for longer than two seconds.
   *
   * @returns Undefined for somebody unknown, disabled, or vouched for by a provider that is not configured.
   * @throws {GatewayError} `ERR_STORE_UNAVAILABLE`
   */
  readonly resolve: (userId: string) => Promise<Member | undefined>
  /** Calls `listener` for each change once the directory itself has followed it. @returns What ends that. */
  readonly onChange: (listener: (change: DirectoryChange) => void) => () => void
  /**
   * Follows every change made before the call, so that whoever changed something sees it at once.
   *
   * @throws {GatewayError} `ERR_STORE_UNAVAILABLE`
   */
  readonly refresh: () => Promise<void>
  /** False if what others have changed has not been readable for longer than what is in memory may count. */
  readonly isCurrent: () => boolean
  /** When the changes were last followed, seconds since the epoch; undefined before the first time. */
  readonly lastRefreshedAt: () => number | undefined
  /** Follows changes from now on: when the store tells of them, and every `pollMs`. */
  readonly start: () => void
  readonly stop: () => void
}

export type DirectoryOptions = {
  readonly store: Pick<Store, 'people' | 'changes'>
  readonly config: MemberConfig
  /** Seconds since the epoch. */
  readonly now: () => number
  readonly pollMs?: number
  /**
   * How old what is in memory may be, seconds. While the changes cannot be followed for longer, members are read from
   * the store each time, and if that fails too, nobody is let in on what they once had.
   */
  readonly outageGrace?: number
  /** Members kept in memory; the least recently used goes first. */
  readonly capacity?: number
  /** Called with what went wrong while polling or in a listener; polling goes on. */
  readonly onError?: (error: unknown) => void
}

/** How old what is in memory may be unless said otherwise, seconds. */
const FEED_AGE_LIMIT = 5

/** How often changes are looked for while the store tells of them: a connection may go deaf and not know it. */
const LISTENING_POLL_MS = 1000

/** How long somebody waits for the changes to be read, ms: a store that has gone silent is given far longer to answer. */
const PATIENCE_MS = 2000

/** Grants, roles and groups kept in memory, over all members. */
const WEIGHT_LIMIT = 500_000

/** Who people are and what they may do: compiled when first seen, kept until a change says otherwise (decision 0002). */
export function createDirectory(options: DirectoryOptions): Directory {
  const { store, now, pollMs = 500, outageGrace = FEED_AGE_LIMIT, onError = () => undefined } = options
  const members = createMemberCache(options)
  const listeners = new Set<(change: DirectoryChange) => void>()

  const follow = (change: DirectoryChange) => {
    members.forget(change)
    for (const listener of listeners) {
      try {
        listener(change)
      } catch (error) {
        onError(error)
      }
    }
  }
  const feed = createChangeFeed({ changes: store.changes, now, follow })
  const certain = () => {
    const at = feed.lastReadAt()
    return at !== undefined && now() - at <= outageGrace
  }
  const read = () => feed.read().catch(onError)
  let signal: ChangeSignal = NO_SIGNAL
  const poll = createPoll(read, () => (signal.isLive() ? Math.max(pollMs, LISTENING_POLL_MS) : pollMs))

  return {
    cached: (userId) => (certain() ? members.get(userId) : undefined),
    resolve: async (userId) => {
      if (!certain()) await soon(feed.read())
      return members.get(userId) ?? members.load(userId)
    },
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    refresh: feed.read,
    isCurrent: certain,
    lastRefreshedAt: feed.lastReadAt,
    start: () => {
      signal.stop()
      signal = store.changes.listen(read)
      poll.start()
    },
    stop: () => {
      signal.stop()
      poll.stop()
    },
  }
}

/** @throws {GatewayError} `ERR_STORE_UNAVAILABLE` if it takes too long; it goes on all the same. */
async function soon(reading: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(storeUnavailable(new Error('the changes take too long'))),
    PATIENCE_MS,
  )
  try {
    await Promise.race([reading, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Members by user id, and the reads under way. */
function createMemberCache({ store, config, now, capacity = 10_000 }: DirectoryOptions) {
  const entries = new LRUCache<string, MemberEntry>({
    max: capacity,
    maxSize: WEIGHT_LIMIT,
    sizeCalculation: (entry) => entry.weight,
  })
  const reads = new Map<string, Promise<Member | undefined>>()
  const compile = createMemberCompiler(config, now)

  const read = async (userId: string, isCurrent: () => boolean) => {
    const membership = await store.people.membership(userId, config.providers)
    const entry = membership && compile(membership)
    // A change that arrived meanwhile may not be in what was read: use it, but do not keep it.
    if (entry !== undefined && isCurrent()) entries.set(userId, entry)
    return entry?.member
  }

  return {
    get: (userId: string): Member | undefined => {
      const member = entries.get(userId)?.member
      if (member === undefined || member.validUntil > now()) return member
      entries.delete(userId)
      return undefined
    },
    load: (userId: string): Promise<Member | undefined> => {
      const running = reads.get(userId)
      if (running !== undefined) return running
      const isCurrent = () => reads.get(userId) === started
      const started: Promise<Member | undefined> = read(userId, isCurrent).finally(() => {
        if (isCurrent()) reads.delete(userId)
      })
      reads.set(userId, started)
      return started
    },
    forget: ({ kind, key }: DirectoryChange): void => {
      if (kind === 'user' && key !== '*') {
        entries.delete(key)
        reads.delete(key)
      } else if (kind === 'role' && key !== '*') {
        for (const [userId, entry] of entries.entries()) if (entry.roleIds.has(key)) entries.delete(userId)
        reads.clear()
      } else if (kind === 'user' || kind === 'role' || kind === 'groups') {
        entries.clear()
        reads.clear()
      }
    },
  }
}
