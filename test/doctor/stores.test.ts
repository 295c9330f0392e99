/** The database and Redis, each real, and each broken in one way. On PostgreSQL: test/postgres/doctor.test.ts. */
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort } from '../support/mlflow.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import { type SoundSetUp, startSoundSetUp } from './sound-set-up.ts'

describe('a SQLite file', () => {
  let sound: SoundSetUp
  beforeAll(async () => {
    sound = await startSoundSetUp()
  }, 60_000)
  afterAll(() => sound.stop())

  it('that an older gateway made', async () => {
    const { database } = sound
    const [row] = await database.query("select * from kysely_migration where name = '0009-scale'")
    await database.query("delete from kysely_migration where name = '0009-scale'")
    expect(await sound.news()).toEqual([
      "warning store: schema: the store lacks a step of this version's schema: 0009-scale",
    ])
    // It was looked at and not brought up to date.
    expect(await database.query("select name from kysely_migration where name = '0009-scale'")).toEqual([])
    await database.query(`insert into kysely_migration values ('0009-scale', '${row?.['timestamp']}')`)
    expect(await sound.news()).toEqual([])
  })

  it('that a newer gateway has worked on', async () => {
    const { database } = sound
    await database.query("insert into kysely_migration values ('0099-to-come', '2030-01-01T00:00:00Z')")
    expect(await sound.news()).toEqual([
      'fault store: schema: the store has had steps that this version does not know: 0099-to-come',
    ])
    await database.query("delete from kysely_migration where name = '0099-to-come'")
  })

  it('in another folder than that of the gateway', async () => {
    const elsewhere = join(sound.folder, 'elsewhere.db')
    expect(await sound.news({ env: { DATABASE_URL: `sqlite:${elsewhere}` } })).toEqual([
      `warning store: schema: there is no database at ${elsewhere} yet`,
    ])
  })
})

describe('Redis', () => {
  let redis: RedisServer
  let sound: SoundSetUp
  let client: Redis
  beforeAll(async () => {
    redis = await startRedis()
    sound = await startSoundSetUp({ REDIS_URL: redis.url })
    client = new Redis(redis.url, { retryStrategy: () => null })
  }, 60_000)
  afterAll(async () => {
    client.disconnect()
    await sound.stop()
    await redis.stop()
  })

  it('that is in order', async () => {
    expect(await sound.news()).toEqual([])
    const { level, what } = (await sound.diagnose()).get('Redis: clock') ?? {}
    expect([level, what]).toEqual(['ok', "the clock of Redis agrees with this machine's"])
  })

  it('that throws away what it has no room for', async () => {
    await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await client.config('SET', 'maxmemory', '100mb')
    onTestFinished(async () => void (await client.config('SET', 'maxmemory-policy', 'noeviction')))
    expect(await sound.news()).toEqual([
      'warning Redis: eviction: Redis throws entries away when its memory is full (allkeys-lru)',
    ])
  })

  it('that is a replica', async () => {
    await client.call('REPLICAOF', '127.0.0.1', `${await freePort()}`)
    onTestFinished(async () => void (await client.call('REPLICAOF', 'NO', 'ONE')))
    expect(await sound.news()).toEqual(['fault Redis: answers: Redis is a replica'])
  })

  it('that does not know the password, which is in no finding', async () => {
    const REDIS_URL = `redis://:not-the-password@127.0.0.1:${redis.port}`
    expect(await sound.news({ env: { REDIS_URL } })).toEqual([
      'fault Redis: answers: Redis does not accept the user and password of REDIS_URL',
    ])
    expect(JSON.stringify([...(await sound.diagnose({ env: { REDIS_URL } })).values()])).not.toContain(
      'not-the-password',
    )
  })

  it('that is not there', async () => {
    const REDIS_URL = `redis://127.0.0.1:${await freePort()}`
    expect(await sound.news({ env: { REDIS_URL } })).toEqual([
      'fault Redis: answers: Redis cannot be reached: nothing listens there',
    ])
  })
})
