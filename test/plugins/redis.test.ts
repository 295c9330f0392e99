/** Two gateways with one Redis: sessions are in it and in no table, and what ends or is counted at one holds at the other. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let redis: RedisServer
let here: TestGateway
let there: TestGateway

beforeAll(async () => {
  redis = await startRedis()
  const env = { REDIS_URL: redis.url, RATE_LIMIT_SIGN_IN: '3' }
  here = await startTestGateway({ env })
  there = await startTestGateway({ beside: here, env })
  // Known from here on.
  await here.ask({ target: GET, as: 'editor' })
})
afterAll(async () => {
  await there?.stop()
  await here?.stop()
  await redis?.stop()
})

const GET = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const asReader = (gateway: TestGateway) =>
  gateway.ask({ target: GET, headers: [`Cookie: ${here.members.reader.cookie}`] })

describe('a session in Redis', () => {
  it('is good at both, and in no table', async () => {
    expect([(await asReader(here)).line, (await asReader(there)).line]).toEqual(['200 allow', '200 allow'])
    expect(await here.database.query('select id from sessions')).toEqual([])
    expect((await here.store.sessions.list(here.members.reader.userId)).length).toBe(1)
  })

  it('that ends at one is over at the other within a second', async () => {
    const { userId } = here.members.reader
    const since = performance.now()
    expect(await here.store.sessions.destroyOf(userId)).toBe(1)
    await expect.poll(async () => (await asReader(there)).status, { interval: 5, timeout: 5000 }).toBe(401)
    expect(performance.now() - since).toBeLessThan(1000)
  })
})

it('refused credentials are counted for both', async () => {
  const bad = (gateway: TestGateway) =>
    gateway.ask({ target: GET, headers: ['Authorization: Bearer nonsense'] })
  expect([(await bad(here)).status, (await bad(there)).status, (await bad(here)).status]).toEqual([
    401, 401, 401,
  ])
  expect((await bad(there)).line).toBe('429 REQUEST_LIMIT_EXCEEDED rate_of_refused_credentials')
})

it('without Redis who is known goes on, readiness says so, and nothing tells its password', async () => {
  expect((await here.ask({ target: GET, as: 'editor' })).line).toBe('200 allow')
  await redis.halt()
  const cookie = [`Cookie: ${here.members.admin.cookie}`]
  const unknown = await here.ask({ target: '/auth/access', headers: cookie })
  expect([401, 503]).not.toContain((await here.ask({ target: GET, as: 'editor' })).status)
  await expect
    .poll(async () => (await here.ask({ target: '/readyz' })).text, { timeout: 5000 })
    .toContain('Redis does not answer')
  expect((await here.ask({ target: '/readyz' })).status).toBe(200)
  expect([...here.log, ...there.log, unknown.text].join('\n')).not.toContain('redis-of-a-test')
  await redis.resume()
  await expect
    .poll(async () => (await here.ask({ target: '/readyz' })).text, { timeout: 10_000 })
    .not.toContain('Redis does not answer')
})
