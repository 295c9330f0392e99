/**
 * What the gateway does with 100,000 people, 1,000,000 grants and 10,000 roles: the time of every page and list, of a
 * decision, of the first request of somebody, and of a start; memory; how soon a grant counts. It only reports: the
 * budgets are held by `test/store/scale.test.ts`, by counts that do not depend on the machine.
 *
 *   npm run bench:scale                                populates a temporary store first (some minutes)
 *   npm run bench:scale -- --database /tmp/large.db    one that `bench/populate.ts` has filled
 *   npm run bench:scale -- --people-asking 1000        fewer different people
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openDatabase, openForRecords } from '../src/store/database.ts'
import { openStore } from '../src/store/store.ts'
import { gatewayEnvironment, type RunningGateway, startGateway } from '../test/support/gateway.ts'
import { freePort } from '../test/support/mlflow.ts'
import { REPORT_USAGE, readUsage } from './support/own-usage.ts'
import { FULL, populate } from './support/population.ts'
import { type Callers, createCallers } from './support/scale/callers.ts'
import { quantiles, timeDecisions } from './support/scale/decisions.ts'
import { startLargeMlflow } from './support/scale/mlflow.ts'
import { type Page, pagesFor } from './support/scale/pages.ts'

/** Further options of Node's for the gateway. */
const NODE_OPTIONS = (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter((option) => option !== '')
const ROUNDS = 5
const PAGE_BUDGET_MS = 300
const DECISION_BUDGET_US = 20
const START_BUDGET_S = 3
const MEMORY_BUDGET_MIB = 512

const { values } = parseArgs({
  options: { database: { type: 'string' }, 'people-asking': { type: 'string', default: '10000' } },
})
const dir = mkdtempSync(join(tmpdir(), 'gateway-scale-'))
// Whoever ends the measuring ends the gateways too: they die at this process's exit, but not at a signal to it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
const started: { readonly stop: () => Promise<void> }[] = []
const keep = <T extends (typeof started)[number]>(running: T): T => {
  started.push(running)
  return running
}

function line(what: string, figure: string, budget = '', isMissed = false): void {
  console.log(`${what.padEnd(64)}${figure.padStart(20)}  ${budget}${isMissed ? '  MISSED' : ''}`)
}

async function storeFile(): Promise<string> {
  if (values.database !== undefined) return values.database
  const file = join(dir, 'gateway.db')
  const databaseUrl = `sqlite:${file}`
  await (await openDatabase({ databaseUrl })).destroy()
  const db = await openForRecords({ databaseUrl })
  await populate(db, { sizes: FULL, seed: 1, at: Math.floor(Date.now() / 1000), onStep: console.log })
  await db.destroy()
  return file
}

async function ask(gateway: RunningGateway, { path, as }: Omit<Page, 'what'>) {
  const began = performance.now()
  const answer = await fetch(gateway.url + path, { headers: as, redirect: 'manual' })
  const bytes = (await answer.arrayBuffer()).byteLength
  return { ms: performance.now() - began, status: answer.status, bytes }
}

/** CPU time of the process: by the clock, a shared machine measures the neighbours too. */
async function cpuMs({ child }: RunningGateway): Promise<number> {
  return (await readUsage({ process: child })).cpuUs / 1000
}

async function timePages(gateway: RunningGateway, callers: Callers): Promise<void> {
  for (const page of pagesFor(callers)) {
    const first = await ask(gateway, page)
    const times: number[] = []
    const before = await cpuMs(gateway)
    for (let round = 0; round < ROUNDS; round++) times.push((await ask(gateway, page)).ms)
    const cpu = ((await cpuMs(gateway)) - before) / ROUNDS
    const figure = `${first.status} ${(first.bytes / 1024).toFixed(0)} KiB ${cpu.toFixed(0)} ms CPU`
    const clock = `${quantiles(times).p50.toFixed(0)} ms by the clock, at first ${first.ms.toFixed(0)} ms`
    line(page.what, figure, clock, cpu > PAGE_BUDGET_MS || first.status !== 200)
  }
}

async function timeDecisionsIn(databaseUrl: string): Promise<void> {
  const store = await openStore({ databaseUrl, now: () => Math.floor(Date.now() / 1000) })
  for (const [held, { p50, p99 }] of await timeDecisions(store)) {
    const what = held === 'patterns' ? 'a decision over 10,000 patterns' : `a decision over ${held} grants`
    line(what, `${p50.toFixed(1)} / ${p99.toFixed(1)} µs`, 'p50 / p99', p99 > DECISION_BUDGET_US)
  }
  await store.close()
}

/** One request each, none of them known to the process before. */
async function timeStrangers(gateway: RunningGateway, { others }: Callers): Promise<void> {
  const times: number[] = []
  for (const [index, as] of others.entries()) {
    const path = `/api/2.0/mlflow/experiments/get?experiment_id=${1 + index}`
    times.push((await ask(gateway, { path, as })).ms)
  }
  const { p50, p99 } = quantiles(times)
  line('first request of a person', `${p50.toFixed(1)} / ${p99.toFixed(1)} ms`, 'p50 / p99')
  const resident = gateway.residentMiB()
  line(`RSS after ${others.length} people`, `${resident.toFixed(0)} MiB`, '', resident > MEMORY_BUDGET_MIB)
}

async function timeGrant(gateways: readonly RunningGateway[], callers: Callers): Promise<void> {
  const [own] = gateways
  for (const [index, gateway] of gateways.entries()) {
    const key = String(900 + index)
    const asked = {
      path: `/api/2.0/mlflow/experiments/get?experiment_id=${key}`,
      as: callers.script('stranger'),
    }
    await ask(gateway, asked)
    const began = performance.now()
    const body = { username: 'probe-stranger', resource_type: 'experiment', key, level: 'READ' }
    const granted = await fetch(`${own?.url}/auth/api/v1/grants`, {
      method: 'POST',
      headers: { ...callers.script('admin'), 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (granted.status !== 201) throw new Error(`the grant was answered ${granted.status}`)
    const answeredMs = performance.now() - began
    while ((await ask(gateway, asked)).status !== 200 && performance.now() - began < 5000)
      await new Promise((resolve) => setTimeout(resolve, 5))
    const where = index === 0 ? 'the same process' : 'another process'
    const figure = `${(performance.now() - began).toFixed(0)} ms`
    line(`a grant counts in ${where}`, figure, `answered after ${answeredMs.toFixed(0)} ms`)
  }
}

try {
  const file = await storeFile()
  const upstream = keep(await startLargeMlflow(FULL.experiments))
  const port = await freePort()
  const settings = {
    upstreamUrl: upstream.url,
    env: {
      ...{ OIDC_ISSUER: 'https://issuer.invalid', OIDC_CLIENT_ID: 'bench', ADMIN_USERS: 'probe-admin' },
      // The same in every run: the keys in the store are sealed with it.
      GATEWAY_SECRET: 'for-stores-that-bench-populate-has-filled-and-no-others',
      ...{ DATABASE_URL: `sqlite:${file}`, AUDIT_STDOUT: 'false', AUDIT_STORE_DAYS: '60', LOG_LEVEL: 'warn' },
    },
  }
  const env = gatewayEnvironment(port, dir, settings)
  const callers = await createCallers(env, Number(values['people-asking']))
  const run = async (of: number) =>
    keep(
      await startGateway({
        ...{ upstreamUrl: upstream.url, env: { ...env, PORT: String(of) }, port: of, dir },
        ...{ ipc: true, nodeOptions: ['--import', REPORT_USAGE, ...NODE_OPTIONS] },
      }),
    )
  const began = performance.now()
  const gateway = await run(port)
  while ((await fetch(`${gateway.url}/readyz`)).status !== 200 && performance.now() - began < 30_000)
    await new Promise((resolve) => setTimeout(resolve, 10))
  const seconds = (performance.now() - began) / 1000
  const startCpu = (await cpuMs(gateway)) / 1000
  const clock = `${seconds.toFixed(2)} s by the clock`
  line('start until ready', `${startCpu.toFixed(2)} s CPU`, clock, startCpu > START_BUDGET_S)
  line('RSS when ready', `${gateway.residentMiB().toFixed(0)} MiB`)
  await timePages(gateway, callers)
  line('RSS after all pages', `${gateway.residentMiB().toFixed(0)} MiB`)
  await timeDecisionsIn(env['DATABASE_URL'] ?? '')
  await timeStrangers(gateway, callers)
  await timeGrant([gateway, await run(await freePort())], callers)
} finally {
  for (const { stop } of started.reverse()) await stop()
  rmSync(dir, { recursive: true, force: true })
}
