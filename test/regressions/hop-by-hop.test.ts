/**
 * The attack: to have the gateway pass on what was meant for it alone, or leave out what was not. Headers named in
 * `Connection` (a proxy that obeys drops `Authorization`, `Host` or its own `X-Forwarded-For`), trailers that turn into
 * headers, chunk extensions, an upgrade to another protocol, a tunnel. What MLflow gets is compared byte for byte.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RUN_A } from '../support/mlflow-stand-in.ts'
import { rawExchange } from '../support/raw-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const EXPERIMENT = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const ARTIFACT = `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/x`
const SET_TAG = '/api/2.0/mlflow/runs/set-tag'
const BODY = `{"run_id":"${RUN_A}"}`

/** Answers whatever it is asked, and keeps the bytes. */
const received: string[] = []
const ANSWER = JSON.stringify({
  run: { info: { run_id: RUN_A, experiment_id: '1' } },
  experiment: { experiment_id: '1', name: 'alpha/one', artifact_location: 'mlflow-artifacts:/1' },
})
const sockets = new Set<Socket>()
const mlflow = createServer((socket) => {
  sockets.add(socket)
  let text = ''
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0)
    const isWhole = text.includes('transfer-encoding: chunked')
      ? text.endsWith('0\r\n\r\n')
      : text.length >= text.indexOf('\r\n\r\n') + 4 + length
    if (!text.includes('\r\n\r\n') || !isWhole) return
    received.push(text)
    text = ''
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${ANSWER.length}\r\n\r\n${ANSWER}`)
  })
})

let gateway: TestGateway
beforeAll(async () => {
  mlflow.listen(0, '127.0.0.1')
  await once(mlflow, 'listening')
  const { port } = mlflow.address() as AddressInfo
  gateway = await startTestGateway({ env: { UPSTREAM_URL: `http://127.0.0.1:${port}` } })
})
afterAll(async () => {
  await gateway.stop()
  for (const socket of sockets) socket.destroy()
  mlflow.close()
})

/** Sends `line`, a credential and `headers`, then `rest`; what reached MLflow, look-ups left out. */
async function send(line: string, headers: readonly string[], rest = '') {
  received.length = 0
  const credential = `Authorization: Bearer ${gateway.members.editor.token}`
  const head = [line, 'Host: 127.0.0.1', credential, ...headers].join('\r\n')
  const exchange = await rawExchange(gateway.port, `${head}\r\n\r\n${rest}`, { timeoutMs: 1000 })
  const forwarded = received.filter((text) => !text.includes('accept: application/json'))
  return { statuses: exchange.responses.map(({ status }) => status), forwarded, closed: exchange.closed }
}

/** A request of ours, as it leaves. */
const sent = (line: string, headers: readonly string[] = [], rest = '') =>
  [line, 'host: localhost', 'connection: keep-alive', 'x-forwarded-for: 127.0.0.1', ...headers].join('\r\n') +
  `\r\n\r\n${rest}`

const GET = `GET ${EXPERIMENT} HTTP/1.1`

