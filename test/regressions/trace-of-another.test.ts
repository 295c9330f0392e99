/**
 * The attack: a trace is whose experiment it is in, but its id is the client's to choose. Sent again under a known id
 * it is moved, with its spans; spans that carry a known id are added to it, whatever the experiment header says; the
 * tag `mlflow.artifactLocation` serves another trace's files (all seen on 3.17.2); and traces and assessments were open
 * to whoever was signed in (field reports 10 and 12, CVE-2026-0545, CVE-2025-15381).
 */
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { A, B, RUN_A, RUN_B, TRACE_A, TRACE_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import { headerValues } from '../support/upstream.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const V3 = '/api/3.0/mlflow/traces'
const V2 = '/api/2.0/mlflow/traces'
const NEW = `tr-${'c'.repeat(32)}`
const NO_GRANT = '403 PERMISSION_DENIED no_grant'
const ADMINS = '403 PERMISSION_DENIED admin_only'
const LEVEL = '403 PERMISSION_DENIED level_too_low'
const located = (experiment_id: string) => ({
  type: 'MLFLOW_EXPERIMENT',
  mlflow_experiment: { experiment_id },
})
const started = (trace_id: string, experiment: string, more: object = {}) => ({
  trace: { trace_info: { trace_id, trace_location: located(experiment), ...more } },
})

async function come(ask: Ask): Promise<[string, number]> {
  const { line, reached } = await gateway.ask({ as: 'editor', ...ask })
  return [line, reached.length]
}

describe('a trace that is made under an id of the client’s', () => {
  const start = (json: object, as: Ask['as'] = 'editor') => come({ method: 'POST', target: V3, json, as })

  it.each<[string, string, string, number]>([
    ['a new one, here', NEW, A, 1],
    ['one that is here already', TRACE_A, A, 1],
    ['a new one, elsewhere', NEW, B, 0],
    ['somebody else’s, moved here', TRACE_B, A, 0],
    ['one’s own, moved elsewhere', TRACE_A, B, 0],
  ])('%s', async (_, id, experiment, reaches) => {
    const line = reaches === 1 ? '200 allow' : NO_GRANT
    expect(await start(started(id, experiment))).toEqual([line, reaches])
  })

  it('is nothing that a reader may make', async () => {
    expect(await start(started(NEW, A), 'reader')).toEqual([LEVEL, 0])
  })

  it.each([
    { trace: { traceInfo: { traceId: TRACE_B, traceLocation: { mlflowExperiment: { experimentId: A } } } } },
    { trace: { trace_info: { traceId: TRACE_B, trace_location: located(A) } } },
  ])('is judged under either spelling: %j', async (json) => {
    expect(await start(json)).toEqual([NO_GRANT, 0])
  })

  it.each([
    { trace: { trace_info: { trace_location: located(A) } } },
    { trace: { trace_info: { trace_id: NEW } } },
    started('../experiments/get', A),
    started(`trace:/x/${NEW}`, A),
    { trace: JSON.stringify(started(TRACE_B, A).trace) },
    {},
  ])('is refused if it does not say what it is: %j', async (json) => {
    expect(await start(json)).toEqual(['400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', 0])
  })

  it('lies in an experiment and nowhere else', async () => {
    const trace_location = { ...located(A), uc_schema: { catalog_name: 'x' } }
    expect(await start({ trace: { trace_info: { trace_id: NEW, trace_location } } })).toEqual([ADMINS, 0])
  })

  it.each(['mlflow.artifactLocation', 'mlflow.trace.spansLocation', 'mlflow.trace.archiveLocation'])(
    'carries no tag %s',
    async (tag) => {
      const more = { tags: { 'mlflow.traceName': 'x', [tag]: 'mlflow-artifacts:/2/traces/x/artifacts' } }
      expect(await start(started(NEW, A, more))).toEqual([ADMINS, 0])
      expect(await start(started(NEW, A, more), 'admin')).toEqual(['200 allow', 1])
      const tags = [{ key: tag, value: 'x' }]
      expect(await come({ method: 'POST', target: V2, json: { experiment_id: A, tags } })).toEqual([
        ADMINS,
        0,
      ])
      expect(await come({ method: 'PATCH', target: `${V2}/${TRACE_A}`, json: { tags } })).toEqual([ADMINS, 0])
    },
  )

  it('carries any other tag', async () => {
    expect(await start(started(NEW, A, { tags: { 'mlflow.traceName': 'x', k: 'v' } }))).toEqual([
      '200 allow',
      1,
    ])
  })
})

describe('a tag that says where a trace’s files are', () => {
  it.each([
    ['PATCH', V2],
    ['PATCH', V3],
    ['DELETE', V2],
    ['DELETE', V3],
  ])('%s %s', async (method, base) => {
    const ask = { method, target: `${base}/${TRACE_A}/tags` }
    expect(await come({ ...ask, json: { key: 'mlflow.artifactLocation', value: 'x' } })).toEqual([ADMINS, 0])
    expect(await come({ ...ask, json: { key: 'k', value: 'v' } })).toEqual(['200 allow', 1])
    expect(await come({ ...ask, json: { key: 'k', value: 'v' }, as: 'reader' })).toEqual([LEVEL, 0])
  })
})

describe('field report 12: several traces', () => {
  it.each<[Ask, string]>([
    [{ target: `${V3}/batchGet?trace_ids=${TRACE_A}&trace_ids=${TRACE_B}` }, NO_GRANT],
    [{ target: `${V3}/batchGet?trace_ids=${TRACE_A}&trace_ids=${NEW}` }, NO_GRANT],
    [{ target: `${V3}/batchGet?trace_ids=${TRACE_A}` }, '200 allow'],
    [{ method: 'POST', target: `${V3}/batchGetInfos`, json: { trace_ids: [TRACE_A, TRACE_B] } }, NO_GRANT],
    [{ method: 'POST', target: `${V3}/batchGetInfos`, json: { traceIds: [TRACE_A] } }, '200 allow'],
    [
      { method: 'POST', target: `${V3}/calculate-filter-correlation`, json: { experiment_ids: [A, B] } },
      NO_GRANT,
    ],
    [
      { method: 'POST', target: `${V3}/calculate-filter-correlation`, json: { experiment_ids: [A] } },
      '200 allow',
    ],
  ])('%j: %s', async (ask, line) => {
    expect(await come({ ...ask, as: 'reader' })).toEqual([line, line === '200 allow' ? 1 : 0])
  })

  it.each([
    [{ run_id: RUN_A, trace_ids: [TRACE_A] }, '200 allow'],
    [{ run_id: RUN_A, trace_ids: [TRACE_A, TRACE_B] }, NO_GRANT],
    [{ run_id: RUN_B, trace_ids: [TRACE_A] }, NO_GRANT],
  ])('linked to a run: %j: %s', async (json, line) => {
    const ask = { method: 'POST', target: `${V2}/link-to-run`, json }
    expect(await come(ask)).toEqual([line, line === '200 allow' ? 1 : 0])
  })

  it('are no more than MLflow takes', async () => {
    const trace_ids = Array.from({ length: 1001 }, (_, index) => `tr-${index}`)
    const ask = { method: 'POST', target: `${V3}/batchGetInfos`, json: { trace_ids } }
    expect(await come(ask)).toEqual(['400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', 0])
  })

  it.each([
    ['reads', 'GET', `${V3}/${TRACE_A}`, '200 allow'],
    ['reads', 'GET', `${V3}/${TRACE_A}/assessments/a`, '200 allow'],
    ['reads', 'GET', `/ajax-api/3.0/mlflow/get-trace-artifact?request_id=${TRACE_A}`, '200 allow'],
    ['may not change', 'POST', `${V3}/${TRACE_A}/assessments`, LEVEL],
    ['may not change', 'DELETE', `${V3}/${TRACE_A}/assessments/a`, LEVEL],
  ])('the reader %s: %s %s', async (_, method, target, line) => {
    const body = method === 'GET' ? {} : { json: {} }
    expect((await come({ method, target, ...body, as: 'reader' }))[0]).toBe(line)
  })

  it('an uploaded file does not run as a page of ours', async () => {
    const target = `/ajax-api/3.0/mlflow/get-trace-artifact?request_id=${TRACE_A}&path=x`
    const { headers } = await gateway.ask({ target, as: 'reader' })
    expect(headers['content-security-policy']?.[0]).toContain('sandbox')
  })
})

describe('who gave an assessment', () => {
  const given = [
    { source_type: 'HUMAN', source_id: 'admin' },
    { source_type: 'HUMAN' },
    { source_id: 'admin' },
    { source_type: 'LLM_JUDGE', source_id: 'openai:/gpt' },
  ]
  const recorded = [
    { source_type: 'HUMAN', source_id: 'editor' },
    { source_type: 'HUMAN', source_id: 'editor' },
    { source_id: 'editor' },
    { source_type: 'LLM_JUDGE', source_id: 'openai:/gpt' },
  ]

  it.each(given.map((source, index) => [source, recorded[index]] as const))(
    '%j: %j',
    async (source, wanted) => {
      const json = { assessment: { assessment_name: 'x', source } }
      const target = `${V3}/${TRACE_A}/assessments`
      const { forwarded } = await gateway.ask({ method: 'POST', target, json, as: 'editor' })
      expect(forwarded.map(({ body }) => JSON.parse(body.toString()))).toEqual([
        { assessment: { assessment_name: 'x', source: wanted } },
      ])
    },
  )

  it('along with a new trace', async () => {
    const of = (sources: readonly unknown[]) =>
      started(NEW, A, { assessments: sources.map((source) => ({ assessment_name: 'x', source })) })
    const ask = { method: 'POST', target: V3, json: of(given), as: 'editor' as const }
    const { forwarded } = await gateway.ask(ask)
    expect(forwarded.map(({ body }) => JSON.parse(body.toString()))).toEqual([of(recorded)])
  })
})

describe('a search for traces', () => {
  const search = (locations: unknown) =>
    gateway.ask({ method: 'POST', target: `${V3}/search`, json: { locations }, as: 'reader' })

  it('loses the places that may not be read', async () => {
    const { line, forwarded } = await search([located(B), located(A)])
    const sent = forwarded.map(({ body }) => JSON.parse(body.toString()))
    expect([line, sent]).toEqual(['200 allow', [{ locations: [located(A)] }]])
  })

  it('is not forwarded with none left', async () => {
    const { text, reached } = await search([located(B)])
    expect([text, reached]).toEqual(['{}', []])
  })

  it.each([{ inference_table: { full_table_name: 'x' } }, { uc_schema: {} }])(
    'elsewhere: %j',
    async (more) => {
      const { line, reached } = await search([located(A), { ...located(A), ...more }])
      expect([line, reached]).toEqual([ADMINS, []])
    },
  )

  it('in its old form loses them too', async () => {
    const target = `${V2}?experiment_ids=${B}&experiment_ids=${A}&max_results=5`
    const { reached } = await gateway.ask({ target, as: 'reader' })
    expect(reached).toEqual([`GET ${V2}?experiment_ids=${A}&max_results=5`])
  })
})

/** Protobuf, by hand: a length-delimited field. */
function field(number: number, ...values: readonly Buffer[]): Buffer {
  const content = Buffer.concat(values)
  const length = []
  for (let rest = content.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content])
}

