import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, it, test } from 'vitest'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'
import type { AccountName } from '../support/issuer.ts'
import { type RunningMlflow, startMlflow } from '../support/mlflow.ts'
import { runPython } from '../support/python.ts'
import { headerValues, type RecordingUpstream, startUpstream } from '../support/upstream.ts'

const EXPERIMENTS = 10_000
const MODELS = 3_000
/** Every so manieth may be read by the editor and the reader. */
const EVERY = 100

let mlflow: RunningMlflow
let between: RecordingUpstream
let deployment: Deployment
const tokens = new Map<AccountName, string>()

beforeAll(async () => {
  mlflow = await startMlflow()
  fillStore(join(mlflow.dir, 'mlflow.db'))
  between = await startUpstream({ '*': (request) => passOn(request) })
  deployment = await startDeployment({ upstreamUrl: between.url, env: { AUDIT_STDOUT: 'false' } })
  for (const name of ACCOUNTS) {
    await deployment.signIn(name)
    tokens.set(name, await deployment.createToken(name))
  }
})

afterAll(async () => {
  await deployment.stop()
  await between.stop()
  await mlflow.stop()
})

beforeEach(() => between.forget())

/** Through the API this would take minutes. */
function fillStore(file: string): void {
  const db = new Database(file)
  const experiment = db.prepare(
    `INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
     VALUES (?, ?, ?, 'active', ?, ?, 'default')`,
  )
  const tag = db.prepare(`INSERT INTO experiment_tags (experiment_id, key, value) VALUES (?, 'secret', 'x')`)
  const model = db.prepare(
    `INSERT INTO registered_models (name, creation_time, last_updated_time, workspace) VALUES (?, ?, ?, 'default')`,
  )
  db.transaction(() => {
    for (let id = 1; id <= EXPERIMENTS; id++) {
      experiment.run(id, nameOf(id, 'alpha/', 'other/'), `mlflow-artifacts:/${id}`, id, id)
      if (id % EVERY !== 0) tag.run(id)
    }
    for (let id = 1; id <= MODELS; id++) model.run(nameOf(id, 'alpha-', 'other-'), id, id)
  })()
  db.close()
}

function nameOf(id: number, readable: string, hidden: string): string {
  return `${id % EVERY === 0 ? readable : hidden}${String(id).padStart(5, '0')}`
}

async function passOn(request: RecordingUpstream['requests'][number]) {
  const [type] = headerValues(request, 'content-type')
  const response = await fetch(mlflow.url + request.url, {
    method: request.method,
    ...(type === undefined ? {} : { headers: { 'content-type': type } }),
    ...(request.body.length > 0 ? { body: new Uint8Array(request.body) } : {}),
  })
  return {
    status: response.status,
    headers: { 'content-type': response.headers.get('content-type') ?? '' },
    body: Buffer.from(await response.arrayBuffer()),
  }
}

type Page = { readonly names: readonly string[]; readonly next: string | undefined; readonly calls: number }

type Listing = {
  readonly path: string
  readonly method?: 'GET' | 'POST'
  readonly params: Readonly<Record<string, string | number>>
}

async function readPage(
  as: AccountName,
  { path, method = 'GET', params }: Listing,
  token?: string,
): Promise<Page> {
  const all = { ...params, ...(token === undefined ? {} : { page_token: token }) }
  const query = new URLSearchParams(
    Object.entries(all).map(([name, value]): [string, string] => [name, String(value)]),
  )
  const before = between.requests.length
  const response = await fetch(
    `${deployment.gateway.url}/api/2.0/mlflow/${path}${method === 'GET' ? `?${query}` : ''}`,
    {
      method,
      headers: { authorization: `Bearer ${tokens.get(as)}`, 'content-type': 'application/json' },
      ...(method === 'GET' ? {} : { body: JSON.stringify(all) }),
    },
  )
  const body = (await response.json()) as Record<string, { name: string }[]> & { next_page_token?: string }
  if (response.status !== 200) throw new Error(JSON.stringify(body))
  const rows = body[path.startsWith('experiments') ? 'experiments' : 'registered_models'] ?? []
  return {
    names: rows.map(({ name }) => name),
    next: body.next_page_token,
    calls: between.requests.length - before,
  }
}

async function readAll(as: AccountName, listing: Listing): Promise<Page[]> {
  const pages: Page[] = []
  let token: string | undefined
  do {
    const page = await readPage(as, listing, token)
    pages.push(page)
    token = page.next
    if (pages.length > 50) throw new Error('no end')
  } while (token !== undefined)
  return pages
}

const readable = (count: number, prefix: string) =>
  Array.from({ length: count / EVERY }, (_, index) => nameOf((index + 1) * EVERY, prefix, ''))

