/**
 * Field report 3: the rule was looked up by the literal method, so HEAD of any GET route went past it and told, by
 * status and Content-Length, what exists and how large it is. HEAD rides on GET's row: it is judged alike, and what it
 * is refused looks the same whether the thing exists or not.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_A, MODEL_B, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { type Outcome, startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const API = '/api/2.0/mlflow'
const NOBODY = 'c'.repeat(32)

/** Pairs of one thing that is there and one that is not, neither of which an outsider may know of. */
const PAIRS = [
  [`/get-artifact?run_uuid=${RUN_B}&path=model.pkl`, `/get-artifact?run_uuid=${NOBODY}&path=nope`],
  [`${API}/runs/get?run_id=${RUN_B}`, `${API}/runs/get?run_id=${NOBODY}`],
  [`${API}/experiments/get?experiment_id=2`, `${API}/experiments/get?experiment_id=888`],
  [
    `${API}/experiments/get-by-name?experiment_name=beta%2Fsecret`,
    `${API}/experiments/get-by-name?experiment_name=beta%2Fsecre_`,
  ],
  [`${API}/registered-models/get?name=beta-model`, `${API}/registered-models/get?name=beta-mode_`],
  [`${API}/registered-models/get?name=beta-prompt`, `${API}/registered-models/get?name=beta-promp_`],
  [`${API}/logged-models/${MODEL_B}`, `${API}/logged-models/m-${NOBODY}`],
  [
    `/api/2.0/mlflow-artifacts/artifacts/2/${RUN_B}/artifacts/model.pkl`,
    `/api/2.0/mlflow-artifacts/artifacts/8/${NOBODY}/artifacts/model.pkl`,
  ],
  [
    `/model-versions/get-artifact?name=beta-model&version=1&path=x`,
    `/model-versions/get-artifact?name=beta-mode_&version=1&path=x`,
  ],
  [
    `/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=${RUN_B}&metric_key=m`,
    `/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=${NOBODY}&metric_key=m`,
  ],
] as const

/** Everything a caller can compare, but for what differs from request to request and the name that was asked for. */
function seen({ status, rawHeaders, text }: Outcome, target: string): unknown {
  const headers = rawHeaders
    .filter(([name]) => !/^(?:x-request-id|date)$/i.test(name))
    .map(([name, value]) => [
      name,
      value.replace(/(?<=key=)[^&]+/, (key) => (target.includes(key) ? '…' : key)),
    ])
  return { status, headers, body: text.replace(/request id \w+/, '').replace(/beta[-/]\w+/g, '…') }
}

describe('field report 3: an outsider learns nothing of what exists', () => {
  describe.each(PAIRS)('%s', (there, missing) => {
    it.each(['HEAD', 'GET'])('by %s', async (method) => {
      const first = await gateway.ask({ method, target: there, as: 'outsider' })
      const second = await gateway.ask({ method, target: missing, as: 'outsider' })
      expect(seen(first, there)).toEqual(seen(second, missing))
      expect([first.forwarded, second.forwarded]).toEqual([[], []])
      expect([403, 404]).toContain(first.status)
    })
  })

  it.each(PAIRS.map(([there]) => there))('without a credential: HEAD %s', async (target) => {
    const { status, event, forwarded } = await gateway.ask({ method: 'HEAD', target })
    expect([status, event?.reason, forwarded]).toEqual([401, 'no_credential', []])
  })
})

describe('HEAD with a body, which MLflow would read', () => {
  const json = { run_id: RUN_A, experiment_id: '2' }

  it.each([
    ['as its arguments', `${API}/runs/get`],
    ['beside its query', `${API}/runs/get?run_id=${RUN_A}`],
    ['beside an empty query', `${API}/runs/get?`],
    ['of a list', `${API}/experiments/search?max_results=5`],
  ])('%s', async (_, target) => {
    for (const chunked of [true, false]) {
      const refused = await gateway.ask({ method: 'HEAD', target, json, chunked, as: 'reader' })
      expect([refused.status, refused.event?.reason]).toEqual([400, 'ERR_AMBIGUOUS_REQUEST'])
      expect(refused.forwarded).toEqual([])
    }
  })
})

describe('HEAD of what may be read', () => {
  it.each([
    ['a run', { target: `${API}/runs/get?run_id=${RUN_A}` }],
    ['a file', { target: `/get-artifact?run_uuid=${RUN_A}&path=x` }],
    ['a logged model', { target: `${API}/logged-models/${MODEL_A}` }],
    ['a list', { target: `${API}/experiments/search?max_results=2` }],
    ['the lists of an outsider', { target: `${API}/registered-models/search`, as: 'outsider' }],
    ['an answer of the gateway itself', { target: '/ajax-api/3.0/mlflow/assistant/config' }],
  ] satisfies [string, Ask][])('%s: as GET, without the body', async (_, ask) => {
    const get = await gateway.ask({ as: 'reader', ...ask })
    const head = await gateway.ask({ as: 'reader', ...ask, method: 'HEAD' })
    expect([head.status, head.body.length, head.event?.effect]).toEqual([get.status, 0, 'allow'])
    expect(head.headers['content-type']).toEqual(get.headers['content-type'])
    expect(head.event?.operation).toBe(get.event?.operation)
  })

  it('a list tells the length of the filtered list', async () => {
    const target = `${API}/experiments/search?max_results=50`
    const get = await gateway.ask({ target, as: 'reader' })
    const head = await gateway.ask({ method: 'HEAD', target, as: 'reader' })
    expect(head.headers['content-length']).toEqual([String(get.body.length)])
  })
})
