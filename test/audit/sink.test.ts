import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ChainedEvent } from '../../src/audit/chain.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { createAuditSink } from '../../src/audit/sink.ts'
import { decision } from './event-examples.ts'
import { testChain } from './test-chain.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

/** A store that keeps batches, and fails while told to. */
function keepingStore() {
  const batches: (readonly AuditEvent[])[] = []
  const state = { broken: false }
  const append = async (events: readonly ChainedEvent[]) => {
    if (state.broken) throw new Error('database is locked')
    batches.push(events.map(({ event }) => event))
  }
  return { state, append, batches, ids: () => batches.flat().map(({ requestId }) => requestId) }
}

function numbered(count: number): AuditEvent[] {
  return Array.from({ length: count }, (_, index) => decision({ requestId: `r${index}` }))
}

function linesIn(name: string): string[] {
  return readFileSync(join(folder, name), 'utf8').trimEnd().split('\n')
}

describe('the file', () => {
  it('gets one JSON line per event, in order, and is for its owner only', async () => {
    const sink = await createAuditSink({
      chain: testChain(),
      file: { path: join(folder, 'deep', 'audit.log'), maxMb: 1, count: 2 },
    })
    for (const event of numbered(600)) sink.record(event)
    await sink.close()
    const [name = ''] = readdirSync(join(folder, 'deep'))
    const lines = linesIn(join('deep', name)).map((line) => JSON.parse(line))
    expect(lines.map(({ requestId }) => requestId)).toEqual(numbered(600).map(({ requestId }) => requestId))
    expect(lines[0]).toEqual({
      log: 'audit',
      chain: { id: expect.any(String), seq: 1, digest: expect.any(String) },
      ...JSON.parse(JSON.stringify(decision({ requestId: 'r0' }))),
    })
    expect(statSync(join(folder, 'deep', name)).mode & 0o777).toBe(0o600)
    expect(sink.dropped()).toBe(0)
  })

  it('is rotated by size, and old ones go', async () => {
    const sink = await createAuditSink({
      chain: testChain(),
      file: { path: join(folder, 'audit.log'), maxMb: 1, count: 2 },
    })
    const event = decision({ reason: 'x'.repeat(4000) })
    for (let round = 0; round < 8; round += 1) {
      for (let index = 0; index < 250; index += 1) sink.record(event)
      await sink.flush()
      await expect.poll(() => readdirSync(folder).length).toBeGreaterThan(0)
    }
    await sink.close()
    expect(readdirSync(folder).length).toBeGreaterThan(1)
    expect(readdirSync(folder).length).toBeLessThanOrEqual(4)
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThan(3_000_000)
  })

  it('that cannot be opened is told at the start, not at the first event', async () => {
    await expect(
      createAuditSink({
        chain: testChain(),
        file: { path: join('/dev/null', 'audit.log'), maxMb: 1, count: 2 },
      }),
    ).rejects.toThrow()
  })
})

