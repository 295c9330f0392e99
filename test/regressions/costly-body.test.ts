/**
 * The attack: a few megabytes that take seconds to read. Ten million brackets, or five million ones in an array, held
 * up every other request for as long; so did ids by the ten thousand, each of which is looked up. Also limits that a
 * caller has to be told about (field report 57: a 413 that does not say whose limit it is).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_A, RUN_A } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const LOG_BATCH = { method: 'POST', target: '/api/2.0/mlflow/runs/log-batch', as: 'editor' } as const
const JSON_TYPE = ['Content-Type: application/json']
const MEGA = 1_000_000

describe('field report 57: a body over the limit', () => {
  it.each([false, true])('is refused, naming the variable (chunked: %s)', async (chunked) => {
    const body = JSON.stringify({ run_id: RUN_A, params: [{ key: 'k', value: 'x'.repeat(11 * MEGA) }] })
    const refused = await gateway.ask({ ...LOG_BATCH, body, chunked, headers: JSON_TYPE })
    expect(refused.line).toBe('413 REQUEST_LIMIT_EXCEEDED ERR_BODY_TOO_LARGE')
    expect(refused.message).toContain('larger than 10485760 bytes')
    expect(refused.message).toContain('JSON_BODY_LIMIT')
    expect(refused.headers['connection']).toEqual(['close'])
    expect(refused.forwarded).toEqual([])
  })

  it('of 30 MB is refused by its announced length, before it is sent', async () => {
    const { rawRequest } = await import('../support/raw-request.ts')
    const head = `POST ${LOG_BATCH.target} HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\nAuthorization: Bearer ${gateway.members.editor.token}\r\n`
    const bytes = `${head}Content-Type: application/json\r\nContent-Length: ${30 * MEGA}\r\n\r\n`
    expect((await rawRequest(gateway.port, bytes)).status).toBe(413)
  })

  it('does not hold for artifacts', async () => {
    const body = Buffer.alloc(12 * MEGA, 'x')
    const target = `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/big.bin`
    const { line, forwarded } = await gateway.ask({ method: 'PUT', target, body, as: 'editor' })
    expect([line, forwarded.map((request) => request.body.length)]).toEqual(['200 allow', [12 * MEGA]])
  })
})

describe('a body that takes long to read', () => {
  it.each([
    ['open brackets', '['.repeat(9 * MEGA), '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'],
    ['open objects', '{"a":'.repeat(2 * MEGA), '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'],
    [
      'brackets that close',
      '['.repeat(4 * MEGA) + ']'.repeat(4 * MEGA),
      '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
    ],
    ['66 levels', `${'['.repeat(65)}${']'.repeat(65)}`, '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'],
    ['numbers', `[${'1,'.repeat(4 * MEGA)}1]`, '413 REQUEST_LIMIT_EXCEEDED ERR_BODY_TOO_LARGE'],
    ['objects', `[${'{},'.repeat(2 * MEGA)}{}]`, '413 REQUEST_LIMIT_EXCEEDED ERR_BODY_TOO_LARGE'],
    ['commas and no JSON', `[${','.repeat(9 * MEGA)}]`, '413 REQUEST_LIMIT_EXCEEDED ERR_BODY_TOO_LARGE'],
  ])('%s', async (_, value, expected) => {
    const before = performance.now()
    const body = `{"run_id":"${RUN_A}","params":${value}}`
    const { line, forwarded } = await gateway.ask({ ...LOG_BATCH, body, headers: JSON_TYPE })
    expect([line, forwarded]).toEqual([expected, []])
    // Most of it is the way over the socket; reading it whole took 2 to 5 s.
    expect(performance.now() - before).toBeLessThan(2000)
  })

  it.each([
    ['brackets in a string', `"${'[{,'.repeat(MEGA)}"`],
    ['escaped quotes in a string', `"${'\\"['.repeat(MEGA)}"`],
    ['65 levels', `${'['.repeat(64)}${']'.repeat(64)}`],
  ])('is not one with %s', async (_, value) => {
    const body = `{"run_id":"${RUN_A}","params":${value}}`
    const { line } = await gateway.ask({ ...LOG_BATCH, body, headers: JSON_TYPE })
    expect(line).toBe('200 allow')
  })
})

describe('ids by the ten thousand', () => {
  const ids = Array.from({ length: 10_001 }, (_, index) => `${index}`)
  const metrics = ids.map((id) => ({ key: 'k', value: 1, timestamp: 1, model_id: `m-${id}` }))

  it.each([
    ['runs/search', { experiment_ids: ids }],
    ['logged-models/search', { experiment_ids: ids }],
    ['runs/log-batch', { run_id: RUN_A, metrics }],
  ])('in %s are refused before one of them is looked up', async (path, json) => {
    gateway.upstream.forget()
    const refused = await gateway.ask({
      ...{ method: 'POST', target: `/api/2.0/mlflow/${path}`, as: 'editor', json },
    })
    expect(refused.line).toBe('400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER')
    expect(refused.message).toContain('more than 1000')
    expect(gateway.upstream.requests.length).toBeLessThan(3)
  })

  it('that are one id are one look-up', async () => {
    gateway.upstream.forget()
    const repeated = ids.slice(0, 5000).map(() => ({ key: 'k', value: 1, timestamp: 1, model_id: MODEL_A }))
    const { line } = await gateway.ask({ ...LOG_BATCH, json: { run_id: RUN_A, metrics: repeated } })
    expect(line).toBe('200 allow')
    expect(gateway.upstream.requests.length).toBeLessThan(5)
  })
})

describe('a request line or headers without end', () => {
  it.each([
    ['header', { target: '/', headers: [`X-Long: ${'x'.repeat(20_000)}`] }],
    ['path', { target: `/${'x'.repeat(20_000)}` }],
    ['query', { target: `/api/2.0/mlflow/runs/get?run_id=${'x'.repeat(20_000)}` }],
    ['token', { target: '/', headers: [`Authorization: Bearer ${'x'.repeat(20_000)}`] }],
    ['number of headers', { target: '/', headers: Array.from({ length: 3000 }, (_, i) => `X-${i}: y`) }],
  ])("%s: 431, in MLflow's words", async (_, ask) => {
    const { status, code, forwarded } = await gateway.ask(ask)
    expect([status, code, forwarded]).toEqual([431, 'INVALID_PARAMETER_VALUE', []])
  })
})
