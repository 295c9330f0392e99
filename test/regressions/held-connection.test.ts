/**
 * The attack: to stand still. The gateway has so many connections to MLflow; whoever asked for a file and took nothing
 * of it, or announced an upload and sent nothing of it, kept one for good. 256 such clients were an outage for everybody,
 * and since MLflow's own files are open to anybody, strangers could bring it about. Strangers now have connections of
 * their own, and a client that does not move although it is its turn is cut off.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LISTS, RUN_A } from '../support/mlflow-stand-in.ts'
import { rawExchange } from '../support/raw-request.ts'
import { type Ask, bytesOf } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

/** How long a client may stand still here. */
const PATIENCE_MS = 2000

/** For what comes as soon as the machine has time for it. */
const SOON = { timeout: 15_000 }

/** More than the buffers of two sockets hold. */
const LARGE = Buffer.alloc(24 * 2 ** 20, 'x')

const API = '/api/2.0/mlflow'
const artifact = (name: string) => `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/${name}`
const READ: Ask = { target: `${API}/experiments/get?experiment_id=1`, as: 'reader' }
const STATIC_FILE: Ask = { target: '/static-files/main.js' }

let gateway: TestGateway
let pages = 0
let giveUps = 0

/** Of the large file for everybody: how often it was asked for, how many are on their way, how many were at most. */
const taking = { asked: 0, now: 0, most: 0 }

beforeAll(async () => {
  const rows = [{ experiment_id: '1', name: 'alpha/one', tags: [{ key: 'k', value: LARGE.toString() }] }]
  gateway = await startTestGateway({
    env: { UPSTREAM_TIMEOUT: `${PATIENCE_MS / 1000}` },
    mlflow: {
      'GET /static-files/main.js': (_request, response) => {
        taking.asked += 1
        taking.now += 1
        taking.most = Math.max(taking.most, taking.now)
        response.once('close', () => {
          taking.now -= 1
        })
        response.end(LARGE)
        return undefined
      },
      'GET /static-files/small.js': { body: 'small' },
      [`GET ${artifact('taken')}`]: { body: LARGE },
      [`GET ${artifact('left')}`]: (_request, response) => {
        response.once('close', () => {
          giveUps += response.writableFinished ? 0 : 1
        })
        response.end(LARGE)
        return undefined
      },
      [`GET ${API}/experiments/search`]: { body: { experiments: rows } },
      [`GET ${API}/registered-models/search`]: async () => {
        await pause(PATIENCE_MS * 0.35)
        pages += 1
        const more = { registered_models: [], next_page_token: `${pages}` }
        return { body: pages < 4 ? more : LISTS['registered-models/search'] }
      },
    },
  })
})

const open: Socket[] = []
afterAll(() => {
  for (const socket of open) socket.destroy()
  return gateway.stop()
})

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

type Client = { readonly socket: Socket; readonly taken: () => Buffer; readonly ended: Promise<number> }

/** A client of which the test decides what it sends and takes; `ended`: cut off, after so many milliseconds. */
function start(ask: Ask): Client {
  const since = performance.now()
  const socket = connect(gateway.port, '127.0.0.1')
  open.push(socket)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.write(bytesOf(ask, gateway.port, gateway.members))
  const ended = once(socket, 'close').then(() => performance.now() - since)
  return { socket, taken: () => Buffer.concat(chunks), ended }
}

function startAndTakeNothing(ask: Ask): Client {
  const client = start(ask)
  client.socket.pause()
  return client
}

/** The head of an upload; its body the test sends itself, or not. */
const startUpload = (name: string, length: number) =>
  start({
    method: 'PUT',
    target: artifact(name),
    as: 'editor',
    headers: [`Content-Length: ${length}`],
  })

const eventsOf = (operation: string) => gateway.events.filter((event) => event.operation === operation)

it('300 strangers who take nothing of their file are in nobody’s way, and soon not in their own', {
  timeout: 60_000,
}, async () => {
  for (let index = 0; index < 300; index += 1) startAndTakeNothing(STATIC_FILE)
  await expect.poll(() => taking.most, SOON).toBe(64)
  expect((await gateway.ask(READ)).line).toBe('200 allow')
  // Strangers still wait, so whoever is signed in has not waited behind them.
  expect(taking.asked).toBeLessThan(300)
  // Of those who hold a connection each stays until it is cut off.
  for (const socket of open.slice(64)) socket.destroy()
  const next = await gateway.ask({ target: '/static-files/small.js' })
  expect([next.status, next.text]).toEqual([200, 'small'])
  expect(taking.most).toBe(64)
})

