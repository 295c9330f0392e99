import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { drain } from '../../plugins/drain.ts'
import { type HealthOptions, health } from '../../plugins/health.ts'
import { metrics } from '../../plugins/metrics.ts'
import type { Metrics } from '../../src/audit/metrics.ts'
import { createDrain } from '../../src/network/drain.ts'

const works = { check: async () => {}, reason: 'never said' }
const fails = {
  check: async () => {
    throw new Error('connect ECONNREFUSED 10.0.0.7:5000')
  },
  reason: 'the tracking server does not answer',
}
const hangs = { check: () => new Promise<never>(() => {}), reason: 'no answer in time' }

async function ask(path: string, options: HealthOptions) {
  const app = Fastify()
  await app.register(drain, { drain: createDrain() })
  await app.register(health, options)
  try {
    const response = await app.inject(path)
    return { status: response.statusCode, body: response.json(), text: response.body }
  } finally {
    await app.close()
  }
}

describe('/readyz', () => {
  it.each([
    ['all works', { store: works, upstream: works }, {}, 200, { store: 'ok', upstream: 'ok' }],
    ['the upstream is away', { store: works, upstream: fails }, {}, 503, { store: 'ok', upstream: 'failed' }],
    ['the store hangs', { store: hangs, upstream: works }, {}, 503, { store: 'failed', upstream: 'ok' }],
    ['a provider is away', { store: works }, { oidc: fails }, 200, { store: 'ok', oidc: 'failed' }],
  ])('%s', async (_, required, optional, status, states) => {
    const response = await ask('/readyz', { required, optional, timeoutMs: 20 })
    expect(response.status).toBe(status)
    expect(response.body.status).toBe(status === 200 ? 'ready' : 'not ready')
    const parts = Object.entries<{ status: string }>(response.body.parts)
    expect(Object.fromEntries(parts.map(([name, part]) => [name, part.status]))).toEqual(states)
    expect(response.text).not.toContain('10.0.0.7')
  })

  it('says what is wrong in our words', async () => {
    const { body } = await ask('/readyz', { required: { upstream: fails } })
    expect(body.parts.upstream).toEqual({ status: 'failed', reason: 'the tracking server does not answer' })
  })

  it('says what else there is to say of a part, whether it works or not', async () => {
    const detail = () => ({ version: '3.17.2' })
    const { body } = await ask('/readyz', {
      required: { store: { ...works, detail }, upstream: { ...fails, detail } },
    })
    expect(body.parts).toEqual({
      store: { status: 'ok', version: '3.17.2' },
      upstream: { status: 'failed', reason: fails.reason, version: '3.17.2' },
    })
  })

  it('asks the parts once a second, however often it is asked', async () => {
    let asked = 0
    let nowMs = 0
    const check = async () => {
      asked += 1
    }
    const app = Fastify()
    await app.register(drain, { drain: createDrain() })
    await app.register(health, { required: { store: { check, reason: '' } }, nowMs: () => nowMs })
    await Promise.all(Array.from({ length: 50 }, () => app.inject('/readyz')))
    nowMs = 999
    await app.inject('/readyz')
    expect(asked).toBe(1)
    nowMs = 1000
    await app.inject('/readyz')
    expect(asked).toBe(2)
    await app.close()
  })
})

it('/healthz asks nothing', async () => {
  expect(await ask('/healthz', { required: { store: fails } })).toMatchObject({
    status: 200,
    body: { status: 'ok' },
  })
})

it('are answered at the port of the metrics too, without a certificate, as they are elsewhere', async () => {
  const app = Fastify()
  await app.register(drain, { drain: createDrain() })
  await app.register(health, { required: { upstream: fails } })
  const none = { contentType: 'text/plain', render: async () => '' } as unknown as Metrics
  await app.register(metrics, { metrics: none, port: 0, host: '127.0.0.1', probe: app.probe })
  await app.ready()
  const url = `http://127.0.0.1:${app.metricsAddress()?.port}`
  for (const path of ['/healthz', '/readyz']) {
    const [there, here] = [await fetch(url + path), await app.inject(path)]
    expect([there.status, await there.json()]).toEqual([here.statusCode, here.json()])
  }
  expect((await fetch(`${url}/readyz`)).status).toBe(503)
  expect((await fetch(`${url}/readyz`, { method: 'POST' })).status).toBe(404)
  expect((await fetch(`${url}/auth/login`)).status).toBe(404)
  await app.close()
})
