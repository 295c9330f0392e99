import { spawnSync } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { Pool } from 'undici'
import { runToEnd } from '../../test/support/gateway.ts'

export type Load = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Requests in flight. */
  readonly connections: number
  readonly seconds: number
}

export type LoadResult = {
  readonly requests: number
  /** Wall clock. */
  readonly seconds: number
  readonly p99Ms: number
}

export type LoadTool = 'wrk' | 'undici'

/** `wrk` where it is installed: it takes less of the CPU that the measured server shares with it. */
export function chooseLoadTool(): LoadTool {
  return spawnSync('wrk', ['-v']).error === undefined ? 'wrk' : 'undici'
}

/** @throws {Error} if any answer was not 2xx: refusals are cheap, and would flatter. */
export function applyLoad(tool: LoadTool, load: Load): Promise<LoadResult> {
  return tool === 'wrk' ? applyWrk(load) : applyUndici(load)
}

async function applyWrk({ url, headers, connections, seconds }: Load): Promise<LoadResult> {
  const headerArguments = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...headerArguments]
  const { stdout, stderr } = await runToEnd('wrk', [...options, url], {})
  const total = /(\d+) requests in ([\d.]+)(ms|s|m),/.exec(stdout)
  const p99 = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout)
  if (total === null || p99 === null) throw new Error(`wrk: ${stdout}${stderr}`)
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`not every request succeeded: ${stdout}`)
  return {
    requests: Number(total[1]),
    seconds: Number(total[2]) * ({ ms: 0.001, s: 1, m: 60 }[total[3] ?? 's'] ?? 1),
    p99Ms: Number(p99[1]) * ({ us: 0.001, ms: 1, s: 1000 }[p99[2] ?? 'ms'] ?? 1),
  }
}

async function applyUndici({ url, headers, connections, seconds }: Load): Promise<LoadResult> {
  const { origin, pathname, search } = new URL(url)
  const pool = new Pool(origin, { connections })
  const latencies: number[] = []
  const started = performance.now()
  const end = started + seconds * 1000
  const loop = async () => {
    while (performance.now() < end) {
      const sent = performance.now()
      const answer = await pool.request({ method: 'GET', path: pathname + search, headers })
      await answer.body.dump()
      if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`)
      latencies.push(performance.now() - sent)
    }
  }
  await Promise.all(Array.from({ length: connections }, loop))
  const elapsed = (performance.now() - started) / 1000
  await pool.close()
  latencies.sort((a, b) => a - b)
  return {
    requests: latencies.length,
    seconds: elapsed,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
  }
}