describe('the store', () => {
  it('gets batches, not single events', async () => {
    const store = keepingStore()
    const sink = await createAuditSink({ chain: testChain(), store, batchMs: 10 })
    for (const event of numbered(600)) sink.record(event)
    expect(store.batches).toEqual([])
    await expect.poll(() => store.ids().length).toBe(600)
    expect(store.batches.length).toBeLessThanOrEqual(3)
    await sink.close()
  })

  it('gets a full batch at once, however long a batch may wait', async () => {
    const store = keepingStore()
    const sink = await createAuditSink({ chain: testChain(), store, batchMs: 60_000 })
    for (const event of numbered(249)) sink.record(event)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(store.batches).toEqual([])
    sink.record(decision({ requestId: 'the last that fits' }))
    await expect.poll(() => store.ids().length).toBe(250)
    await sink.close()
  })

  it('gets what comes while it writes with the next batch: no transaction for a single event', async () => {
    const store = keepingStore()
    const append = async (events: readonly ChainedEvent[]) => {
      if (store.batches.length < 5) sink.record(decision({ requestId: `after ${store.batches.length}` }))
      await store.append(events)
    }
    const sink = await createAuditSink({ chain: testChain(), store: { append }, batchMs: 60_000 })
    sink.record(decision({ requestId: 'first' }))
    await sink.flush()
    expect(store.ids()).toEqual(['first'])
    await sink.flush()
    expect(store.ids()).toEqual(['first', 'after 0'])
    await sink.close()
  })

  it('gets what waited once it works again, in order', async () => {
    const store = keepingStore()
    const faults: unknown[] = []
    const sink = await createAuditSink({ chain: testChain(), store, onFault: (fault) => faults.push(fault) })
    store.state.broken = true
    for (const event of numbered(3)) sink.record(event)
    await sink.flush()
    expect(faults).toHaveLength(1)
    store.state.broken = false
    sink.record(decision({ requestId: 'last' }))
    await sink.flush()
    expect(store.ids()).toEqual(['r0', 'r1', 'r2', 'last'])
    expect(sink.dropped()).toBe(0)
    await sink.close()
  })

  it('is tried again by itself when no further event comes', async () => {
    const store = keepingStore()
    const sink = await createAuditSink({ chain: testChain(), store, batchMs: 1 })
    store.state.broken = true
    sink.record(decision())
    await sink.flush()
    store.state.broken = false
    await expect.poll(() => store.ids().length, { timeout: 3000 }).toBe(1)
    await sink.close()
  })

  it('that stays broken costs no more than the queue, and every loss is counted', async () => {
    const store = keepingStore()
    const sink = await createAuditSink({ chain: testChain(), store, queueLimit: 100 })
    store.state.broken = true
    for (const event of numbered(100)) sink.record(event)
    await sink.flush()
    for (const event of numbered(40)) sink.record(event)
    await sink.flush()
    expect(sink.dropped()).toBe(40)
    await sink.close()
    expect(sink.dropped()).toBe(140)
  })
})

describe('the queue', () => {
  it('has a limit, and counts what is beyond it', async () => {
    const store = keepingStore()
    const sink = await createAuditSink({ chain: testChain(), store, queueLimit: 10 })
    for (const event of numbered(25)) sink.record(event)
    expect(sink.dropped()).toBe(15)
    await sink.close()
    expect(store.ids()).toEqual(numbered(10).map(({ requestId }) => requestId))
  })

  it('has that limit also for what waits behind a store that does not answer', async () => {
    let answer = () => {}
    const append = () =>
      new Promise<void>((resolve) => {
        answer = resolve
      })
    const sink = await createAuditSink({ chain: testChain(), store: { append }, queueLimit: 600 })
    for (const event of numbered(600)) sink.record(event)
    await new Promise((resolve) => setTimeout(resolve, 10))
    // 250 are with the store, so there is room for as many.
    for (const event of numbered(600)) sink.record(event)
    expect(sink.dropped()).toBe(350)
    const closed = sink.close()
    while (
      (await Promise.race([closed, new Promise((next) => setTimeout(next, 1, 'not yet'))])) === 'not yet'
    )
      answer()
  })

  it('counts what comes after the end', async () => {
    const sink = await createAuditSink({ chain: testChain() })
    await sink.close()
    sink.record(decision())
    expect(sink.dropped()).toBe(1)
  })
})

it('writes to standard output as lines told apart from the program’s log', () => {
  const program = `
    import { createAuditSink } from './src/audit/sink.ts'
    import { decision } from './test/audit/event-examples.ts'
    import { testChain } from './test/audit/test-chain.ts'
    const sink = await createAuditSink({ chain: testChain(), stdout: true })
    sink.record(decision())
    await sink.close()`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', program], {
    encoding: 'utf8',
  })
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([{ log: 'audit', event: 'decision' }])
})
