/**
 * The attack: to have the gateway swallow what it does not want. A body of gigabytes was read, or even passed on, before
 * its sender was told that they may not (field report 55); a client that asks first (`Expect: 100-continue`) was invited
 * by the server below before anybody had looked who asks. Refusals come before the body; an invitation comes once, and
 * only after the decision.
 */
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { parseResponses } from '../support/raw-request.ts'
import { type Ask, bytesOf } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import { headerValues } from '../support/upstream.ts'

let gateway: TestGateway
/** The gateway's end of each connection, newest last. */
const accepted: Socket[] = []

beforeAll(async () => {
  gateway = await startTestGateway()
  gateway.app.server.on('connection', (socket) => accepted.push(socket))
})
afterAll(() => gateway.stop())

const MIB = 2 ** 20
const SET_TAG = '/api/2.0/mlflow/runs/set-tag'
const artifact = (experiment: number, run: string) =>
  `/api/2.0/mlflow-artifacts/artifacts/${experiment}/${run}/artifacts/model.pkl`
const JSON_TYPE = 'Content-Type: application/json'
const BODY = JSON.stringify({ run_id: RUN_A, key: 'k', value: 'v' })

type Refused = readonly [name: string, ask: Ask, line: string]

/** Whatever is known without the body is refused without it. */
const REFUSED: readonly Refused[] = [
  ['by a stranger', { method: 'PUT', target: artifact(1, RUN_A) }, '401 UNAUTHENTICATED no_credential'],
  [
    'with a made-up token',
    { method: 'PUT', target: artifact(1, RUN_A), headers: ['Authorization: Bearer x.y.z'] },
    '401 UNAUTHENTICATED unreadable',
  ],
  [
    'by a reader',
    { method: 'PUT', target: artifact(1, RUN_A), as: 'reader' },
    '403 PERMISSION_DENIED level_too_low',
  ],
  [
    'by an outsider',
    { method: 'PUT', target: artifact(1, RUN_A), as: 'outsider' },
    '403 PERMISSION_DENIED no_grant',
  ],
  [
    'to where the editor has nothing',
    { method: 'PUT', target: artifact(2, RUN_B), as: 'editor' },
    '403 PERMISSION_DENIED no_grant',
  ],
  [
    'with a read-only token',
    { method: 'PUT', target: artifact(1, RUN_A), as: 'readonly' },
    '403 PERMISSION_DENIED read_only_token',
  ],
  [
    'under the other prefix',
    { method: 'PUT', target: artifact(1, RUN_A).replace('/api/', '/ajax-api/'), as: 'reader' },
    '403 PERMISSION_DENIED level_too_low',
  ],
  [
    'by upload-artifact',
    {
      method: 'POST',
      target: `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${RUN_A}&path=x`,
      as: 'reader',
    },
    '403 PERMISSION_DENIED level_too_low',
  ],
  [
    'to a route of administrators',
    { method: 'POST', target: '/api/2.0/mlflow/webhooks', as: 'editor', headers: [JSON_TYPE] },
    '403 PERMISSION_DENIED admin_only',
  ],
  [
    'to no route',
    { method: 'POST', target: '/nope', as: 'editor', headers: [JSON_TYPE] },
    '404 ENDPOINT_NOT_FOUND no_such_route',
  ],
  [
    'of JSON, too long',
    { method: 'POST', target: SET_TAG, as: 'editor', headers: [JSON_TYPE] },
    '413 REQUEST_LIMIT_EXCEEDED ERR_BODY_TOO_LARGE',
  ],
  [
    'of spans, too long',
    { method: 'POST', target: '/v1/traces', as: 'editor', headers: ['Content-Type: application/x-protobuf'] },
    '413 REQUEST_LIMIT_EXCEEDED ERR_BODY_TOO_LARGE',
  ],
  [
    'of JSON that says it is something else',
    { method: 'POST', target: SET_TAG, as: 'editor', headers: ['Content-Type: text/plain'] },
    '415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE',
  ],
  [
    'with a GET',
    { target: '/api/2.0/mlflow/experiments/get?experiment_id=1', as: 'editor' },
    '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST',
  ],
]

/** However it ends: to be cut off while still sending is what is asked for here. */
function closed(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

type Sent = {
  readonly received: string
  readonly line: string
  readonly connection: string
  /** Bytes that the gateway took off the socket. */
  readonly taken: number
}

/** Sends the head of a request for `length` bytes and `body` after it, as fast as it is taken, until the connection ends. */
async function send(ask: Ask, length: number, body: Buffer): Promise<Sent> {
  gateway.upstream.forget()
  const socket = connect(gateway.port, '127.0.0.1')
  let received = Buffer.alloc(0)
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
  })
  const headers = [...(ask.headers ?? []), `Content-Length: ${length}`]
  socket.write(bytesOf({ ...ask, headers }, gateway.port, gateway.members))
  socket.write(body)
  await closed(socket)
  const [answer] = parseResponses(received, ['PUT'], true)
  const id = answer?.headers['x-request-id']?.[0]
  await expect.poll(() => gateway.events.some(({ requestId }) => requestId === id)).toBe(true)
  const reason = gateway.events.find(({ requestId }) => requestId === id)?.reason
  const line = `${answer?.status} ${JSON.parse(String(answer?.body)).error_code} ${reason}`
  const connection = answer?.headers['connection']?.join() ?? ''
  return { received: received.toString('latin1'), line, connection, taken: accepted.at(-1)?.bytesRead ?? 0 }
}

