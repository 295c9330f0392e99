/**
 * The attack: a page of another site makes the browser of somebody who is signed in send a request, cookies and all
 * (field report 61). What may change something asks for our own Origin, on every family of routes; a script's token,
 * which no browser sends on its own, does not.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Endpoint } from '../../src/admin/endpoint.ts'
import { ENDPOINTS } from '../../src/admin/endpoints.ts'
import { RUN_A } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import { headerValues } from '../support/upstream.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const FILE = `2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/x`

/** One write of every family, which the member named may make. */
const WRITES: readonly (readonly [string, Ask, 'editor' | 'admin'])[] = [
  [
    '/api',
    { method: 'POST', target: '/api/2.0/mlflow/runs/set-tag', json: { run_id: RUN_A, key: 'k' } },
    'editor',
  ],
  [
    '/ajax-api',
    { method: 'POST', target: '/ajax-api/2.0/mlflow/runs/set-tag', json: { run_id: RUN_A, key: 'k' } },
    'editor',
  ],
  [
    'a search',
    { method: 'POST', target: '/ajax-api/2.0/mlflow/runs/search', json: { experiment_ids: ['1'] } },
    'editor',
  ],
  [
    'GraphQL',
    {
      method: 'POST',
      target: '/graphql',
      json: { query: '{mlflowGetExperiment(input:{experimentId:"1"}){experiment{name}}}' },
    },
    'editor',
  ],
  ['an upload', { method: 'PUT', target: `/api/${FILE}`, body: 'x' }, 'editor'],
  ['an upload, ajax', { method: 'PUT', target: `/ajax-api/${FILE}`, body: 'x' }, 'editor'],
  [
    "an upload with a form's type",
    {
      method: 'POST',
      target: `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${RUN_A}&path=x`,
      body: 'a=b',
      headers: ['Content-Type: text/plain'],
    },
    'editor',
  ],
  ['a deletion', { method: 'DELETE', target: `/api/${FILE}` }, 'admin'],
  [
    'a deletion with a body',
    {
      method: 'DELETE',
      target: '/api/2.0/mlflow/registered-models/delete-tag',
      json: { name: 'alpha-model', key: 'k' },
    },
    'editor',
  ],
  [
    'a change',
    { method: 'PATCH', target: '/api/2.0/mlflow/registered-models/update', json: { name: 'alpha-model' } },
    'editor',
  ],
  ['telemetry', { method: 'POST', target: '/ajax-api/3.0/mlflow/ui-telemetry', json: {} }, 'editor'],
  [
    'a model gateway',
    { method: 'POST', target: '/gateway/openai/v1/responses', json: { model: 'x' } },
    'admin',
  ],
  [
    'traces',
    {
      ...{ method: 'POST', target: '/v1/traces', json: { resourceSpans: [] } },
      headers: ['X-MLflow-Experiment-Id: 1'],
    },
    'editor',
  ],
  ['jobs', { method: 'POST', target: '/ajax-api/3.0/jobs/', json: {} }, 'admin'],
]

const FOREIGN = [
  ['another site', ['Origin: https://evil.example']],
  ['an opaque origin', ['Origin: null']],
  ['no origin', []],
  ['an empty origin', ['Origin: ']],
  ['a site of the same domain', ['Origin: http://evil.127.0.0.1']],
  ['our host without its port', ['Origin: http://127.0.0.1']],
  ['our host under https', ['Origin: https://127.0.0.1']],
  ['our origin and another', ['Origin: https://evil.example', 'X-Forwarded-Host: 127.0.0.1']],
  ['no origin, same site', ['Sec-Fetch-Site: same-site']],
  ['no origin, no site', ['Sec-Fetch-Site: none']],
  ['no origin, cross site', ['Sec-Fetch-Site: cross-site']],
  ['another origin that claims ours', ['Origin: https://evil.example', 'Sec-Fetch-Site: same-origin']],
] as const

