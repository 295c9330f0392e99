import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest'
import { runCli } from '../../src/cli/program.ts'
import type { Store } from '../../src/store/store.ts'
import { decision } from '../audit/event-examples.ts'
import { chained, testChain } from '../audit/test-chain.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { type CliFixture, cliFixture } from './run.ts'

let cli: CliFixture
let store: Store
beforeEach(async () => {
  cli = await cliFixture()
  store = await cli.store()
})
afterEach(async () => {
  await store.close()
  await cli.clean()
})

const chain = () => testChain()

/** Keeps decisions about these experiments, in this order. */
async function keep(ids: readonly string[], change: Parameters<typeof decision>[0] = {}): Promise<void> {
  const events = ids.map((id) => decision({ resources: [{ type: 'experiment', id }], ...change }))
  const own = chain()
  await store.audit.append(own, chained(own, events))
}

/** Starts the command, which goes on until the test ends or `stop`. @returns Ids of the experiments it has told of so far. */
function follow(...args: readonly string[]) {
  const controller = new AbortController()
  let out = ''
  const ended = runCli(['audit', 'tail', '--follow', ...args], {
    env: cli.env,
    now: () => Math.floor(Date.now() / 1000),
    readFile: (path) => readFileSync(path, 'utf8'),
    out: (text) => {
      out += text
    },
    err: () => undefined,
    stopped: () => controller.signal,
  })
  const stop = () => {
    controller.abort()
    return ended
  }
  onTestFinished(async () => void (await stop()))
  return { stop, told: () => [...out.matchAll(/experiment (\w+)/g)].map(([, id]) => id), text: () => out }
}

const PATIENT = { timeout: 15_000 }

it('tells the newest, oldest first, and ends', async () => {
  await keep(Array.from({ length: 12 }, (_, index) => `e${index}`))
  const { code, out } = await cli.run('audit', 'tail')
  const told = [...out.matchAll(/experiment (\w+)/g)].map(([, id]) => id)
  expect([code, told]).toEqual([0, Array.from({ length: 10 }, (_, index) => `e${index + 2}`)])
  expect(out).toMatch(
    /^2026-11-25T09:00:00 {2}ada {2}experiments\.get {2}experiment e2 {2}allow {2}- {2}01HZX3J8Q0G5T7W9Y1A2B3C4D5\n/,
  )
})

it('goes on with those that come, each once, until it is told to stop', async () => {
  await keep(['before'])
  const { told, stop } = follow()
  await expect.poll(told, PATIENT).toEqual(['before'])
  await keep(['first', 'second'])
  await expect.poll(told, PATIENT).toEqual(['before', 'first', 'second'])
  await keep(['third'])
  await expect.poll(told, PATIENT).toEqual(['before', 'first', 'second', 'third'])
  expect(await stop()).toBe(0)
})

it('tells only of what is asked for, and JSON as the audit file has it', async () => {
  const { told, text } = follow('--effect', 'deny', '--json')
  await keep(['allowed'])
  await keep(['denied'], { effect: 'deny', reason: 'no_grant' })
  await expect.poll(() => text().includes('"id":"denied"'), PATIENT).toBe(true)
  expect(text()).toMatch(/^\{"log":"audit","chain":\{"id":"[0-9A-Z]{26}",.*\}\n$/)
  expect([text().includes('allowed'), told()]).toEqual([false, []])
})

it('misses none that another gateway commits later than one with a higher number', async () => {
  await keep(['before'])
  const database: TestDatabase = await createTestDatabase(cli.folder)
  if (!database.databaseUrl.startsWith('sqlite:')) return database.drop()
  const { told } = follow()
  await expect.poll(told, PATIENT).toEqual(['before'])
  const insert = (id: number, name: string) =>
    database.query(
      `insert into audit_events (id, at, effect, event) values
       (${id}, 1, 'allow', '${JSON.stringify(decision({ resources: [{ type: 'experiment', id: name }] }))}')`,
    )
  await insert(1005, 'high')
  await expect.poll(told, PATIENT).toEqual(['before', 'high'])
  await insert(1002, 'late')
  await expect.poll(told, PATIENT).toEqual(['before', 'high', 'late'])
})
