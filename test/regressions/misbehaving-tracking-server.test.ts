/**
 * The attack comes from behind: a tracking server that is down, slow, broken or taken over answers with its address,
 * with cookies, redirects and CORS of its own, or with something that cannot be filtered. None of it may reach the
 * caller: no address, no cookie for our origin, no way round the filter; and the fault is not called the caller's.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LISTS, RUN_A } from '../support/mlflow-stand-in.ts'
import { rawExchange } from '../support/raw-request.ts'
import { type Ask, bytesOf } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ env: { UPSTREAM_TIMEOUT: '1' } })
})
afterAll(() => gateway.stop())

const GET_RUN: Ask = { target: `/api/2.0/mlflow/metrics/get-history?run_id=${RUN_A}`, as: 'reader' }
const SEARCH: Ask = { target: '/api/2.0/mlflow/experiments/search?max_results=5', as: 'reader' }
const VERSIONS: Ask = {
  ...{ method: 'POST', target: '/graphql', as: 'reader' },
  json: { query: `{mlflowGetRun(input:{runId:"${RUN_A}"}){run{modelVersions{name}}}}` },
}

/** What a caller may learn of any answer: never where the tracking server is. */
function expectNoAddress({ rawHeaders, text }: { rawHeaders: unknown; text: string }): void {
  const shown = `${JSON.stringify(rawHeaders)} ${text}`
  expect(shown).not.toContain(String(gateway.upstream.port))
  expect(shown).not.toMatch(/ECONN|UND_ERR|ENOTFOUND|undici|fetch failed/i)
}

describe('a tracking server that gives no answer', () => {
  it.each([
    ['forwarded request', GET_RUN],
    ['list', SEARCH],
    ['GraphQL query', VERSIONS],
    [
      'creation',
      {
        method: 'POST',
        target: '/api/2.0/mlflow/experiments/create',
        json: { name: 'alpha/x' },
        as: 'editor',
      },
    ],
    ['public row', { target: '/health' }],
  ] satisfies [string, Ask][])('that hangs up: %s', async (_, ask) => {
    gateway.script({ '*': (_request, response) => void response.socket?.destroy() })
    const refused = await gateway.ask(ask)
    expect(refused.line).toBe('502 TEMPORARILY_UNAVAILABLE ERR_UPSTREAM_UNREACHABLE')
    expectNoAddress(refused)
  })

  it.each([
    ['forwarded request', GET_RUN],
    ['list', SEARCH],
  ])('that is silent: %s', async (_, ask) => {
    gateway.script({
      ...{ [`GET ${GET_RUN.target.split('?')[0]}`]: () => undefined },
      ...{ [`GET ${SEARCH.target.split('?')[0]}`]: () => undefined },
    })
    const refused = await gateway.ask(ask)
    expect(refused.line).toBe('504 TEMPORARILY_UNAVAILABLE ERR_UPSTREAM_TIMEOUT')
    expectNoAddress(refused)
  })

  it('that breaks off in the middle leaves the client with a broken answer, not a whole one', async () => {
    gateway.script({
      [`GET ${GET_RUN.target.split('?')[0]}`]: (_request, response) => {
        response.writeHead(200, { 'content-length': '100' })
        response.write('{"metrics":[')
        setTimeout(() => response.destroy(), 20)
        return undefined
      },
    })
    const { responses, closed } = await rawExchange(
      gateway.port,
      bytesOf(GET_RUN, gateway.port, gateway.members),
    )
    expect([responses, closed]).toEqual([[], true])
  })
})

