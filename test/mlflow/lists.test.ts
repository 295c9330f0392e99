import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { type Call, memberOf } from '../../src/mlflow/call.ts'
import { type ListContext, listReadable, MAX_FETCHES } from '../../src/mlflow/lists.ts'
import type { ListSpec } from '../../src/mlflow/operation.ts'
import { createPageTokens } from '../../src/mlflow/page-token.ts'
import type { UpstreamResponse } from '../../src/mlflow/upstream.ts'
import type { Grant } from '../../src/policy/grants.ts'
import { accessWith, type CallParts, callFor, grant, lookupIn, textOf } from './examples.ts'

type RowData = { readonly id: number; readonly name: string; readonly tags?: readonly object[] }

const TOKENS = createPageTokens('a secret of at least thirty-two characters')
const EXPERIMENTS: ListSpec = {
  field: 'experiments',
  rows: 'experiment',
  pages: 'token',
  defaultSize: undefined,
  cap: 50_000,
}
const MODELS: ListSpec = {
  field: 'registered_models',
  rows: 'registry',
  pages: 'token',
  defaultSize: 3,
  cap: 1000,
}
const VERSIONS: ListSpec = {
  field: 'model_versions',
  rows: 'version',
  pages: 'token',
  defaultSize: 10_000,
  cap: 200_000,
}

/** MLflow's answer to a page of these rows: its tokens are base64 of an offset, its JSON is written with spaces. */
function pageOf(spec: ListSpec, rows: readonly RowData[], call: Call): UpstreamResponse {
  const args = argumentsOf(call)
  const offset =
    args.token === '' ? 0 : Number(JSON.parse(Buffer.from(args.token, 'base64').toString()).offset)
  const chosen = rows.slice(offset, offset + args.size)
  const texts = chosen.map(({ id, name, tags }) => {
    const key = spec.rows === 'experiment' ? `"experiment_id": "${id}", ` : ''
    return `{${key}"name": ${JSON.stringify(name)}, "last_update_time": 9007199254740993${tags ? `, "tags": ${JSON.stringify(tags)}` : ''}}`
  })
  const more = offset + args.size < rows.length
  const next = Buffer.from(JSON.stringify({ offset: offset + args.size })).toString('base64')
  const fields = [
    ...(texts.length > 0 ? [`"${spec.field}": [${texts.join(', ')}]`] : []),
    ...(more ? [`"next_page_token": "${next}"`] : []),
  ]
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    bytes: Buffer.from(`{${fields.join(', ')}}`),
  }
}

function argumentsOf(call: Call): { readonly size: number; readonly token: string } {
  const body = call.body?.value ?? {}
  const field = (name: string) => (call.method === 'GET' ? call.query.get(name)?.[0] : memberOf(body, name))
  return { size: Number(field('max_results')), token: String(field('page_token') ?? '') }
}

type Listing = {
  readonly spec?: ListSpec
  readonly rows: readonly RowData[]
  readonly grants?: readonly Grant[]
  readonly isAdmin?: boolean
  readonly userId?: string
  readonly send?: ListContext['send']
}

/** What the caller gets for one page, and what MLflow was asked for it. */
async function list(listing: Listing, parts: CallParts) {
  const { spec = EXPERIMENTS, rows, grants = [], isAdmin = false, userId = 'u1' } = listing
  const sent: Call[] = []
  const send = async (page: Call) => {
    sent.push(page)
    return listing.send ? listing.send(page) : pageOf(spec, rows, page)
  }
  const names: Readonly<Record<string, string>> = {
    experiments: 'experiments.search',
    registered_models: 'registered_models.search',
    model_versions: 'model_versions.search',
  }
  const call = callFor(names[spec.field] ?? '', parts)
  const lookup = lookupIn({ registry: { p: 'prompt', m: 'registered_model' } })
  const context = { caller: { userId, isAdmin, access: accessWith(grants) }, lookup, tokens: TOKENS, send }
  try {
    const response = await listReadable(call, spec, context)
    const text = response.bytes.toString()
    const body = response.status === 200 ? JSON.parse(text) : undefined
    const ids: string[] = (body?.[spec.field] ?? []).map(
      (row: { experiment_id?: string; name: string }) => row.experiment_id ?? row.name,
    )
    return {
      status: response.status,
      text,
      ids,
      token: body?.next_page_token as string | undefined,
      sent,
      lookup,
    }
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return {
      status: fault.refusal.status,
      code: fault.code,
      message: fault.message,
      text: '',
      ids: [],
      token: undefined,
      sent,
      lookup,
    }
  }
}