const idOf = (trace: string) => Buffer.from(trace.replace('tr-', ''), 'hex')
const spanBytes = (trace: string, key = 'k') =>
  field(2, field(1, idOf(trace)), field(2, Buffer.alloc(8, 1)), field(9, field(1, Buffer.from(key))))
const protobuf = (...spans: readonly Buffer[]) => field(1, field(2, ...spans))
const asJson = (...spans: readonly object[]) =>
  JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] })
const PROTOBUF = 'Content-Type: application/x-protobuf'
const JSON_TYPE = 'Content-Type: application/json'
const HERE = `X-MLflow-Experiment-Id: ${A}`
const hex = (trace: string) => trace.replace('tr-', '')

function exported(body: Buffer | string, headers: readonly string[], as: Ask['as'] = 'editor') {
  return gateway.ask({ method: 'POST', target: '/v1/traces', body, headers, as })
}

describe('field report 10: spans', () => {
  it.each<[string, readonly string[], string]>([
    ['here', [HERE], '200 allow'],
    ['elsewhere', [`X-MLflow-Experiment-Id: ${B}`], NO_GRANT],
    ['nowhere', [], '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'],
    [
      'here and elsewhere',
      [HERE, `X-MLflow-Experiment-Id: ${B}`],
      '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
    ],
    ['for a run of ours', [HERE, `X-MLflow-Run-Id: ${RUN_A}`], '200 allow'],
    ['for a run elsewhere', [HERE, `X-MLflow-Run-Id: ${RUN_B}`], NO_GRANT],
    [
      'for two runs',
      [HERE, `X-MLflow-Run-Id: ${RUN_A}`, `X-MLflow-Run-Id: ${RUN_B}`],
      '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
    ],
  ])('%s', async (_, headers, line) => {
    const { line: found, forwarded } = await exported(protobuf(spanBytes(NEW)), [PROTOBUF, ...headers])
    expect(found).toBe(line)
    expect(forwarded.length).toBe(line === '200 allow' ? 1 : 0)
  })

  it('are nobody’s to send but editors’', async () => {
    const body = protobuf(spanBytes(NEW))
    expect((await exported(body, [PROTOBUF, HERE], 'reader')).line).toBe(LEVEL)
    expect((await exported(body, [PROTOBUF, HERE], 'outsider')).line).toBe(NO_GRANT)
    const stranger = await gateway.ask({
      method: 'POST',
      target: '/v1/traces',
      body,
      headers: [PROTOBUF, HERE],
    })
    expect([stranger.status, stranger.reached]).toEqual([401, []])
  })

  it.each([
    ['protobuf', PROTOBUF, protobuf(spanBytes(NEW), spanBytes(TRACE_B))],
    [
      'protobuf, in two parts',
      PROTOBUF,
      Buffer.concat([protobuf(spanBytes(NEW)), protobuf(spanBytes(TRACE_B))]),
    ],
    ['JSON', JSON_TYPE, asJson({ traceId: hex(NEW) }, { traceId: hex(TRACE_B) })],
    ['JSON, upper case', JSON_TYPE, asJson({ traceId: hex(TRACE_B).toUpperCase() })],
  ])('of somebody else’s trace: %s', async (_, type, body) => {
    const { line, reached } = await exported(body, [type, HERE])
    expect([line, reached]).toEqual([NO_GRANT, []])
    for (const [coding, pack] of [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['deflate', deflateRawSync],
    ] as const) {
      const coded = await exported(pack(body), [type, HERE, `Content-Encoding: ${coding}`])
      expect([coded.line, coded.reached]).toEqual([NO_GRANT, []])
    }
  })

  it.each([
    ['protobuf', PROTOBUF, protobuf(spanBytes(NEW, 'mlflow.traceTag.mlflow.artifactLocation'))],
    [
      'JSON',
      JSON_TYPE,
      asJson({ traceId: hex(NEW), attributes: [{ key: 'mlflow.traceTag.mlflow.artifactLocation' }] }),
    ],
  ])('that say where the files of their trace are: %s', async (_, type, body) => {
    const { line, reached } = await exported(body, [type, HERE])
    expect([line, reached]).toEqual([ADMINS, []])
  })

  it('are forwarded as they were judged: decoded, with the two headers once and nothing else', async () => {
    const body = protobuf(spanBytes(NEW))
    const run = `X-MLflow-Run-Id: ${RUN_A}`
    const headers = [
      PROTOBUF,
      HERE,
      run,
      'Content-Encoding: gzip',
      'X-MLFLOW-WORKSPACE: ',
      'X_MLflow_Run_Id: x',
    ]
    const { forwarded } = await exported(gzipSync(body), headers)
    const [sent] = forwarded
    if (sent === undefined) throw new Error('nothing was forwarded')
    expect(sent.body.equals(body)).toBe(true)
    expect(headerValues(sent, 'content-encoding')).toEqual([])
    expect(headerValues(sent, 'content-type')).toEqual(['application/x-protobuf'])
    expect(headerValues(sent, 'x-mlflow-experiment-id')).toEqual([A])
    expect(headerValues(sent, 'x-mlflow-run-id')).toEqual([RUN_A])
    expect(headerValues(sent, 'x-mlflow-workspace')).toEqual([])
    expect(headerValues(sent, 'x_mlflow_run_id')).toEqual([])
  })

  it.each<[string, string, Buffer | string]>([
    ['a short id', PROTOBUF, protobuf(field(2, field(1, idOf(TRACE_B).subarray(1))))],
    ['a long id', PROTOBUF, protobuf(field(2, field(1, Buffer.alloc(1), idOf(TRACE_B))))],
    ['no id', PROTOBUF, protobuf(field(2, field(2, Buffer.alloc(8, 1))))],
    ['two ids', PROTOBUF, protobuf(field(2, field(1, idOf(NEW)), field(1, idOf(TRACE_B))))],
    ['a cut field', PROTOBUF, protobuf(spanBytes(NEW)).subarray(0, -3)],
    ['a group', PROTOBUF, Buffer.from([0x0b, 0x0c])],
    ['a field of the wrong type', PROTOBUF, Buffer.from([0x08, 0x01])],
    ['a length in too many bytes', PROTOBUF, Buffer.from([0x0a, 0x80, 0x00])],
    ['a tag in too many bytes', PROTOBUF, Buffer.from([0x8a, 0x00, 0x00])],
    ['snake case', JSON_TYPE, JSON.stringify({ resource_spans: [] })],
    ['snake case within', JSON_TYPE, asJson({ trace_id: 'AAAA' })],
    ['base64', JSON_TYPE, asJson({ traceId: idOf(TRACE_B).toString('base64') })],
    ['spaces', JSON_TYPE, asJson({ traceId: `${hex(TRACE_B)} ` })],
    ['a repeated key', JSON_TYPE, `{"resourceSpans":[],"resourceSpans":${asJson({})}}`],
    ['another JSON in JSON', JSON_TYPE, JSON.stringify(asJson({ traceId: hex(TRACE_B) }))],
  ])('that can be read otherwise: %s', async (_, type, body) => {
    const { status, reached } = await exported(body, [type, HERE])
    expect([status, reached]).toEqual([400, []])
  })

  it.each([
    ['Content-Type: text/plain', 415],
    ['Content-Type: application/X-Protobuf', 415],
    ['Content-Type: application/x-protobuf\r\nContent-Type: application/json', 415],
    [`${PROTOBUF}\r\nContent-Encoding: zstd`, 415],
    [`${PROTOBUF}\r\nContent-Encoding: gzip, gzip`, 415],
    [`${PROTOBUF}\r\nContent-Encoding: gzip`, 400],
  ])('that cannot be read: %s', async (lines, expected) => {
    const { status, reached } = await exported(protobuf(spanBytes(NEW)), [...lines.split('\r\n'), HERE])
    expect([status, reached]).toEqual([expected, []])
  })

  it('that grow beyond the limit when inflated', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024))
    const { line, reached } = await exported(bomb, [PROTOBUF, HERE, 'Content-Encoding: gzip'])
    expect([line, reached]).toEqual(['413 REQUEST_LIMIT_EXCEEDED ERR_BODY_TOO_LARGE', []])
  })
})
