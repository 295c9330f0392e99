/**
 * The attack: a route that somebody forgot. Jobs and OTLP were open without any authentication, and jobs run code
 * (field report 10, CVE-2026-2652, CVE-2026-0545); traces and assessments were open to whoever was signed in (12,
 * CVE-2025-15381), webhooks reached internal addresses (15, CVE-2026-64849), accounts could be made by strangers (30).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RUN_B, TRACE_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const JOBS = '/ajax-api/3.0/jobs/'

/** Rows that no grant of anybody covers yet, each with a request that would do harm. */
const ADMINS_ONLY: readonly (readonly [number, Ask])[] = [
  [10, { method: 'POST', target: JOBS, json: { job_name: 'x', params: {}, username: 'admin' } }],
  [10, { target: `${JOBS}x` }],
  [10, { method: 'PATCH', target: `${JOBS}cancel/x` }],
  [10, { method: 'PATCH', target: '/ajax-api/3.0/mlflow/jobs/cancel/x' }],
  [
    15,
    {
      method: 'POST',
      target: '/api/2.0/mlflow/webhooks',
      json: { name: 'x', url: 'http://169.254.169.254/' },
    },
  ],
  [15, { target: '/api/2.0/mlflow/webhooks' }],
  [15, { target: '/api/2.0/mlflow/webhooks/x' }],
  [
    15,
    { method: 'PATCH', target: '/ajax-api/2.0/mlflow/webhooks/x', json: { url: 'http://169.254.169.254/' } },
  ],
  [15, { method: 'DELETE', target: '/api/2.0/mlflow/webhooks/x' }],
  [15, { method: 'POST', target: '/api/2.0/mlflow/webhooks/x/test', json: {} }],
  [
    0,
    {
      method: 'POST',
      target: '/ajax-api/2.0/mlflow/gateway-proxy',
      json: { gateway_path: 'gateway/x/invocations' },
    },
  ],
  [0, { method: 'POST', target: '/api/3.0/mlflow/workspaces', json: { name: 'x' } }],
]

describe.each(ADMINS_ONLY)('field report %i: %j', (_, ask) => {
  it('is refused to strangers and to everybody but admins, with nothing forwarded', async () => {
    const stranger = await gateway.ask(ask)
    expect([stranger.line, stranger.reached]).toEqual(['401 UNAUTHENTICATED no_credential', []])
    for (const as of ['outsider', 'reader', 'editor', 'readonly'] as const) {
      const { status, code, event, reached } = await gateway.ask({ ...ask, as })
      expect([as, status, code, reached]).toEqual([as, 403, 'PERMISSION_DENIED', []])
      expect(['admin_only', 'read_only_token']).toContain(event?.reason)
    }
  })
})

/** Judged by grants; see the regressions of each family for whom it is open to. */
const JUDGED: readonly (readonly [number, Ask])[] = [
  [10, { method: 'POST', target: `${JOBS}search`, json: {} }],
  [10, { method: 'POST', target: '/ajax-api/3.0/mlflow/scorer/invoke', json: {} }],
  [10, { method: 'POST', target: '/ajax-api/3.0/mlflow/genai/evaluate/invoke', json: {} }],
  [10, { method: 'POST', target: '/ajax-api/3.0/mlflow/issues/invoke', json: {} }],
  [0, { method: 'POST', target: '/gateway/proxy/x/v1/files', body: '{}' }],
  [0, { method: 'POST', target: '/gateway/x/mlflow/invocations', body: '{}' }],
  [0, { target: '/api/3.0/mlflow/gateway/secrets/list' }],
]

describe.each(JUDGED)('field report %i: %j', (_, ask) => {
  it('is refused to strangers, with nothing forwarded', async () => {
    const { line, reached } = await gateway.ask(ask)
    expect([line, reached]).toEqual(['401 UNAUTHENTICATED no_credential', []])
  })
})

describe('field report 10: the same under another spelling', () => {
  it.each([
    ['POST', '//ajax-api/3.0/jobs/'],
    ['POST', '/ajax-api/3.0/jobs'],
    ['POST', '/ajax-api/3.0/jobs//'],
    ['POST', '/api/3.0/jobs/'],
    ['POST', '/AJAX-API/3.0/jobs/'],
    ['POST', '/ajax-api/3.0/jobs/.'],
    ['POST', '/ajax-api/3.0/jobs/%2e'],
    ['POST', '//v1/traces'],
    ['POST', '/v1/traces/'],
    ['POST', '/v1//traces'],
    ['POST', '/v1/traces%00'],
    ['POST', '/v1/metrics'],
    ['POST', '/v1/logs'],
    ['POST', '/ajax-api/v1/traces'],
    ['PUT', '/v1/traces'],
  ])('%s %s', async (method, target) => {
    for (const as of [undefined, 'outsider', 'editor', 'admin'] as const) {
      const { status, reached } = await gateway.ask({ method, target, as, body: 'x' })
      expect([as, status === 404 || status === 405 || status === 400, reached]).toEqual([as, true, []])
    }
  })
})

