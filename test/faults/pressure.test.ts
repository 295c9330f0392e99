/**
 * The attack: to wear the gateway out. Connections by the thousand that do nothing, clients that dribble what they send
 * or take nothing of what they asked for, headers, chunks and bodies without end, cookies by the thousand. All of it with the
 * limits the gateway has by default, but for the patience with clients, which is shorter. Its memory has a bound, others
 * are served meanwhile, and whoever overdoes it is cut off.
 */
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BesiegedGateway, type Siege, startBesiegedGateway } from '../support/besieged-gateway.ts'
import { rawExchange } from '../support/raw-request.ts'
import { flood, hold } from '../support/sustained-client.ts'

/** Seconds that a client may stand still here. */
const PATIENCE = 5

const MIB = 2 ** 20
const IDLE = 2000
/** Of each kind of slow client. */
const SLOW = 100
/** Clients that take nothing; more of them than files come and go otherwise. */
const UNREAD = 6

let besieged: BesiegedGateway
let host: string
beforeAll(async () => {
  besieged = await startBesiegedGateway({ UPSTREAM_TIMEOUT: `${PATIENCE}` })
  host = `Host: 127.0.0.1:${besieged.port}\r\n`
  // What a first request makes the gateway load and compile is not what is measured.
  await besieged.during(() => new Promise((resolve) => setTimeout(resolve, 1000)))
})
afterAll(() => besieged?.stop())

const bearer = () => `Authorization: Bearer ${besieged.members.editor.token}\r\n`
const LOG_BATCH = 'POST /api/2.0/mlflow/runs/log-batch HTTP/1.1\r\n'
const JSON_TYPE = 'Content-Type: application/json\r\n'
const FORM = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 900\r\n\r\n'

/** Everybody else got what they asked for, soon. */
function expectServed({ statuses, waits }: Siege): void {
  expect(new Set(statuses)).toEqual(new Set([200]))
  // The attackers and those who wait are one process, beside the gateway on two cores.
  if (waits.length > 5) expect(waits[Math.floor(waits.length / 2)]).toBeLessThan(1000)
  expect(waits.at(-1)).toBeLessThan(10_000)
}

it(`${IDLE} connections that do nothing between their requests`, async () => {
  const before = besieged.openFiles()
  const siege = await besieged.during(async () => {
    const sockets = Array.from({ length: IDLE }, () => besieged.dial())
    await Promise.all(
      sockets.map(async (socket) => {
        socket.write(`GET /healthz HTTP/1.1\r\n${host}\r\n`)
        await once(socket, 'data')
      }),
    )
    expect(besieged.openFiles() - before).toBeGreaterThan(IDLE - 20)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    for (const socket of sockets) socket.destroy()
  })
  report('idle', siege)
  expectServed(siege)
  expect(siege.grownMiB).toBeLessThan(100)
  await expect.poll(besieged.openFiles, { timeout: 10_000 }).toBeLessThan(before + 50)
})

type Slow = readonly [what: string, head: () => string, dribble: string]

/** Each of them without a credential. */
const SLOW_CLIENTS: readonly Slow[] = [
  ['send nothing at all', () => '', ''],
  ['dribble a head', () => `GET / HTTP/1.1\r\n${host}X-Slow: `, 'x'],
  ['send no body for a form', () => `POST /auth/tokens HTTP/1.1\r\n${host}${FORM}`, ''],
  ['dribble a body for a form', () => `POST /auth/logout HTTP/1.1\r\n${host}${FORM}`, 'x'],
  ['dribble a body for the console', () => `POST /auth/admin/do/x HTTP/1.1\r\n${host}${FORM}`, 'x'],
  ['dribble a body nobody asked for', () => `GET /healthz HTTP/1.1\r\n${host}${FORM}`, 'x'],
  [
    'dribble trailers',
    () => `GET /auth/login HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\nX-Slow: `,
    'x',
  ],
  [
    'dribble a body with an upload that is refused',
    () => `PUT /api/2.0/mlflow-artifacts/artifacts/1/x HTTP/1.1\r\n${host}${FORM}`,
    'x',
  ],
]

