/** Two gateways on one store behind HAProxy with the shipped `deploy/haproxy/haproxy.cfg`, over TLS. */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Haproxy, startHaproxy } from '../support/haproxy.ts'
import { freePort } from '../support/mlflow.ts'
import { mlflowStandIn } from '../support/mlflow-stand-in.ts'
import { headerValues, type RecordingUpstream, startUpstream } from '../support/upstream.ts'

const CLIENTS = 16

const dir = mkdtempSync(join(tmpdir(), 'gateway-replicas-'))
let ports: readonly [number, number]
let front: number
let upstream: RecordingUpstream
let replicas: RunningGateway[]
let haproxy: Haproxy
let token: string

/** One store and one secret for both, as replicas have them. */
const secret = randomBytes(48).toString('base64')

/** Seconds that a replica is not ready before it stops to listen; HAProxy needs two looks, a second apart. */
const SHUTDOWN_DELAY = '4'

function startReplica(port: number): Promise<RunningGateway> {
  return startGateway({
    ...{ port, dir, upstreamUrl: upstream.url },
    env: {
      PUBLIC_URL: `https://localhost:${front}`,
      GATEWAY_SECRET: secret,
      OIDC_ISSUER: 'https://issuer.invalid',
      OIDC_CLIENT_ID: 'mlflow',
      ADMIN_USERS: 'admin',
      AUDIT_STDOUT: 'false',
      LOG_LEVEL: 'warn',
      RATE_LIMIT_PRINCIPAL: '0', // a fast machine sends more than one person may
      SHUTDOWN_DELAY,
    },
  })
}

beforeAll(async () => {
  ports = [await freePort(), await freePort()]
  front = await freePort()
  upstream = await startUpstream(
    mlflowStandIn({
      'GET /health': { status: 200 },
      'POST /api/2.0/mlflow/runs/log-metric': async () => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
        return { body: {} }
      },
    }),
  )
  replicas = [await startReplica(ports[0])]
  replicas.push(await startReplica(ports[1]))
  await replicas[0]?.cli('user', 'add', 'admin')
  haproxy = await startHaproxy(ports, front)
  token =
    (await replicas[0]?.cli('token', 'create', '--user', 'admin', '--expires', '1h'))?.stdout.trim() ?? ''
})

afterAll(async () => {
  await Promise.all([haproxy, upstream, ...(replicas ?? [])].map((part) => part?.stop()))
  rmSync(dir, { recursive: true, force: true })
})

function connect(connections: number): Pool {
  return new Pool(haproxy.url, { connections, connect: { ca: haproxy.certificate } })
}

type Tally = { sent: number; readonly answers: Map<string, number> }

/** Clients that write and read in turn, on connections they keep, until told to stop. Nobody tries anything twice. */
function startClients(count: number) {
  const pool = connect(count)
  const tally: Tally = { sent: 0, answers: new Map() }
  let going = true
  const note = (line: string) => tally.answers.set(line, (tally.answers.get(line) ?? 0) + 1)
  const send = async (method: 'GET' | 'POST', path: string, body: string | null) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    try {
      const answer = await pool.request({ method, path, headers, body })
      await answer.body.dump()
      note(`${method} ${answer.statusCode}`)
    } catch (fault) {
      note(`${method} ${(fault as Error).message}`)
    }
  }
  const client = async () => {
    while (going) {
      const key = `m${tally.sent++}`
      const metric = JSON.stringify({ run_id: 'a'.repeat(32), key, value: 1, timestamp: 1 })
      await send('POST', '/api/2.0/mlflow/runs/log-metric', metric)
      await send('GET', '/api/2.0/mlflow/experiments/get?experiment_id=1', null)
    }
  }
  const clients = Promise.all(Array.from({ length: count }, client))
  return {
    stop: async () => {
      going = false
      await clients
      await pool.close()
      return tally
    },
  }
}

describe('a rolling restart by SIGTERM', () => {
  test('loses no request and carries none out twice', async () => {
    const clients = startClients(CLIENTS)
    for (const [index, port] of ports.entries()) {
      const name = `gateway-${index + 1}`
      const stopped = replicas[index]?.stop()
      await haproxy.says(new RegExp(`ready/${name} is DOWN`))
      await stopped
      replicas[index] = await startReplica(port)
      await haproxy.says(new RegExp(`ready/${name} is UP`))
    }
    const { sent, answers } = await clients.stop()
    expect(Object.fromEntries(answers)).toEqual({ 'GET 200': sent, 'POST 200': sent })
    const keys = upstream.requests
      .filter(({ url }) => url.endsWith('/runs/log-metric'))
      .map(({ body }) => (JSON.parse(body.toString('utf8')) as { key: string }).key)
    expect(keys).toHaveLength(sent)
    expect(new Set(keys).size).toBe(sent)
    console.log(`${sent * 2} requests during the restart of two replicas, all answered`)
  })
})