const numbered = (count: number): RowData[] =>
  Array.from({ length: count }, (_, id) => ({ id, name: `e${id}` }))
const readable = (ids: readonly number[]): Grant[] =>
  ids.map((id) => grant('experiment', 'exact', String(id), 'READ'))
const page = (size: number, token = '') => ({
  query: `max_results=${size}${token && `&page_token=${encodeURIComponent(token)}`}`,
})

describe('one page', () => {
  it('holds only what may be read, each row byte for byte as MLflow wrote it', async () => {
    const { text } = await list({ rows: numbered(5), grants: readable([1, 3]) }, page(10))
    expect(text).toBe(
      '{"experiments":[{"experiment_id": "1", "name": "e1", "last_update_time": 9007199254740993},' +
        '{"experiment_id": "3", "name": "e3", "last_update_time": 9007199254740993}]}',
    )
  })

  it.each<[string, Grant[], string[]]>([
    ['nothing without a grant (field report 25)', [], []],
    ['by id', readable([2]), ['2']],
    ['by name pattern', [grant('experiment', 'name', 'e*', 'READ')], ['0', '1', '2', '3']],
    ['all', [grant('experiment', 'any', '*', 'USE')], ['0', '1', '2', '3']],
    [
      'all but what is denied by id',
      [grant('experiment', 'any', '*', 'MANAGE'), grant('experiment', 'exact', '1', 'DENY')],
      ['0', '2', '3'],
    ],
    [
      'all but what is denied by name',
      [grant('experiment', 'any', '*', 'MANAGE'), grant('experiment', 'name', '*2', 'DENY')],
      ['0', '1', '3'],
    ],
    ['nothing when all is denied', [grant('experiment', 'any', '*', 'DENY'), ...readable([1])], []],
    ['nothing for grants on another type', [grant('registered_model', 'any', '*', 'MANAGE')], []],
    ['nothing for a grant that says nothing', [grant('experiment', 'any', '*', 'NO_PERMISSIONS')], []],
  ])('shows %s', async (_, grants, ids) => {
    const found = await list({ rows: numbered(4), grants }, page(10))
    expect(found).toMatchObject({ status: 200, ids, token: undefined })
    if (ids.length === 0) expect(found.text).toBe('{}')
  })

  it('shows an admin all, asking for no more than the page', async () => {
    const { ids, token, sent } = await list({ rows: numbered(10), isAdmin: true }, page(3))
    expect(ids).toEqual(['0', '1', '2'])
    expect(token).toBeDefined()
    expect(sent.map((each) => argumentsOf(each).size)).toEqual([3])
  })

  it('drops rows that cannot be told apart', async () => {
    const rows = [
      { experiment_id: 1, name: 'x' },
      { experiment_id: '1' },
      { name: 'e1' },
      null,
      'x',
      ['1'],
      { experiment_id: '1', name: 'e1' },
    ]
    const send = async (): Promise<UpstreamResponse> => ({
      status: 200,
      headers: {},
      bytes: Buffer.from(JSON.stringify({ experiments: rows })),
    })
    const { text } = await list({ rows: [], grants: readable([1]), send }, page(10))
    expect(JSON.parse(text)).toEqual({ experiments: [{ experiment_id: '1', name: 'e1' }] })
  })

  it('passes MLflow’s own errors on', async () => {
    const refused = {
      status: 400,
      headers: {},
      bytes: Buffer.from('{"error_code":"INVALID_PARAMETER_VALUE"}'),
    }
    expect(await list({ rows: [], send: async () => refused }, page(10))).toMatchObject({
      status: 400,
      text: '{"error_code":"INVALID_PARAMETER_VALUE"}',
    })
  })

  it.each([
    '',
    'x',
    '[]',
    '{"experiments":{}}',
    '{"experiments":"x"}',
    '{"experiments":[],"experiments":[]}',
    '{"next_page_token":5}',
    '{"experiments":[NaN]}',
  ])('blames the tracking server for an answer that cannot be read: %s', async (text) => {
    const send = async () => ({ status: 200, headers: {}, bytes: Buffer.from(text) })
    expect(await list({ rows: [], send }, page(10))).toMatchObject({ code: 'ERR_UPSTREAM_INVALID' })
  })
})

