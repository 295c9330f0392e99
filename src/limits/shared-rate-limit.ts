import type { RedisConnection, RedisScript } from '../store/redis.ts'
import type { RateLimit } from './rate-limit.ts'

/** As {@link RateLimit}, asked of somebody else. */
export type SharedRateLimit = {
  readonly take: (key: string) => Promise<number>
  readonly look: (key: string) => Promise<number>
}

export type SharedRateLimitOptions = {
  readonly redis: Pick<RedisConnection, 'run'>
  /** Keeps limits apart that count the same keys. */
  readonly name: string
  /** Sustained rate. */
  readonly perSecond: number
  readonly burst: number
  /** Counts while Redis does not answer: a limit that cannot be asked about holds here all the same. */
  readonly local: RateLimit
}

/** One rate for all replicas, by the same algorithm in a script, by Redis' own clock. */
export function createSharedRateLimit(options: SharedRateLimitOptions): SharedRateLimit {
  const { redis, name, perSecond, burst, local } = options
  const interval = 1000 / perSecond
  const ask = async (key: string, takes: 0 | 1): Promise<number> => {
    const keys = [`mlflow-auth-gateway:rate:${name}:${key}`]
    const waitMs = await redis.run(RATE, keys, [interval, interval * (burst - 1), takes])
    return Number(waitMs) / 1000
  }
  const orLocal = async (asked: Promise<number>, instead: () => number): Promise<number> => {
    try {
      return await asked
    } catch {
      return instead()
    }
  }
  return {
    take: (key) => orLocal(ask(key, 1), () => local.take(key)),
    look: (key) => orLocal(ask(key, 0), () => local.look(key)),
  }
}

const RATE: RedisScript = {
  name: 'gatewayRate',
  keys: 1,
  lua: `
local interval, tolerance, takes = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
local at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = at - tolerance - now
if wait > 0 then return tostring(wait) end
if takes then
  redis.call('SET', KEYS[1], string.format('%.3f', at + interval), 'PX', math.ceil(at + interval - now))
end
return '0'`,
}

export const RATE_SCRIPTS: readonly RedisScript[] = [RATE]