describe('field report 55: a body that is refused', () => {
  const large = Buffer.alloc(64 * MIB)

  it.each(REFUSED)('%s: before a MiB of it is read', async (_, ask, line) => {
    const sent = await send(ask, 4 * 1024 * MIB, large)
    expect([sent.line, sent.connection]).toEqual([line, 'close'])
    expect(sent.taken).toBeLessThan(MIB)
    expect([gateway.forwarded(), gateway.upstream.bytesRead()]).toEqual([[], 0])
  })

  it.each(REFUSED)('%s: to who asks first, no invitation', async (_, ask, line) => {
    const headers = [...(ask.headers ?? []), 'Expect: 100-continue']
    const sent = await send({ ...ask, headers }, 4 * 1024 * MIB, Buffer.alloc(0))
    expect([sent.line, sent.connection]).toEqual([line, 'close'])
    expect(sent.received).toMatch(/^HTTP\/1\.1 [45]/)
    expect(sent.received).not.toContain('HTTP/1.1 100')
    expect(gateway.forwarded()).toEqual([])
  })

  it('that comes in chunks is read no further than the limit', async () => {
    const socket = connect(gateway.port, '127.0.0.1')
    socket.resume()
    const headers = [JSON_TYPE, 'Transfer-Encoding: chunked']
    socket.write(
      bytesOf({ method: 'POST', target: SET_TAG, as: 'editor', headers }, gateway.port, gateway.members),
    )
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB, ' '), Buffer.from('\r\n')])
    for (let index = 0; index < 40; index += 1) socket.write(chunk)
    await closed(socket)
    expect(gateway.events.at(-1)).toMatchObject({ status: 413, reason: 'ERR_BODY_TOO_LARGE' })
    // The limit is 10 MiB; what lies in buffers when it is passed does not count much.
    expect(accepted.at(-1)?.bytesRead).toBeLessThan(12 * MIB)
  })
})

describe('a body that is wanted', () => {
  /** Sends the head alone, waits for what comes, then sends the body. */
  async function askFirst(ask: Ask, version = '1.1'): Promise<{ before: string; after: string }> {
    gateway.upstream.forget()
    const socket = connect(gateway.port, '127.0.0.1')
    let received = ''
    socket.on('data', (chunk) => (received += chunk.toString('latin1')))
    const headers = [...(ask.headers ?? []), 'Expect: 100-continue', `Content-Length: ${BODY.length}`]
    const bytes = bytesOf({ ...ask, headers }, gateway.port, gateway.members).toString('latin1')
    socket.write(bytes.replace(' HTTP/1.1\r\n', ` HTTP/${version}\r\n`))
    if (version === '1.1') await expect.poll(() => received).not.toBe('')
    const before = received
    received = ''
    socket.write(BODY)
    await expect.poll(() => received).toContain('\r\n\r\n')
    socket.destroy()
    return { before, after: received }
  }

  const WANTED: readonly (readonly [string, Ask])[] = [
    ['JSON', { method: 'POST', target: SET_TAG, as: 'editor', headers: [JSON_TYPE] }],
    ['a file', { method: 'PUT', target: artifact(1, RUN_A), as: 'editor' }],
    [
      'a file for a run',
      {
        method: 'POST',
        target: `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${RUN_A}&path=x`,
        as: 'editor',
      },
    ],
  ]

  it.each(WANTED)('is invited, once: %s', async (_, ask) => {
    const { before, after } = await askFirst(ask)
    expect(before).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    expect(after).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(after).not.toContain('100 Continue')
    const [request, ...more] = gateway.forwarded()
    expect([request?.body.toString(), more]).toEqual([BODY, []])
    expect(request && headerValues(request, 'expect')).toEqual([])
  })

  it('is not invited over HTTP/1.0, where the invitation would be taken for the answer', async () => {
    const ask: Ask = { method: 'PUT', target: artifact(1, RUN_A), as: 'editor' }
    const { before, after } = await askFirst(ask, '1.0')
    expect(before).toBe('')
    expect(after).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
  })

  it('is not invited where none was announced', async () => {
    const { status, headers } = await gateway.ask({
      target: '/api/2.0/mlflow/experiments/get?experiment_id=1',
      ...{ as: 'reader', headers: ['Expect: 100-continue'] },
    })
    expect([status, headers['content-type']]).toEqual([200, ['application/json']])
  })
})
