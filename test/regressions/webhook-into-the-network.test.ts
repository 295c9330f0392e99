/**
 * The attack: MLflow sends a request to whatever URL a webhook has, and its test shows what came back: the cloud's own
 * metadata, a service of the inner network (field report 15, CVE-2026-64849). Webhooks are an administrator's; that does
 * not make the inner network theirs. Redirects are followed, or not, by MLflow.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const API = '/api/2.0/mlflow/webhooks'
const REFUSED = '403 PERMISSION_DENIED url_not_allowed'

const create = (gateway: TestGateway, url: unknown, as: 'admin' | 'editor' = 'admin') =>
  gateway.ask({ method: 'POST', target: API, as, json: { name: 'w', url, events: [] } })
const update = (gateway: TestGateway, json: object) =>
  gateway.ask({ method: 'PATCH', target: `${API}/x`, as: 'admin', json })

describe('without a list of hosts', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway()
  })
  afterAll(() => gateway.stop())

  it.each([
    'http://169.254.169.254/',
    'https://0xa9fea9fe/latest/meta-data/',
    'https://2852039166/',
    'https://0251.0376.0251.0376/',
    'https://[::ffff:169.254.169.254]/',
    'https://hooks.example.com@169.254.169.254/',
    'https://localhost:5000/',
    'https://metadata.google.internal/',
  ])('%s is refused, to administrators too', async (url) => {
    for (const { line, reached } of [await create(gateway, url), await update(gateway, { url })]) {
      expect([line, reached]).toEqual([REFUSED, []])
    }
  })

  it('a URL under two names is refused', async () => {
    const body = '{"name":"w","url":"https://hooks.example.com/","url":"https://127.0.0.1/"}'
    const ask = {
      method: 'POST',
      target: API,
      as: 'admin',
      body,
      headers: ['Content-Type: application/json'],
    } as const
    expect((await gateway.ask(ask)).line).toBe('400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST')
  })

  it('a host of the public network is not, nor an update without a URL', async () => {
    expect((await create(gateway, 'https://hooks.example.com/x')).line).toBe('200 allow')
    expect((await update(gateway, { description: 'd' })).line).toBe('200 allow')
  })

  it('nobody but an administrator gets that far', async () => {
    expect((await create(gateway, 'https://hooks.example.com/', 'editor')).line).toBe(
      '403 PERMISSION_DENIED admin_only',
    )
  })
})

describe('with a list of hosts', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({
      env: { WEBHOOK_ALLOWED_HOSTS: 'hooks.example.com, ci.internal:8443' },
    })
  })
  afterAll(() => gateway.stop())

  it('they are the only ones, by https', async () => {
    for (const url of ['https://hooks.example.com/x', 'https://ci.internal:8443/']) {
      expect([url, (await create(gateway, url)).line]).toEqual([url, '200 allow'])
    }
    for (const url of [
      'http://hooks.example.com/',
      'https://other.example.com/',
      'https://8.8.8.8/',
      'https://ci.internal/',
    ]) {
      expect([url, (await create(gateway, url)).line]).toEqual([url, REFUSED])
    }
  })
})