describe('ten thousand experiments, of which every hundredth may be read', () => {
  const byTime = { max_results: 25, order_by: 'last_update_time DESC' }
  it.each([
    [
      'as the UI asks',
      {
        path: 'experiments/search',
        params: { ...byTime, filter: 'tags.`mlflow.experiment.isGateway` IS NULL' },
      },
    ],
    [
      'in the order of names',
      { path: 'experiments/search', params: { max_results: 25, order_by: 'name ASC' } },
    ],
  ] as const)('%s: pages full, nothing twice, nothing missing, few calls', async (_how, listing) => {
    const pages = await readAll('reader', listing)
    expect(pages.map(({ names }) => names.length)).toEqual([25, 25, 25, 25])
    const names = pages.flatMap((page) => page.names)
    expect([...names].sort()).toEqual(readable(EXPERIMENTS, 'alpha/'))
    const descending = 'filter' in listing.params
    expect(names).toEqual(descending ? [...names].sort().reverse() : [...names].sort())
    // Each page looks at 2,500 rows of MLflow's: a thousand, then two thousand, and rarely a third time.
    for (const { calls } of pages) expect(calls).toBeLessThanOrEqual(4)
    expect(between.requests.length).toBeLessThanOrEqual(14)
  })

  test('by POST, with a page size that does not divide the number', async () => {
    const listing = { path: 'experiments/search', method: 'POST', params: { max_results: 30 } } as const
    const pages = await readAll('editor', listing)
    expect(pages.map(({ names }) => names.length)).toEqual([30, 30, 30, 10])
    expect(new Set(pages.flatMap(({ names }) => names)).size).toBe(EXPERIMENTS / EVERY)
  })

  test('one page that holds all of it', async () => {
    const { names, next } = await readPage('reader', {
      path: 'experiments/search',
      params: { max_results: 100 },
    })
    expect(names).toHaveLength(100)
    expect(next).toBeUndefined()
  })

  test('an administrator pays for no filtering', async () => {
    const page = await readPage('admin', { path: 'experiments/search', params: { max_results: 25 } })
    expect(page).toMatchObject({ calls: 1, next: expect.any(String) })
    expect(page.names).toHaveLength(25)
  })

  test('the Python client finds the same', async () => {
    const script = 'import mlflow\nprint(len({e.name for e in mlflow.search_experiments(max_results=None)}))'
    const env = {
      MLFLOW_TRACKING_URI: deployment.gateway.url,
      MLFLOW_TRACKING_TOKEN: tokens.get('reader') ?? '',
    }
    const result = await runPython(script, env)
    expect(result).toMatchObject({ code: 0, stdout: '100\n' })
  })
})

describe('field report 27: what is hidden shows in no count and no token', () => {
  test('a filter that finds hidden rows only finds nothing', async () => {
    const params = { max_results: 25, filter: "tags.secret = 'x'" }
    const page = await readPage('reader', { path: 'experiments/search', params })
    expect(page).toMatchObject({ names: [], next: undefined })
    // The whole of it was looked through, in a bounded number of calls.
    expect(page.calls).toBeLessThanOrEqual(5)
  })

  test('somebody without any right gets nothing, by few calls', async () => {
    const page = await readPage('outsider', { path: 'experiments/search', params: { max_results: 25 } })
    expect(page).toMatchObject({ names: [], next: undefined })
    expect(page.calls).toBeLessThanOrEqual(5)
  })

  test('a token says nothing, and is good for its owner and its question only', async () => {
    const params = { max_results: 25, order_by: 'name ASC' }
    const { next = '' } = await readPage('reader', { path: 'experiments/search', params })
    expect(Buffer.from(next, 'base64').toString('latin1')).not.toMatch(/offset|\d{3}/)
    const misuse = [
      readPage('editor', { path: 'experiments/search', params }, next),
      readPage('reader', { path: 'experiments/search', params: { ...params, order_by: 'name DESC' } }, next),
      readPage('reader', { path: 'registered-models/search', params }, next),
      readPage('reader', { path: 'experiments/search', params }, `${next.slice(0, -2)}AA`),
      readPage('reader', { path: 'experiments/search', params }, btoa('{"offset": 5}')),
    ]
    const outcomes = await Promise.allSettled(misuse)
    expect(outcomes.map(({ status }) => status)).toEqual(Array(misuse.length).fill('rejected'))
  })
})

test('three thousand registered models, of which every hundredth may be read', async () => {
  const params = { max_results: 10, order_by: 'name ASC' }
  const pages = await readAll('reader', { path: 'registered-models/search', params })
  expect(pages.map(({ names }) => names.length)).toEqual([10, 10, 10])
  expect(pages.flatMap(({ names }) => names)).toEqual(readable(MODELS, 'alpha-'))
  for (const { calls } of pages) expect(calls).toBeLessThanOrEqual(4)
})
