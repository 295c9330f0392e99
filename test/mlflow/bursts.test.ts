import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request as httpRequest, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer, request as httpsRequest } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createUpstream, type Upstream } from '../../src/mlflow/upstream.ts'
import { createCertificates } from '../support/certificates.ts'
import { rawExchange, rawRequest } from '../support/raw-request.ts'

const KIB = 1024

/** What MLflow sends, in pieces as they leave it. No part of it looks like another. */
const ANSWERS: Readonly<Record<string, readonly Buffer[]>> = {
  '/bytes': Array.from({ length: 300 }, () => randomBytes(1)),
  '/reads': Array.from({ length: 40 }, () => randomBytes(64 * KIB)),
  '/mixed': Array.from({ length: 20 }, (_, index) =>
    randomBytes([7, 300 * KIB, 900, 65_537, 16_384][index % 5] as number),
  ),
  '/whole': [randomBytes(2 * KIB * KIB)],
}
const FAR_MORE_THAN_SOCKETS_HOLD = Array.from({ length: 1024 }, () => Buffer.alloc(64 * KIB))

const digest = (pieces: readonly Buffer[]) => {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return `${pieces.reduce((sum, { length }) => sum + length, 0)} bytes ${hash.digest('hex')}`
}

const certificates = createCertificates()
const authority = certificates.authority('front')
const stops: (() => unknown)[] = [() => certificates.stop()]
let plain: number
let secure: number
/** Answers that have begun and whose client may not have them yet, as the front sees them. */
let under: ServerResponse[] = []
const outcomes: unknown[] = []

async function listening(
  server: ReturnType<typeof createServer> | ReturnType<typeof createHttpsServer>,
): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stops.push(
    () => server.close(),
    () => server.closeAllConnections(),
  )
  return (server.address() as AddressInfo).port
}

/** Sends an answer by its path; `?length` says how long it is, `?slowly` waits a little after each piece. */
const asMlflow: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://mlflow')
  const pieces = ANSWERS[pathname] ?? FAR_MORE_THAN_SOCKETS_HOLD
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  response.writeHead(200, searchParams.has('length') ? { 'content-length': length } : {})
  const slowly = searchParams.has('slowly')
  Readable.from(slowly ? oneByOne(pieces) : pieces).pipe(response)
}

async function* oneByOne(pieces: readonly Buffer[]) {
  for (const piece of pieces) {
    yield piece
    await delay(1)
  }
}

const passOn =
  (upstream: Upstream): RequestListener =>
  async (request, response) => {
    under.push(response)
    const asked = { method: 'GET', target: request.url ?? '/', headers: [], body: undefined }
    outcomes.push(await upstream.pipe(asked, response, []))
  }

beforeAll(async () => {
  const mlflow = await listening(createServer(asMlflow))
  const upstream = createUpstream({ url: new URL(`http://127.0.0.1:${mlflow}`), idleTimeout: 5 })
  stops.push(() => upstream.close())
  plain = await listening(createServer(passOn(upstream)))
  secure = await listening(createHttpsServer(authority.issue(), passOn(upstream)))
})

afterAll(async () => {
  for (const stop of stops.reverse()) await stop()
})

type Reading = 'at once' | 'in fits'

async function download(path: string, over: 'http' | 'https', reading: Reading): Promise<string> {
  const asked =
    over === 'http'
      ? httpRequest({ port: plain, host: '127.0.0.1', path, agent: false })
      : httpsRequest({ port: secure, host: '127.0.0.1', path, agent: false, ca: authority.cert })
  asked.end()
  const [answer] = await once(asked, 'response')
  const pieces: Buffer[] = []
  for await (const piece of answer) {
    pieces.push(piece)
    if (reading === 'in fits' && pieces.length % 8 === 0) await delay(2)
  }
  return digest(pieces)
}

describe('every byte arrives as it was sent and where it belongs', () => {
  const cases = Object.keys(ANSWERS).flatMap((path) =>
    ['', '?length', '?slowly', '?length&slowly'].flatMap((how) =>
      (['http', 'https'] as const).flatMap((over) =>
        (['at once', 'in fits'] as const).map((reading) => [`${path}${how}`, over, reading] as const),
      ),
    ),
  )
  it.each(cases)('%s over %s, read %s', async (path, over, reading) => {
    expect(await download(path, over, reading)).toBe(digest(ANSWERS[path.replace(/\?.*/, '')] ?? []))
  })

  it.each(['/whole?length', '/whole'])('or none, to a HEAD, however many MLflow sends (%s)', async (path) => {
    const before = outcomes.length
    const answer = await rawRequest(plain, `HEAD ${path} HTTP/1.1\r\nHost: h\r\n\r\n`)
    expect([answer.status, answer.body.length]).toEqual([200, 0])
    await expect.poll(() => outcomes.slice(before)).toEqual([{ status: 200, bytesOut: 2 * KIB * KIB }])
  })

  it('when ten clients read different answers at the same time', async () => {
    const paths = Object.keys(ANSWERS)
    const asked = Array.from({ length: 10 }, (_, index) => paths[index % paths.length] as string)
    const arrived = await Promise.all(asked.map((path) => download(path, 'http', 'in fits')))
    expect(arrived).toEqual(asked.map((path) => digest(ANSWERS[path] ?? [])))
  })

  it('when the next answers wait behind a long one on the same connection', async () => {
    const paths = ['/whole?length', '/mixed', '/bytes?slowly', '/reads?length', '/bytes']
    const asks = paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`).join('')
    const { responses } = await rawExchange(plain, asks, { responses: paths.length, timeoutMs: 10_000 })
    expect(responses.map(({ body }) => digest([body]))).toEqual(
      paths.map((path) => digest(ANSWERS[path.replace(/\?.*/, '')] ?? [])),
    )
  })
})

describe('of a client that reads nothing', () => {
  it.each(['?length', ''])('no more than 512 KiB and the last read wait for it (/far%s)', async (how) => {
    under = []
    const socket = connect(plain, '127.0.0.1')
    socket.pause()
    socket.write(`GET /far${how} HTTP/1.1\r\nHost: h\r\n\r\n`)
    await delay(500)
    const [answer] = under
    expect(answer?.writableLength).toBeGreaterThan(0)
    expect(answer?.writableLength).toBeLessThan((512 + 64 + 1) * KIB)
    socket.destroy()
  })
})