const cookieOf = (member: 'editor' | 'admin') => `Cookie: ${gateway.members[member].cookie}`

describe('field report 61: a write with a cookie', () => {
  describe.each(WRITES)('%s', (_, ask, member) => {
    it.each(FOREIGN)('from %s: refused', async (__, headers) => {
      const all = [cookieOf(member), ...(ask.headers ?? []), ...headers]
      const { line, reached } = await gateway.ask({ ...ask, headers: all })
      expect([line, reached]).toEqual(['403 PERMISSION_DENIED cross_origin', []])
    })

    it('from our own pages: allowed, and no Origin goes on', async () => {
      for (const headers of [[`Origin: ${gateway.url}`], ['Sec-Fetch-Site: same-origin']]) {
        const all = [cookieOf(member), ...(ask.headers ?? []), ...headers]
        const { line, forwarded } = await gateway.ask({ ...ask, headers: all })
        expect([line, forwarded.flatMap((request) => headerValues(request, 'origin'))]).toEqual([
          '200 allow',
          [],
        ])
      }
    })

    it("with a token instead: nobody's browser sent that", async () => {
      for (const [, headers] of FOREIGN.slice(0, 3)) {
        const all = [...(ask.headers ?? []), ...headers]
        expect((await gateway.ask({ ...ask, as: member, headers: all })).line).toBe('200 allow')
      }
    })
  })

  it.each([
    [{ target: '/api/2.0/mlflow/webhooks', json: {} }],
    [{ target: '/api/2.0/mlflow/runs/set-tag', json: { run_id: 'b'.repeat(32), key: 'k' } }],
    [{ target: '/api/2.0/mlflow/runs/set-tag', body: 'not JSON' }],
  ] satisfies [Ask][])('is refused as such before it is judged or read: %j', async (ask) => {
    const headers = [cookieOf('editor'), 'Origin: https://evil.example']
    const { line, reached } = await gateway.ask({ method: 'POST', ...ask, headers })
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED cross_origin', []])
  })

  it('also with the session alone, which would be renewed', async () => {
    const [session = ''] = gateway.members.editor.cookie.split('; ')
    const headers = [`Cookie: ${session}`, 'Origin: https://evil.example']
    const ask = {
      method: 'POST',
      target: '/api/2.0/mlflow/runs/set-tag',
      json: { run_id: RUN_A, key: 'k' },
      headers,
    }
    const { line, reached } = await gateway.ask(ask)
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED cross_origin', []])
  })
})

