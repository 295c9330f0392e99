/** Two replicas behind a balancer are replaced one after the other while people work: nobody notices. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server as TcpServer,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { freePort } from '../support/mlflow.ts'

/** Clients at work, each on a connection that it keeps open. */
const CLIENTS = 8

let dir: string
let upstream: Server
let balancer: Balancer
let token: string
let start: (port: number) => Promise<RunningGateway>

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'rolling-'))
  upstream = createServer((_request, response) => void setTimeout(() => response.end('3.17.2'), 10))
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const env = {
    ...{ GATEWAY_SECRET: randomBytes(48).toString('base64'), SHUTDOWN_DELAY: '2', AUDIT_STDOUT: 'false' },
    // One name for both, the balancer's.
    PUBLIC_URL: 'http://127.0.0.1:8080',
    ...{ OIDC_ISSUER: 'https://sso.example.org', OIDC_CLIENT_ID: 'mlflow', RATE_LIMIT_PRINCIPAL: '0' },
  }
  start = (port) => startGateway({ upstreamUrl, port, dir, env })
})

afterAll(async () => {
  await balancer.stop()
  upstream.closeAllConnections()
  upstream.close()
  rmSync(dir, { recursive: true, force: true })
})

type Balancer = {
  readonly port: number
  /** Resolves when it sends to so many backends. */
  hasReady(count: number): Promise<void>
  stop(): Promise<void>
}

/** Passes connections on, in turn, to the backends that say they are ready; it knows nothing of what they say. */
async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  let ready: readonly number[] = []
  let turn = 0
  const look = async () => {
    const states = ports.map(async (port) => {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { headers: { connection: 'close' } })
      return answer.status === 200
    })
    const settled = await Promise.allSettled(states)
    ready = ports.filter((_, index) => settled[index]?.status === 'fulfilled' && settled[index].value)
  }
  const timer = setInterval(() => void look(), 100)
  const server: TcpServer = createTcpServer((client) => {
    turn += 1
    const backend = connect(ready[turn % ready.length] ?? 0, '127.0.0.1')
    client.pipe(backend).pipe(client)
    for (const socket of [client, backend]) {
      socket.on('error', () => [client, backend].map((other) => other.destroy()))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async hasReady(count) {
      while (ready.length !== count) await new Promise((resolve) => setTimeout(resolve, 20))
    },
    async stop() {
      clearInterval(timer)
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** One request after the other until told to stop. @returns What became of each. */
async function work(port: number, isOver: () => boolean): Promise<readonly string[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const outcomes: string[] = []
  const ask = async () => {
    const headers = { authorization: `Bearer ${token}` }
    const sent = request({ port, host: '127.0.0.1', path: '/version', agent, headers }).end()
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of answer) text += String(chunk)
    return `${answer.statusCode} ${text}`
  }
  while (!isOver()) outcomes.push(await ask().catch((fault: NodeJS.ErrnoException) => String(fault.code)))
  agent.destroy()
  return outcomes
}

it('loses no request', async () => {
  const ports = [await freePort(), await freePort()]
  const gateways = await Promise.all(ports.map((port) => start(port)))
  await gateways[0]?.cli('user', 'add', 'alice')
  token =
    (await gateways[0]?.cli('token', 'create', '--user', 'alice', '--expires', '1h'))?.stdout.trim() ?? ''
  balancer = await startBalancer(ports)
  await balancer.hasReady(2)

  let isOver = false
  const working = Array.from({ length: CLIENTS }, () => work(balancer.port, () => isOver))
  const successors: RunningGateway[] = []
  for (const gateway of gateways) {
    const stopped = gateway.stop()
    await balancer.hasReady(1)
    await stopped
    successors.push(await start(gateway.port))
    await balancer.hasReady(2)
  }
  isOver = true
  const outcomes = (await Promise.all(working)).flat()
  await Promise.all(successors.map((gateway) => gateway.stop()))
  expect(outcomes.filter((outcome) => outcome !== '200 3.17.2')).toEqual([])
  expect(outcomes.length).toBeGreaterThan(100)
})
