/**
 * The attack: a body that only one of the two reads. MLflow reads the body of a GET whose query is empty, sees nothing
 * of a chunked body, does not decode a coded one (or does, on other routes), and takes PATCH and DELETE with any
 * content type; a parser in front may choose by the spelling of the type (field report 85). Bodies are taken in one
 * framing, one coding, one type, and forwarded with a Content-Length.
 */
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import { headerValues } from '../support/upstream.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const API = '/api/2.0/mlflow'
const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'
const UNSUPPORTED = '415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE'

describe('a GET with a body', () => {
  const asks: readonly [string, Ask][] = [
    ['instead of a query', { target: `${API}/runs/get`, json: { run_id: RUN_B } }],
    ['with an empty query', { target: `${API}/runs/get?`, json: { run_id: RUN_B } }],
    ['with a query of nothing', { target: `${API}/runs/get?&`, json: { run_id: RUN_B } }],
    ['beside a query', { target: `${API}/runs/get?run_id=${RUN_A}`, json: { run_id: RUN_B } }],
    ['beside another field', { target: `${API}/runs/get?x=1`, json: { run_id: RUN_B } }],
    ['of a list', { target: `${API}/experiments/search?max_results=1`, json: {} }],
    ['of the page itself', { target: '/', json: {} }],
    ['of a public row', { target: '/health', json: {} }],
    ['of a file', { target: `/get-artifact?run_uuid=${RUN_A}&path=x`, body: 'x' }],
    [
      'of GraphQL',
      { target: '/graphql', json: { query: `{mlflowGetRun(input:{runId:"${RUN_A}"}){run{info{runName}}}}` } },
    ],
  ]

  it.each(asks)('%s', async (_, ask) => {
    for (const method of ['GET', 'HEAD']) {
      for (const chunked of [true, false]) {
        const { status, event, reached } = await gateway.ask({ as: 'admin', ...ask, method, chunked })
        expect([status, event?.reason, reached]).toEqual([400, 'ERR_AMBIGUOUS_REQUEST', []])
      }
    }
  })

  it('that is empty is none', async () => {
    const target = `${API}/runs/get?run_id=${RUN_A}`
    const { line, forwarded } = await gateway.ask({ target, as: 'reader', body: '' })
    expect([line, forwarded.map(({ body }) => body.length)]).toEqual(['200 allow', [0]])
    expect((await gateway.ask({ target, as: 'reader', body: '', chunked: true })).line).toBe(AMBIGUOUS)
  })

  it.each([`${API}/runs/get`, `${API}/runs/get?`, `${API}/runs/get?&`, `${API}/runs/get?x=1`])(
    'GET %s without one asks for its argument',
    async (target) => {
      const { line, reached } = await gateway.ask({ target, as: 'admin' })
      expect([line, reached]).toEqual(['400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', []])
    },
  )
})

describe('a chunked body', () => {
  const json = { run_id: RUN_A, key: 'k', value: 'v' }

  it('is forwarded whole, with its length', async () => {
    const ask = { method: 'POST', target: `${API}/runs/set-tag`, as: 'editor' } as const
    const { line, forwarded } = await gateway.ask({ ...ask, json, chunked: true })
    expect(line).toBe('200 allow')
    expect(forwarded.map(({ body }) => JSON.parse(body.toString()))).toEqual([json])
    expect(forwarded.flatMap((request) => headerValues(request, 'transfer-encoding'))).toEqual([])
    expect(forwarded.flatMap((request) => headerValues(request, 'content-length'))).toEqual([
      String(JSON.stringify(json).length),
    ])
  })

  it('is judged', async () => {
    const ask = { method: 'POST', target: `${API}/runs/set-tag`, as: 'editor', chunked: true } as const
    const { line, reached } = await gateway.ask({ ...ask, json: { ...json, run_id: RUN_B } })
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })

  it('in pieces of a byte is the same body', async () => {
    const text = JSON.stringify({ ...json, run_id: RUN_B })
    const chunks = [...text].map((char) => `1\r\n${char}\r\n`).join('')
    const head = `POST ${API}/runs/set-tag HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\nAuthorization: Bearer ${gateway.members.editor.token}\r\n`
    const { rawRequest } = await import('../support/raw-request.ts')
    const type = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(
      (await rawRequest(gateway.port, `${head}${type}${chunks}0\r\nRun-Id: ${RUN_A}\r\n\r\n`)).status,
    ).toBe(403)
  })
})