it(`${SLOW} each of clients that are slow: all are cut off`, { timeout: 90_000 }, async () => {
  const held = new Map<string, number>()
  const siege = await besieged.during(async () => {
    const slow = SLOW_CLIENTS.flatMap(([what, head, dribble]) =>
      Array.from({ length: SLOW }, async () => {
        const socket = besieged.dial()
        socket.resume()
        held.set(what, Math.max(held.get(what) ?? 0, await hold(socket, head(), dribble)))
      }),
    )
    await Promise.all(slow)
    // Who takes nothing does not hear of the end: it is the gateway's own connections that are counted.
    const before = await settled(besieged.openFiles)
    for (let index = 0; index < UNREAD; index += 1) leaveUnread()
    // A connection or two of the others come and go meanwhile.
    await expect.poll(besieged.openFiles, { timeout: 5000 }).toBeGreaterThan(before + UNREAD - 3)
    await expect.poll(besieged.openFiles, { timeout: PATIENCE * 6000 }).toBeLessThan(before + 3)
  })
  report('slow', siege)
  expectServed(siege)
  expect(siege.grownMiB).toBeLessThan(250)
  for (const [what, seconds] of held) expect([what, seconds < 40]).toEqual([what, true])
})

/** A count once it does not change any more, as far as half a second tells. */
async function settled(count: () => number): Promise<number> {
  for (let last = count(); ; ) {
    await new Promise((resolve) => setTimeout(resolve, 500))
    const now = count()
    if (now === last) return now
    last = now
  }
}

/** Asks for thousands of answers, more than the buffers of two sockets hold, and takes none of them. */
function leaveUnread(): void {
  const socket = besieged.dial()
  socket.pause()
  socket.write(`GET /auth/assets/sign-in.js HTTP/1.1\r\n${host}\r\n`.repeat(8000))
}

const PART = Buffer.alloc(64 * 1024, 'x')
const CHUNK = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(64 * 1024, ' '), Buffer.from('\r\n')])
const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n'

type Endless = readonly [what: string, head: () => string, part: Buffer, answer: RegExp]

const ENDLESS: readonly Endless[] = [
  ['request line', () => 'GET /', PART, / 431 /],
  ['header', () => `GET / HTTP/1.1\r\n${host}X-Long: `, PART, / 431 /],
  ['number of headers', () => `GET / HTTP/1.1\r\n${host}`, Buffer.from('a: b\r\n'.repeat(10_000)), / 431 /],
  ['chunk extension', () => `${LOG_BATCH}${host}${bearer()}${JSON_TYPE}${CHUNKED}1;`, PART, / 4(?:00|13) /],
  [
    'trailer',
    () => `${LOG_BATCH}${host}${bearer()}${JSON_TYPE}${CHUNKED}2\r\n{}\r\n0\r\nX: `,
    PART,
    / 4(?:00|31) /,
  ],
  ['JSON body', () => `${LOG_BATCH}${host}${bearer()}${JSON_TYPE}${CHUNKED}`, CHUNK, / 413 /],
  ['JSON body of a stranger', () => `${LOG_BATCH}${host}${JSON_TYPE}${CHUNKED}`, CHUNK, / 401 /],
  ['form', () => `POST /auth/tokens HTTP/1.1\r\n${host}${CHUNKED}`, CHUNK, / 413 /],
  ['body of a GET', () => `GET /healthz HTTP/1.1\r\n${host}${CHUNKED}`, CHUNK, / 200 /],
  ['body of no route', () => `POST /nope HTTP/1.1\r\n${host}${CHUNKED}`, CHUNK, / 404 /],
  ['garbage', () => '', Buffer.alloc(64 * 1024, 0xff), / 400 /],
]