describe.concurrent('somebody signed in who stands still', { timeout: 60_000 }, () => {
  it('while a file comes: MLflow is told, and the record has it', async ({ expect }) => {
    startAndTakeNothing({ target: artifact('left'), as: 'reader' })
    await expect.poll(() => giveUps, SOON).toBe(1)
    await expect.poll(() => eventsOf('artifacts.download').length, SOON).toBeGreaterThan(0)
    const left = eventsOf('artifacts.download').filter(({ bytesOut }) => bytesOut < LARGE.length)
    expect(left).toEqual([expect.objectContaining({ username: 'reader', effect: 'allow', status: 200 })])
  })

  it('while a list comes, which is in memory', async ({ expect }) => {
    const target = `${API}/experiments/search?max_results=1`
    const { socket, taken, ended } = startAndTakeNothing({ target, as: 'reader' })
    await expect.poll(() => eventsOf('experiments.search').length, SOON).toBe(1)
    await pause(PATIENCE_MS * 2.5)
    // Who takes nothing hears of the end only when it reads on.
    socket.resume()
    await ended
    expect(taken().length).toBeLessThan(LARGE.length)
  })

  it.each([
    ['before its first byte', ''],
    ['in the middle', 'half'],
  ])('in an upload, %s: MLflow sees that it is not whole', async (when, sent) => {
    const name = when.replaceAll(' ', '-')
    const { socket, ended } = startUpload(name, 1000)
    socket.write(sent)
    expect(await ended).toBeGreaterThan(PATIENCE_MS * 0.9)
    expect(gateway.forwarded().filter(({ url }) => url === artifact(name))).toEqual([])
  })
})

describe.concurrent('who is slow but moves, or has to wait,', { timeout: 60_000 }, () => {
  it('gets the whole file', async ({ expect }) => {
    const { socket, taken } = startAndTakeNothing({ target: artifact('taken'), as: 'reader' })
    for (let part = 1; taken().length < LARGE.length && !socket.destroyed; part += 1) {
      await pause(PATIENCE_MS * 0.4)
      socket.resume()
      while (taken().length < Math.min(LARGE.length, (part * LARGE.length) / 5)) await pause(5)
      socket.pause()
    }
    expect(taken().length).toBeGreaterThan(LARGE.length)
  })

  it('brings the whole upload', async ({ expect }) => {
    const { socket, taken } = startUpload('slow', 6)
    for (const letter of 'upload') {
      await pause(PATIENCE_MS * 0.4)
      socket.write(letter)
    }
    await expect.poll(() => taken().toString(), SOON).toMatch(/^HTTP\/1\.1 200/)
    const bodies = gateway.forwarded().filter(({ url }) => url === artifact('slow'))
    expect(bodies.map(({ body }) => body.toString())).toEqual(['upload'])
  })

  it('waits for a list of several pages longer than anybody may stand still', async ({ expect }) => {
    const target = `${API}/registered-models/search?max_results=5`
    const { status, text } = await gateway.ask({ target, as: 'reader' })
    expect([status, pages]).toEqual([200, 4])
    expect(text).toContain('alpha-model')
  })
})

describe('an upload that MLflow answers before it has come', () => {
  it('is answered at once and ends the connection: the rest is nobody’s request, and nobody waits', async () => {
    const eager = createServer((request, response) => {
      response.writeHead(request.method === 'PUT' ? 413 : 200, { 'content-type': 'application/json' })
      response.end(
        '{"experiment":{"experiment_id":"1","name":"alpha/one","artifact_location":"mlflow-artifacts:/1"}}',
      )
    }).listen(0, '127.0.0.1')
    await once(eager, 'listening')
    const { port } = eager.address() as AddressInfo
    const behind = await startTestGateway({ env: { UPSTREAM_URL: `http://127.0.0.1:${port}` } })
    try {
      const credential = `Authorization: Bearer ${behind.members.editor.token}`
      const hidden = `GET ${READ.target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${credential}\r\n\r\n`
      const head = `PUT ${artifact('x')} HTTP/1.1\r\nHost: 127.0.0.1\r\n${credential}\r\n`
      const bytes = `${head}Content-Length: ${hidden.length + 1}\r\n\r\n${hidden}`
      const { responses, closed } = await rawExchange(behind.port, bytes, { responses: 2, timeoutMs: 2000 })
      expect(responses.map(({ status, headers }) => [status, headers['connection']])).toEqual([
        [413, ['close']],
      ])
      expect(closed).toBe(true)
    } finally {
      await behind.stop()
      eager.closeAllConnections()
      eager.close()
    }
  })
})
