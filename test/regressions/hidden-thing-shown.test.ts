/**
 * The attack: to see, or at least count, what one has no grant on. "No permission" still showed names in lists, runs on
 * compare pages, metrics in charts (field report 28); rows dropped after the fact left short pages, telling page
 * tokens and filters that answered questions about hidden rows (27).
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_B, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const API = '/api/2.0/mlflow'
const AJAX = '/ajax-api/2.0/mlflow'

describe('field report 28: nothing of beta, whichever way one looks', () => {
  const looks: readonly (readonly [string, Ask])[] = [
    ['the experiment', { target: `${API}/experiments/get?experiment_id=2` }],
    ['its name', { target: `${API}/experiments/get-by-name?experiment_name=beta/secret` }],
    ['the list', { target: `${API}/experiments/search?max_results=100` }],
    ['the list, whole', { target: `${API}/experiments/search?max_results=50000&view_type=ALL` }],
    [
      'the list by a filter',
      { target: `${API}/experiments/search?max_results=5&filter=name%20LIKE%20'beta%25'` },
    ],
    ['the list, ordered', { target: `${API}/experiments/search?max_results=1&order_by=name%20DESC` }],
    [
      'the list, posted',
      {
        method: 'POST',
        target: `${API}/experiments/search`,
        json: { max_results: 10, filter: "name = 'beta/secret'" },
      },
    ],
    ['models', { target: `${API}/registered-models/search?max_results=1000` }],
    ['models by a filter', { target: `${API}/registered-models/search?filter=name%3D'beta-model'` }],
    [
      'prompts',
      { target: `${API}/registered-models/search?filter=tags.%60mlflow.prompt.is_prompt%60%3D'true'` },
    ],
    ['versions', { target: `${API}/model-versions/search?max_results=1000` }],
    ['versions of its run', { target: `${API}/model-versions/search?filter=name%3D'beta-model'` }],
    ['the model', { target: `${API}/registered-models/get?name=beta-model` }],
    [
      "the model's versions",
      {
        method: 'POST',
        target: `${API}/registered-models/get-latest-versions`,
        json: { name: 'beta-model' },
      },
    ],
    ['the version', { target: `${API}/model-versions/get?name=beta-model&version=1` }],
    ['the alias', { target: `${API}/registered-models/alias?name=beta-model&alias=champion` }],
    ["the version's place", { target: `${API}/model-versions/get-download-uri?name=beta-model&version=1` }],
    [
      "the version's files",
      { target: '/model-versions/get-artifact?name=beta-model&version=1&path=MLmodel' },
    ],
    ['the run', { target: `${API}/runs/get?run_id=${RUN_B}` }],
    ['its runs', { method: 'POST', target: `${API}/runs/search`, json: { experiment_ids: ['2'] } }],
    [
      'its runs beside ours',
      {
        method: 'POST',
        target: `${API}/runs/search`,
        json: { experiment_ids: ['1', '2'], filter: `run_id = '${RUN_B}'` },
      },
    ],
    ['its metrics', { target: `${API}/metrics/get-history?run_id=${RUN_B}&metric_key=m` }],
    ['a chart', { target: `${AJAX}/metrics/get-history-bulk?run_id=${RUN_B}&metric_key=m` }],
    [
      'a chart beside ours',
      { target: `${AJAX}/metrics/get-history-bulk?run_id=${RUN_A}&run_id=${RUN_B}&metric_key=m` },
    ],
    [
      'a chart by steps',
      { target: `${AJAX}/metrics/get-history-bulk-interval?run_ids=${RUN_A}&run_ids=${RUN_B}&metric_key=m` },
    ],
    ['its files', { target: `${API}/artifacts/list?run_uuid=${RUN_B}` }],
    ['a file', { target: `/get-artifact?run_uuid=${RUN_B}&path=x` }],
    ['a file by its place', { target: `/api/2.0/mlflow-artifacts/artifacts/2/${RUN_B}/artifacts/x` }],
    ['its logged model', { target: `${API}/logged-models/${MODEL_B}` }],
    [
      'its logged models',
      { method: 'POST', target: `${API}/logged-models/search`, json: { experiment_ids: ['2'] } },
    ],
    [
      'its datasets',
      { method: 'POST', target: `${AJAX}/experiments/search-datasets`, json: { experiment_ids: ['2'] } },
    ],
    [
      'GraphQL',
      {
        method: 'POST',
        target: '/graphql',
        json: { query: `{a:mlflowGetRun(input:{runId:"${RUN_B}"}){run{info{runName}}}}` },
      },
    ],
  ]

  it.each(looks)('%s', async (_, ask) => {
    // MLflow answers everything about beta whoever asks; the caller must see none of it.
    gateway.script({
      'POST /graphql': { body: { data: { a: { run: { info: { runName: 'beta secret' } } } } } },
    })
    for (const as of ['outsider', 'reader', 'editor'] as const) {
      const { text, event } = await gateway.ask({ ...ask, as })
      const shown = text.replaceAll(/name=beta-model|name 'beta\/secret'/g, '')
      expect([as, shown.match(/beta|b{32}/g)]).toEqual([as, null])
      expect(event?.effect).not.toBe('error')
    }
  })

  /** The same about what is nowhere, under an id or name of the same length. */
  const elsewhere = (text: string) =>
    text
      .replaceAll(RUN_B, 'c'.repeat(32))
      .replaceAll(MODEL_B, `m-${'c'.repeat(32)}`)
      .replaceAll('beta', 'zeta')
      .replaceAll(/(experiment_id=|"|artifacts\/)2(?=["&/]|$)/g, '$18')

  it.each(looks)('the way to ask for it is the same where it is nowhere: %s', async (_, ask) => {
    for (const as of ['outsider', 'reader', 'editor'] as const) {
      const other = JSON.parse(elsewhere(JSON.stringify(ask))) as Ask
      const [there, missing] = [await gateway.ask({ ...ask, as }), await gateway.ask({ ...other, as })]
      const link = String(there.headers['x-ask-for-access'] ?? 'none')
      const [key = ''] = /(?<=key=)[^&]*/.exec(link) ?? []
      expect([missing.status, String(missing.headers['x-ask-for-access'] ?? 'none')]).toEqual([
        there.status,
        link.replace(`key=${key}`, `key=${key === '2' ? '8' : elsewhere(key)}`),
      ])
      // Nothing in it that the request did not hold.
      expect(`${ask.target}${JSON.stringify(ask.json)}`).toContain(decodeURIComponent(key))
    }
  })

  it('and all of it for an admin', async () => {
    for (const [, ask] of looks.slice(0, 3)) {
      expect((await gateway.ask({ ...ask, as: 'admin' })).text).toContain('beta/secret')
    }
  })
})