describe('100 MB of what has no end', () => {
  it.each(ENDLESS)('%s', async (what, head, part, answer) => {
    const siege = await besieged.during(async () => {
      const floods = Array.from({ length: 4 }, () => flood(besieged.dial(), head(), part, 100 * MIB))
      for (const { answer: line, sent } of await Promise.all(floods)) {
        // Bytes that are not HTTP end the connection so soon that the answer may be lost on its way.
        if (line !== undefined) expect(line).toMatch(answer)
        // The rest was never taken: buffers on the way hold some of it.
        expect(sent).toBeLessThan(40 * MIB)
      }
    })
    report(what, siege)
    expectServed(siege)
    expect(siege.grownMiB).toBeLessThan(100)
  })

  it('requests over one connection are all answered', async () => {
    const requests = 10_000
    const siege = await besieged.during(async () => {
      const bytes = `GET /healthz HTTP/1.1\r\n${host}\r\n`.repeat(requests - 1)
      const last = `GET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n`
      const socket = besieged.dial()
      let answers = 0
      socket.on('data', (chunk: Buffer) => {
        answers += chunk.toString('latin1').split('HTTP/1.1 200').length - 1
      })
      socket.write(bytes + last)
      await once(socket, 'close')
      // A status line may have come in two pieces.
      expect(answers).toBeGreaterThan(requests * 0.98)
    })
    report('pipelined', siege)
    expectServed(siege)
    expect(siege.grownMiB).toBeLessThan(100)
  })
})

describe('a length that is not true', () => {
  it.each([
    ['shorter than the body', 'Content-Length: 2\r\n\r\n{}{"run_id":"x"}', [400]],
    ['twice, not the same', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}', [400]],
    ['beside chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n', [400]],
    ['negative', 'Content-Length: -1\r\n\r\n{}', [400]],
    ['beyond any number', `Content-Length: 9${'0'.repeat(30)}\r\n\r\n{}`, [400]],
    ['over the limit', 'Content-Length: 99999999999\r\n\r\n{}', [413]],
  ])('%s', async (_, rest, statuses) => {
    const bytes = `${LOG_BATCH}${host}${bearer()}${JSON_TYPE}${rest}`
    const { responses } = await rawExchange(besieged.port, bytes, { responses: 2, timeoutMs: 2000 })
    expect(responses.map(({ status }) => status)).toEqual(statuses)
  })
})

describe('cookies', () => {
  const many = (count: number, name: (index: number) => string, value = 'x') =>
    Array.from({ length: count }, (_, index) => `${name(index)}=${value}`).join('; ')

  it.each([
    ['of 15 KB', () => `gateway_token=${'x'.repeat(15_000)}`, 401],
    ['by the thousand', () => many(1800, (index) => `c${index}`), 401],
    ['one name, a thousand times', () => many(800, () => 'gateway_token'), 400],
    ['of sign-ins never begun', () => many(500, (index) => `gateway_login_${index}`), 401],
    ['whose names begin like ours', () => many(700, (index) => `gateway_token${index}`), 401],
    ['of nothing but separators', () => ';'.repeat(15_000), 401],
    ['in a thousand headers', () => 'a=b\r\nCookie: a=b'.repeat(450), 401],
  ])('%s', async (what, cookies, status) => {
    const siege = await besieged.during(async () => {
      const request = `GET /api/2.0/mlflow/experiments/get?experiment_id=1 HTTP/1.1\r\n${host}Cookie: ${cookies()}\r\n\r\n`
      for (let round = 0; round < 10; round += 1) {
        const bytes = request.repeat(20)
        const { responses } = await rawExchange(besieged.port, bytes, { responses: 20 })
        expect(responses.map((response) => response.status)).toEqual(Array(20).fill(status))
      }
    })
    report(what, siege)
    expectServed(siege)
    expect(siege.grownMiB).toBeLessThan(60)
  })
})

function report(what: string, { grownMiB, waits }: Siege): void {
  const [middle = 0, last = 0] = [waits[Math.floor(waits.length / 2)], waits.at(-1)]
  process.stdout.write(
    `${what}: ${grownMiB.toFixed(0)} MiB; others waited ${middle.toFixed(0)} ms, at most ${last.toFixed(0)} ms\n`,
  )
}
