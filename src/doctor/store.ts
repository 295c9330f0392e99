import { dirname, resolve } from 'node:path'
import { createSealer } from '../identity/sealing.ts'
import { parseDatabaseUrl } from '../store/database-url.ts'
import { inspectStore, type StoreState } from '../store/inspect.ts'
import { inspectRedis, type RedisState } from '../store/inspect-redis.ts'
import { type Check, type Finding, fault, ok, skipped, warning } from './check.ts'
import { judgeClock } from './clock.ts'
import { reachFault } from './reach.ts'
import type { Setup } from './setup.ts'

/** Where the gateway keeps everything: the database, and Redis if there is one. */
export function storeChecks(setup: Setup): readonly Check[] {
  const { config, nowMs } = setup
  const look = once(() => inspectStore(config, nowMs))
  /** The store as it is, once it has a schema; what it is without is said by the first check. */
  const withSchema = (judge: (state: StoreState) => Finding) => async () => {
    const state = await look().catch(() => undefined)
    return state === undefined ? skipped('not known: there is no store, or it does not answer') : judge(state)
  }
  const checks: readonly Check[] = [
    {
      name: 'store: schema',
      run: () => look().then((state) => judgeSchema(config.databaseUrl, state), storeFault),
    },
    { name: 'store: secret', run: withSchema((state) => judgeSecret(config.gatewaySecret, state)) },
    {
      name: 'store: clock',
      run: withSchema(({ clock }) =>
        clock === undefined
          ? skipped('SQLite has the clock of this machine')
          : judgeClock('the clock of the database', clock.itsMs - clock.oursMs),
      ),
    },
  ]
  return config.redis === undefined ? checks : [...checks, ...redisChecks(setup, config.redis)]
}

function redisChecks(
  { nowMs }: Setup,
  redis: { readonly url: string; readonly ca?: string | undefined },
): readonly Check[] {
  const look = once(() => inspectRedis(redis, nowMs))
  return [
    { name: 'Redis: answers', run: () => look().then(judgeRedis, redisFault) },
    {
      name: 'Redis: eviction',
      run: () => look().then(judgeEviction, () => skipped('not known: Redis does not answer')),
    },
    {
      name: 'Redis: clock',
      run: () =>
        look().then(
          ({ clock }) => judgeClock('the clock of Redis', clock.itsMs - clock.oursMs),
          () => skipped('not known: Redis does not answer'),
        ),
    },
  ]
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined
  return () => {
    answer ??= ask()
    return answer
  }
}

function judgeSchema(databaseUrl: string, state: StoreState | undefined): Finding {
  const address = parseDatabaseUrl(databaseUrl)
  if (state === undefined && address.kind === 'sqlite') {
    return warning({
      what: `there is no database at ${resolve(address.path)} yet`,
      why: 'The gateway makes it at its first start. If it has run already, this command was run in another folder or with other settings.',
      advice: `Start the gateway; or name the file by its full path in DATABASE_URL. The folder is ${dirname(resolve(address.path))}.`,
    })
  }
  const { missing = [], unknown = [], isStandby = false } = state ?? {}
  if (isStandby) {
    return fault({
      what: 'the database is a standby',
      why: 'It takes no changes: nobody could sign in.',
      advice: 'Name the primary in DATABASE_URL.',
    })
  }
  if (unknown.length > 0) {
    return fault({
      what: `the store has had steps that this version does not know: ${unknown.join(', ')}`,
      why: 'A newer gateway has worked on it; this one might not understand what it finds.',
      advice:
        'Use the newer version everywhere, or restore the backup made before the upgrade (docs/upgrade.md).',
    })
  }
  if (missing.length > 0) {
    return warning({
      what: `the store lacks ${missing.length === 1 ? 'a step' : `${missing.length} steps`} of this version's schema: ${missing.join(', ')}`,
      why: 'The gateway brings it up to date when it starts; until then an older one works on it, or none has yet.',
      advice: 'Make a backup (`store backup`), then start the gateway or run `store migrate`.',
    })
  }
  return ok(
    `the ${address.kind === 'sqlite' ? 'SQLite file' : 'PostgreSQL database'} answers and has the schema of this version`,
  )
}

function storeFault(error: unknown): Finding {
  const why = 'Without it the gateway does not start, or soon stops being ready.'
  if (error instanceof Error && error.name === 'DatabaseStartError') {
    return fault({ what: error.message, why, advice: 'Correct that, and run doctor again.' })
  }
  return fault({
    what: `the database cannot be read: ${reachFault(error).reason}`,
    why,
    advice: 'Check DATABASE_URL, and that the file is a database that this user may read.',
  })
}

function judgeSecret(secret: string, { keys }: StoreState): Finding {
  const sealer = createSealer(secret, 'signing-key')
  if (keys.length === 0)
    return skipped('there is no signing key in the store yet: the gateway makes one at its first start')
  if (keys.every(({ kid, privateSealed }) => sealer.open(privateSealed, kid) !== undefined)) {
    return ok('GATEWAY_SECRET is the one the store was made with')
  }
  return fault({
    what: 'the store was made with another GATEWAY_SECRET',
    why: 'The signing keys in it cannot be opened, so the gateway does not start.',
    advice:
      'Set the GATEWAY_SECRET it had. If it is lost or has to change: docs/hardening.md, "Changing GATEWAY_SECRET".',
  })
}

function judgeRedis({ isPrimary }: RedisState): Finding {
  if (isPrimary) return ok('Redis answers')
  return fault({
    what: 'Redis is a replica',
    why: 'It takes no changes: nobody could sign in.',
    advice: 'Name the primary in REDIS_URL.',
  })
}

function redisFault(error: unknown): Finding {
  const message = error instanceof Error ? error.message : ''
  const isRefusal = /NOAUTH|WRONGPASS|NOPERM/.test(message)
  return fault({
    what: isRefusal
      ? 'Redis does not accept the user and password of REDIS_URL'
      : `Redis cannot be reached: ${reachFault(error).reason}`,
    why: 'Sessions are there: nobody can sign in without it, and each replica counts rates by itself.',
    advice: isRefusal
      ? 'Check both; special characters are percent-encoded.'
      : 'Check REDIS_URL, that Redis runs, and the network; with rediss:// also REDIS_CA_FILE.',
  })
}

function judgeEviction({ policy, maxMemory }: RedisState): Finding {
  if (policy === undefined) return skipped('Redis does not say what it does when its memory is full')
  if (policy === 'noeviction') return ok('Redis throws nothing away when its memory is full (noeviction)')
  return warning({
    what: `Redis throws entries away when its memory is full (${policy})${maxMemory === 0 ? ', though it has no limit set' : ''}`,
    why: 'Sessions would go, and with them people in the middle of their work, without a word in the log.',
    advice: 'Set maxmemory-policy noeviction, in redis.conf or at the provider of the service.',
  })
}
