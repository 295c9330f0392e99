/**
 * The warm, authenticated, authorized GET through the gateway beside bare Fastify + reply-from, in one run and against
 * the same fixed upstream. What counts is CPU time per request, from each server's own account: wall clock on a shared
 * machine measures the neighbours too.
 *
 *   npm run bench                      five rounds of four seconds each
 *   BENCH_ROUNDS=9 BENCH_SECONDS=10 npm run bench
 *   BENCH_NODE_OPTIONS=--max-semi-space-size=1 npm run bench     what another setting does to the gateway
 *
 * Servers take turns within every round, and medians over the rounds are printed.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFixedUpstream } from './support/fixed-upstream.ts'
import { applyLoad, chooseLoadTool, type Load, type LoadTool } from './support/load.ts'
import {
  readUsage,
  type Subject,
  startBareProxy,
  startGatewaySubject,
  startVerifyingProxy,
} from './support/subjects.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 4)
const NODE_OPTIONS = (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter((option) => option !== '')
const CONNECTIONS = 32
const PATH = '/api/2.0/mlflow/experiments/get?experiment_id=1'

type Sample = {
  readonly cpuUs: number
  readonly rate: number
  readonly p99Ms: number
  readonly residentMiB: number
}

async function measure(tool: LoadTool, subject: Subject, seconds: number): Promise<Sample> {
  const load: Load = {
    url: subject.url + PATH,
    headers: subject.headers,
    connections: CONNECTIONS,
    seconds,
  }
  const before = await readUsage(subject)
  const result = await applyLoad(tool, load)
  const after = await readUsage(subject)
  return {
    cpuUs: (after.cpuUs - before.cpuUs) / result.requests,
    rate: result.requests / result.seconds,
    p99Ms: result.p99Ms,
    residentMiB: after.residentBytes / 2 ** 20,
  }
}

async function measureAll(
  tool: LoadTool,
  subjects: readonly Subject[],
): Promise<ReadonlyMap<Subject, readonly Sample[]>> {
  const samples = new Map<Subject, Sample[]>(subjects.map((subject) => [subject, []]))
  // Not measured: compilers settle, connections open, caches fill.
  for (const subject of subjects) await measure(tool, subject, 3)
  for (let round = 0; round < ROUNDS; round++) {
    // Whoever goes first finds a cooler machine, so the order turns.
    const order = subjects.map((_, index) => subjects[(index + round) % subjects.length])
    for (const subject of order) {
      if (subject !== undefined) samples.get(subject)?.push(await measure(tool, subject, SECONDS))
    }
  }
  return samples
}

function median(samples: readonly Sample[] | undefined, key: keyof Sample): number {
  const sorted = (samples ?? []).map((sample) => sample[key]).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

function report(samples: ReadonlyMap<Subject, readonly Sample[]>, bare: Subject): void {
  const row = (...cells: readonly string[]) => {
    console.log([cells[0]?.padEnd(24), ...cells.slice(1).map((cell) => cell.padStart(12))].join(''))
  }
  row('', 'µs CPU/req', 'req/s', 'p99 ms', 'RSS MiB', 'ratio')
  for (const [subject, taken] of samples) {
    const cpuUs = median(taken, 'cpuUs')
    row(
      subject.name,
      cpuUs.toFixed(1),
      Math.round(median(taken, 'rate')).toString(),
      median(taken, 'p99Ms').toFixed(2),
      median(taken, 'residentMiB').toFixed(0),
      (cpuUs / median(samples.get(bare), 'cpuUs')).toFixed(2),
    )
  }
}

const dir = mkdtempSync(join(tmpdir(), 'gateway-bench-'))
const started: { readonly stop: () => Promise<void> }[] = []
const keep = <T extends (typeof started)[number]>(running: T): T => {
  started.push(running)
  return running
}
try {
  const tool = chooseLoadTool()
  const upstream = keep(await startFixedUpstream(join(dir, 'upstream')))
  const bare = keep(await startBareProxy(upstream.url))
  const verifying = keep(await startVerifyingProxy(upstream.url, dir))
  const gateway = keep(await startGatewaySubject(upstream.url, join(dir, 'gateway'), NODE_OPTIONS))
  console.log(
    `${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, ${tool}, upstream ${upstream.kind}`,
  )
  const samples = await measureAll(tool, [bare, verifying, gateway])
  report(samples, bare)
  const ratio = median(samples.get(gateway), 'cpuUs') / median(samples.get(bare), 'cpuUs')
  console.log(`\ngateway / bare proxy: ${ratio.toFixed(2)} (budget: 1.00)`)
} finally {
  await Promise.all(started.map(({ stop }) => stop()))
  rmSync(dir, { recursive: true, force: true })
}
