import { once } from 'node:events'
import { createServer, IncomingMessage } from 'node:http'
import { type AddressInfo, connect, Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { announcesBody, readWholeBody } from '../../src/mlflow/body.ts'
import { rawRequest } from '../support/raw-request.ts'

const LIMIT = 1000
let read: { bytes: string | undefined; code: string | undefined; message: string }[] = []
let port = 0
let taken = 0

const server = createServer(async (request, response) => {
  request.on('data', (chunk: Buffer) => {
    taken += chunk.length
  })
  request.pause()
  try {
    const bytes = await readWholeBody(request, LIMIT)
    read.push({ bytes: bytes.toString(), code: undefined, message: '' })
    response.end(`read ${bytes.length}`)
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    read.push({ bytes: undefined, code: fault.code, message: fault.message })
    response.writeHead(fault.refusal.status, { connection: 'close' }).end(fault.code)
  }
})

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  read = []
  taken = 0
})

const post = (headers: string, body = '') =>
  rawRequest(port, `POST / HTTP/1.1\r\nHost: h\r\n${headers}\r\n\r\n${body}`)
const chunked = (...chunks: string[]) =>
  post(
    'Transfer-Encoding: chunked',
    `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`,
  )

describe('a body that is read whole', () => {
  it('is what was sent, by length or in chunks', async () => {
    await post('Content-Length: 5', 'hello')
    await chunked('he', 'l', 'lo')
    await post('Content-Length: 0')
    await post('X-A: b')
    await chunked()
    expect(read.map(({ bytes }) => bytes)).toEqual(['hello', 'hello', '', '', ''])
  })

  it('may be as long as the limit, and no longer', async () => {
    expect((await post(`Content-Length: ${LIMIT}`, 'x'.repeat(LIMIT))).status).toBe(200)
    expect((await chunked('x'.repeat(LIMIT))).status).toBe(200)
    expect((await post(`Content-Length: ${LIMIT + 1}`, 'x'.repeat(LIMIT + 1))).status).toBe(413)
    expect((await chunked('x'.repeat(600), 'x'.repeat(401))).status).toBe(413)
    expect(read[2]?.message).toBe(
      'The JSON body is larger than 1000 bytes; send smaller batches, or raise JSON_BODY_LIMIT on the gateway',
    )
    expect(read[3]?.message).toBe(read[2]?.message)
  })

  it('is refused before it is read when its length says so (field report 57)', async () => {
    expect((await post('Content-Length: 4294967296', 'x'.repeat(10_000))).body.toString()).toBe(
      'ERR_BODY_TOO_LARGE',
    )
    expect(taken).toBe(0)
  })

  it('is refused as soon as it is too long when its length is not known', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n')
    socket.write('x'.repeat(2000))
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toContain('413')
    socket.destroy()
  })

  it.each(['Content-Length: 10\r\n\r\nabc', 'Transfer-Encoding: chunked\r\n\r\na\r\nabc'])(
    'is not taken for whole when the client goes away: %j',
    async (rest) => {
      const socket = connect(port, '127.0.0.1')
      socket.write(`POST / HTTP/1.1\r\nHost: h\r\n${rest}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
      socket.destroy()
      for (let i = 0; i < 100 && read.length === 0; i++)
        await new Promise((resolve) => setTimeout(resolve, 10))
      expect(read).toEqual([
        { bytes: undefined, code: 'ERR_AMBIGUOUS_REQUEST', message: 'The body ended before it was complete' },
      ])
    },
  )
})

describe('a body that comes in by and by', () => {
  it.each([
    ['Content-Length: 6', ['ab', 'cd', 'ef']],
    ['Transfer-Encoding: chunked', ['2\r\nab\r\n', '4\r\ncd', 'ef\r\n', '0\r\n', '\r\n']],
  ])('is read to its end: %s', async (header, parts) => {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    const answered = once(socket, 'data')
    for (const part of [`POST / HTTP/1.1\r\nHost: h\r\n${header}\r\n\r\n`, ...parts]) {
      socket.write(part)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    expect(String(await answered)).toContain('read 6')
    expect(read.map(({ bytes }) => bytes)).toEqual(['abcdef'])
    socket.destroy()
  })
})

/** A request as it is before anything of its body has come in. */
function announced(): IncomingMessage {
  const request = new IncomingMessage(new Socket())
  request.headers = { 'transfer-encoding': 'chunked' }
  return request
}

const EVENTS = ['readable', 'data', 'end', 'error', 'close']
const listenersOf = (request: IncomingMessage) => EVENTS.map((name) => request.listenerCount(name))
const CUT_OFF = { code: 'ERR_AMBIGUOUS_REQUEST', message: 'The body ended before it was complete' }

describe('what reading leaves behind', () => {
  it.each([
    ['is there', true],
    ['comes in later', false],
  ])('is no listener, when the body %s', async (_, isThere) => {
    const request = announced()
    const before = listenersOf(request)
    const send = () => {
      request.push('ab')
      request.push('cd')
      request.complete = true
      request.push(null)
    }
    if (isThere) send()
    const reading = readWholeBody(request, LIMIT)
    if (!isThere) send()
    expect((await reading).toString()).toBe('abcd')
    expect(listenersOf(request)).toEqual(before)
  })

  it.each([true, false])(
    'is a connection that a refusal can be sent on (there at once: %s)',
    async (isThere) => {
      const request = announced()
      const before = listenersOf(request)
      if (isThere) request.push('abcd')
      const reading = readWholeBody(request, 3, 0.05).catch((fault) => fault)
      if (!isThere) request.push('abcd')
      expect(await reading).toMatchObject({ code: 'ERR_BODY_TOO_LARGE' })
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect([request.destroyed, listenersOf(request)]).toEqual([false, before])
    },
  )

  it.each([
    ['without a reason', undefined],
    ['with one', new Error('reset')],
  ])('is nobody who waits, when the client was gone before, %s', async (_, reason) => {
    const request = announced()
    request.on('error', () => undefined)
    request.push('ab')
    request.destroy(reason)
    await expect(readWholeBody(request, LIMIT)).rejects.toMatchObject({ ...CUT_OFF, cause: reason ?? null })
    await new Promise((resolve) => setImmediate(resolve))
    await expect(readWholeBody(request, LIMIT)).rejects.toMatchObject(CUT_OFF)
  })

  it('is nobody who waits, when the client goes in the middle', async () => {
    const request = announced()
    const reading = readWholeBody(request, LIMIT).catch((fault) => fault)
    request.push('ab')
    request.destroy()
    expect(await reading).toMatchObject(CUT_OFF)
    expect(listenersOf(request)).toEqual(listenersOf(announced()))
  })
})

describe('announcesBody', () => {
  it.each([
    [{}, false],
    [{ 'content-length': '0' }, false],
    [{ 'content-length': '1' }, true],
    [{ 'content-length': '00' }, true],
    [{ 'transfer-encoding': 'chunked' }, true],
    [{ 'transfer-encoding': '', 'content-length': '0' }, true],
  ])('%j: %s', (headers, expected) => {
    expect(announcesBody({ headers })).toBe(expected)
  })
})