describe('an answer that is not what it should be', () => {
  const list = (body: unknown) => ({ [`GET ${SEARCH.target.split('?')[0]}`]: { body } })

  it.each([
    ['HTML', '<html>', 502],
    ['nothing', '', 502],
    ['an array', [], 502],
    ['rows that are no list', { experiments: {} }, 502],
    ['a page token that is no string', { experiments: [], next_page_token: 7 }, 502],
    ['one field twice', '{"experiments":[],"experiments":[{"experiment_id":"2","name":"beta/secret"}]}', 502],
    ['rows without a name', { experiments: [{ experiment_id: '2' }, null, 'x', [1]] }, 200],
    [
      'a row whose name is one of ours and whose id is a number',
      { experiments: [{ experiment_id: 1, name: 'alpha/x' }] },
      200,
    ],
  ])('as a list: %s', async (_, body, status) => {
    gateway.script(list(body))
    const answer = await gateway.ask(SEARCH)
    expect(answer.status).toBe(status)
    if (status === 200) expect(answer.text).toBe('{}')
    else expect(answer.line).toBe('502 INTERNAL_ERROR ERR_UPSTREAM_INVALID')
  })

  it.each(['<html>', '', '{"data":'])('to a GraphQL query: %s', async (body) => {
    gateway.script({ 'POST /graphql': { body } })
    expect((await gateway.ask(VERSIONS)).line).toBe('502 INTERNAL_ERROR ERR_UPSTREAM_INVALID')
  })

  it.each([
    ['of another run', { run: { info: { run_id: 'f'.repeat(32), experiment_id: '1' } } }],
    ['without an owner', { run: { info: { run_id: 'c'.repeat(32) } } }],
    ['whose owner is a number', { run: { info: { run_id: 'c'.repeat(32), experiment_id: 1 } } }],
  ])('to the question who owns a run: one %s', async (_, body) => {
    gateway.script({ 'GET /api/2.0/mlflow/runs/get': { body } })
    const { status, forwarded } = await gateway.ask({
      ...{ target: `/api/2.0/mlflow/metrics/get-history?run_id=${'c'.repeat(32)}`, as: 'reader' },
    })
    expect(status).toBeGreaterThanOrEqual(403)
    expect(forwarded).toEqual([])
  })

  it.each([301, 400, 401, 403, 500, 503])('to that question: status %i is no answer', async (status) => {
    gateway.script({ 'GET /api/2.0/mlflow/runs/get': { status, body: { run: { info: {} } } } })
    const { line, forwarded } = await gateway.ask({
      ...{
        target: `/api/2.0/mlflow/metrics/get-history?run_id=${`${status}`.padEnd(32, 'd')}`,
        as: 'reader',
      },
    })
    expect([line, forwarded]).toEqual(['502 INTERNAL_ERROR ERR_UPSTREAM_INVALID', []])
  })
})

