/**
 * On a call of the AI gateway MLflow adds a span to the trace that `traceparent` names, whoever has it (3.17.2): the
 * header of a caller who may not change that trace does not get there, and nobody's does anywhere else.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import { RUN_A, TRACE_A, TRACE_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'
import { headerValues } from '../support/upstream.ts'

let gateway: TestGateway
let traced: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }
  traced = await startTestGateway({ env })
  for (const { store, members } of [gateway, traced]) {
    const role = await store.roles.create({ name: 'callers' })
    const grant = { match: 'any', pattern: '*', source: 'manual' } as const
    await store.roles.grant(role.id, { ...grant, resourceType: 'gateway_endpoint', level: 'USE' })
    for (const { userId } of [members.editor, members.reader]) await store.roles.assign(userId, role.id)
  }
})
afterAll(async () => {
  await gateway?.stop()
  await traced?.stop()
})

const NOBODYS = 'tr-00000000000000000000000000000001'
const parentIn = (trace: string, rest = '-01') => `00-${trace.slice(3)}-${'c'.repeat(16)}${rest}`

async function reached(at: TestGateway, as: MemberName, headers: readonly string[], target = CALL) {
  at.upstream.forget()
  const json = target === CALL ? { model: 'alpha-endpoint' } : { run_id: RUN_A, key: 'k', value: 1 }
  const { line } = await at.ask({ method: 'POST', target, as, headers, json })
  const request = at.upstream.requests.find((each) => each.method === 'POST')
  return { line, headers: request && headerValues(request, 'traceparent') }
}

const CALL = '/gateway/mlflow/v1/chat/completions'

it.each<[string, MemberName, string, boolean]>([
  ['of the own experiment', 'editor', parentIn(TRACE_A), true],
  ["of somebody else's experiment", 'editor', parentIn(TRACE_B), false],
  ['that one may only read', 'reader', parentIn(TRACE_A), false],
  [
    'that is nobody’s, so that MLflow would make it where one may not write',
    'editor',
    parentIn(NOBODYS),
    false,
  ],
  ['that is nobody’s, of an administrator', 'admin', parentIn(NOBODYS), true],
  ['of anybody’s, of an administrator', 'admin', parentIn(TRACE_B), true],
  ['in capitals, which others read as the same', 'editor', parentIn(TRACE_A).toUpperCase(), false],
  ['of another version', 'editor', parentIn(TRACE_A).replace(/^00/, '01'), false],
  ['with something behind it', 'editor', parentIn(TRACE_A, '-01-x'), false],
  ['of nothing', 'admin', parentIn(`tr-${'0'.repeat(32)}`), false],
])('a trace %s', async (_, as, traceparent, passes) => {
  for (const each of [gateway, traced]) {
    const found = await reached(each, as, [`traceparent: ${traceparent}`, 'tracestate: a=b'])
    expect(found).toEqual({ line: '200 allow', headers: passes ? [traceparent] : [] })
  }
})

it('several headers name none', async () => {
  const headers = [parentIn(TRACE_B), parentIn(TRACE_A)].map((value) => `traceparent: ${value}`)
  expect(await reached(gateway, 'editor', headers)).toEqual({ line: '200 allow', headers: [] })
})

it('a trace of our own is not one that MLflow may add to', async () => {
  expect(await reached(traced, 'editor', [])).toEqual({ line: '200 allow', headers: [] })
})

it('elsewhere it is ours or none', async () => {
  const target = '/api/2.0/mlflow/runs/log-metric'
  const headers = [`traceparent: ${parentIn(TRACE_A)}`]
  expect((await reached(gateway, 'editor', headers, target)).headers).toEqual([])
  const [own] = (await reached(traced, 'editor', headers, target)).headers ?? []
  expect(own).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
  expect(own).not.toContain(TRACE_A.slice(3))
})

it('every call of an endpoint is one of these, and nothing else is', () => {
  const marked = CATALOGUE.filter(({ joinsTrace }) => joinsTrace).map(({ name }) => name)
  const calls = CATALOGUE.filter(
    ({ paths, methods }) =>
      methods.includes('POST') && paths.some(({ text }) => text.startsWith('/gateway/')),
  )
  expect(marked.toSorted()).toEqual(calls.map(({ name }) => name).toSorted())
  expect(marked.length).toBeGreaterThan(8)
})
