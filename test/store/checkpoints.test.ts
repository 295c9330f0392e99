import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createChain, createChainKey } from '../../src/audit/chain.ts'
import { createCheckpoints } from '../../src/store/checkpoints.ts'
import { openStore } from '../../src/store/store.ts'
import { temporaryFolder } from './temporary-store.ts'

const KEY = createChainKey('a secret of forty characters, or a few more')

/** A database whose own connection leaves everything in the write-ahead log. */
function openLogged() {
  const path = join(temporaryFolder(), 'gateway.db')
  const database = new SQLite(path)
  database.pragma('journal_mode = WAL')
  database.pragma('wal_autocheckpoint = 0')
  database.exec('create table texts (text)')
  const checkpoints = createCheckpoints(path)
  onTestFinished(async () => {
    await checkpoints.close()
    database.close()
  })
  const write = (pages: number) => {
    const insert = database.prepare('insert into texts values (?)')
    database.transaction(() => {
      for (let page = 0; page < pages; page += 1) insert.run('x'.repeat(4000))
    })()
  }
  return { path, database, checkpoints, write, waiting: () => pagesWaitingIn(database) }
}

function pagesWaitingIn(database: SQLite.Database): number {
  const [at] = database.pragma('wal_checkpoint(NOOP)') as { log: number; checkpointed: number }[]
  return (at?.log ?? 0) - (at?.checkpointed ?? 0)
}

describe('checkpoints', () => {
  it('are done by a thread, so that the log begins anew', async () => {
    const { path, checkpoints, write, waiting } = openLogged()
    for (let round = 0; round < 4; round += 1) {
      write(2500)
      expect(waiting()).toBeGreaterThan(2500)
      await vi.waitFor(() => {
        // As whoever writes does it after each batch: the thread may still be busy with the last one.
        checkpoints.consider(waiting())
        expect(waiting()).toBe(0)
      }, 10_000)
    }
    // 40 MB were written.
    expect(statSync(`${path}-wal`).size).toBeLessThan(12_000_000)
  })

  it('wait until there is enough to do', async () => {
    const { checkpoints, write, waiting } = openLogged()
    write(500)
    const before = waiting()
    checkpoints.consider(before)
    await checkpoints.close()
    expect(waiting()).toBe(before)
  })

  it('take in what is written meanwhile', async () => {
    const { checkpoints, write, waiting } = openLogged()
    write(2500)
    checkpoints.consider(waiting())
    for (let batch = 0; batch < 20; batch += 1) {
      write(60)
      await new Promise(setImmediate)
    }
    // What came after the thread had looked for the last time is for the next one.
    await vi.waitFor(() => expect(waiting()).toBeLessThan(2000), 10_000)
  })

  it('that cannot be done hold up nobody, neither then nor at the end', async () => {
    const checkpoints = createCheckpoints(join(temporaryFolder(), 'nothing.db'))
    checkpoints.consider(10_000)
    await checkpoints.close()
    checkpoints.consider(10_000)
  })

  it('keep the log of a store short that is written to all the time, and the last to close removes it', async () => {
    const path = join(temporaryFolder(), 'gateway.db')
    const store = await openStore({ databaseUrl: `sqlite:${path}`, now: () => 1_800_000_000 })
    const chain = createChain(KEY, 'gateway')
    const event = {
      ...{
        at: '2026-11-28T09:00:00.000Z',
        requestId: 'r',
        event: 'decision' as const,
        method: 'GET',
        path: '/',
      },
      ...{ effect: 'allow' as const, status: 200, bytesIn: 0, bytesOut: 0, durationMs: 1 },
      remoteAddress: '192.0.2.1'.padEnd(3000),
    }
    const append = (events: number) =>
      store.audit.append(
        chain,
        Array.from({ length: events }, () => chain.add(event)),
      )
    const onlooker = new SQLite(path)
    for (let batch = 0; batch < 40; batch += 1) await append(250)
    // 40 MB were written, of which SQLite itself would move nothing yet.
    await vi.waitFor(async () => {
      await append(1)
      expect(pagesWaitingIn(onlooker)).toBeLessThan(2100)
    }, 10_000)
    onlooker.close()
    await store.close()
    expect(existsSync(`${path}-wal`)).toBe(false)
  })
})
