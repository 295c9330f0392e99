/** The whole gateway with a certificate of its own. */
import { copyFileSync } from 'node:fs'
import { request as requestTls } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Authority, type CertificateMaker, createCertificates } from '../support/certificates.ts'
import { rawRequest } from '../support/raw-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const DAY = 86_400

let maker: CertificateMaker
let authority: Authority
let gateway: TestGateway
let certFile: string
let keyFile: string

beforeAll(async () => {
  maker = createCertificates()
  authority = maker.authority('Test CA')
  const issued = authority.issue({ days: 9 })
  certFile = join(maker.dir, 'tls.crt')
  keyFile = join(maker.dir, 'tls.key')
  copyFileSync(issued.certFile, certFile)
  copyFileSync(issued.keyFile, keyFile)
  gateway = await startTestGateway({
    env: {
      ...{ PUBLIC_URL: 'https://localhost', TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile },
      ...{ METRICS_PORT: '0', HTTP_REDIRECT_PORT: '0' },
    },
  })
}, 60_000)

afterAll(async () => {
  await gateway.stop()
  maker.stop()
})

type Answer = { readonly status: number; readonly headers: Record<string, unknown>; readonly text: string }

function ask(path: string, { method = 'GET', headers = {} } = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const options = {
    port: gateway.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: authority.cert,
    agent: false,
  }
  const sent = requestTls(
    { ...options, path, method, headers: { host: 'localhost', ...headers } },
    async (response) => {
      let text = ''
      for await (const chunk of response) text += String(chunk)
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
    },
  )
  sent.once('error', reject).end()
  return promise
}

const bearer = () => ({ authorization: `Bearer ${gateway.members.reader.token}` })
const page = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

describe('HSTS (RFC 6797) is on everything that is answered by https', () => {
  it.each<[number, string, string, () => object]>([
    [200, 'GET', '/healthz', () => ({})],
    [200, 'GET', '/readyz', () => ({})],
    [200, 'GET', '/.well-known/jwks.json', () => ({})],
    [200, 'GET', '/version', bearer],
    [200, 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=1', bearer],
    [200, 'GET', '/api/2.0/mlflow/users/current', bearer],
    [200, 'GET', '/auth/api/v1/me', bearer],
    [401, 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=1', () => ({})],
    [403, 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=2', bearer],
    [404, 'GET', '/no/such', () => ({})],
    [400, 'GET', '/%', () => ({})],
    [421, 'GET', '/', () => ({ host: 'evil.example' })],
    [302, 'GET', '/', () => page],
    [200, 'GET', '/auth/login', () => page],
    [503, 'GET', '/auth/login?provider=oidc', () => page],
    [400, 'GET', '/auth/callback/oidc?code=x&state=y', () => page],
    [200, 'GET', '/auth/assets/session.js', () => ({})],
    [400, 'FOO', '/', () => ({})],
  ])('%i %s %s', async (status, method, path, headers) => {
    const answer = await ask(path, { method, headers: headers() })
    expect([answer.status, answer.headers['strict-transport-security']]).toEqual([status, 'max-age=31536000'])
  })
})

describe('the certificate', () => {
  it('is in /readyz and in the metrics', async () => {
    const { parts } = JSON.parse((await ask('/readyz')).text)
    // Nine whole ones if no second has passed since it was made.
    expect(['ok 8', 'ok 9']).toContain(`${parts.certificate.status} ${parts.certificate.expiresInDays}`)
    const { port = 0 } = gateway.app.metricsAddress() ?? {}
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const [, seconds] = /^gateway_tls_certificate_expiry_seconds (\d+)$/m.exec(text) ?? []
    expect(Number(seconds)).toBeGreaterThan(8 * DAY)
    expect(Number(seconds)).toBeLessThanOrEqual(9 * DAY)
  })

  it('cookies are Secure', async () => {
    const { headers } = await ask('/auth/logout', { headers: page })
    for (const cookie of [headers['set-cookie'] ?? []].flat()) expect(cookie).toMatch(/; Secure/)
  })
})

describe('HTTP_REDIRECT_PORT', () => {
  const say = (line: string, ...headers: readonly string[]) => {
    const { port = 0 } = gateway.app.redirectAddress() ?? {}
    return rawRequest(port, `${line} HTTP/1.1\r\n${['Host: evil.example', ...headers].join('\r\n')}\r\n\r\n`)
  }

  it.each([
    ['GET /', 'https://localhost/'],
    ['HEAD /x?y=1', 'https://localhost/x?y=1'],
    ['GET //evil.example/x', 'https://localhost//evil.example/x'],
    ['GET /\\evil.example', 'https://localhost/\\evil.example'],
    ['GET http://evil.example/x', 'https://localhost/'],
    ['GET .evil.example/', undefined],
    ['GET @evil.example/', undefined],
    ['GET *', undefined],
  ])('%s → %s', async (line, location) => {
    const { status, headers } = await say(
      line,
      'X-Forwarded-Host: evil.example',
      'Forwarded: host=evil.example',
    )
    if (location === undefined && status === 400) return
    expect(status).toBe(308)
    const [to = ''] = headers['location'] ?? []
    expect(to).toBe(location ?? 'https://localhost/')
    expect(new URL(to).origin).toBe('https://localhost')
    expect(headers['strict-transport-security']).toBeUndefined()
  })

  it.each([
    ['POST /', 'Content-Length: 0'],
    ['PUT /x', 'Content-Length: 5'],
    ['DELETE /x', 'Accept: */*'],
    ['OPTIONS /x', 'Accept: */*'],
    ['GET /x', 'Authorization: Bearer s3cret'],
    ['GET /x', 'Cookie: s3cret=1'],
  ])('%s with %s is refused, and says why', async (line, header) => {
    const { status, headers, body } = await say(line, header)
    expect(status).toBe(403)
    expect(headers['location']).toBeUndefined()
    expect(JSON.parse(body.toString())).toEqual({
      error_code: 'PERMISSION_DENIED',
      message: expect.stringMatching(/send requests to https:\/\/localhost\/.*revoke the token/),
    })
    expect(body.toString()).not.toContain('s3cret')
  })
})
