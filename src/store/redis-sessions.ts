import type { Changes } from './changes.ts'
import type { RedisConnection, RedisScript } from './redis.ts'
import { hashed, type SessionRecord, type Sessions } from './sessions.ts'

/**
 * Browser sessions in Redis instead of the database's table, with the same rules. A session is a hash that lives until
 * its absolute expiry, also after it has ended, so that a late save cannot bring it back; of each person there is a set
 * of theirs, by absolute expiry, and one of each `sid` of a provider.
 *
 * Ending one is announced in the database's changes, which is where every replica listens.
 */
export function createRedisSessions(
  redis: RedisConnection,
  changes: Pick<Changes, 'note'>,
  now: () => number,
): Sessions {
  const run = (script: RedisScript, keys: readonly string[], ...args: readonly (string | number)[]) =>
    redis.run(script, keys, args)
  const endAll = async (index: string): Promise<readonly string[]> => {
    const ended = (await run(END_OF, [index], PREFIX, now())) as readonly string[]
    for (const id of ended) await changes.note('session', id)
    return ended
  }
  return {
    get: async (id) => toRecord(id, await run(READ, [sessionKey(hashed(id))], now())),

    set: async (id, data, { userId, idleExpiresAt, absoluteExpiresAt, providerSession = '' }) => {
      const keys = [sessionKey(hashed(id)), EVERYBODY, personKey(userId), providerKey(providerSession)]
      const at = now()
      return (await run(SAVE, keys, id, userId, data, idleExpiresAt, absoluteExpiresAt, at)) === 1
    },

    swap: async (id, { from, to }) => (await run(SWAP, [sessionKey(hashed(id))], now(), from, to)) === 1,

    extend: async (id, idleExpiresAt) =>
      (await run(EXTEND, [sessionKey(hashed(id))], now(), idleExpiresAt)) === 1,

    destroy: async (id) => {
      const ended = (await run(END, [sessionKey(hashed(id))])) === 1
      if (ended) await changes.note('session', id)
      return ended
    },

    begunBy: async (providerSession) => {
      const rows = (await run(LIST, [providerKey(providerSession)], PREFIX, now())) as readonly [string][]
      return rows.map(([id]) => id)
    },

    destroyOf: async (userId) => (await endAll(personKey(userId))).length,

    destroyAll: async () => {
      const ended = (await run(END_OF, [EVERYBODY], PREFIX, now())) as readonly string[]
      await changes.note('session', '*')
      return ended.length
    },

    list: async (userId) => {
      const index = userId === undefined ? EVERYBODY : personKey(userId)
      const rows = (await run(LIST, [index], PREFIX, now())) as readonly (readonly [string, unknown])[]
      return rows
        .map(([id, row]) => toRecord(id, row))
        .filter((record) => record !== undefined)
        .sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? -1 : 1))
    },

    count: async () => Number(await run(COUNT, [EVERYBODY], PREFIX, now())),

    prune: async (before) => Number(await run(PRUNE, [EVERYBODY], before)),
  }
}

const PREFIX = 'mlflow-auth-gateway:session:'
const EVERYBODY = 'mlflow-auth-gateway:sessions'

function sessionKey(id: string): string {
  return PREFIX + id
}

function personKey(userId: string): string {
  return `mlflow-auth-gateway:sessions-of:${userId}`
}

const FIELDS = "'user', 'data', 'idle', 'absolute', 'created'"

/** @param providerSession Empty for those that no provider has given a name. */
function providerKey(providerSession: string): string {
  return `mlflow-auth-gateway:sessions-begun-by:${providerSession}`
}

/** True in Lua for a session, read as `row`, that may be used at `at`. */
const IS_LIVE = `
local function live(row, at)
  return row[1] and row[6] ~= '1' and tonumber(row[3]) > at and tonumber(row[4]) > at
end`

const READ: RedisScript = {
  name: 'gatewaySessionRead',
  keys: 1,
  lua: `${IS_LIVE}
local row = redis.call('HMGET', KEYS[1], ${FIELDS}, 'ended')
if live(row, tonumber(ARGV[1])) then return row end
return false`,
}

