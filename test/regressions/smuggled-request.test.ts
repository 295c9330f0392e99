/**
 * The attack: bytes that one parser takes for one request and another for two, so that the second is never judged, or
 * is judged as somebody else's. Two lengths, a length and chunks, bare line feeds, folded headers, a request hidden in
 * the body of a refused one. Whatever is unclear ends the connection; what reaches MLflow is a request of ours.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_B, RUN_A } from '../support/mlflow-stand-in.ts'
import { rawExchange } from '../support/raw-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const SET_TAG = '/api/2.0/mlflow/runs/set-tag'
const HIDDEN = '/api/2.0/mlflow/experiments/get?experiment_id=2'

/** What a request of an admin would look like, if it were taken for one. */
const hidden = () =>
  `GET ${HIDDEN} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${gateway.members.admin.token}\r\n\r\n`

async function speak(bytes: string, responses = 2) {
  gateway.upstream.forget()
  const exchange = await rawExchange(gateway.port, bytes, { responses, timeoutMs: 700 })
  return {
    statuses: exchange.responses.map(({ status }) => status),
    closed: exchange.closed,
    reached: gateway.forwarded().map(({ method, url }) => `${method} ${url}`),
  }
}

const head = (
  method: string,
  target: string,
  as: 'editor' | 'reader' | 'outsider',
  lines: readonly string[],
) =>
  [
    `${method} ${target} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: Bearer ${gateway.members[as].token}`,
    ...lines,
  ].join('\r\n')

const JSON_TYPE = 'Content-Type: application/json'
const BODY = `{"run_id":"${RUN_A}","key":"k"}`

