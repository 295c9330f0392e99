/** Where a request comes from, in the record and towards MLflow, and where it may come from. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { rawRequest } from '../support/raw-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import { headerValues } from '../support/upstream.ts'

const GET = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const FROM = 'X-Forwarded-For: 127.0.0.1, 203.0.113.9'

let gateway: TestGateway

describe.each([
  [{}, '127.0.0.1'],
  [{ TRUSTED_PROXIES: '10.0.0.0/8' }, '127.0.0.1'],
  [{ TRUSTED_PROXIES: 'loopback' }, '203.0.113.9'],
  [{ TRUSTED_PROXIES: 'loopback', CLIENT_ADDRESS_HEADER: 'Forwarded' }, '127.0.0.1'],
])('%j', (env, address) => {
  beforeAll(async () => {
    gateway = await startTestGateway({ env })
  }, 60_000)

  afterAll(() => gateway.stop())

  it(`is on record and told to MLflow as ${address}`, async () => {
    const { line, event, forwarded } = await gateway.ask({ target: GET, headers: [FROM], as: 'reader' })
    expect([line, event?.remoteAddress]).toEqual(['200 allow', address])
    const [request] = forwarded
    expect(request && headerValues(request, 'x-forwarded-for')).toEqual([address])
  })

  it('is on record of what leads nowhere', async () => {
    const { event } = await gateway.ask({ target: '/no/such', headers: [FROM], as: 'reader' })
    expect([event?.reason, event?.remoteAddress]).toEqual(['no_such_route', address])
  })

  it('of a trusted proxy neither: no link, cookie or redirect comes from forwarded headers', async () => {
    const headers = [
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: evil.example',
      'Forwarded: host=evil.example;proto=https',
    ]
    const page = ['Accept: text/html', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document']
    for (const target of ['/', '/auth/login', '/auth/callback/oidc?code=x&state=y']) {
      const { text, rawHeaders } = await gateway.ask({ target, headers: [...headers, ...page] })
      expect(`${text}${JSON.stringify(rawHeaders)}`, target).not.toMatch(/evil\.example|https:\/\/127|Secure/)
    }
  })
})

describe('a proxy that is not in TRUSTED_PROXIES', () => {
  const warnings = () =>
    gateway.log
      .map((line) => JSON.parse(line))
      .filter(({ msg }) => String(msg).includes('not in TRUSTED_PROXIES'))

  it.each<[Readonly<Record<string, string>>, readonly string[], number]>([
    [{}, [FROM], 1],
    [{}, [], 0],
    [{ TRUSTED_PROXIES: '10.0.0.0/8' }, [FROM], 1],
    [{ TRUSTED_PROXIES: 'loopback' }, [FROM], 0],
    [{ CLIENT_ADDRESS_HEADER: 'Forwarded' }, [FROM], 0],
    [{ CLIENT_ADDRESS_HEADER: 'Forwarded' }, ['Forwarded: for=203.0.113.9'], 1],
  ])('%j with %j is told of as often as %i, however often it asks', async (env, headers, times) => {
    gateway = await startTestGateway({ env })
    try {
      for (const _ of [1, 2, 3]) await gateway.ask({ target: GET, headers, as: 'reader' })
      expect(warnings()).toHaveLength(times)
      for (const { level, address } of warnings()) expect([level, address]).toEqual([40, '127.0.0.1'])
    } finally {
      await gateway.stop()
    }
  })
})

it('a client that a proxy has named by the PROXY protocol is no proxy, whatever header it sends', async () => {
  gateway = await startTestGateway({ env: { PROXY_PROTOCOL: 'true', TRUSTED_PROXIES: 'loopback' } })
  try {
    const request = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n${FROM}\r\nConnection: close\r\n\r\n`
    const named = 'PROXY TCP4 203.0.113.9 127.0.0.1 40000 8080\r\n'
    expect((await rawRequest(gateway.port, `${named}${request}`)).status).toBe(200)
    await rawRequest(gateway.port, `${named}${request.replace('/healthz', '/no/such')}`)
    expect(gateway.events.at(-1)?.remoteAddress).toBe('203.0.113.9')
    expect(gateway.log.filter((line) => line.includes('not in TRUSTED_PROXIES'))).toEqual([])
  } finally {
    await gateway.stop()
  }
})

describe('ALLOWED_NETWORKS', () => {
  const env = { TRUSTED_PROXIES: 'loopback', ALLOWED_NETWORKS: '10.0.0.0/8,127.0.0.1' }

  beforeAll(async () => {
    gateway = await startTestGateway({ env })
  }, 60_000)

  afterAll(() => gateway.stop())

  afterEach(() => gateway.upstream.forget())

  const DENIED = '403 PERMISSION_DENIED network_not_allowed'

  it.each<[string, readonly string[], string]>([
    ['from one of them', ['X-Forwarded-For: 10.1.2.3'], '200 allow'],
    ['from the proxy itself', [], '200 allow'],
    ['from elsewhere', ['X-Forwarded-For: 203.0.113.9'], DENIED],
    ['from elsewhere with a lie', ['X-Forwarded-For: 10.1.2.3, 203.0.113.9'], DENIED],
    [
      'from elsewhere with a lie in another header',
      ['X-Forwarded-For: 203.0.113.9', 'Forwarded: for=10.1.2.3'],
      DENIED,
    ],
    // The proxy's own address is allowed; whom it spoke for is not known to be.
    ['from somebody who cannot be made out', ['X-Forwarded-For: unknown'], DENIED],
    ['from nobody', ['X-Forwarded-For:'], DENIED],
  ])('%s', async (_, headers, line) => {
    const outcome = await gateway.ask({ target: GET, headers, as: 'reader' })
    expect(outcome.line).toBe(line)
    expect(outcome.reached).toHaveLength(line === DENIED ? 0 : 1)
    if (line !== DENIED) return
    expect(outcome.text).toContain('does not answer to the network you are in')
    // Nobody looked who it was.
    expect(outcome.event?.username).toBeUndefined()
    expect(gateway.upstream.requests).toEqual([])
  })

  it.each([
    ['GET', '/'],
    ['GET', '/auth/login'],
    ['GET', '/auth/logout'],
    ['GET', '/auth/callback/oidc?code=x'],
    ['GET', '/auth/tokens'],
    ['GET', '/auth/admin'],
    ['GET', '/auth/api/v1/me'],
    ['GET', '/.well-known/jwks.json'],
    ['GET', '/version'],
    ['GET', '/static-files/main.js'],
    ['POST', '/api/2.0/mlflow/runs/create'],
    ['GET', '/api/2.0/mlflow/users/current'],
    ['OPTIONS', '/'],
    ['GET', '/no/such'],
    ['GET', '/healthz/'],
    ['GET', '//healthz'],
  ])('nothing is open to others: %s %s', async (method, target) => {
    const sent = `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 203.0.113.9\r\nContent-Length: 0\r\n\r\n`
    const { status } = await rawRequest(gateway.port, sent)
    expect(status).toBe(403)
    expect(gateway.upstream.requests).toEqual([])
  })

  it.each([
    ['10.1.2.3', true],
    ['203.0.113.9', false],
  ])('probes are answered: to %s with the parts: %s', async (from, tells) => {
    const probe = (path: string) =>
      rawRequest(gateway.port, `GET ${path} HTTP/1.1\r\nHost: 10.0.0.7\r\nX-Forwarded-For: ${from}\r\n\r\n`)
    expect((await probe('/healthz')).status).toBe(200)
    const { status, body } = await probe('/readyz')
    expect(status).toBe(200)
    expect(Object.keys(JSON.parse(body.toString()))).toEqual(tells ? ['status', 'parts'] : ['status'])
  })
})