const SAVE: RedisScript = {
  name: 'gatewaySessionSave',
  keys: 4,
  lua: `${IS_LIVE}
local id, user, data, idle, absolute, at = unpack(ARGV)
if tonumber(absolute) <= tonumber(at) then return 0 end
local row = redis.call('HMGET', KEYS[1], ${FIELDS}, 'ended')
if row[1] then
  if row[1] ~= user or not live(row, tonumber(at)) then return 0 end
  redis.call('HSET', KEYS[1], 'data', data, 'idle', idle)
  return 1
end
redis.call('HSET', KEYS[1], 'user', user, 'data', data, 'idle', idle, 'absolute', absolute, 'created', at)
redis.call('EXPIREAT', KEYS[1], absolute)
for number = 2, 4 do
  local index = KEYS[number]
  if string.sub(index, -1) ~= ':' then
    redis.call('ZREMRANGEBYSCORE', index, '-inf', at)
    redis.call('ZADD', index, absolute, id)
    if number > 2 then
      redis.call('EXPIREAT', index, redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')[2])
    end
  end
end
return 1`,
}

const SWAP: RedisScript = {
  name: 'gatewaySessionSwap',
  keys: 1,
  lua: `${IS_LIVE}
local row = redis.call('HMGET', KEYS[1], ${FIELDS}, 'ended')
if not live(row, tonumber(ARGV[1])) or row[2] ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'data', ARGV[3])
return 1`,
}

const EXTEND: RedisScript = {
  name: 'gatewaySessionExtend',
  keys: 1,
  lua: `${IS_LIVE}
local row = redis.call('HMGET', KEYS[1], ${FIELDS}, 'ended')
if not live(row, tonumber(ARGV[1])) then return 0 end
redis.call('HSET', KEYS[1], 'idle', ARGV[2])
return 1`,
}

const END: RedisScript = {
  name: 'gatewaySessionEnd',
  keys: 1,
  lua: `
if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('HGET', KEYS[1], 'ended') == '1' then return 0 end
redis.call('HSET', KEYS[1], 'ended', '1', 'data', '')
return 1`,
}

/** Ends all of an index. What had run out by itself is ended with the rest, and not told. */
const END_OF: RedisScript = {
  name: 'gatewaySessionEndOf',
  keys: 1,
  lua: `${IS_LIVE}
local ended = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local key = ARGV[1] .. id
  local row = redis.call('HMGET', key, ${FIELDS}, 'ended')
  if live(row, tonumber(ARGV[2])) then ended[#ended + 1] = id end
  if row[1] then redis.call('HSET', key, 'ended', '1', 'data', '') end
end
return ended`,
}

const LIST: RedisScript = {
  name: 'gatewaySessionList',
  keys: 1,
  lua: `${IS_LIVE}
local rows = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local row = redis.call('HMGET', ARGV[1] .. id, ${FIELDS}, 'ended')
  if live(row, tonumber(ARGV[2])) then rows[#rows + 1] = { id, row } end
end
return rows`,
}

const COUNT: RedisScript = {
  name: 'gatewaySessionCount',
  keys: 1,
  lua: `${IS_LIVE}
local count = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if live(redis.call('HMGET', ARGV[1] .. id, ${FIELDS}, 'ended'), tonumber(ARGV[2])) then count = count + 1 end
end
return count`,
}

/** Sessions go by themselves; the index of all of them does not. */
const PRUNE: RedisScript = {
  name: 'gatewaySessionPrune',
  keys: 1,
  lua: `return redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])`,
}

export const SESSION_SCRIPTS: readonly RedisScript[] = [
  READ,
  SAVE,
  SWAP,
  EXTEND,
  END,
  END_OF,
  LIST,
  COUNT,
  PRUNE,
]

function toRecord(id: string, row: unknown): SessionRecord | undefined {
  if (!Array.isArray(row)) return undefined
  const [userId, data, idle, absolute, created] = row as readonly string[]
  return {
    id,
    userId: userId ?? '',
    data: data ?? '',
    idleExpiresAt: Number(idle),
    absoluteExpiresAt: Number(absolute),
    createdAt: Number(created),
  }
}
