/**
 * Three replicas behind HAProxy on PostgreSQL and Redis, a real MLflow, Keycloak, and people at work, while rights and
 * credentials change and replicas are killed and replaced. Whatever is answered is held against what was in force at that
 * moment, and what the tracking server holds in the end against what was answered.
 *
 * FAULTS_MINUTES says how long; unset, every change comes once.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pause } from './asking.ts'
import { CHANGES } from './changes.ts'
import { REPLICAS } from './company.ts'
import { metricsAt } from './landed.ts'
import { describeMemory, type MemoryWatch, peaks, secondsOf, watchMemory } from './memory.ts'
import { crash, restartAll } from './outages.ts'
import { describePropagation, type Propagation } from './propagation.ts'
import { createWorld, NAMES, type World } from './world.ts'

const MINUTES = Number(process.env['FAULTS_MINUTES'] ?? 0)

/** Far more than a replica needs. */
const MEMORY_LIMIT_MIB = 512

/** Memory rises and falls with the garbage. Its peaks stay: those of the second half of a life beside those of the first. */
const GROWTH_LIMIT = 1.25
const LONG_LIFE_S = 240

const propagation: Propagation = new Map()
let world: World
let memory: MemoryWatch

beforeAll(async () => {
  world = await createWorld()
  memory = watchMemory(world)
}, 400_000)

afterAll(async () => {
  memory?.stop()
  await world?.stop()
}, 60_000)

test(
  'while everything changes and replicas die, every answer is the one that must come',
  async () => {
    const ends = performance.now() + MINUTES * 60_000
    for (const name of NAMES) world.asker.work(world.throughHaproxy(name), world.people[name])
    world.asker.haunt(world.throughHaproxy('what has ended'), world.people.dora, world.ended)
    let round = 0
    do {
      for (const change of Object.values(CHANGES)) {
        await change(world, propagation, REPLICAS[round % REPLICAS.length] ?? '1')
        round += 1
      }
      // At the start of it, so that half an hour has replicas that live long.
      if (round > Object.keys(CHANGES).length) continue
      for (const id of REPLICAS) await crash(world, id)
      await restartAll(world)
    } while (performance.now() < ends)
    await pause(1000)
    await world.asker.stop()
    report()
    expect(world.ledger.wrong.slice(0, 20)).toEqual([])
  },
  (MINUTES + 8) * 60_000,
)

test('most requests were worth sending', () => {
  const count = (outcome: string) => world.ledger.outcomes.get(outcome) ?? 0
  for (const outcome of ['done', 'empty', 'forbidden', 'unauthenticated', 'locked down'])
    expect.soft(count(outcome), outcome).toBeGreaterThan(20)
  expect.soft(count('done')).toBeGreaterThan(1000)
})

test('a kill costs nobody more than the one request that was on its way', () => {
  expect(world.ledger.lostAtKill).toHaveLength(REPLICAS.length)
  for (const lost of world.ledger.lostAtKill) expect(lost).toBeLessThanOrEqual(NAMES.length + 1)
})

test('the tracking server holds what was acknowledged, and nothing that was refused', async () => {
  const { place, people, ledger, company } = world
  const runs = [place.secret.runId, ...NAMES.map((name) => people[name].runId)]
  for (const runId of runs)
    for (const key of ['single', 'batch', 'stolen']) {
      const landed = await metricsAt(company.mlflow.url, runId, key)
      const writes = ledger.writes.filter((write) => write.runId === runId && write.key === key)
      const steps = (isDone: boolean) => writes.filter(({ outcome }) => (outcome === 'done') === isDone)
      const refused = steps(false).filter(({ outcome }) => !outcome.startsWith('lost'))
      expect(
        steps(true).filter(({ step }) => !landed.has(step)),
        `lost of ${key}`,
      ).toEqual([])
      expect(
        refused.filter(({ step }) => landed.has(step)),
        `refused and there, ${key}`,
      ).toEqual([])
    }
})

test('no replica met a fault of its own, and the record of all of them is whole', async () => {
  const isFault = (line: string) => /"level":[56]0/.test(line)
  const faults = world.company.started.flatMap(({ output }) => output().split('\n').filter(isFault))
  expect(faults).toEqual([])
  const { code, stdout, stderr } = await world.company.replica('1').cli('audit', 'verify')
  expect(code, stdout + stderr).toBe(0)
})

test('memory stays bounded', () => {
  for (const life of memory.lives) {
    const [first = 0, second = 0] = peaks(life, 2)
    expect(Math.max(first, second)).toBeLessThan(MEMORY_LIMIT_MIB)
    if (secondsOf(life) >= LONG_LIFE_S) expect(second / first).toBeLessThan(GROWTH_LIMIT)
  }
})

function report(): void {
  const { outcomes, lostAtKill, wrong } = world.ledger
  const counts = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
  console.log(
    [
      `Requests: ${counts}; lost with each replica that was killed: ${lostAtKill.join(', ')}; wrong: ${wrong.length}`,
      describePropagation(propagation),
      describeMemory(memory.lives),
    ].join('\n'),
  )
}