describe('field report 61: everything of the JSON API and of the console that changes something', () => {
  const CHANGES = ENDPOINTS.filter(({ method }) => method !== 'GET')
  const FORM_TYPES = ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data; boundary=x']
  const cookie = () => `Cookie: ${gateway.members.admin.cookie}`
  const urlOf = ({ path }: Endpoint) => `/auth/api/v1${path.replaceAll(/:\w+/g, 'x')}`
  const named = CHANGES.map((each) => [each.name, each] as const)

  it.each(named)('%s by a foreign page: refused', async (_, endpoint) => {
    const { method } = endpoint
    for (const [__, headers] of FOREIGN) {
      for (const type of ['application/json', ...FORM_TYPES]) {
        const all = [cookie(), `Content-Type: ${type}`, ...headers]
        const { line } = await gateway.ask({ method, target: urlOf(endpoint), body: '{}', headers: all })
        expect([headers, type, line]).toEqual([headers, type, '403 PERMISSION_DENIED cross_origin'])
      }
    }
  })

  it.each(named.filter(([, { body }]) => body !== undefined))(
    '%s takes no body of a form, from our own pages either',
    async (_, endpoint) => {
      for (const type of FORM_TYPES) {
        const headers = [cookie(), `Content-Type: ${type}`, `Origin: ${gateway.url}`]
        const { status } = await gateway.ask({
          ...{ method: endpoint.method, target: urlOf(endpoint), body: '{}', headers },
        })
        expect([type, status]).toEqual([type, 415])
      }
    },
  )

  it.each(named)('the form for %s: refused from a foreign page, and without its token', async (name) => {
    const target = `/auth/admin/do/${name}`
    const form = 'Content-Type: application/x-www-form-urlencoded'
    for (const [__, headers] of FOREIGN) {
      const all = [cookie(), form, ...headers]
      const { status, text } = await gateway.ask({ method: 'POST', target, body: 'p.id=x', headers: all })
      expect([headers, status, text.includes('did not come from a page of')]).toEqual([headers, 403, true])
    }
    const others = await formTokenOf('editor')
    for (const body of ['p.id=x', 'form_token=', 'form_token=x', `form_token=${others}`]) {
      const headers = [cookie(), form, `Origin: ${gateway.url}`]
      const { status, text } = await gateway.ask({ method: 'POST', target, body, headers })
      expect([body, status, text.includes('was not made for your session')]).toEqual([body, 403, true])
    }
    const bearer = await gateway.ask({ method: 'POST', target, as: 'admin', body: 'x=y', headers: [form] })
    expect(bearer.line).toContain('403 PERMISSION_DENIED')
  })

  it.each(named)('the form for %s is nothing that a link or an image could send', async (name) => {
    const { status } = await gateway.ask({ target: `/auth/admin/do/${name}`, headers: [cookie()] })
    expect(status).toBe(404)
  })

  async function formTokenOf(member: 'editor' | 'admin'): Promise<string> {
    const { text } = await gateway.ask({ target: '/auth/access', headers: [cookieOf(member)] })
    return encodeURIComponent(/name="form_token" value="([^"]+)"/.exec(text)?.[1] ?? 'none')
  }
})

describe('a read with a cookie', () => {
  const read = (method: string, headers: readonly string[]) =>
    gateway.ask({
      method,
      target: '/api/2.0/mlflow/experiments/get?experiment_id=1',
      headers: [cookieOf('editor'), ...headers],
    })

  it.each([
    ['GET', 'by a script of another site', ['Origin: https://evil.example', 'Sec-Fetch-Site: cross-site']],
    ['HEAD', 'by a script of another site', ['Origin: https://evil.example']],
    ['GET', 'as an image of a neighbour', ['Sec-Fetch-Site: same-site', 'Sec-Fetch-Dest: image']],
    [
      'GET',
      'in a frame of a neighbour',
      ['Sec-Fetch-Site: same-site', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: iframe'],
    ],
  ])('by %s %s is refused', async (method, _, headers) => {
    const { line, status, reached } = await read(method, headers)
    expect([status, reached]).toEqual([403, []])
    expect(line).toMatch(/cross_origin$/)
  })

  it('from a link of another site is let through, and gives that site nothing to read', async () => {
    const { line, rawHeaders } = await read('GET', [
      'Sec-Fetch-Site: cross-site',
      'Sec-Fetch-Mode: navigate',
      'Sec-Fetch-Dest: document',
    ])
    expect(line).toBe('200 allow')
    expect(rawHeaders.filter(([name]) => /^access-control-/i.test(name))).toEqual([])
    expect(rawHeaders.find(([name]) => /^cross-origin-resource-policy$/i.test(name))?.[1]).toBe('same-origin')
  })

  it.each(['Access-Control-Request-Method: POST', 'Access-Control-Request-Private-Network: true'])(
    'a preflight is answered with nothing (%s)',
    async (header) => {
      for (const target of ['/api/2.0/mlflow/runs/set-tag', '/graphql', '/auth/api/v1/me', '/']) {
        const headers = [header, 'Origin: https://evil.example', cookieOf('editor')]
        const { status, rawHeaders, reached } = await gateway.ask({ method: 'OPTIONS', target, headers })
        expect([target, status, reached]).toEqual([target, 404, []])
        expect(rawHeaders.filter(([name]) => /^access-control-/i.test(name))).toEqual([])
      }
    },
  )
})