describe('the size of a page', () => {
  it.each(['0', '-1', '1.5', '1e3', '+1', ' 1', '01', '', 'x', '50001', '99999999999', '１'])(
    'is a number MLflow takes, not %j',
    async (size) => {
      expect(await list({ rows: [] }, { query: `max_results=${encodeURIComponent(size)}` })).toMatchObject({
        code: 'ERR_INVALID_PARAMETER',
        sent: [],
      })
    },
  )

  it('must be given where MLflow wants it, and has MLflow’s default elsewhere', async () => {
    expect(await list({ rows: [] }, {})).toMatchObject({ code: 'ERR_INVALID_PARAMETER' })
    const rows = numbered(5).map((row) => ({ ...row, name: `m${row.id}` }))
    const grants = [grant('registered_model', 'any', '*', 'READ')]
    expect((await list({ spec: MODELS, rows, grants }, {})).ids).toEqual(['m0', 'm1', 'm2'])
  })

  it.each([
    ['{"max_results":2}', 200],
    ['{"maxResults":"2"}', 200],
    ['{"max_results":0}', 400],
    ['{"max_results":null}', 400],
    ['{}', 400],
    ['{"max_results":2,"page_token":5}', 400],
    ['{"max_results":2,"pageToken":"x"}', 400],
    ['{"max_results":2,"page_token":null}', 200],
    ['{"max_results":2,"page_token":""}', 200],
    // No field of MLflow's: it must not be taken for the page token that we set.
    ['{"max_results":2,"page_token_":"x"}', 400],
  ])('is read from the body of a POST: %s', async (body, status) => {
    const found = await list({ rows: numbered(5), isAdmin: true }, { method: 'POST', body })
    expect(found.status).toBe(status)
    if (status === 200) expect(found.ids).toEqual(['0', '1'])
  })

  it('reaches MLflow once, however it was spelled', async () => {
    const { sent } = await list(
      { rows: numbered(5), isAdmin: true },
      { method: 'POST', body: '{"filter":"x","maxResults":2}' },
    )
    expect(textOf(sent[0] as Call)).toBe('{"page_token":"","filter":"x","maxResults":2}')
    const get = await list(
      { rows: numbered(5), isAdmin: true },
      { query: 'max_results=2&filter=x&pageToken=y' },
    )
    expect(Object.fromEntries(get.sent[0]?.query ?? [])).toEqual({ filter: ['x'], max_results: ['2'] })
  })
})