describe('headers of its own', () => {
  const hostile = () => ({
    'set-cookie': ['gateway_session=planted; Path=/', 'x=y'],
    location: `${gateway.upstream.url}/elsewhere`,
    'content-location': gateway.upstream.url,
    refresh: `0; url=${gateway.upstream.url}`,
    'access-control-allow-origin': 'https://evil.example',
    'access-control-allow-credentials': 'true',
    'access-control-allow-headers': '*',
    'access-control-allow-methods': '*',
    'access-control-expose-headers': '*',
    'access-control-max-age': '600',
    'cross-origin-resource-policy': 'cross-origin',
    'strict-transport-security': 'max-age=0',
    'www-authenticate': 'Basic realm="give me your password"',
    'proxy-authenticate': 'Basic',
    server: 'uvicorn',
    via: '1.1 mlflow',
    'x-powered-by': 'python',
    'cache-control': 'public, max-age=600',
  })

  it.each([
    ['forwarded request', GET_RUN, 200],
    ['redirect', GET_RUN, 307],
    ['refusal', GET_RUN, 401],
    ['file', { target: `/get-artifact?run_uuid=${RUN_A}&path=x.html`, as: 'reader' } as Ask, 200],
    ['public row', { target: '/health' } as Ask, 200],
  ])('do not leave: %s', async (_, ask, status) => {
    const [path = ''] = ask.target.split('?')
    gateway.script({ [`GET ${path}`]: { status, headers: { ...hostile(), 'x-kept': 'yes' }, body: '{}' } })
    const answer = await gateway.ask(ask)
    expect(answer.status).toBe(status)
    expect(answer.headers['x-kept']).toEqual(['yes'])
    const own = ['cache-control', 'cross-origin-resource-policy']
    const left = Object.keys(hostile()).filter((name) => answer.headers[name] !== undefined)
    expect(left.sort()).toEqual(own)
    expect(own.map((name) => answer.headers[name])).toEqual([['no-store'], ['same-origin']])
    expectNoAddress(answer)
  })

  it('a list keeps only its own', async () => {
    gateway.script({
      [`GET ${SEARCH.target.split('?')[0]}`]: { headers: hostile(), body: LISTS['experiments/search'] },
    })
    const answer = await gateway.ask(SEARCH)
    expect(Object.keys(answer.headers).sort()).toEqual([
      ...['cache-control', 'connection', 'content-length', 'content-type', 'cross-origin-resource-policy'],
      ...['date', 'keep-alive', 'x-content-type-options', 'x-request-id'],
    ])
  })

  it('a static file keeps how long it may be kept, and nothing else of it', async () => {
    gateway.script({ 'GET /static-files/main.js': { headers: hostile(), body: 'x' } })
    const answer = await gateway.ask({ target: '/static-files/main.js' })
    expect(answer.headers['cache-control']).toEqual(['public, max-age=600'])
    expect(answer.headers['set-cookie']).toBeUndefined()
  })

  it('with bytes no header may hold end in a refusal, not in a crash', async () => {
    gateway.script({
      [`GET ${GET_RUN.target.split('?')[0]}`]: (_request, response) => {
        response.socket?.end('HTTP/1.1 200 OK\r\nX-Bad: \x01\x02\r\nContent-Length: 2\r\n\r\n{}')
        return undefined
      },
    })
    const refused = await gateway.ask(GET_RUN)
    expect(refused.status).toBe(502)
    expectNoAddress(refused)
    expect((await gateway.ask({ target: '/healthz' })).status).toBe(200)
  })
})

describe("field report 101: files that run in the viewer's browser", () => {
  const file = (path: string): Ask => ({ target: path, as: 'reader' })
  const model = `m-${'a'.repeat(32)}`

  it.each([
    file(`/get-artifact?run_uuid=${RUN_A}&path=evil.html`),
    file(`/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/evil.svg`),
    file(`/ajax-api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/evil.svg`),
    file('/model-versions/get-artifact?name=alpha-model&version=1&path=MLmodel'),
    file(`/ajax-api/2.0/mlflow/logged-models/${model}/artifacts/files?artifact_file_path=x.pdf`),
    { target: '/ajax-api/2.0/mlflow/get-trace-artifact?request_id=tr-1&path=x.html', as: 'admin' },
    { target: '/ajax-api/3.0/mlflow/get-trace-artifact?request_id=tr-1&path=x.html', as: 'admin' },
  ] satisfies Ask[])('$target comes in a sandbox', async (ask) => {
    const [path = ''] = ask.target.split('?')
    gateway.script({ [`GET ${path}`]: { headers: { 'content-type': 'text/html' }, body: '<script>' } })
    const { status, headers } = await gateway.ask(ask)
    expect(status).toBe(200)
    expect(headers['content-security-policy']).toEqual([
      "sandbox; default-src 'none'; frame-ancestors 'self'",
    ])
    expect(headers['x-content-type-options']).toEqual(['nosniff'])
    expect(headers['cache-control']).toEqual(['no-store'])
  })

  it('also where the tracking server sends a policy of its own', async () => {
    gateway.script({
      'GET /get-artifact': { headers: { 'content-security-policy': 'default-src *' }, body: '<script>' },
    })
    const { headers } = await gateway.ask(file(`/get-artifact?run_uuid=${RUN_A}&path=evil.html`))
    expect(headers['content-security-policy']?.some((policy) => policy.startsWith('sandbox;'))).toBe(true)
  })
})
