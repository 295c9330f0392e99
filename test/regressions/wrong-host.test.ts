/**
 * The attack: a request under a name that is not ours (DNS rebinding, field report 43), under two names, or under one
 * in the target and another in the header. Case, a trailing dot and a port make no other name of ours.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ env: { ALLOWED_HOSTS: 'mlflow.example.org,[::1],10.0.0.5:8443' } })
})
afterAll(() => gateway.stop())

const TARGET = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const WRONG = '421 INVALID_PARAMETER_VALUE -'

describe('field report 43: the Host header', () => {
  it.each([
    ['mlflow.example.org'],
    ['MLFLOW.example.org'],
    ['mlflow.example.org:8443'],
    ['mlflow.example.org.'],
    ['Mlflow.Example.Org.:80'],
    ['[::1]:8080'],
    ['[::1]'],
    ['[0:0:0:0:0:0:0:1]'],
    ['localhost'],
    ['10.0.0.5:8443'],
  ])('%s is ours', async (host) => {
    const { line } = await gateway.ask({ target: TARGET, as: 'reader', headers: [`Host: ${host}`] })
    expect(line).toBe('200 allow')
  })

  it.each([
    ['evil.org'],
    ['mlflow.example.org.evil.org'],
    ['evil.org.mlflow.example.org'],
    ['xmlflow.example.org'],
    ['mlflow.example.org..'],
    ['mlflow.example.org:8443:80'],
    ['mlflow.example.org:port'],
    ['mlflow.example.org:'],
    ['mlflow.example.org@evil.org'],
    ['evil.org#mlflow.example.org'],
    ['evil.org/mlflow.example.org'],
    ['mlflow.example.org/'],
    ['mlflow.example.org,evil.org'],
    ['mlflow.example.org evil.org'],
    ['http://mlflow.example.org'],
    ['mlflow%2eexample.org'],
    ['mlflow.example.org\xa0'],
    ['10.0.0.5'],
    ['10.0.0.5:80'],
    ['10.evil.example'],
    ['[::2]'],
    ['[::1].evil.org'],
    ['[::1'],
    ['::1'],
    ['2130706433'],
    ['0.0.0.0'],
    [''],
  ])('%j is not', async (host) => {
    for (const as of ['admin', undefined] as const) {
      const { line, reached } = await gateway.ask({ target: TARGET, as, headers: [`Host: ${host}`] })
      expect([line, reached]).toEqual([WRONG, []])
    }
  })

  it.each([
    ['two of them', ['Host: mlflow.example.org', 'Host: evil.org']],
    ['two of them, the other order', ['Host: evil.org', 'Host: mlflow.example.org']],
    ['the same twice', ['Host: mlflow.example.org', 'host: mlflow.example.org']],
  ])('%s', async (_, headers) => {
    const { status, code, reached } = await gateway.ask({ target: TARGET, as: 'admin', headers })
    expect([status, code, reached]).toEqual([400, 'INVALID_PARAMETER_VALUE', []])
  })

  it('none at all', async () => {
    const { rawRequest } = await import('../support/raw-request.ts')
    for (const version of ['1.1', '1.0']) {
      const bytes = `GET ${TARGET} HTTP/${version}\r\nAuthorization: Bearer ${gateway.members.admin.token}\r\n\r\n`
      expect((await rawRequest(gateway.port, bytes)).status).toBe(400)
    }
  })

  it.each([
    'http://mlflow.example.org',
    'http://evil.org',
    'https://evil.org',
    'http://evil.org@mlflow.example.org',
  ])('another one in the target: %s', async (origin) => {
    for (const target of [`${origin}${TARGET}`, `${origin}/`, `${origin}/auth/login`]) {
      const { status, reached } = await gateway.ask({
        target,
        as: 'admin',
        headers: ['Host: mlflow.example.org'],
      })
      expect([target, status, reached]).toEqual([target, 400, []])
    }
  })

  it.each([
    '/',
    '/auth/login',
    '/auth/tokens',
    '/.well-known/jwks.json',
    '/nope',
    '/health',
    '/static-files/x',
  ])('holds for every address: %s', async (target) => {
    const { status, text, reached } = await gateway.ask({ target, headers: ['Host: evil.org'] })
    expect([status, reached]).toEqual([421, []])
    expect(text).not.toContain('evil.org')
  })

  it.each(['/healthz', '/readyz'])('but not for probes, which come by address: %s', async (target) => {
    expect((await gateway.ask({ target, headers: ['Host: 10.9.8.7:8080'] })).status).toBe(200)
  })

  it('never reaches MLflow: what it gets is what it accepts', async () => {
    const { forwarded } = await gateway.ask({
      target: TARGET,
      as: 'reader',
      headers: ['Host: mlflow.example.org'],
    })
    expect(forwarded.map(({ rawHeaders }) => rawHeaders.join().includes('mlflow.example.org'))).toEqual([
      false,
    ])
  })
})
