/**
 * The attack: a span whose own id is new and whose attribute `mlflow.traceRequestId` names somebody else's trace. Up to
 * MLflow 3.10 the attribute wins (`Span.from_otel_proto`), so spans of one's own experiment were added to any trace;
 * what was judged was the id. And an assessment sent along with a trace of one's own under the id of somebody else's
 * assessment: sent a second time, MLflow 3.17 takes that one away from its trace and overwrites it (seen).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { A, TRACE_A, TRACE_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const NAMED = 'mlflow.traceRequestId'
const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'

/** Protobuf, by hand: a length-delimited field of less than 128 bytes. */
function field(number: number, ...values: readonly (Buffer | string)[]): Buffer {
  const content = Buffer.concat(values.map((value) => Buffer.from(value as string)))
  const length = content.length < 128 ? [content.length] : [(content.length & 127) | 128, content.length >> 7]
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), content])
}

const id = (trace: string) => trace.replace('tr-', '')

/** A span of ours with one attribute, whose value is given as the fields of an `AnyValue`. */
function protobuf(key: string, ...value: readonly Buffer[]): Buffer {
  const attribute = field(9, field(1, key), ...value)
  const span = field(2, field(1, Buffer.from(id(TRACE_A), 'hex')), field(2, Buffer.alloc(8, 1)), attribute)
  return field(1, field(2, span))
}

const json = (key: string, value: unknown) =>
  JSON.stringify({
    resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: id(TRACE_A), attributes: [{ key, value }] }] }] }],
  })

async function exported(body: Buffer | string) {
  const type = typeof body === 'string' ? 'application/json' : 'application/x-protobuf'
  const headers = [`Content-Type: ${type}`, `X-MLflow-Experiment-Id: ${A}`]
  const { line, reached } = await gateway.ask({
    method: 'POST',
    target: '/v1/traces',
    body,
    headers,
    as: 'editor',
  })
  return [line, reached.length]
}

describe('a span that names its trace', () => {
  it.each([
    ['another', { stringValue: TRACE_B }],
    ['another, as JSON', { stringValue: `"${TRACE_B}"` }],
    ['its own and more', { stringValue: `${TRACE_A},${TRACE_B}` }],
    ['its own in upper case', { stringValue: TRACE_A.toUpperCase() }],
    ['its own with a blank', { stringValue: ` ${TRACE_A}` }],
    ['in snake case', { string_value: TRACE_B }],
    ['its own in snake case', { string_value: TRACE_A }],
    ['in a list', { arrayValue: { values: [{ stringValue: TRACE_B }] } }],
    ['as bytes', { bytesValue: Buffer.from(TRACE_B).toString('base64') }],
    ['as a number', { intValue: 1 }],
    ['in two ways', { stringValue: TRACE_A, intValue: 1 }],
    ['by nothing', undefined],
    ['by a bare text', TRACE_A],
  ])('JSON, %s: refused', async (_, value) => {
    expect(await exported(json(NAMED, value))).toEqual([AMBIGUOUS, 0])
  })

  const string = (text: string) => field(1, text)
  it.each([
    ['another', [field(2, string(TRACE_B))]],
    ['another, as JSON', [field(2, string(`"${TRACE_B}"`))]],
    ['its own, then another', [field(2, string(TRACE_A), string(TRACE_B))]],
    ['its own, then a number', [field(2, string(TRACE_A), Buffer.from([0x18, 0x01]))]],
    ['a number, then its own', [field(2, Buffer.from([0x18, 0x01]), string(TRACE_A))]],
    ['its own and another value', [field(2, string(TRACE_A)), field(2, string(TRACE_B))]],
    ['as bytes', [field(2, field(7, TRACE_B))]],
    ['by nothing', []],
    ['by no text', [field(2)]],
  ])('protobuf, %s: refused', async (_, value) => {
    expect(await exported(protobuf(NAMED, ...value))).toEqual([AMBIGUOUS, 0])
  })

  it.each([TRACE_A, `"${TRACE_A}"`])("its own, as MLflow's clients do: %s", async (text) => {
    expect(await exported(json(NAMED, { stringValue: text }))).toEqual(['200 allow', 1])
    expect(await exported(protobuf(NAMED, field(2, field(1, text))))).toEqual(['200 allow', 1])
  })

  it('in any other attribute says nothing', async () => {
    expect(await exported(json('other', { stringValue: TRACE_B }))).toEqual(['200 allow', 1])
    expect(await exported(protobuf('other', field(2, field(1, TRACE_B))))).toEqual(['200 allow', 1])
  })
})

describe('an assessment along with a trace', () => {
  const start = async (assessments: unknown, as: 'editor' | 'admin' = 'editor') => {
    const trace_location = { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: A } }
    const trace_info = { trace_id: TRACE_A, trace_location, assessments }
    const ask = { method: 'POST', target: '/api/3.0/mlflow/traces', json: { trace: { trace_info } }, as }
    const { line, reached } = await gateway.ask(ask)
    return [line, reached.length]
  }
  const feedback = { assessment_name: 'x', feedback: { value: true } }

  it.each(['assessment_id', 'assessmentId'])(
    "under an id of the client's (%s): admins only",
    async (field) => {
      const given = [feedback, { ...feedback, [field]: 'a-somebody-elses' }]
      expect(await start(given)).toEqual(['403 PERMISSION_DENIED admin_only', 0])
      expect(await start(given, 'admin')).toEqual(['200 allow', 1])
    },
  )

  it('gets its id from MLflow', async () => {
    expect(await start([feedback, { ...feedback, assessment_id: null }])).toEqual(['200 allow', 1])
    expect(await start([])).toEqual(['200 allow', 1])
  })
})