describe('pages, one after the other', () => {
  /** Reads every page. */
  async function readAll(listing: Listing, size: number) {
    const pages: { readonly ids: readonly string[]; readonly fetches: number }[] = []
    const sizes: number[] = []
    let token: string | undefined = ''
    while (token !== undefined) {
      const found: Awaited<ReturnType<typeof list>> = await list(listing, page(size, token))
      expect(found.status).toBe(200)
      pages.push({ ids: found.ids, fetches: found.sent.length })
      sizes.push(...found.sent.map((each) => argumentsOf(each).size))
      token = found.token
      if (pages.length > 500) throw new Error('no end')
    }
    return { pages, sizes }
  }

  it('show every readable row once, in order, on full pages, and no token after the last', async () => {
    const cases = fc.record({
      rows: fc.array(fc.boolean(), { maxLength: 60 }),
      size: fc.integer({ min: 1, max: 12 }),
      cap: fc.integer({ min: 12, max: 20 }),
    })
    await fc.assert(
      fc.asyncProperty(cases, async ({ rows, size, cap }) => {
        const visible = [...rows.keys()].filter((id) => rows[id])
        const listing = {
          spec: { ...EXPERIMENTS, cap },
          rows: numbered(rows.length),
          grants: readable(visible),
        }
        const { pages, sizes } = await readAll(listing, size)
        expect(pages.flatMap(({ ids }) => ids)).toEqual(visible.map(String))
        for (const { ids } of pages.slice(0, -1)) expect(ids).toHaveLength(size)
        if (visible.length > 0) expect(pages.at(-1)?.ids).not.toHaveLength(0)
        expect(pages).toHaveLength(Math.max(1, Math.ceil(visible.length / size)))
        expect(Math.max(...sizes)).toBeLessThanOrEqual(cap)
        expect(Math.max(...pages.map(({ fetches }) => fetches))).toBeLessThanOrEqual(MAX_FETCHES)
      }),
      { numRuns: 150 },
    )
  })

  it('show somebody who may read all what MLflow shows, one fetch each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 40 }), fc.integer({ min: 1, max: 12 }), async (count, size) => {
        const grants = [grant('experiment', 'any', '*', 'READ')]
        const { pages } = await readAll({ rows: numbered(count), grants }, size)
        expect(pages.flatMap(({ ids }) => ids)).toEqual(numbered(count).map(({ id }) => String(id)))
        expect(pages.every(({ fetches }) => fetches === 1)).toBe(true)
      }),
      { numRuns: 50 },
    )
  })

  it('may be of different sizes', async () => {
    const rows = numbered(100)
    const grants = readable([...Array(50).keys()].map((n) => 2 * n))
    const first = await list({ rows, grants }, page(3))
    const second = await list({ rows, grants }, page(7, first.token))
    const third = await list({ rows, grants }, page(2, second.token))
    expect([...first.ids, ...second.ids, ...third.ids]).toEqual(
      [...Array(12).keys()].map((n) => String(2 * n)),
    )
  })

  it('show nothing twice when a page ended deep in a later, larger fetch', async () => {
    const listing = { rows: numbered(5000), grants: readable([3, 2500, 2600, 2990, 3000]) }
    const { pages } = await readAll(listing, 3)
    expect(pages.map(({ ids }) => ids)).toEqual([
      ['3', '2500', '2600'],
      ['2990', '3000'],
    ])
  })

  it('of a grant that is lost in between show no more than is readable then', async () => {
    const rows = numbered(20)
    const first = await list({ rows, grants: [grant('experiment', 'any', '*', 'READ')] }, page(3))
    expect((await list({ rows, grants: readable([5, 19]) }, page(3, first.token))).ids).toEqual(['5', '19'])
  })
})

describe('field report 27: few rows among very many', () => {
  it('fill a page within the stated bound of fetches', async () => {
    const listing = { rows: numbered(10_000), grants: readable([3, 5000, 9999]) }
    const { ids, token, sent } = await list(listing, page(25))
    expect(ids).toEqual(['3', '5000', '9999'])
    expect(token).toBeUndefined()
    expect(sent.map((each) => argumentsOf(each).size)).toEqual([1000, 2000, 4000, 5000])
  })

  it('end a page at the bound, with a token that goes on behind it', async () => {
    const listing = { spec: { ...EXPERIMENTS, cap: 10 }, rows: numbered(1000), grants: readable([3, 500]) }
    const first = await list(listing, page(5))
    expect(first.sent).toHaveLength(MAX_FETCHES)
    expect(first.ids).toEqual(['3'])
    const second = await list(listing, page(5, first.token))
    expect(second.ids).toEqual([])
    expect((await list(listing, page(5, second.token))).ids).toEqual(['500'])
  })

  it('do not show by count or token how many are hidden', async () => {
    const few = await list({ rows: numbered(3), grants: readable([0, 1]) }, page(2))
    const many = await list({ rows: numbered(900), grants: readable([0, 1]) }, page(2))
    expect(few.text).toBe(many.text)
    const next = await list({ rows: numbered(900), grants: readable([0, 899]) }, page(1))
    const near = await list({ rows: numbered(900), grants: readable([0, 1]) }, page(1))
    expect(Math.abs((next.token?.length ?? 0) - (near.token?.length ?? 0))).toBeLessThanOrEqual(4)
    expect(Buffer.from(next.token ?? '', 'base64url').toString('latin1')).not.toMatch(/offset|899/)
  })
})