describe('a body of unclear length', () => {
  it.each([
    ['length and chunks', ['Content-Length: 4', 'Transfer-Encoding: chunked']],
    ['chunks and length', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
    ['length nought and chunks', ['Content-Length: 0', 'Transfer-Encoding: chunked']],
    ['two lengths', ['Content-Length: 4', 'Content-Length: 5']],
    ['the same length twice', ['Content-Length: 4', 'Content-Length: 4']],
    ['two lengths in one', ['Content-Length: 4, 5']],
    ['the same length twice in one', ['Content-Length: 4, 4']],
    ['length with a plus', ['Content-Length: +4']],
    ['negative length', ['Content-Length: -4']],
    ['hexadecimal length', ['Content-Length: 0x4']],
    ['length with an underscore', ['Content-Length: 1_0']],
    ['length of text', ['Content-Length: four']],
    ['empty length', ['Content-Length: ']],
    ['length over all bounds', ['Content-Length: 99999999999999999999999999']],
    ['unknown transfer coding', ['Transfer-Encoding: xchunked']],
    ['chunked not last', ['Transfer-Encoding: chunked, identity']],
    ['chunked with a tab', ['Transfer-Encoding:\tchunked\x0b']],
    ['chunked twice', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
    ['chunked and something', ['Transfer-Encoding: chunked', 'Transfer-Encoding: cow']],
    ['identity', ['Transfer-Encoding: identity']],
    ['blank before the colon', ['Transfer-Encoding : chunked']],
    ['blank before the colon of a length', ['Content-Length : 4']],
    ['folded', ['Transfer-Encoding:', ' chunked']],
    ['folded with a tab', ['Content-Length:', '\t4']],
    ['after a bare carriage return', ['X: y\rTransfer-Encoding: chunked']],
    ['after a bare line feed', ['X: y\nTransfer-Encoding: chunked']],
    ['after a NUL', ['X: y\0Transfer-Encoding: chunked']],
    ['quoted', ['Transfer-Encoding: "chunked"']],
    ['underscore', ['Transfer_Encoding: chunked', 'Content-Length: 4', 'X: y\nContent-Length: 0']],
  ])('%s', async (_, lines) => {
    const bytes = `${head('POST', SET_TAG, 'editor', [JSON_TYPE, ...lines])}\r\n\r\n0\r\n\r\n${hidden()}`
    const { statuses, closed, reached } = await speak(bytes)
    expect([statuses.length <= 1 || 'two answers', statuses.every((status) => status >= 400)]).toEqual([
      true,
      true,
    ])
    expect([closed, reached]).toEqual([true, []])
  })

  it.each([
    ['a size that is none', 'zz\r\n{}\r\n0\r\n\r\n'],
    ['a negative size', '-1\r\n{}\r\n0\r\n\r\n'],
    ['a size over all bounds', 'ffffffffffffffffff\r\n{}\r\n0\r\n\r\n'],
    ['a size with a prefix', '0x2\r\n{}\r\n0\r\n\r\n'],
    ['bare line feeds', '2\n{}\n0\n\n'],
    ['a chunk longer than it says', '2\r\n{}xx\r\n0\r\n\r\n'],
    ['a blank before the size', ' 2\r\n{}\r\n0\r\n\r\n'],
    ['a bare line feed in an extension', '2;x\n{}\r\n0\r\n\r\n'],
  ])('chunks with %s', async (_, body) => {
    const bytes = `${head('POST', SET_TAG, 'editor', [JSON_TYPE, 'Transfer-Encoding: chunked'])}\r\n\r\n${body}${hidden()}`
    const { statuses, reached } = await speak(bytes)
    expect([statuses.filter((status) => status < 400), reached]).toEqual([[], []])
  })
})

describe('a head that is not one', () => {
  it.each([
    ['bare line feeds', () => `${head('GET', HIDDEN, 'editor', []).replaceAll('\r\n', '\n')}\n\n`],
    ['bare carriage returns', () => `${head('GET', HIDDEN, 'editor', []).replaceAll('\r\n', '\r')}\r\r`],
    [
      'a folded credential',
      () =>
        `GET ${HIDDEN} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer\r\n ${gateway.members.admin.token}\r\n\r\n`,
    ],
    ['a header without a colon', () => `${head('GET', HIDDEN, 'editor', ['X'])}\r\n\r\n`],
    ['a header without a name', () => `${head('GET', HIDDEN, 'editor', [': x'])}\r\n\r\n`],
    ['a name with a blank', () => `${head('GET', HIDDEN, 'editor', ['X Y: x'])}\r\n\r\n`],
    ['a name with a control character', () => `${head('GET', HIDDEN, 'editor', ['X\x01: x'])}\r\n\r\n`],
    ['a value with NUL', () => `${head('GET', HIDDEN, 'editor', ['X: a\0b'])}\r\n\r\n`],
    ['a blank in the target', () => `${head('GET', `${HIDDEN} x`, 'editor', [])}\r\n\r\n`],
    ['a tab in the target', () => `${head('GET', `${HIDDEN}\tx`, 'editor', [])}\r\n\r\n`],
    ['no version', () => `GET ${HIDDEN}\r\n\r\n`],
    ['HTTP/0.9', () => `GET ${HIDDEN} HTTP/0.9\r\n\r\n`],
    ['HTTP/2 in clear text', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/1.2', () => `${head('GET', HIDDEN, 'editor', []).replace('HTTP/1.1', 'HTTP/1.2')}\r\n\r\n`],
    ['TLS', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s', async (_, bytes) => {
    const { statuses, reached } = await speak(bytes())
    expect([statuses.filter((status) => status < 400), reached]).toEqual([[], []])
  })
})

describe('a second request behind a refused one', () => {
  it.each([
    ['unreadable', 'POST', SET_TAG, 'outsider', 400],
    ['for admins', 'POST', '/api/2.0/mlflow/webhooks', 'editor', 403],
    ['to no route', 'POST', '/nope', 'editor', 404],
    ['with a GET', 'GET', HIDDEN, 'editor', 400],
    ['of an upload', 'PUT', '/api/2.0/mlflow-artifacts/artifacts/2/x', 'editor', 403],
  ] as const)('in the body it said it would send: %s', async (_, method, target, as, status) => {
    const body = hidden()
    const type = status === 404 ? 'Content-Type: text/plain' : JSON_TYPE
    const whole = `${head(method, target, as, [type, `Content-Length: ${body.length}`])}\r\n\r\n${body}`
    const { statuses, reached } = await speak(whole)
    expect([statuses, reached]).toEqual([[status], []])
  })

  it('with more to come is not answered: the connection ends', async () => {
    const long = `${head('PUT', '/api/2.0/mlflow-artifacts/artifacts/2/x', 'editor', ['Content-Length: 1000000'])}\r\n\r\n`
    const { statuses, closed, reached } = await speak(`${long}${hidden()}`)
    expect([statuses, closed, reached]).toEqual([[403], true, []])
  })

  it('that was invited to wait gets no invitation', async () => {
    const lines = ['Expect: 100-continue', JSON_TYPE, 'Content-Length: 100']
    const bytes = `${head('PUT', '/api/2.0/mlflow-artifacts/artifacts/2/x', 'editor', lines)}\r\n\r\n`
    const { responses, received } = await rawExchange(gateway.port, bytes, { timeoutMs: 700 })
    expect(responses.map(({ status, headers }) => [status, headers['connection']])).toEqual([
      [403, ['close']],
    ])
    expect(received.toString('latin1')).not.toContain('100 Continue')
  })

  it.each(['200-ok', '100-continue, 100-continue', '100-continuee'])(
    'that expects %s is not given it',
    async (expects) => {
      const bytes = `${head('POST', SET_TAG, 'editor', [`Expect: ${expects}`, JSON_TYPE, `Content-Length: ${BODY.length}`])}\r\n\r\n${BODY}`
      const { reached } = await speak(bytes, 1)
      expect(reached.length).toBeLessThanOrEqual(1)
    },
  )
})

describe('requests one after the other on one connection', () => {
  it('are each judged by what they carry themselves', async () => {
    const experiment = (id: number) => `/api/2.0/mlflow/experiments/get?experiment_id=${id}`
    const bytes = [
      `${head('GET', experiment(1), 'reader', [])}\r\n\r\n`,
      `GET ${experiment(1)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
      `${head('GET', experiment(2), 'reader', [])}\r\n\r\n`,
      `${head('POST', SET_TAG, 'editor', [JSON_TYPE, `Content-Length: ${BODY.length}`])}\r\n\r\n${BODY}`,
      `${head('GET', experiment(1), 'outsider', [])}\r\n\r\n`,
      `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`,
    ].join('')
    const { statuses, reached } = await speak(bytes, 6)
    expect(statuses).toEqual([200, 401, 403, 200, 403, 200])
    expect(reached.sort()).toEqual([`GET ${experiment(1)}`, `POST ${SET_TAG}`])
  })

  it('a body that looks like a request is a body', async () => {
    const body = hidden()
    const target = `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/x`
    gateway.upstream.forget()
    const bytes = `${head('PUT', target, 'editor', [`Content-Length: ${body.length}`])}\r\n\r\n${body}`
    await rawExchange(gateway.port, bytes, { responses: 1, timeoutMs: 700 })
    expect(
      gateway.forwarded().map((request) => [request.method, request.url, request.body.toString()]),
    ).toEqual([['PUT', target, body]])
  })

  it('a broken upload leaves MLflow with a broken one', async () => {
    const target = `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/x`
    const { connect } = await import('node:net')
    gateway.upstream.forget()
    const socket = connect(gateway.port, '127.0.0.1')
    socket.write(`${head('PUT', target, 'editor', ['Content-Length: 100'])}\r\n\r\nhalf`)
    await new Promise((resolve) => setTimeout(resolve, 100))
    socket.destroy()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(gateway.forwarded()).toEqual([])
    expect(gateway.upstream.bytesRead()).toBeGreaterThan(0)
  })
})

describe("names that would end a line of the upstream's request", () => {
  it.each(['%0d%0aX-MLflow-Authorization:%20x', '%0a', '%0d', 'a%0d%0a%0d%0aGET%20/%20HTTP/1.1'])(
    'in a path, a query, a look-up: %s',
    async (evil) => {
      for (const target of [
        `/api/2.0/mlflow-artifacts/artifacts/1/${evil}`,
        `/api/2.0/mlflow/logged-models/${MODEL_B}${evil}`,
        `/api/2.0/mlflow/experiments/get?experiment_id=1${evil}`,
        `/api/2.0/mlflow/runs/get?run_id=${RUN_A}${evil}`,
        `/static-files/${evil}`,
      ]) {
        const { status, reached } = await gateway.ask({ target, as: 'admin' })
        expect([target, [400, 404].includes(status), reached]).toEqual([target, true, []])
      }
    },
  )

  it('in a name are escaped where it is looked up and where it goes', async () => {
    gateway.upstream.forget()
    const target = '/api/2.0/mlflow/experiments/get-by-name?experiment_name=alpha/%0d%0aHost:%20x'
    await gateway.ask({ target, as: 'reader' })
    const urls = gateway.upstream.requests.map(({ url }) => url)
    expect(new Set(urls)).toEqual(
      new Set(['/api/2.0/mlflow/experiments/get-by-name?experiment_name=alpha%2F%0D%0AHost%3A%20x']),
    )
  })
})