describe('field report 12: traces and assessments of others', () => {
  const trace = TRACE_B
  const asks: readonly Ask[] = [
    {
      method: 'POST',
      target: '/api/3.0/mlflow/traces/search',
      json: { locations: [{ mlflow_experiment: { experiment_id: '2' } }] },
    },
    { target: `/api/3.0/mlflow/traces/batchGet?trace_ids=${trace}` },
    { method: 'POST', target: '/api/3.0/mlflow/traces/batchGetInfos', json: { trace_ids: [trace] } },
    { target: `/api/3.0/mlflow/traces/${trace}` },
    { target: `/api/3.0/mlflow/traces/get?trace_id=${trace}` },
    { target: `/api/2.0/mlflow/traces/${trace}/info` },
    { target: '/api/2.0/mlflow/traces?experiment_ids=2' },
    { method: 'POST', target: `/api/3.0/mlflow/traces/${trace}/assessments`, json: {} },
    { method: 'PATCH', target: `/api/3.0/mlflow/traces/${trace}/assessments/a`, json: {} },
    { method: 'DELETE', target: `/api/3.0/mlflow/traces/${trace}/assessments/a` },
    {
      method: 'PATCH',
      target: `/api/3.0/mlflow/traces/${trace}/tags`,
      json: { key: 'mlflow.artifactLocation', value: 'mlflow-artifacts:/2' },
    },
    { method: 'DELETE', target: `/api/2.0/mlflow/traces/${trace}/tags`, json: { key: 'k' } },
    {
      method: 'POST',
      target: '/api/3.0/mlflow/traces/delete-traces',
      json: { experiment_id: '2', trace_ids: [trace] },
    },
    {
      method: 'POST',
      target: '/api/2.0/mlflow/traces/link-to-run',
      json: { trace_ids: [trace], run_id: RUN_B },
    },
    {
      method: 'POST',
      target: '/api/3.0/mlflow/traces',
      json: { trace: { trace_info: { trace_id: trace } } },
    },
    { method: 'POST', target: '/api/3.0/mlflow/traces/metrics', json: { experiment_ids: ['2'] } },
    { method: 'POST', target: '/api/3.0/mlflow/traces/metrics', json: { experiment_ids: ['1', '2'] } },
    {
      method: 'POST',
      target: '/api/3.0/mlflow/traces/calculate-filter-correlation',
      json: { experiment_ids: ['2'] },
    },
    { target: `/ajax-api/3.0/mlflow/get-trace-artifact?request_id=${trace}&path=x` },
  ]

  it.each(asks)('$method $target', async (ask) => {
    for (const as of ['outsider', 'reader', 'editor'] as const) {
      const { status, text, reached } = await gateway.ask({ ...ask, as })
      // What is refused is refused whole; what is narrowed has nothing left to ask about.
      const nothing = (status === 200 && text === '{}') || (status >= 400 && status < 500)
      expect([as, nothing, reached]).toEqual([as, true, []])
    }
    expect((await gateway.ask(ask)).status).toBe(401)
  })
})

describe('field report 30: an account made by a stranger', () => {
  it.each([
    { method: 'POST', target: '/api/2.0/mlflow/users/create', json: { username: 'x', password: 'y' } },
    { method: 'POST', target: '/ajax-api/2.0/mlflow/users/create', json: { username: 'x', password: 'y' } },
    { method: 'POST', target: '/api/3.0/mlflow/users/create', json: { username: 'x', password: 'y' } },
    {
      method: 'POST',
      target: '/api/2.0/mlflow/users/create-ui',
      body: 'username=x&password=y',
      headers: ['Content-Type: application/x-www-form-urlencoded'],
    },
    {
      method: 'PATCH',
      target: '/api/2.0/mlflow/users/update-admin',
      json: { username: 'outsider', is_admin: true },
    },
    {
      method: 'PATCH',
      target: '/api/2.0/mlflow/users/update-password',
      json: { username: 'admin', password: 'y' },
    },
    {
      method: 'POST',
      target: '/api/2.0/mlflow/experiments/permissions/create',
      json: { experiment_id: '2', username: 'outsider', permission: 'MANAGE' },
    },
  ] satisfies Ask[])('$method $target', async (ask) => {
    const before = (await gateway.store.people.list()).map(({ username }) => username)
    const stranger = await gateway.ask(ask)
    expect([[401, 404].includes(stranger.status), stranger.reached]).toEqual([true, []])
    for (const as of ['outsider', 'editor'] as const) {
      const { status, reached } = await gateway.ask({ ...ask, as })
      expect([as, [403, 404].includes(status), reached]).toEqual([as, true, []])
    }
    expect((await gateway.store.people.list()).map(({ username }) => username)).toEqual(before)
  })

  it.each(['/signup', '/login', '/logout', '/oidc/login', '/register', '/users'])(
    '%s is no page',
    async (target) => {
      for (const as of [undefined, 'editor'] as const) {
        const { status, reached } = await gateway.ask({ target, as })
        expect([status, reached]).toEqual([404, []])
      }
    },
  )
})

describe('without a credential', () => {
  it.each([
    '/health',
    '/static-files/main.js',
    '/api/3.0/mlflow/server-info',
    '/ajax-api/3.0/mlflow/server-info',
  ])('only what belongs to nobody is there: %s', async (target) => {
    const { line, reached } = await gateway.ask({ target })
    expect([line, reached]).toEqual(['200 allow', [`GET ${target}`]])
  })

  it.each([
    '/',
    '/version',
    '/ajax-api/3.0/mlflow/ui-telemetry',
    '/graphql',
    '/ajax-api/3.0/mlflow/assistant/config',
  ])('not even %s', async (target) => {
    const { line, reached } = await gateway.ask({ target })
    expect([line, reached]).toEqual(['401 UNAUTHENTICATED no_credential', []])
  })
})