describe('what reaches MLflow', () => {
  it.each([
    ['nothing besides', []],
    ['what is ours named as hop-by-hop', ['Connection: authorization, host, x-forwarded-for, close']],
    ['everything named as hop-by-hop', ['Connection: *']],
    [
      'headers of other hops',
      ['Connection: x-secret', 'X-Secret: 1', 'Keep-Alive: timeout=9', 'TE: trailers'],
    ],
    ['the way round a proxy', ['Proxy-Connection: keep-alive', 'Proxy-Authorization: Basic eDp5']],
    ['another protocol', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk']],
    [
      'a socket',
      ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: eA==', 'Sec-WebSocket-Version: 13'],
    ],
    [
      'forwarding headers twice',
      ['X-Forwarded-For: 10.0.0.1', 'X-Forwarded-For: 127.0.0.1', 'Forwarded: for=x'],
    ],
  ])('of a read with %s is the read', async (_, headers) => {
    const { statuses, forwarded } = await send(GET, headers)
    expect([statuses, forwarded]).toEqual([[200], [sent(GET)]])
  })

  it('of a request in HTTP/1.0 is one in HTTP/1.1', async () => {
    const { statuses, forwarded } = await send(`GET ${EXPERIMENT} HTTP/1.0`, [])
    expect([statuses, forwarded]).toEqual([[200], [sent(GET)]])
  })

  it('of a message is its bytes with their length, however they came', async () => {
    const line = `POST ${SET_TAG} HTTP/1.1`
    const wanted = sent(line, ['content-type: application/json', `content-length: ${BODY.length}`], BODY)
    const type = 'Content-Type: application/json'
    const plain = await send(line, [type, `Content-Length: ${BODY.length}`], BODY)
    expect([plain.statuses, plain.forwarded]).toEqual([[200], [wanted]])
    const half = BODY.slice(0, 9)
    const rest = BODY.slice(9)
    const chunks = `9;name="value"\r\n${half}\r\n${rest.length.toString(16)}\r\n${rest}\r\n0\r\nX-Forwarded-User: admin\r\n\r\n`
    const chunked = await send(
      line,
      [type, 'Transfer-Encoding: chunked', 'Trailer: X-Forwarded-User'],
      chunks,
    )
    expect([chunked.statuses, chunked.forwarded]).toEqual([[200], [wanted]])
  })

  it('of an upload in chunks is chunks of ours, without extensions and trailers', async () => {
    const line = `PUT ${ARTIFACT} HTTP/1.1`
    const trailers = 'X-Forwarded-User: admin\r\nX-MLflow-Authorization: x\r\n'
    const { statuses, forwarded } = await send(
      line,
      ['Transfer-Encoding: chunked', 'Trailer: X-Forwarded-User', 'Connection: trailer, transfer-encoding'],
      `4;ext="x"\r\nbody\r\n0\r\n${trailers}\r\n`,
    )
    // It has a length if it was there as a whole when it went on.
    const inChunks = sent(line, ['transfer-encoding: chunked'], '4\r\nbody\r\n0\r\n\r\n')
    const whole = sent(line, ['content-length: 4'], 'body')
    expect([statuses, forwarded.length]).toEqual([[200], 1])
    expect([inChunks, whole]).toContain(forwarded[0])
  })

  it('of an upload whose trailer says that it has no length is nothing', async () => {
    const line = `PUT ${ARTIFACT} HTTP/1.1`
    const headers = ['Transfer-Encoding: chunked', 'Trailer: Content-Length']
    const { statuses, forwarded } = await send(line, headers, '4\r\nbody\r\n0\r\nContent-Length: 0\r\n\r\n')
    expect([statuses, forwarded]).toEqual([[400], []])
  })
})

describe('a tunnel', () => {
  it.each(['CONNECT 127.0.0.1:5000 HTTP/1.1', 'CONNECT /api/2.0/mlflow/experiments/get HTTP/1.1'])(
    'is not made: %s',
    async (line) => {
      const { statuses, forwarded, closed } = await send(line, [], 'GET / HTTP/1.1\r\n\r\n')
      expect([statuses.filter((status) => status < 400), forwarded, closed]).toEqual([[], [], true])
    },
  )

  it('is not left open by an upgrade: what follows is judged as a request', async () => {
    received.length = 0
    const socket = connect(gateway.port, '127.0.0.1')
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString('latin1')))
    const credential = `Authorization: Bearer ${gateway.members.editor.token}`
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket'
    socket.write(`${GET}\r\nHost: 127.0.0.1\r\n${credential}\r\n${upgrade}\r\n\r\n`)
    const statuses = () => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
    await expect.poll(statuses).toEqual(['200'])
    socket.write(`${GET}\r\nHost: 127.0.0.1\r\n\r\n`)
    await expect.poll(statuses).toEqual(['200', '401'])
    socket.destroy()
    expect(received.filter((each) => !each.includes('accept: application/json'))).toEqual([sent(GET)])
  })
})
