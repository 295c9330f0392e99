import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { GatewayError, isGatewayError } from '../../src/errors.ts'
import {
  asGatewayError,
  createUpstream,
  type Upstream,
  type UpstreamOptions,
} from '../../src/mlflow/upstream.ts'
import { rawRequest } from '../support/raw-request.ts'
import { headerValues, startUpstream } from '../support/upstream.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step()
})

type Listening = { close(): unknown; listen(port: number, host: string): unknown; address(): unknown }

async function listening(server: Listening & NodeJS.EventEmitter): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanup.push(() => server.close())
  return (server.address() as AddressInfo).port
}

async function serve(
  handler: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<number> {
  const server: Server = createServer((request, response) => void handler(request, response))
  const port = await listening(server)
  cleanup.push(() => server.closeAllConnections())
  return port
}

function upstreamAt(port: number, options: Partial<UpstreamOptions> = {}): Upstream {
  const upstream = createUpstream({ url: new URL(`http://127.0.0.1:${port}`), idleTimeout: 5, ...options })
  cleanup.push(() => upstream.close())
  return upstream
}

type Front = { readonly port: number; readonly outcomes: unknown[] }

/** A server in front that passes everything on, as the gateway does; what became of it is kept. */
async function front(upstream: Upstream, addHeaders: readonly string[] = []): Promise<Front> {
  const outcomes: unknown[] = []
  const port = await serve(async (request, response) => {
    const body = request.method === 'GET' || request.method === 'HEAD' ? undefined : request
    const headers =
      request.headers['content-length'] === undefined
        ? []
        : ['content-length', request.headers['content-length']]
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET')
    try {
      outcomes.push(
        await upstream.pipe({ method, target: request.url ?? '/', headers, body }, response, addHeaders),
      )
    } catch (fault) {
      outcomes.push(fault)
      if (!response.headersSent) response.writeHead(isGatewayError(fault) ? fault.refusal.status : 599).end()
    }
  })
  return { port, outcomes }
}

const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 400 && !condition(); i++) await delay(10)
  expect(condition()).toBe(true)
}

