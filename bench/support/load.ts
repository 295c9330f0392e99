import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { Pool } from 'undici'
import { runToEnd } from '../../test/support/gateway.ts'

export type Load = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Makes it a POST of JSON. */
  readonly body?: string | undefined
  /** Requests in flight. */
  readonly connections: number
  readonly seconds: number
}

/** As many requests as are due, however many are in flight: at the same rate all servers have the same to do. */
export type SteadyLoad = Omit<Load, 'connections'> & { readonly perSecond: number }

export type LoadResult = {
  readonly requests: number
  /** Wall clock. */
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export type LoadTool = 'wrk' | 'undici'

/** `wrk` where it is installed: it takes less of the CPU that the measured server shares with it. */
export function chooseLoadTool(): LoadTool {
  return spawnSync('wrk', ['-v']).error === undefined ? 'wrk' : 'undici'
}

/** @throws {Error} if the answer is not 200: refusals and redirects are cheap, and would flatter. */
export async function checkAnswer(load: Load): Promise<void> {
  const { method, headers, body } = spoken(load)
  const answer = await fetch(load.url, { method, headers, redirect: 'manual', ...(body && { body }) })
  const text = await answer.text()
  if (answer.status !== 200) throw new Error(`${load.url} answered ${answer.status}: ${text.slice(0, 300)}`)
}

/**
 * Keeps as many requests in flight as `connections` says. `undici` waits for the last answers, `wrk` goes without them:
 * where an answer takes long, those would be work that nobody counted.
 *
 * @throws {Error} if not every request succeeded.
 */
export function applyLoad(tool: LoadTool, load: Load): Promise<LoadResult> {
  return tool === 'wrk' ? applyWrk(load) : applyUndici(load)
}

function spoken({ headers, body }: Omit<Load, 'connections'>) {
  return body === undefined
    ? { method: 'GET' as const, headers, body }
    : { method: 'POST' as const, headers: { ...headers, 'content-type': 'application/json' }, body }
}

async function applyWrk(load: Load): Promise<LoadResult> {
  const { method, headers, body } = spoken(load)
  const headerArguments = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const dir = mkdtempSync(join(tmpdir(), 'bench-wrk-'))
  const script = join(dir, 'request.lua')
  writeFileSync(
    script,
    `wrk.method = "${method}"\n${body === undefined ? '' : `wrk.body = [==[${body}]==]\n`}`,
  )
  const options = [
    '-t1',
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    '--latency',
    '--timeout',
    '20s',
    '-s',
    script,
  ]
  try {
    const { stdout, stderr } = await runToEnd('wrk', [...options, ...headerArguments, load.url], {})
    return readWrk(stdout, stderr)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const UNITS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 }

function readWrk(stdout: string, stderr: string): LoadResult {
  const total = /(\d+) requests in ([\d.]+)(ms|s|m),/.exec(stdout)
  const p50 = /50%\s+([\d.]+)(us|ms|s)/.exec(stdout)
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout)
  if (total === null || p50 === null || p99 === null) throw new Error(`wrk: ${stdout}${stderr}`)
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`not every request succeeded: ${stdout}`)
  const inMs = ([, amount, unit]: RegExpExecArray) => Number(amount) * (UNITS[unit ?? 'ms'] ?? 1)
  const took = Number(total[2]) * (UNITS[total[3] ?? 's'] ?? 1000)
  return { requests: Number(total[1]), seconds: took / 1000, p50Ms: inMs(p50), p99Ms: inMs(p99) }
}

async function applyUndici(load: Load): Promise<LoadResult> {
  const client = createClient(load, load.connections)
  const started = performance.now()
  const end = started + load.seconds * 1000
  const loop = async () => {
    while (performance.now() < end) await client.ask(performance.now())
  }
  await Promise.all(Array.from({ length: load.connections }, loop))
  return client.end(started)
}

/**
 * Sends requests at a rate and waits for the last answers. A request's time counts from when it was due, not from when it was
 * sent: whoever holds up one holds up those behind it too.
 *
 * @throws {Error} if not every request succeeded.
 */
export async function applySteadyLoad(load: SteadyLoad): Promise<LoadResult> {
  const client = createClient(load, 128)
  const asked: Promise<void>[] = []
  const started = performance.now()
  const dueAt = (index: number) => started + (index * 1000) / load.perSecond
  while (asked.length < load.perSecond * load.seconds) {
    while (dueAt(asked.length) <= performance.now()) {
      const answered = client.ask(dueAt(asked.length))
      // Told below, once all are sent.
      answered.catch(() => {})
      asked.push(answered)
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(asked)
  return client.end(started)
}

function createClient(load: Omit<Load, 'connections'>, connections: number) {
  const { origin, pathname, search } = new URL(load.url)
  const { method, headers, body = null } = spoken(load)
  const pool = new Pool(origin, { connections })
  const latencies: number[] = []
  return {
    ask: async (since: number) => {
      const answer = await pool.request({ method, path: pathname + search, headers, body })
      await answer.body.dump()
      if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`)
      latencies.push(performance.now() - since)
    },
    end: async (started: number): Promise<LoadResult> => {
      const elapsed = (performance.now() - started) / 1000
      await pool.close()
      latencies.sort((a, b) => a - b)
      const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0
      return { requests: latencies.length, seconds: elapsed, p50Ms: at(0.5), p99Ms: at(0.99) }
    },
  }
}
