import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { answers, endProcess } from './gateway.ts'
import { freePort } from './mlflow.ts'

const PROGRAM = fileURLToPath(new URL('../../.toxiproxy/server', import.meta.url))

/**
 * What a network or the program at its other end does to a connection.
 *
 * - `down`: connections are cut and refused.
 * - `slow`: every answer comes late.
 * - `half-open`: connections stand and new ones are taken, and nothing that is sent arrives.
 * - `resets`: connections are taken, and reset as soon as something is sent.
 * - `cut off`: connections end in the middle of their first answer.
 * - `garbage`: who answers is no such server at all.
 */
export type Fault = (typeof FAULTS)[number]

export const FAULTS = ['down', 'slow', 'half-open', 'resets', 'cut off', 'garbage'] as const

/** How late a slow answer is unless said otherwise, ms: a transaction takes a dozen. */
const SLOW_MS = 50

/** Bytes of an answer before it is cut off: less than the shortest head of HTTP, more than nothing. */
const CUT_OFF_AFTER = 20

/** The way to one server. */
export type ToxicProxy = {
  /** Where it is reached, on 127.0.0.1. */
  readonly port: number
  /** From now on, for connections that are open too, until `heal`. One at a time. */
  readonly inflict: (fault: Fault, slowMs?: number) => Promise<void>
  readonly heal: () => Promise<void>
}

export type Toxiproxy = {
  /** @param port Of the server, on 127.0.0.1. @param listen Where the proxy is to be; a free port if absent. */
  readonly before: (port: number, listen?: number) => Promise<ToxicProxy>
  readonly stop: () => Promise<void>
}

/** Toxiproxy on loopback, as `make` installs it. */
export async function startToxiproxy(): Promise<Toxiproxy> {
  if (!existsSync(PROGRAM)) throw new Error('Toxiproxy is missing. Install it with: make .toxiproxy/.stamp')
  const [port, babbler] = [await freePort(), await startBabbler()]
  const child = spawn(PROGRAM, ['-host', '127.0.0.1', '-port', String(port)], { stdio: 'ignore' })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const stop = async () => {
    await Promise.all([endProcess(child as ChildProcess), babbler.stop()])
    process.removeListener('exit', killAtExit)
  }
  const api = `http://127.0.0.1:${port}`
  await answers(`${api}/version`, child).catch(async (fault) => {
    await stop()
    throw fault
  })
  return {
    stop,
    before: async (server, listen) => createProxy(api, server, listen ?? (await freePort()), babbler.port),
  }
}

async function createProxy(api: string, server: number, port: number, babbler: number): Promise<ToxicProxy> {
  const name = `p${port}`
  const upstream = `127.0.0.1:${server}`
  await post(`${api}/proxies`, { name, listen: `127.0.0.1:${port}`, upstream })
  const change = (settings: object) => post(`${api}/proxies/${name}`, settings)
  let applied: readonly Toxic[] = []
  return {
    port,
    async inflict(fault, slowMs = SLOW_MS) {
      if (fault === 'down') return change({ enabled: false })
      if (fault === 'garbage') return change({ upstream: `127.0.0.1:${babbler}` })
      applied = fault === 'slow' ? [late(slowMs)] : TOXICS[fault]
      for (const toxic of applied) await post(`${api}/proxies/${name}/toxics`, toxic)
    },
    async heal() {
      for (const toxic of applied) {
        await expectOk(await fetch(`${api}/proxies/${name}/toxics/${toxic.name}`, { method: 'DELETE' }))
      }
      applied = []
      await change({ enabled: true, upstream })
    },
  }
}

type Toxic = {
  readonly name: string
  readonly type: string
  readonly stream: 'upstream' | 'downstream'
  readonly attributes: Readonly<Record<string, number>>
}

const late = (latency: number): Toxic => ({
  ...{ name: 'late', type: 'latency', stream: 'downstream', attributes: { latency } },
})

const TOXICS: Readonly<Record<'half-open' | 'resets' | 'cut off', readonly Toxic[]>> = {
  'half-open': (['upstream', 'downstream'] as const).map((stream) => ({
    ...{ name: `swallow-${stream}`, type: 'timeout', stream, attributes: { timeout: 0 } },
  })),
  resets: [{ name: 'reset', type: 'reset_peer', stream: 'upstream', attributes: { timeout: 0 } }],
  'cut off': [
    { name: 'cut', type: 'limit_data', stream: 'downstream', attributes: { bytes: CUT_OFF_AFTER } },
  ],
}

async function post(url: string, body: object): Promise<void> {
  const headers = { 'content-type': 'application/json' }
  await expectOk(await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) }))
}

async function expectOk(response: Response): Promise<void> {
  const text = await response.text()
  if (!response.ok) throw new Error(`Toxiproxy answered ${response.status}: ${text}`)
}

/** Answers whatever it is sent with 4 KiB that are no answer in any protocol, the same each time. */
async function startBabbler(): Promise<{ readonly port: number; readonly stop: () => Promise<void> }> {
  const open = new Set<Socket>()
  const babble = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 167 + 251) % 256))
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined).on('close', () => open.delete(socket))
    socket.on('data', () => socket.write(babble))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
