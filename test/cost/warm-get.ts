import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { FIXED_ANSWER } from '../../bench/support/fixed-answers.ts'
import { type GatewaySubject, startGatewaySubject } from '../../bench/support/gateway-subject.ts'
import { type RecordingUpstream, startUpstream } from '../support/upstream.ts'
import { heapOf, REPORT_HEAP } from './heap-of.ts'

/** The first of them compile what is run often, fill caches, and grow what grows once. */
const WARM_UP = 1000
const COUNTED = 1500
/** How long is watched what the gateway does on its own. */
const IDLE_MS = 2000

/**
 * Nothing is collected for as long as it is counted; and nothing is optimized, since when that happens, and what is then
 * not allocated any more, is another matter in each run.
 */
const NODE_OPTIONS = [
  '--expose-gc',
  ...['--min-semi-space-size=256', '--max-semi-space-size=256'],
  ...['--no-opt', '--no-maglev'],
  ...['--import', REPORT_HEAP],
]

/** Of one warm, permitted read. Neither depends on how fast the machine is or what else it does. */
export type Cost = {
  /** What is allocated on JavaScript's heap. Ten runs, with a load of 10 to 16 on 2 cores, were within 1.5 % of their middle. */
  readonly allocatedBytes: number
  /** Requests to MLflow for each of the client's: 1, unless something is looked up. */
  readonly upstreamRequests: number
}

/**
 * Counts in a process of its own, the whole server as it is run, audit included.
 *
 * @throws {Error} if something was collected meanwhile: the figure would be too small.
 */
export async function costOfWarmGet(): Promise<Cost> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-cost-'))
  const answer = { headers: { 'content-type': 'application/json' }, body: FIXED_ANSWER }
  const upstream = await startUpstream({ '*': answer })
  try {
    const settings = { upstreamUrl: upstream.url, dir, nodeOptions: NODE_OPTIONS, roles: 1, ipc: true }
    const gateway = await startGatewaySubject(settings)
    try {
      return await count(gateway, upstream)
    } finally {
      await gateway.stop()
    }
  } finally {
    await upstream.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function count(gateway: GatewaySubject, upstream: RecordingUpstream): Promise<Cost> {
  await read(gateway, WARM_UP)
  const own = await allocatedDuring(gateway, () => delay(IDLE_MS))
  upstream.forget()
  const { bytes, seconds } = await allocatedDuring(gateway, () => read(gateway, COUNTED))
  // A slow machine leaves more time for looking after the store and the policy: that is not the requests'.
  const ofRequests = bytes - (own.bytes / own.seconds) * seconds
  return {
    allocatedBytes: Math.round(ofRequests / COUNTED),
    upstreamRequests: upstream.requests.length / COUNTED,
  }
}

async function allocatedDuring(gateway: GatewaySubject, work: () => Promise<unknown>) {
  const before = await heapOf(gateway, 'collect')
  await work()
  const after = await heapOf(gateway, 'look')
  if (after.collections !== before.collections) throw new Error('something was collected meanwhile')
  return { bytes: after.usedBytes - before.usedBytes, seconds: (after.atMs - before.atMs) / 1000 }
}

/** One after the other over one connection, so that each finds the same. */
async function read({ url, headers }: GatewaySubject, times: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let index = 0; index < times; index++) {
    const outgoing = request(`${url}/api/2.0/mlflow/experiments/get?experiment_id=1`, {
      agent,
      headers,
    }).end()
    const [answer] = await once(outgoing, 'response')
    answer.resume()
    await once(answer, 'end')
    if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`)
  }
  agent.destroy()
}