describe('a coded body', () => {
  const body = gzipSync(JSON.stringify({ run_id: RUN_A, key: 'k', value: 'v' }))

  it.each(['gzip', 'GZIP', 'deflate', 'br', 'zstd', 'identity', 'x-gzip', 'gzip, gzip', 'compress', ''])(
    'Content-Encoding: %s is refused on every kind of row',
    async (coding) => {
      const coded = [`Content-Encoding: ${coding}`, 'Content-Type: application/json']
      for (const ask of [
        { method: 'POST', target: `${API}/runs/set-tag`, body },
        { method: 'DELETE', target: `${API}/registered-models/delete`, body },
        { method: 'PUT', target: `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/x`, body },
        { method: 'POST', target: `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${RUN_A}&path=x`, body },
        { method: 'POST', target: '/gateway/openai/v1/responses', body, as: 'admin' as const },
        { method: 'POST', target: '/graphql', body },
      ]) {
        const { line, reached } = await gateway.ask({ as: 'editor', ...ask, headers: coded })
        expect([ask.target, line, reached]).toEqual([ask.target, UNSUPPORTED, []])
      }
    },
  )

  it('without saying so is not JSON', async () => {
    const { line, reached } = await gateway.ask({
      ...{ method: 'POST', target: `${API}/runs/set-tag`, as: 'editor', body },
      headers: ['Content-Type: application/json'],
    })
    expect([line, reached]).toEqual([AMBIGUOUS, []])
  })
})

describe('field report 85: the type of a body', () => {
  const body = JSON.stringify({ run_id: RUN_A, key: 'k', value: 'v' })
  const post = (headers: readonly string[]) =>
    gateway.ask({ method: 'POST', target: `${API}/runs/set-tag`, as: 'editor', body, headers })

  it.each([
    [[]],
    [['Content-Type: ']],
    [['Content-Type: application/json;']],
    [['Content-Type: Application/JSON']],
    [['Content-Type: application/JSON']],
    [['Content-Type: application/json\t;x']],
    [['Content-Type: application/json ;charset=utf-8']],
    [['Content-Type: application/json; charset=utf-16']],
    [['Content-Type: application/json; charset="utf-8"']],
    [['Content-Type: application/json;  charset=utf-8']],
    [['Content-Type: application/json; charset=utf-8;']],
    [['Content-Type: application/json; charset=utf-8; charset=utf-16']],
    [['Content-Type: application/json, text/plain']],
    [['Content-Type: application/jsonx']],
    [['Content-Type: application/json+x']],
    [['Content-Type: application/ld+json']],
    [['Content-Type: text/json']],
    [['Content-Type: text/plain']],
    [['Content-Type: text/plain; x=application/json']],
    [['Content-Type: multipart/form-data; boundary=x']],
    [['Content-Type: application/x-www-form-urlencoded']],
    [['Content-Type: */*']],
    [['Content-Type: application']],
    [['Content-Type: ;application/json']],
    [['Content-Type: application/json\xa0']],
    [['Content-Type: application/json', 'Content-Type: application/json']],
    [['Content-Type: application/json', 'Content-Type: text/plain']],
    [['Content-Type: text/plain', 'content-type: application/json']],
  ])('%j is refused', async (headers) => {
    const { status, code, reached } = await post(headers)
    expect([status, code, reached]).toEqual([415, 'INVALID_PARAMETER_VALUE', []])
  })

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset=UTF-8',
    'application/json\t',
  ])('%j is forwarded in the one spelling MLflow takes', async (type) => {
    const { line, forwarded } = await post([`Content-Type: ${type}`])
    expect(line).toBe('200 allow')
    expect(forwarded.map((request) => headerValues(request, 'content-type'))).toEqual([['application/json']])
  })

  it.each([
    ['PATCH', `${API}/registered-models/update`, { name: 'beta-model' }],
    ['DELETE', `${API}/registered-models/delete-tag`, { name: 'beta-model', key: 'k' }],
  ])('%s, of any type to MLflow, is read all the same', async (method, target, json) => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const headers = [`Content-Type: ${type}`]
      const { line, reached } = await gateway.ask({
        method,
        target,
        headers,
        as: 'editor',
        body: JSON.stringify(json),
      })
      expect([line, reached]).toEqual([UNSUPPORTED, []])
    }
    const { line, reached } = await gateway.ask({ method, target, json, as: 'editor' })
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })

  it.each(['DELETE', 'PATCH', 'POST'])('the query of a %s says nothing', async (method) => {
    const paths = { DELETE: 'delete-tag', PATCH: 'update', POST: 'set-tag' } as const
    const target = `${API}/registered-models/${paths[method as keyof typeof paths]}?name=alpha-model&key=k`
    const bare = await gateway.ask({ method, target, as: 'editor' })
    expect([bare.line, bare.reached]).toEqual(['400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', []])
    const hidden = await gateway.ask({ method, target, as: 'editor', json: { name: 'beta-model', key: 'k' } })
    expect([hidden.line, hidden.reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
    const allowed = await gateway.ask({
      method,
      target,
      as: 'editor',
      json: { name: 'alpha-model', key: 'k' },
    })
    expect([allowed.line, allowed.reached]).toEqual(['200 allow', [`${method} ${target.split('?')[0]}`]])
  })
})