/** Resolves when the response can take more, or never will. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done)
      response.off('close', done)
      resolve()
    }
    response.on('drain', done)
    response.on('close', done)
  })
}

const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: h\r\n${more}\r\n`

describe('an answer that is passed on', () => {
  it.each([1, 256, 8192, 8193])('comes as it is: status, headers, %d bytes of any value', async (length) => {
    const body = Buffer.from(Array.from({ length }, (_, index) => 255 - (index % 256)))
    const mlflow = await startUpstream({
      '*': { status: 206, headers: { 'content-type': 'x/y', etag: '"e"', 'x-a': ['1', '2'] }, body },
    })
    cleanup.push(mlflow.stop)
    const { port, outcomes } = await front(upstreamAt(mlflow.port), ['x-own', 'yes'])
    const answer = await rawRequest(port, get('/a%2Fb?c=%20'))
    expect(answer.status).toBe(206)
    expect(answer.body).toEqual(body)
    expect(answer.headers).toMatchObject({
      'content-type': ['x/y'],
      etag: ['"e"'],
      'x-a': ['1', '2'],
      'x-own': ['yes'],
      'content-length': [String(length)],
    })
    expect(outcomes).toEqual([{ status: 206, bytesOut: length }])
    expect(mlflow.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(['GET /a%2Fb?c=%20'])
  })

  it('to a HEAD is without its body, though MLflow was asked with GET', async () => {
    const mlflow = await startUpstream({ '*': { body: 'x'.repeat(100_000) } })
    cleanup.push(mlflow.stop)
    const { port, outcomes } = await front(upstreamAt(mlflow.port))
    const both = await rawRequest(port, 'HEAD / HTTP/1.1\r\nHost: h\r\n\r\n')
    expect([both.status, both.headers['content-length'], both.body.length]).toEqual([200, ['100000'], 0])
    await until(() => outcomes.length === 1)
    expect((await rawRequest(port, get('/'))).body).toHaveLength(100_000)
  })

  it('comes piece by piece, each at once (field report 60)', async () => {
    let finish = () => {}
    const mlflow = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
      finish = () => response.end('data: 2\n\n')
    })
    const { port } = await front(upstreamAt(mlflow))
    const socket = connect(port, '127.0.0.1')
    cleanup.push(() => socket.destroy())
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk
    })
    socket.write(get('/'))
    await until(() => received.includes('data: 1'))
    expect(received).not.toContain('data: 2')
    finish()
    await until(() => received.includes('data: 2'))
  })

  it('may be 204 or 304, without a body', async () => {
    const mlflow = await startUpstream({
      'GET /204': { status: 204, body: '' },
      'GET /304': { status: 304, headers: { etag: '"e"' }, body: '' },
    })
    cleanup.push(mlflow.stop)
    const { port } = await front(upstreamAt(mlflow.port))
    expect((await rawRequest(port, get('/204'))).status).toBe(204)
    expect((await rawRequest(port, get('/304'))).headers['etag']).toEqual(['"e"'])
  })
})

describe('back-pressure', () => {
  const CHUNK = Buffer.alloc(64 * 1024)
  const FAR_MORE_THAN_SOCKETS_HOLD = 64 * 1024 * 1024

  it('of a client that does not read stops MLflow, however long, and loses nothing', async () => {
    let written = 0
    const mlflow = await serve(async (_request, response) => {
      response.writeHead(200, { 'content-length': FAR_MORE_THAN_SOCKETS_HOLD })
      while (written < FAR_MORE_THAN_SOCKETS_HOLD && !response.destroyed) {
        written += CHUNK.length
        if (!response.write(CHUNK)) await writable(response)
      }
      response.end()
    })
    const { port, outcomes } = await front(upstreamAt(mlflow, { idleTimeout: 0.4 }))
    const socket = connect(port, '127.0.0.1')
    cleanup.push(() => socket.destroy())
    socket.pause()
    socket.write(get('/'))
    await until(() => written > 0)
    await delay(800) // longer than the idle timeout: it is the client that is slow
    const stuckAt = written
    expect(stuckAt).toBeLessThan(FAR_MORE_THAN_SOCKETS_HOLD / 2)
    await delay(100)
    expect(written).toBe(stuckAt)
    let received = 0
    socket.on('data', (chunk) => {
      received += chunk.length
    })
    socket.resume()
    await until(() => received > FAR_MORE_THAN_SOCKETS_HOLD)
    expect(outcomes).toEqual([{ status: 200, bytesOut: FAR_MORE_THAN_SOCKETS_HOLD }])
  })

  it('of an MLflow that does not read stops the client', async () => {
    let arrived: IncomingMessage | undefined
    const mlflow = await serve((request, response) => {
      arrived = request
      request.pause()
      request.once('end', () => response.end('done'))
    })
    const { port } = await front(upstreamAt(mlflow))
    const upload = httpRequest({
      port,
      host: '127.0.0.1',
      method: 'PUT',
      headers: { 'content-length': FAR_MORE_THAN_SOCKETS_HOLD },
    })
    let sent = 0
    const sending = (async () => {
      while (sent < FAR_MORE_THAN_SOCKETS_HOLD) {
        sent += CHUNK.length
        if (!upload.write(CHUNK)) await once(upload, 'drain')
      }
      upload.end()
    })()
    await until(() => arrived !== undefined)
    await delay(300)
    const stuckAt = sent
    expect(stuckAt).toBeLessThan(FAR_MORE_THAN_SOCKETS_HOLD / 2)
    let received = 0
    arrived?.on('data', (chunk) => {
      received += chunk.length
    })
    arrived?.resume()
    const [answer] = (await once(upload, 'response')) as [IncomingMessage]
    await sending
    expect([answer.statusCode, received]).toEqual([200, FAR_MORE_THAN_SOCKETS_HOLD])
    answer.resume()
  })
})

describe('a client that goes away', () => {
  it('ends MLflow’s answer', async () => {
    let closed = false
    const mlflow = await serve((_request, response) => {
      response.once('close', () => {
        closed = true
      })
      response.writeHead(200).write('x')
    })
    const { port, outcomes } = await front(upstreamAt(mlflow))
    const socket = connect(port, '127.0.0.1')
    socket.write(get('/'))
    await once(socket, 'data')
    socket.destroy()
    await until(() => closed && outcomes.length === 1)
    expect(outcomes).toEqual([{ status: 200, bytesOut: 1 }])
  })

  it('ends a request that MLflow has not answered yet', async () => {
    let closed = false
    let asked = false
    const mlflow = await serve((request) => {
      asked = true
      request.socket.once('close', () => {
        closed = true
      })
    })
    const { port, outcomes } = await front(upstreamAt(mlflow))
    const socket = connect(port, '127.0.0.1')
    socket.write(get('/'))
    await until(() => asked)
    socket.destroy()
    await until(() => closed && outcomes.length === 1)
    expect(outcomes).toEqual([{ status: 0, bytesOut: 0 }])
  })

  it('in the middle of an upload lets MLflow see that it is not whole', async () => {
    let ended: string | undefined
    const mlflow = await serve((request) => {
      request.resume()
      request.once('end', () => {
        ended ??= 'whole'
      })
      request.once('close', () => {
        ended ??= 'cut'
      })
    })
    const { port, outcomes } = await front(upstreamAt(mlflow))
    for (const framing of [
      'Content-Length: 1000\r\n\r\nabc',
      'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
    ]) {
      ended = undefined
      outcomes.length = 0
      const socket = connect(port, '127.0.0.1')
      socket.write(`PUT / HTTP/1.1\r\nHost: h\r\n${framing}`)
      await delay(100)
      socket.destroy()
      await until(() => ended !== undefined && outcomes.length === 1)
      expect(ended).toBe('cut')
    }
  })

  it('leaves the connections to MLflow usable', async () => {
    const mlflow = await startUpstream({ '*': { body: 'ok' } })
    cleanup.push(mlflow.stop)
    const { port } = await front(upstreamAt(mlflow.port, { connections: 1 }))
    for (let i = 0; i < 5; i++) {
      const socket = connect(port, '127.0.0.1')
      socket.write(get('/'))
      await delay(5)
      socket.destroy()
    }
    expect((await rawRequest(port, get('/'))).body.toString()).toBe('ok')
  })
})

describe('an MLflow that goes away', () => {
  const faultOf = async (upstream: Upstream): Promise<GatewayError> => {
    const { port, outcomes } = await front(upstream)
    await rawRequest(port, get('/'))
    const [fault] = outcomes
    if (!(fault instanceof GatewayError)) throw new Error(`no fault but ${JSON.stringify(fault)}`)
    return fault
  }

  it('is unreachable when it is not there', async () => {
    const server = createTcpServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const fault = await faultOf(upstreamAt(port))
    expect(fault.code).toBe('ERR_UPSTREAM_UNREACHABLE')
    expect(fault.message).toBe('The tracking server cannot be reached; try again shortly')
    expect(String(fault.cause)).toContain('ECONNREFUSED')
    await expect(upstreamAt(port).getJson('/x')).rejects.toMatchObject({
      code: fault.code,
      message: fault.message,
    })
    expect(fault.message).not.toMatch(/127|\d/)
  })

  it('is unreachable when it ends the connection before it answers', async () => {
    const port = await listening(createTcpServer((socket) => socket.once('data', () => socket.destroy())))
    expect((await faultOf(upstreamAt(port))).code).toBe('ERR_UPSTREAM_UNREACHABLE')
  })

  it('is unreachable when it speaks something else than HTTP', async () => {
    const port = await listening(
      createTcpServer((socket) => socket.once('data', () => socket.end('SSH-2.0-x\r\n'))),
    )
    const fault = await faultOf(upstreamAt(port))
    expect([fault.code, fault.refusal.status]).toEqual(['ERR_UPSTREAM_UNREACHABLE', 502])
  })

  it('is too slow when it says nothing for the idle time', async () => {
    const port = await serve(() => {})
    const fault = await faultOf(upstreamAt(port, { idleTimeout: 0.2 }))
    expect([fault.code, fault.refusal.status]).toEqual(['ERR_UPSTREAM_TIMEOUT', 504])
    expect(fault.message).toBe('The tracking server did not answer in time')
  })

  it.each<[string, Partial<UpstreamOptions>, (response: ServerResponse) => void]>([
    ['dies', {}, (response) => setTimeout(() => response.destroy(), 50)],
    ['falls silent', { idleTimeout: 0.2 }, () => {}],
  ])(
    'in the middle of its answer cuts the client’s connection, so that a part is not taken for the whole: %s',
    async (_, options, then) => {
      for (const headers of options.idleTimeout === undefined ? [{ 'content-length': 10 }, {}] : [{}]) {
        const mlflow = await serve((_request, response) => {
          response.writeHead(200, headers).write('abc')
          then(response)
        })
        const { port, outcomes } = await front(upstreamAt(mlflow, options))
        await expect(rawRequest(port, get('/'))).rejects.toThrow('abc')
        expect(outcomes).toEqual([{ status: 200, bytesOut: 3 }])
      }
    },
  )

  it('sends more headers than anybody reads', async () => {
    const mlflow = await serve((_request, response) =>
      response.writeHead(200, { 'x-a': 'x'.repeat(100_000) }).end(),
    )
    expect((await faultOf(upstreamAt(mlflow))).code).toBe('ERR_UPSTREAM_UNREACHABLE')
  })

  it.each([new Error('connect ECONNREFUSED 10.1.2.3:5000'), 'text', undefined, null, { code: 'X' }])(
    'is unreachable by any other fault: %s',
    (fault) => {
      const known = asGatewayError(fault)
      expect([known.code, known.message]).toEqual([
        'ERR_UPSTREAM_UNREACHABLE',
        'The tracking server cannot be reached; try again shortly',
      ])
      expect(known.cause).toBe(fault)
      expect(asGatewayError(known)).toBe(known)
    },
  )
})

describe('an upload', () => {
  it('that MLflow refuses before it has read it gets that answer', async () => {
    const mlflow = await serve((_request, response) =>
      response.writeHead(400, { 'content-type': 'text/plain' }).end('no'),
    )
    const { port } = await front(upstreamAt(mlflow))
    const answer = await rawRequest(
      port,
      `PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n${'x'.repeat(100_000)}`,
    )
    expect([answer.status, answer.body.toString()]).toEqual([400, 'no'])
  })

  it('may take longer than the idle time, as long as it moves', async () => {
    const mlflow = await serve(async (request, response) => {
      let size = 0
      for await (const chunk of request) size += chunk.length
      response.end(String(size))
    })
    const { port } = await front(upstreamAt(mlflow, { idleTimeout: 0.5 }))
    const upload = httpRequest({ port, host: '127.0.0.1', method: 'PUT' })
    const answered = once(upload, 'response') as Promise<[IncomingMessage]>
    for (let i = 0; i < 6; i++) {
      upload.write('abc')
      await delay(200)
    }
    upload.end()
    const [answer] = await answered
    let text = ''
    for await (const chunk of answer) text += chunk
    expect(text).toBe('18')
  })

  it('has the length it said, or none', async () => {
    const mlflow = await startUpstream({ '*': { body: 'ok' } })
    cleanup.push(mlflow.stop)
    const { port } = await front(upstreamAt(mlflow.port))
    await rawRequest(port, 'PUT /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc')
    await rawRequest(port, 'PUT /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n')
    const chunked = httpRequest({ port, host: '127.0.0.1', method: 'PUT', path: '/3' })
    const answered = once(chunked, 'response') as Promise<[IncomingMessage]>
    chunked.write('a')
    await delay(50)
    chunked.end('bc')
    await answered.then(([answer]) => answer.resume())
    const framing = mlflow.requests.map((each) => [
      each.body.toString(),
      headerValues(each, 'content-length'),
      headerValues(each, 'transfer-encoding'),
    ])
    expect(framing).toEqual([
      ['abc', ['3'], []],
      ['', ['0'], []],
      ['abc', [], ['chunked']],
    ])
  })
})

describe('an answer that is read whole', () => {
  it('is what MLflow said, JSON or not', async () => {
    const mlflow = await startUpstream({
      'GET /json': { body: { a: 1 } },
      'GET /html': { status: 500, body: '<html>' },
      'GET /empty': { body: '' },
    })
    cleanup.push(mlflow.stop)
    const upstream = upstreamAt(mlflow.port)
    expect(await upstream.getJson('/json')).toEqual({ status: 200, body: { a: 1 } })
    expect(await upstream.getJson('/html')).toEqual({ status: 500, body: undefined })
    expect(await upstream.getJson('/empty')).toEqual({ status: 200, body: undefined })
    expect(await upstream.getJson('/none')).toMatchObject({ status: 404 })
  })

  it('is read up to a limit, and no further', async () => {
    let written = 0
    const mlflow = await serve(async (_request, response) => {
      while (!response.destroyed && written < 50_000_000) {
        written += 65_536
        if (!response.write(Buffer.alloc(65_536))) await writable(response)
      }
      response.end()
    })
    const request = { method: 'GET', target: '/', headers: [], body: undefined }
    await expect(upstreamAt(mlflow, { bufferLimit: 1000 }).send(request)).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_INVALID',
    })
    expect(written).toBeLessThan(50_000_000)
  })

  it.each([
    ['waits for a connection, and MLflow is never asked', 1, ['/first']],
    ['waits for MLflow, which is told', 2, ['/first', '/second']],
  ])('is nobody’s once the client has gone: one that %s', async (_when, connections, expected) => {
    const asked: string[] = []
    const open = new Map<string, ServerResponse>()
    const mlflow = await serve(({ url = '' }, response) => {
      asked.push(url)
      open.set(url, response)
      response.once('close', () => open.delete(url))
    })
    const upstream = upstreamAt(mlflow, { connections })
    const about = { method: 'GET', headers: [], body: undefined }
    const first = upstream.send({ ...about, target: '/first' })
    await until(() => asked.length === 1)
    const faults: unknown[] = []
    const between = await serve((_request, response) =>
      upstream.send({ ...about, target: '/second' }, response).catch((fault) => faults.push(fault)),
    )
    const socket = connect(between, '127.0.0.1')
    socket.write(get('/'))
    await delay(100)
    socket.destroy()
    await until(() => faults.length === 1)
    expect(faults).toMatchObject([{ code: 'ERR_AMBIGUOUS_REQUEST', reason: 'client_gone' }])
    await until(() => !open.has('/second'))
    expect(asked).toEqual(expected)
    open.get('/first')?.end('first')
    expect((await first).bytes.toString()).toBe('first')
    await delay(50)
    expect(asked).toEqual(expected)
  })

  it('redirects nowhere: what MLflow says of places is data', async () => {
    const elsewhere = await startUpstream({ '*': { body: 'secret' } })
    const mlflow = await startUpstream({
      '*': { status: 302, headers: { location: elsewhere.url }, body: '' },
    })
    cleanup.push(mlflow.stop, elsewhere.stop)
    expect(await upstreamAt(mlflow.port).getJson('/x')).toEqual({ status: 302, body: undefined })
    expect(elsewhere.requests).toEqual([])
  })

  it('is sent with the bytes that were judged, and their length', async () => {
    const mlflow = await startUpstream({ '*': { body: {} } })
    cleanup.push(mlflow.stop)
    const bytes = Buffer.from('{"step":9223372036854775807}')
    await upstreamAt(mlflow.port).send({
      method: 'POST',
      target: '/x',
      headers: ['content-type', 'application/json'],
      body: bytes,
    })
    const [sent] = mlflow.requests
    if (sent === undefined) throw new Error('nothing was sent')
    expect(sent.body).toEqual(bytes)
    expect(headerValues(sent, 'content-length')).toEqual([String(bytes.length)])
    expect(headerValues(sent, 'transfer-encoding')).toEqual([])
  })
})

describe('the tracking server', () => {
  it.each([
    ['/prefix', undefined, '/prefix/x'],
    ['/prefix/', undefined, '/prefix/x'],
    ['/', 'localhost', '/x'],
  ])('may have the prefix %s and be called %s', async (path, host, url) => {
    const mlflow = await startUpstream({ '*': { body: {} } })
    cleanup.push(mlflow.stop)
    const upstream = upstreamAt(mlflow.port, { url: new URL(mlflow.url + path), host })
    await upstream.getJson('/x')
    const [sent] = mlflow.requests
    if (sent === undefined) throw new Error('nothing was sent')
    expect(sent.url).toBe(url)
    expect(headerValues(sent, 'host')).toEqual([host ?? `127.0.0.1:${mlflow.port}`])
  })
})
