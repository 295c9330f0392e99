/** How much one caller or one address may ask for, through the whole gateway. */
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
afterEach(() => gateway?.stop())

const clock = { ms: 0 }
const start = async (env: Readonly<Record<string, string>>) => {
  gateway = await startTestGateway({ env, nowMs: () => clock.ms })
}

const GET = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const get = (as: 'reader' | 'editor' = 'reader') => gateway.ask({ target: GET, as })
const with_ = (token: string, target = GET) =>
  gateway.ask({ target, headers: [`Authorization: Bearer ${token}`] })
const lines = async (count: number, ask: () => Promise<{ readonly line: string }>) => {
  const seen: string[] = []
  for (let n = 0; n < count; n++) seen.push((await ask()).line)
  return seen
}

describe('a principal', () => {
  it('goes on at the rate, others at theirs; what is refused reaches nothing and says when to come again', async () => {
    await start({ RATE_LIMIT_PRINCIPAL: '1' })
    expect(await lines(10, get)).toEqual(Array(10).fill('200 allow'))
    const refused = await get()
    expect([refused.line, refused.reached, refused.headers['retry-after']]).toEqual([
      '429 REQUEST_LIMIT_EXCEEDED rate_of_principal',
      [],
      ['1'],
    ])
    expect(refused.text).toMatch(/RATE_LIMIT_PRINCIPAL.*wait 1 s and try again/)
    expect((await get('editor')).line).toBe('200 allow')
    clock.ms += 1000
    expect(await lines(2, get)).toEqual(['200 allow', '429 REQUEST_LIMIT_EXCEEDED rate_of_principal'])
  })

  it('is counted on our own routes too', async () => {
    await start({ RATE_LIMIT_PRINCIPAL: '1' })
    const me = () => gateway.ask({ target: '/auth/api/v1/me', as: 'reader' })
    for (let n = 0; n < 10; n++) expect((await me()).status).toBe(200)
    expect((await me()).status).toBe(429)
  })

  it('has no more under way than it may, until one ends; others have theirs', async () => {
    await start({ CONCURRENCY_LIMIT_PRINCIPAL: '2' })
    await get()
    const held: Array<() => void> = []
    gateway.script({
      'GET /api/2.0/mlflow/experiments/get': async () => {
        await new Promise<void>((release) => held.push(release))
        return { body: {} }
      },
    })
    const under = [get(), get()]
    await expect.poll(() => held.length).toBe(2)
    expect((await get()).line).toBe('429 REQUEST_LIMIT_EXCEEDED concurrency_of_principal')
    const other = get('editor')
    await expect.poll(() => held.length).toBe(3)
    for (const release of held.splice(0)) release()
    await Promise.all([...under, other])
    const again = get()
    await expect.poll(() => held.length).toBe(1)
    for (const release of held.splice(0)) release()
    expect((await again).status).toBe(200)
  })

  it('is not held to what it gave up: a client that goes away leaves room', async () => {
    await start({ CONCURRENCY_LIMIT_PRINCIPAL: '1' })
    await get()
    let arrived = 0
    gateway.script({
      'GET /api/2.0/mlflow/experiments/get': () => {
        arrived++
        return undefined
      },
    })
    const socket = connect(gateway.port, '127.0.0.1')
    socket.on('error', () => undefined)
    const host = `Host: 127.0.0.1:${gateway.port}\r\nAuthorization: Bearer ${gateway.members.reader.token}`
    socket.write(`GET ${GET} HTTP/1.1\r\n${host}\r\n\r\n`)
    await expect.poll(() => arrived).toBe(1)
    socket.destroy()
    gateway.script({})
    await expect.poll(async () => (await get()).status).toBe(200)
  })
})

describe('an address', () => {
  it('has a few credentials refused, then none looked at; who is known goes on', async () => {
    await start({ RATE_LIMIT_SIGN_IN: '3' })
    expect((await get()).line).toBe('200 allow')
    const bad = () => with_('nonsense')
    const refused = await lines(4, bad)
    expect(new Set(refused.slice(0, 3)).size).toBe(1)
    expect(refused[0]).toMatch(/^401 UNAUTHENTICATED /)
    expect(refused[3]).toBe('429 REQUEST_LIMIT_EXCEEDED rate_of_refused_credentials')
    // The good one of somebody who was not here lately waits with them; the one that is known does not.
    expect((await get('editor')).line).toBe('429 REQUEST_LIMIT_EXCEEDED rate_of_refused_credentials')
    expect((await get()).line).toBe('200 allow')
    clock.ms += 20_000
    expect((await get('editor')).line).toBe('200 allow')
  })

  it('is not held to an expired or missing credential', async () => {
    await start({ RATE_LIMIT_SIGN_IN: '1' })
    const nobody = () => gateway.ask({ target: GET })
    expect(new Set(await lines(5, nobody))).toEqual(new Set(['401 UNAUTHENTICATED no_credential']))
    expect((await get()).line).toBe('200 allow')
  })

  it('asks for what is open to everybody at the rate', async () => {
    await start({ RATE_LIMIT_ADDRESS: '1' })
    const health = () => gateway.ask({ target: '/health' })
    for (let n = 0; n < 10; n++) expect((await health()).status).toBe(200)
    const refused = await health()
    expect([refused.line, refused.reached]).toEqual(['429 REQUEST_LIMIT_EXCEEDED rate_of_address', []])
    expect((await get()).line).toBe('200 allow')
  })

  it('begins and ends sign-ins at the rate, and the page to choose from is not one', async () => {
    await start({ RATE_LIMIT_SIGN_IN: '2' })
    const callback = () => gateway.ask({ target: '/auth/callback/oidc?state=x&code=y' })
    expect([(await callback()).status, (await callback()).status, (await callback()).status]).toEqual([
      400, 400, 429,
    ])
    const begin = await gateway.ask({ target: '/auth/login?provider=oidc' })
    expect([begin.status, begin.headers['retry-after']]).toEqual([429, ['30']])
    expect((await gateway.ask({ target: '/auth/login' })).status).toBe(200)
  })
})

it('behind a trusted proxy each client is counted by its own address, whatever it says itself', async () => {
  await start({ RATE_LIMIT_SIGN_IN: '1', TRUSTED_PROXIES: 'loopback' })
  const signIn = (from: string) =>
    gateway.ask({ target: '/auth/login?provider=oidc', headers: [`X-Forwarded-For: ${from}`] })
  const statuses: number[] = []
  for (const from of ['203.0.113.9', '203.0.113.9', '1.2.3.4, 203.0.113.9', '203.0.113.10'])
    statuses.push((await signIn(from)).status)
  // The provider is away, which the limit comes before.
  expect(statuses).toEqual([503, 429, 429, 503])
})
