import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

/**
 * What every request costs once it was seen before: nothing of the database, nothing of MLflow but the request itself,
 * however the token is sent and however many groups its owner is in (field reports 92 and 93).
 */
const statements: string[] = []
const dir = mkdtempSync(join(tmpdir(), 'gateway-warm-'))
let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway({
    onStatement: (sql) => void statements.push(sql),
    // What runs on its own would be counted too.
    pollMs: 600_000,
    env: { AUDIT_STORE_DAYS: '0', AUDIT_FILE: join(dir, 'audit.log') },
  })
})
afterAll(async () => {
  await gateway.stop()
  rmSync(dir, { recursive: true })
})

const RUN = 'a'.repeat(32)
const REQUESTS: readonly (readonly [string, Ask])[] = [
  ['a read', { target: '/api/2.0/mlflow/experiments/get?experiment_id=1' }],
  [
    'a metric',
    { method: 'POST', target: '/api/2.0/mlflow/runs/log-metric', json: { run_id: RUN, key: 'k', value: 1 } },
  ],
  ['an artifact', { target: `/api/2.0/mlflow-artifacts/artifacts/1/${RUN}/artifacts/model.pkl` }],
  ['a list', { target: '/api/2.0/mlflow/experiments/search?max_results=25' }],
  ['a refusal', { target: '/api/2.0/mlflow/experiments/get?experiment_id=2' }],
]

const FORMS: readonly (readonly [string, (token: string) => string])[] = [
  ['Bearer', (token) => `Authorization: Bearer ${token}`],
  ['Basic', (token) => `Authorization: Basic ${Buffer.from(`editor:${token}`).toString('base64')}`],
]

it('counts: a token that is seen first is looked up', async () => {
  statements.length = 0
  await gateway.ask({ target: '/api/2.0/mlflow/experiments/get?experiment_id=1', as: 'reader' })
  expect(statements.length).toBeGreaterThan(0)
  expect(gateway.upstream.requests.length).toBeGreaterThan(gateway.forwarded().length)
})

describe.each(FORMS)('field report 92 and 93: the warm path, token sent as %s', (_, header) => {
  it.each(REQUESTS)('%s runs no statement and asks MLflow only for itself', async (_name, ask) => {
    const { token } = gateway.members.editor
    const warm = { ...ask, headers: [header(token)] }
    await gateway.ask(warm)
    await gateway.ask(warm)
    // When a token was last used is written down in the background.
    await new Promise((resolve) => setTimeout(resolve, 50))

    statements.length = 0
    gateway.upstream.forget()
    const { forwarded } = await gateway.ask(warm)
    expect(statements).toEqual([])
    expect(gateway.upstream.requests).toEqual(forwarded)
  })
})
