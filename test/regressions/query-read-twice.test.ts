/**
 * The attack: a query in which MLflow takes another value than the gateway. It takes the first of a repeated field,
 * other readers the last; it knows snake_case only; `run_id` beats `run_uuid` on one route and is ignored on the next;
 * Python's int() reads many spellings of one id; a path in a query is decoded until nothing changes.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_A, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const API = '/api/2.0/mlflow'
const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'
const DENIED = '403 PERMISSION_DENIED no_grant'

const get = (target: string, as: 'reader' | 'admin' = 'reader') => gateway.ask({ target, as })

describe('one field twice', () => {
  it.each([
    `${API}/experiments/get?experiment_id=1&experiment_id=2`,
    `${API}/experiments/get?experiment_id=2&experiment_id=1`,
    `${API}/experiments/get?experiment_id=1&experiment_id=1`,
    `${API}/experiments/get?experiment_id=1&experiment%5Fid=2`,
    `${API}/experiments/get?experiment_id=1&experimentId=2`,
    `${API}/experiments/get?experimentId=2&experiment_id=1`,
    `${API}/experiments/get?experiment_id=1&experiment__id=2`,
    `${API}/experiments/get?experiment_id&experiment_id=1`,
    `${API}/runs/get?run_id=${RUN_A}&run_id=${RUN_B}`,
    `${API}/runs/get?run_id=${RUN_A}&r%75n_id=${RUN_B}`,
    `${API}/runs/get?run_id=${RUN_A}&run%5fid=${RUN_B}`,
    `/get-artifact?run_id=${RUN_A}&path=x&path=../y`,
    '/model-versions/get-artifact?name=alpha-model&name=beta-model&version=1&path=x',
    '/api/2.0/mlflow-artifacts/artifacts?path=1&path=2',
    `${API}/experiments/search?max_results=1&maxResults=2`,
    `${API}/experiments/search?max_results=1&page_token=a&pageToken=b`,
    `/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=${RUN_A}&runId=${RUN_B}&metric_key=m`,
    // upb ends a name at a NUL character.
    `${API}/experiments/get?experiment_id=1&experiment_id%00=2`,
    `${API}/experiments/get?experiment_id%00x=2`,
    `${API}/experiments/search?filter%00=x`,
    '/api/2.0/mlflow-artifacts/artifacts?path%00=1',
  ])('%s', async (target) => {
    for (const as of ['reader', 'admin'] as const) {
      const { line, reached } = await get(target, as)
      expect([line, reached]).toEqual([AMBIGUOUS, []])
    }
  })

  it('is a list where the row takes one, and every item is judged', async () => {
    const bulk = '/ajax-api/2.0/mlflow/metrics/get-history-bulk?metric_key=m'
    const denied = await get(`${bulk}&run_id=${RUN_A}&run_id=${RUN_B}`)
    expect([denied.line, denied.reached]).toEqual([DENIED, []])
    const encoded = await get(`${bulk}&run_id=${RUN_A}&run%5Fid=${RUN_B}`)
    expect([encoded.line, encoded.reached]).toEqual([DENIED, []])
    const allowed = await get(`${bulk}&run_id=${RUN_A}&run_id=${RUN_A}`)
    expect(allowed.line).toBe('200 allow')
    const interval = await get(
      `${API}/metrics/get-history-bulk-interval?metric_key=m&run_ids=${RUN_A}&run_ids=${RUN_B}`,
    )
    expect([interval.line, interval.reached]).toEqual([DENIED, []])
  })
})

describe('run_id and run_uuid', () => {
  it.each([
    ['equal', `run_id=${RUN_A}&run_uuid=${RUN_A}`, '200 allow'],
    ['different', `run_id=${RUN_A}&run_uuid=${RUN_B}`, AMBIGUOUS],
    ['different, other order', `run_uuid=${RUN_B}&run_id=${RUN_A}`, AMBIGUOUS],
    ['empty run_id', `run_id=&run_uuid=${RUN_B}`, INVALID],
    ['empty run_uuid', `run_id=${RUN_A}&run_uuid=`, INVALID],
    ['run_uuid alone', `run_uuid=${RUN_B}`, DENIED],
    ['camel case alone, which MLflow does not read', `runId=${RUN_A}`, INVALID],
    ['camel case beside', `runId=${RUN_B}&run_uuid=${RUN_A}`, '200 allow'],
    ['blank around', `run_id=+${RUN_A}`, INVALID],
    ['upper case', `run_id=${RUN_B.toUpperCase()}`, DENIED],
    ['neither', 'x=1', INVALID],
    ['no value', 'run_id', INVALID],
  ])('%s', async (_, query, expected) => {
    for (const path of [
      `${API}/runs/get`,
      '/get-artifact',
      `${API}/artifacts/list`,
      `${API}/metrics/get-history`,
    ]) {
      const { line } = await get(`${path}?${query}&path=x&metric_key=m`)
      expect([path, line]).toEqual([path, expected])
    }
  })

  it.each([
    ['run_id beside run_uuid', `run_id=${RUN_A}&run_uuid=${RUN_B}`, AMBIGUOUS],
    ['run_id beside, equal', `run_id=${RUN_A}&run_uuid=${RUN_A}`, AMBIGUOUS],
    ['run_id alone', `run_id=${RUN_A}`, AMBIGUOUS],
    ['an encoded run_id', `r%75n_id=${RUN_A}&run_uuid=${RUN_A}`, AMBIGUOUS],
    ['run_uuid twice', `run_uuid=${RUN_A}&run_uuid=${RUN_B}`, AMBIGUOUS],
    ['camel case', `runUuid=${RUN_A}`, INVALID],
    ["somebody else's", `run_uuid=${RUN_B}`, DENIED],
    ['nothing', 'x=1', INVALID],
  ])('upload-artifact, which reads run_uuid only: %s', async (_, query, expected) => {
    const target = `/ajax-api/2.0/mlflow/upload-artifact?${query}&path=x`
    const { line, reached } = await gateway.ask({ method: 'POST', target, as: 'editor', body: 'x' })
    expect([line, reached]).toEqual([expected, []])
  })

  it('upload-artifact with run_uuid reaches MLflow with what was judged', async () => {
    const target = `/ajax-api/2.0/mlflow/upload-artifact?path=a%20b&run%5Fuuid=${RUN_A}`
    const { line, reached, forwarded } = await gateway.ask({
      method: 'POST',
      target,
      as: 'editor',
      body: 'content',
    })
    expect([line, reached]).toEqual([
      '200 allow',
      [`POST /ajax-api/2.0/mlflow/upload-artifact?path=a%20b&run_uuid=${RUN_A}`],
    ])
    expect(forwarded.map(({ body }) => body.toString())).toEqual(['content'])
  })

  it('and a body that names another run is only a file', async () => {
    const target = `/ajax-api/2.0/mlflow/upload-artifact?path=x&run_uuid=${RUN_B}`
    const { line, reached } = await gateway.ask({
      method: 'POST',
      target,
      as: 'editor',
      json: { run_uuid: RUN_A },
    })
    expect([line, reached]).toEqual([DENIED, []])
  })
})

describe('an experiment id in another spelling', () => {
  it.each([
    ...[
      '02',
      '2%0A',
      '%202',
      '2%20',
      '+2',
      '2+',
      '%2B2',
      '-0',
      '0_2',
      '2%00',
      '%EF%BC%92',
      '%D9%A2',
      '2%C2%A0',
    ],
    ...['%E2%80%8B2', '2.0', '2e0', '0x2', '1,2', '1;2', '1%2F..%2F2', "2'", '2%23', '', '%222%22', '[2]'],
  ])('%s', async (id) => {
    for (const as of ['reader', 'admin'] as const) {
      const { line, reached } = await get(`${API}/experiments/get?experiment_id=${id}`, as)
      expect([line, reached]).toEqual([INVALID, []])
    }
  })

  it.each([
    ['broken escape', `${API}/experiments/get?experiment_id=%`],
    ['half an escape', `${API}/experiments/get?experiment_id=1%2`],
    ['invalid UTF-8', `${API}/experiments/get?experiment_id=%ff`],
    ['invalid UTF-8 in a field nobody judges', `${API}/experiments/get?experiment_id=1&x=%c0%af`],
  ])('%s', async (_, target) => {
    const { line, reached } = await get(target)
    expect([line, reached]).toEqual([AMBIGUOUS, []])
  })
})

describe('a path in a query that climbs', () => {
  const places = [
    `/get-artifact?run_uuid=${RUN_A}&path=`,
    `${API}/artifacts/list?run_uuid=${RUN_A}&path=`,
    '/model-versions/get-artifact?name=alpha-model&version=1&path=',
    `/ajax-api/2.0/mlflow/logged-models/${MODEL_A}/artifacts/files?artifact_file_path=`,
    `${API}/logged-models/${MODEL_A}/artifacts/directories?artifact_directory_path=`,
  ]
  const climbing = [
    ...['../x', 'a/../../x', '..', '%2e%2e/x', '..%2fx', '..%5cx', '%252e%252e%252fx', 'a/..%252f..%252fx'],
    ...['/etc/passwd', '%2Fetc%2Fpasswd', 'file:///etc/passwd', 'a%00.png', 'a%23b', 'C:%5Cx', './x', 'a//b'],
  ]

  it.each(climbing)('%s', async (path) => {
    for (const place of places) {
      const { line, reached } = await get(`${place}${path}`, 'admin')
      expect([place, line, reached]).toEqual([place, AMBIGUOUS, []])
    }
    const upload = `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${RUN_A}&path=${path}`
    const { line, reached } = await gateway.ask({ method: 'POST', target: upload, as: 'editor', body: 'x' })
    expect([line, reached]).toEqual([AMBIGUOUS, []])
  })

  it.each(climbing)('in the list of the artifact proxy: %s', async (path) => {
    const { status, reached } = await get(`/api/2.0/mlflow-artifacts/artifacts?path=${path}`)
    expect([status >= 400 && status < 500, reached]).toEqual([true, []])
  })

  it.each(['a/b.txt', 'a%20b', 'a+b', '..a/b..', 'a/', '%C3%A9', 'a:b', ''])('%j does not', async (path) => {
    for (const place of places)
      expect([place, (await get(`${place}${path}`)).line]).toEqual([place, '200 allow'])
  })
})

describe('the list of the artifact proxy', () => {
  const list = (query: string, as: 'reader' | 'admin') =>
    get(`/api/2.0/mlflow-artifacts/artifacts${query}`, as)

  it.each(['', '?', '?x=1', '?Path=1'])(
    'without a path (%j) lists every experiment: admins only',
    async (query) => {
      const { line, reached } = await list(query, 'reader')
      expect([line, reached]).toEqual(['403 PERMISSION_DENIED admin_only', []])
      expect((await list(query, 'admin')).line).toBe('200 allow')
    },
  )

  it.each([
    '2',
    `2/${RUN_B}`,
    'workspaces',
    'workspaces/default',
    '6',
    '4',
    '5',
    `5/${RUN_B}`,
    RUN_A,
    'zzz',
    '1 ',
  ])("of %s is not a reader's", async (path) => {
    const { status, reached } = await list(`?path=${encodeURIComponent(path)}`, 'reader')
    expect([status, reached]).toEqual([403, []])
  })

  it("of one's own is", async () => {
    expect((await list('?path=1', 'reader')).line).toBe('200 allow')
    expect((await list(`?path=1%2F${RUN_A}%2Fartifacts`, 'reader')).line).toBe('200 allow')
    expect((await list(`?path=workspaces%2Fdefault%2F7`, 'reader')).line).toBe('200 allow')
  })
})

describe('what is forwarded', () => {
  it.each([
    [`experiment_id=%31`, 'experiment_id=1'],
    [`&&experiment_id=1&`, 'experiment_id=1'],
    [`%65xperiment_id=1&x=a%26experiment_id%3D2`, 'experiment_id=1&x=a%26experiment_id%3D2'],
    [`experiment_id=1&x=%C3%A9+%2B`, 'experiment_id=1&x=%C3%A9%20%2B'],
    [`experiment_id=1&x`, 'experiment_id=1&x='],
    [`experiment_id=1&x==`, 'experiment_id=1&x=%3D'],
    [`experiment_id=1&a;experiment_id=2`, 'experiment_id=1&a%3Bexperiment_id=2'],
  ])('of %s is what was read', async (query, expected) => {
    const { line, reached } = await get(`${API}/experiments/get?${query}`)
    expect([line, reached]).toEqual(['200 allow', [`GET ${API}/experiments/get?${expected}`]])
  })

  it("is no query but the row's own, where MLflow reads a body", async () => {
    const { reached } = await gateway.ask({
      ...{ method: 'POST', target: `${API}/runs/set-tag?run_id=${RUN_B}&x=1`, as: 'editor' },
      json: { run_id: RUN_A, key: 'k' },
    })
    expect(reached).toEqual([`POST ${API}/runs/set-tag`])
  })
})
