import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errors } from '../../plugins/errors.ts'
import { security } from '../../plugins/security.ts'
import { rawRequest } from '../support/raw-request.ts'

const publicUrl = new URL('https://mlflow.example.org')

let app: FastifyInstance
let port: number
let reached: string[] = []

beforeAll(async () => {
  app = Fastify()
  await app.register(errors, { publicUrl })
  await app.register(security, {
    publicUrl,
    allowedHosts: ['mlflow.example.org', '[::1]'],
    formTargets: () => ['https://login.example.org'],
  })
  app.get('/healthz', { config: { anyHost: true } }, async () => 'ok')
  app.get('/auth', async (_request, reply) => reply.type('text/html').send('<p>'))
  app.get('/auth/api/v1/me', async () => ({}))
  app.get('/*', async (request, reply) => {
    reached.push(request.url)
    return reply.type('text/html').send('<p>MLflow')
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  port = (app.server.address() as AddressInfo).port
})

afterAll(() => app.close())

function send(target: string, headers: string) {
  reached = []
  return rawRequest(port, `GET ${target} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`)
}

describe('field report 43: whose host is it', () => {
  it.each([
    ['the public name', '/x', 'Host: MLFLOW.example.org.:8443\r\n', 200],
    ['IPv6', '/x', 'Host: [::1]:8080\r\n', 200],
    ['another name', '/x', 'Host: evil.org\r\n', 421],
    ['a name that begins like ours', '/x', 'Host: mlflow.example.org.evil.org\r\n', 421],
    ['two Host headers', '/x', 'Host: mlflow.example.org\r\nHost: evil.org\r\n', 400],
    ['two equal Host headers', '/x', 'Host: mlflow.example.org\r\nhOST: mlflow.example.org\r\n', 400],
    ['an absolute target', 'http://evil.org/x', 'Host: mlflow.example.org\r\n', 400],
    ['an absolute target of our own', 'https://mlflow.example.org/x', 'Host: mlflow.example.org\r\n', 400],
    ['an empty Host', '/x', 'Host: \r\n', 421],
    ['an unknown path under another name', '/auth/nope', 'Host: evil.org\r\n', 421],
    [
      'X-Forwarded-Host does not help',
      '/x',
      'Host: evil.org\r\nX-Forwarded-Host: mlflow.example.org\r\n',
      421,
    ],
    ['nor does it harm', '/x', 'Host: mlflow.example.org\r\nX-Forwarded-Host: evil.org\r\n', 200],
  ])('%s', async (_, target, headers, status) => {
    const response = await send(target, headers)
    expect(response.status).toBe(status)
    expect(reached).toHaveLength(status === 200 ? 1 : 0)
    if (status !== 200) {
      expect(JSON.parse(response.body.toString())).toMatchObject({ error_code: 'INVALID_PARAMETER_VALUE' })
      expect(response.body.toString()).not.toContain('evil')
    }
  })

  it('does not keep probes out', async () => {
    expect((await send('/healthz', 'Host: 10.1.2.3:8080\r\n')).status).toBe(200)
  })
})

describe('the headers of our own pages', () => {
  const host = 'Host: mlflow.example.org\r\n'

  it('allow nothing but our own style and scripts, and forms to us and the providers', async () => {
    const { headers } = await send('/auth', host)
    expect(headers['content-security-policy']).toEqual([
      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self' https://login.example.org; frame-ancestors 'none'; base-uri 'none'",
    ])
    expect(headers).toMatchObject({
      'cache-control': ['no-store'],
      'cross-origin-opener-policy': ['same-origin'],
      'cross-origin-resource-policy': ['same-origin'],
      'referrer-policy': ['same-origin'],
      'strict-transport-security': ['max-age=31536000'],
      'x-content-type-options': ['nosniff'],
      'x-frame-options': ['DENY'],
    })
  })

  it('are fewer for JSON', async () => {
    const { headers } = await send('/auth/api/v1/me', host)
    expect(headers['x-content-type-options']).toEqual(['nosniff'])
    expect(headers).not.toHaveProperty('content-security-policy')
  })

  it('stay off MLflow’s pages, which they would break', async () => {
    const { headers } = await send('/', host)
    expect(headers).not.toHaveProperty('content-security-policy')
    expect(headers).not.toHaveProperty('cache-control')
  })
})