/** Experiments 1..`count`, of which every `nth` is alpha's; MLflow's own pages, tokens as MLflow makes them. */
function many(count: number, isAlphas: (id: number) => boolean) {
  const rows = Array.from({ length: count }, (_, index) => ({
    experiment_id: String(index + 1),
    name: `${isAlphas(index + 1) ? 'alpha' : 'beta'}/${index + 1}`,
  }))
  return {
    [`GET ${API}/experiments/search`]: ({ url }: { url: string }) => {
      const query = new URL(url, 'http://mlflow').searchParams
      const token = query.get('page_token')
      const offset = token ? JSON.parse(Buffer.from(token, 'base64').toString()).offset : 0
      const end = offset + Number(query.get('max_results'))
      const next = Buffer.from(JSON.stringify({ offset: end })).toString('base64')
      return { body: { experiments: rows.slice(offset, end), ...(end < count && { next_page_token: next }) } }
    },
  }
}

const search = (query: string, as: 'reader' | 'outsider' | 'editor' | 'admin' = 'reader') =>
  gateway.ask({ target: `${API}/experiments/search?${query}`, as })

type ListedPage = { experiments?: { name: string }[]; next_page_token?: string }
const page = (text: string) => JSON.parse(text) as ListedPage

describe('field report 27: a page of a list', () => {
  afterEach(() => gateway.script({}))

  it('of three readable among 10,000 is full, in a bounded number of fetches', async () => {
    gateway.script(many(10_000, (id) => id % 4000 === 17 || id === 9999))
    const { text, reached } = await search('max_results=25')
    expect(page(text)).toEqual({
      experiments: ['alpha/17', 'alpha/4017', 'alpha/8017', 'alpha/9999'].map((name) => ({
        experiment_id: name.slice(6),
        name,
      })),
    })
    expect(reached.length).toBeLessThanOrEqual(20)
  })

  it('looks the same with hidden rows and without them', async () => {
    const seen: unknown[] = []
    for (const hidden of [0, 5, 500]) {
      gateway.script(many(10 + hidden, (id) => id <= 10))
      const first = page((await search('max_results=4')).text)
      const second = page((await search(`max_results=4&page_token=${first.next_page_token}`)).text)
      const third = page((await search(`max_results=4&page_token=${second.next_page_token}`)).text)
      const tokens = [first, second, third].map(({ next_page_token: token }) => token?.length)
      seen.push([
        [first, second, third].map(({ experiments }) => experiments?.map(({ name }) => name)),
        tokens,
      ])
    }
    expect(seen[1]).toEqual(seen[0])
    expect(seen[2]).toEqual(seen[0])
    expect((seen[0] as unknown[][])[1]?.[2]).toBeUndefined()
  })

  it('has no token where everything that is left is hidden', async () => {
    gateway.script(many(2000, (id) => id <= 5))
    expect(page((await search('max_results=5')).text).next_page_token).toBeUndefined()
    expect((await search('max_results=5', 'outsider')).text).toBe('{}')
  })

  it('has a token that says nothing, and is good for nobody else and nothing else', async () => {
    gateway.script(many(100, () => true))
    const token = page((await search('max_results=5')).text).next_page_token ?? ''
    expect(Buffer.from(token, 'base64url').toString('latin1')).not.toMatch(/offset/)
    expect((await search(`max_results=5&page_token=${token}`)).status).toBe(200)
    for (const [query, as] of [
      [`max_results=5&page_token=${token}`, 'editor'],
      [`max_results=5&page_token=${token}`, 'admin'],
      [`max_results=5&page_token=${token}&filter=x`, 'reader'],
      [`max_results=5&page_token=${token}&order_by=x`, 'reader'],
      [`max_results=5&page_token=${token.slice(0, -2)}`, 'reader'],
      [`max_results=5&page_token=${Buffer.from('{"offset": 1}').toString('base64url')}`, 'reader'],
      ['max_results=5&page_token=x', 'reader'],
      ['max_results=5&page_token=%00', 'reader'],
    ] as const) {
      const { line, reached } = await search(query, as)
      expect([query, line, reached]).toEqual([query, '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', []])
    }
    const models = await gateway.ask({
      target: `${API}/registered-models/search?page_token=${token}`,
      as: 'reader',
    })
    expect(models.status).toBe(400)
  })

  it.each(['0', '-1', '50001', '1e3', '1.5', 'x', '', '٣', '0x10', '9'.repeat(30)])(
    'of %s rows is none',
    async (size) => {
      const { line, reached } = await search(`max_results=${encodeURIComponent(size)}`)
      expect([line, reached]).toEqual(['400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', []])
    },
  )

  it('never shows a row by a name that only looks readable', async () => {
    const rows = [
      'alpha',
      'ALPHA/x',
      ' alpha/x',
      'alphа/x',
      'xalpha/x',
      'alpha\\x',
      'αlpha/x',
      'beta/alpha/x',
    ]
    gateway.script({
      [`GET ${API}/experiments/search`]: {
        body: { experiments: rows.map((name, index) => ({ experiment_id: String(index), name })) },
      },
    })
    expect((await search('max_results=100')).text).toBe('{}')
  })

  it('keeps every byte of the rows it shows', async () => {
    const row = '{"name":"alpha/x","experiment_id":"1","last_update_time":9007199254740993,"é":"\\u00e9"}'
    gateway.script({
      [`GET ${API}/experiments/search`]: {
        body: `{"experiments":[{"experiment_id":"2","name":"beta/x"}, ${row} ]}`,
      },
    })
    expect((await search('max_results=5')).text).toBe(`{"experiments":[${row}]}`)
  })
})
