import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/config.ts'
import { openStore } from '../../src/store/store.ts'
import { gatewayEnvironment, type RunningGateway, startGateway } from './gateway.ts'
import { freePort } from './mlflow.ts'
import { mlflowStandIn } from './mlflow-stand-in.ts'
import { SECRET } from './test-gateway.ts'
import { type Member, type MemberName, seedMembers } from './test-members.ts'

/** What the gateway went through while something was done to it. */
export type Siege = {
  /** Resident memory at its highest, above what it was before. */
  readonly grownMiB: number
  /** Milliseconds that somebody else's requests took, sorted; one went out every 50 ms or after the one before. */
  readonly waits: readonly number[]
  /** What they were answered with. */
  readonly statuses: readonly number[]
}

export type BesiegedGateway = {
  readonly gateway: RunningGateway
  readonly port: number
  readonly members: Readonly<Record<MemberName, Member>>
  /** Bytes of uploads that came through, and how many of them were whole. */
  readonly taken: { bytes: number; uploads: number }
  /** Does something while somebody signed in goes on asking, and looks at the gateway's memory. */
  readonly during: (attack: () => Promise<void>) => Promise<Siege>
  /** Open files of the gateway, connections among them. */
  readonly openFiles: () => number
  /** A connection that the end of the tests ends too. */
  readonly dial: () => Socket
  readonly stop: () => Promise<void>
}

/**
 * The gateway in a process of its own, with everybody of {@link seedMembers} and the limits it has by default, in front
 * of a tracking server that takes uploads without keeping them.
 */
export async function startBesiegedGateway(
  env: Readonly<Record<string, string>> = {},
): Promise<BesiegedGateway> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-besieged-'))
  const taken = { bytes: 0, uploads: 0 }
  const upstream = await startDrain(taken)
  const port = await freePort()
  const settings = {
    ...{ port, dir, upstreamUrl: upstream.url },
    env: {
      ...{ OIDC_ISSUER: 'https://issuer.invalid', OIDC_CLIENT_ID: 'mlflow', ADMIN_USERS: 'admin' },
      ...{ GATEWAY_SECRET: SECRET, LOG_LEVEL: 'warn', AUDIT_STDOUT: 'false', ...env },
    },
  }
  const members = await seed(gatewayEnvironment(port, dir, settings))
  const gateway = await startGateway({ ...settings, logFile: join(dir, 'log') })
  const sockets: Socket[] = []
  return {
    ...{ gateway, port, members, taken },
    during: (attack) => during(attack, gateway, members.reader.token),
    openFiles: () => readdirSync(`/proc/${gateway.pid}/fd`).length,
    dial() {
      const socket = connect(port, '127.0.0.1')
      // To be cut off is what is asked for.
      socket.on('error', () => {})
      sockets.push(socket)
      return socket
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await gateway.stop()
      await upstream.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function seed(env: Readonly<Record<string, string>>): Promise<BesiegedGateway['members']> {
  const config = readConfig(env)
  const now = () => Math.floor(Date.now() / 1000)
  const store = await openStore({ databaseUrl: config.databaseUrl, now })
  try {
    return await seedMembers({ store, config, now })
  } finally {
    await store.close()
  }
}

async function startDrain(taken: BesiegedGateway['taken']) {
  const answer = mlflowStandIn()['*']
  const server = createServer(async (incoming, response) => {
    if (incoming.method === 'PUT') return drain(incoming, response, taken)
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const { method = '', url = '', rawHeaders } = incoming
    const request = { method, url, rawHeaders, body: Buffer.concat(chunks) }
    const scripted = typeof answer === 'function' ? await answer(request, response) : answer
    response.writeHead(scripted?.status ?? 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(scripted?.body ?? {}))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const stop = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${port}`, stop }
}

function drain(incoming: IncomingMessage, response: ServerResponse, taken: BesiegedGateway['taken']): void {
  incoming.on('data', (chunk: Buffer) => {
    taken.bytes += chunk.length
  })
  incoming.on('error', () => {})
  incoming.on('end', () => {
    taken.uploads += 1
    response.end('{}')
  })
}

const READ = '/api/2.0/mlflow/experiments/get?experiment_id=1'

async function during(attack: () => Promise<void>, gateway: RunningGateway, token: string): Promise<Siege> {
  const ask = async () => {
    const since = performance.now()
    const response = await fetch(`${gateway.url}${READ}`, { headers: { authorization: `Bearer ${token}` } })
    await response.arrayBuffer()
    statuses.push(response.status)
    return performance.now() - since
  }
  const statuses: number[] = []
  const waits: number[] = []
  await ask()
  const before = gateway.residentMiB()
  let highest = before
  const sampling = setInterval(() => {
    highest = Math.max(highest, gateway.residentMiB())
  }, 20)
  let isOver = false
  const bystander = async () => {
    while (!isOver) {
      waits.push(await ask())
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  try {
    const standing = bystander()
    await attack().finally(() => {
      isOver = true
    })
    await standing
  } finally {
    clearInterval(sampling)
  }
  return { grownMiB: highest - before, waits: waits.toSorted((a, b) => a - b), statuses }
}
