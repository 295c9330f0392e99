import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRateLimit } from '../../src/limits/rate-limit.ts'
import { createSharedRateLimit, RATE_SCRIPTS } from '../../src/limits/shared-rate-limit.ts'
import { openRedis } from '../../src/store/redis.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server?.stop())

/** As a replica would have it. */
function replica(name: string, { perSecond, burst }: { readonly perSecond: number; readonly burst: number }) {
  const redis = openRedis({ url: server.url, scripts: RATE_SCRIPTS })
  const local = createRateLimit({ perSecond, burst, nowMs: () => performance.now() })
  return { limit: createSharedRateLimit({ redis, name, perSecond, burst, local }), close: redis.close }
}

const RATE = { perSecond: 1 / 60, burst: 3 }

describe('a rate that replicas count together', () => {
  it('is used up by all of them, for each key, and looking takes nothing', async () => {
    const [here, there] = [replica('together', RATE), replica('together', RATE)]
    const waits = [await here.limit.take('a'), await there.limit.take('a'), await here.limit.take('a')]
    expect(waits).toEqual([0, 0, 0])
    const wait = await there.limit.take('a')
    expect([wait > 55, wait <= 60]).toEqual([true, true])
    expect([
      (await here.limit.look('a')) > 55,
      await here.limit.look('b'),
      await there.limit.take('b'),
    ]).toEqual([true, 0, 0])
    await Promise.all([here.close(), there.close()])
  })

  it('lets no more through than a burst, however many ask at once', async () => {
    const replicas = [1, 2, 3].map(() => replica('at once', RATE))
    const asked = replicas.flatMap(({ limit }) => Array.from({ length: 20 }, () => limit.take('a')))
    expect((await Promise.all(asked)).filter((wait) => wait === 0)).toHaveLength(3)
    await Promise.all(replicas.map(({ close }) => close()))
  })

  it('of another name is another one', async () => {
    const [one, other] = [replica('one', RATE), replica('other', RATE)]
    for (let n = 0; n < 3; n++) await one.limit.take('a')
    expect([(await one.limit.look('a')) > 0, await other.limit.look('a')]).toEqual([true, 0])
    await Promise.all([one.close(), other.close()])
  })

  it('is counted by each replica alone while Redis does not answer', async () => {
    const { limit, close } = replica('alone', RATE)
    expect(await limit.take('a')).toBe(0)
    await server.halt()
    const waits: number[] = []
    for (let n = 0; n < 4; n++) waits.push(await limit.take('a'))
    expect(waits.map((wait) => wait === 0)).toEqual([true, true, true, false])
    await server.resume()
    await close()
  })
})
