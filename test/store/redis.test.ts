/** One connection, many questions: an answer that is lost on the way must not become somebody else's. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { openRedis, type RedisScript } from '../../src/store/redis.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'

let server: RedisServer
beforeAll(async () => {
  server = await startRedis()
})
afterAll(() => server?.stop())

const ECHO: RedisScript = { name: 'testEcho', keys: 1, lua: 'return KEYS[1]' }

/** A way to Redis that loses answers when told to. */
async function startLossyWay() {
  let losing = 0
  const way = createServer((client) => {
    const upstream = connect(server.port, '127.0.0.1')
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      if (losing > 0) losing -= 1
      else client.write(chunk)
    })
    for (const [one, other] of [[client, upstream] as const, [upstream, client] as const])
      one.on('error', () => undefined).on('close', () => other.destroy())
  }).listen(0, '127.0.0.1')
  await once(way, 'listening')
  const url = new URL(server.url)
  url.port = String((way.address() as AddressInfo).port)
  const redis = openRedis({ url: url.href, scripts: [ECHO] })
  onTestFinished(async () => {
    await redis.close()
    way.close()
  })
  const ask = (question: string) =>
    redis.run(ECHO, [question], []).catch((fault: { readonly code?: string }) => fault.code)
  return {
    ask,
    loseAnswers: (count: number) => {
      losing = count
    },
  }
}

it('an answer that is lost is never made up for by that to another question', async () => {
  const { ask, loseAnswers } = await startLossyWay()
  expect(await ask('before')).toBe('before')
  loseAnswers(1)
  const lost = ask('lost')
  const seen: [string, unknown][] = []
  for (const question of ['one', 'two', 'three']) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    seen.push([question, await Promise.race([ask(question), pause(1000)])])
  }
  expect(await lost).toBe('ERR_STORE_UNAVAILABLE')
  expect(
    seen.filter(
      ([question, answer]) => ![question, 'ERR_STORE_UNAVAILABLE', 'late'].includes(String(answer)),
    ),
  ).toEqual([])
  await expect.poll(() => ask('after'), { timeout: 5000 }).toBe('after')
})

it('a connection that has gone silent is replaced, and no question waits for it again', async () => {
  const { ask, loseAnswers } = await startLossyWay()
  expect(await ask('before')).toBe('before')
  loseAnswers(1)
  expect(await ask('lost')).toBe('ERR_STORE_UNAVAILABLE')
  await expect.poll(() => ask('after'), { timeout: 5000 }).toBe('after')
  const answers = await Promise.all(['a', 'b', 'c'].map(ask))
  expect(answers).toEqual(['a', 'b', 'c'])
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms, 'late'))