describe('a page token', () => {
  const rows = numbered(20)
  const grants = readable([0, 1, 2, 3, 4])
  const tokenOf = async (query = 'max_results=2') => (await list({ rows, grants }, { query })).token ?? ''
  const INVALID = {
    status: 400,
    code: 'ERR_INVALID_PARAMETER',
    message: 'Invalid page_token: start again from the first page',
    sent: [],
  }

  it('is refused from anybody else', async () => {
    expect(await list({ rows, grants, userId: 'u2' }, page(2, await tokenOf()))).toMatchObject(INVALID)
    expect(await list({ rows, isAdmin: true, userId: 'u2' }, page(2, await tokenOf()))).toMatchObject(INVALID)
  })

  it.each(['filter=name%20LIKE%20%27x%27', 'order_by=name', 'order_by=a&order_by=b', 'view_type=ALL'])(
    'is refused with another question: %s',
    async (more) => {
      const token = encodeURIComponent(await tokenOf())
      expect(
        await list({ rows, grants }, { query: `max_results=2&page_token=${token}&${more}` }),
      ).toMatchObject(INVALID)
      const own = encodeURIComponent(await tokenOf(`max_results=2&${more}`))
      expect(
        await list({ rows, grants }, { query: `max_results=2&page_token=${own}&${more}` }),
      ).toMatchObject({ ids: ['2', '3'] })
    },
  )

  it('is refused at another list', async () => {
    expect(await list({ spec: VERSIONS, rows, grants }, page(2, await tokenOf()))).toMatchObject(INVALID)
  })

  it.each([
    ['MLflow’s own', Buffer.from('{"offset": 1}').toString('base64')],
    ['garbage', 'garbage'],
    ['nothing but white space', ' '],
    ['very long', 'A'.repeat(10_000)],
  ])('is refused if it was not made here: %s', async (_, token) => {
    expect(await list({ rows, grants }, page(2, token))).toMatchObject(INVALID)
  })

  it('is refused when changed', async () => {
    const token = await tokenOf()
    for (const at of [0, 5, 20, 30, token.length - 2]) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
      expect(await list({ rows, grants }, page(2, changed))).toMatchObject(INVALID)
    }
    expect(await list({ rows, grants }, page(2, token.slice(0, -4)))).toMatchObject(INVALID)
  })
})

describe('rows of the registry', () => {
  const MARK = { key: 'mlflow.prompt.is_prompt', value: 'true' }
  const both: RowData[] = [
    { id: 0, name: 'm' },
    { id: 1, name: 'p', tags: [MARK] },
  ]
  it.each<[string, ListSpec, readonly RowData[], Grant, string[]]>([
    ['models by grants on models', MODELS, both, grant('registered_model', 'any', '*', 'READ'), ['m']],
    ['prompts by grants on prompts', MODELS, both, grant('prompt', 'any', '*', 'READ'), ['p']],
    ['models by name', MODELS, both, grant('registered_model', 'exact', 'm', 'READ'), ['m']],
    [
      'not a prompt by a grant on a model of its name',
      MODELS,
      both,
      grant('registered_model', 'exact', 'p', 'READ'),
      [],
    ],
    ['versions of models', VERSIONS, both, grant('registered_model', 'any', '*', 'READ'), ['m']],
    ['versions of prompts', VERSIONS, both, grant('prompt', 'any', '*', 'READ'), ['p']],
    // A version's tags are its editors' to set: what a version marked as a prompt's is of, is asked of the model.
    [
      'a version of a model that says it is a prompt’s',
      VERSIONS,
      [{ id: 0, name: 'm', tags: [MARK] }],
      grant('prompt', 'any', '*', 'READ'),
      [],
    ],
    [
      'a version of nothing known',
      VERSIONS,
      [{ id: 0, name: 'gone', tags: [MARK] }],
      grant('prompt', 'any', '*', 'READ'),
      [],
    ],
  ])('are judged: %s', async (_, spec, rows, given, names) => {
    expect((await list({ spec, rows, grants: [given] }, page(10))).ids).toEqual(names)
  })
})