describe('field report 52: on the way through the proxy', () => {
  test('an answer in pieces arrives piece by piece', async () => {
    const path = '/gateway/openai/v1/chat/completions'
    let finish = () => {}
    upstream.script(
      mlflowStandIn({
        [`POST ${path}`]: (_request, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: one\n\n')
          finish = () => response.end('data: two\n\n')
          return undefined
        },
      }),
    )
    const pool = connect(1)
    const answer = await pool.request({
      ...{ method: 'POST', path, body: JSON.stringify({ model: 'chat', messages: [] }) },
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    })
    expect(answer.statusCode).toBe(200)
    const pieces = answer.body[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    expect(String((await pieces.next()).value)).toBe('data: one\n\n')
    finish()
    expect(String((await pieces.next()).value)).toBe('data: two\n\n')
    await pool.close()
  })

  test('field report 55: an artifact of 256 MiB passes without being kept on the way', async () => {
    const path = '/api/2.0/mlflow-artifacts/artifacts/1/large.bin'
    upstream.script(mlflowStandIn({ [`PUT ${path}`]: { status: 200, body: {} } }))
    const before = upstream.bytesRead()
    const piece = Buffer.alloc(2 ** 20)
    const pool = connect(1)
    const answer = await pool.request({
      ...{ method: 'PUT', path, headers: { authorization: `Bearer ${token}` } },
      body: Readable.from(Array.from({ length: 256 }, () => piece)),
    })
    expect([answer.statusCode, upstream.bytesRead() - before]).toEqual([200, 256 * piece.length])
    await answer.body.dump()
    await pool.close()
    upstream.forget()
  })

  test('with MLflow gone a gateway explains it, not the proxy', async () => {
    upstream.script(mlflowStandIn({ 'GET /health': { status: 503 } }))
    await haproxy.says(/backend ready has no server available/)
    const pool = connect(1)
    const path = '/api/2.0/mlflow/experiments/get?experiment_id=999'
    const answer = await pool.request({ method: 'GET', path })
    expect([answer.statusCode, await answer.body.json()]).toMatchObject([
      401,
      { error_code: 'UNAUTHENTICATED' },
    ])
    await pool.close()
  })
})

describe('what reaches a gateway of a request', () => {
  let recorder: RecordingUpstream
  let proxy: Haproxy

  beforeAll(async () => {
    recorder = await startUpstream({ '*': { status: 200, body: {} } })
    proxy = await startHaproxy([recorder.port, recorder.port])
  })

  afterAll(async () => {
    await proxy?.stop()
    await recorder?.stop()
  })

  const get = async (path: string, headers: Readonly<Record<string, string>> = {}) => {
    const pool = new Pool(proxy.url, { connect: { ca: proxy.certificate } })
    const answer = await pool.request({ method: 'GET', path, headers })
    await answer.body.dump()
    await pool.close()
    return answer.statusCode
  }

  test.each([
    ['X-Forwarded-For', '10.9.8.7', ['127.0.0.1']],
    ['x-forwarded-host', 'evil.example', []],
    ['X-Forwarded-Proto', 'http', []],
    ['X-Forwarded-User', 'admin', []],
    ['X_Forwarded_User', 'admin', ['admin']], // no header of that meaning: the gateway reads none of either spelling
    ['X-Real-IP', '10.9.8.7', []],
    ['Forwarded', 'for=10.9.8.7;host=evil.example', []],
  ])('%s: %s becomes %j', async (name, value, expected) => {
    recorder.forget()
    expect(await get('/asked', { [name]: value })).toBe(200)
    const asked = recorder.requests.find(({ url }) => url === '/asked')
    expect(asked && headerValues(asked, name)).toEqual(expected)
  })

  test.each([
    '/readyz',
    '/healthz',
    '/metrics',
    '/readyz/',
    '/READYZ',
    '/%72eadyz',
    '//readyz',
    '/readyz?x=1',
  ])('%s is nobody’s to ask from outside', async (path) => {
    recorder.forget()
    const status = await get(path)
    // The balancer's own checks come by the same path; only what comes from outside says for whom.
    const fromOutside = recorder.requests.filter((each) => headerValues(each, 'x-forwarded-for').length > 0)
    expect([status, fromOutside]).toEqual([404, []])
  })

  test('browsers speak h2 to it, others HTTP/1.1; nothing below TLS 1.2', async () => {
    const agreed = (options: ConnectionOptions) =>
      new Promise<string | false | null>((resolve, reject) => {
        const socket = connectTls({ port: proxy.port, host: '127.0.0.1', ca: proxy.certificate, ...options })
        socket.once('secureConnect', () => resolve(socket.destroy().alpnProtocol)).once('error', reject)
      })
    const name = { servername: 'localhost' }
    expect(await agreed({ ...name, ALPNProtocols: ['h2', 'http/1.1'] })).toBe('h2')
    expect(await agreed({ ...name, ALPNProtocols: ['http/1.1'] })).toBe('http/1.1')
    await expect(
      agreed({ ...name, maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }),
    ).rejects.toThrow()
  })
})
