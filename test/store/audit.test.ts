import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { columnsOf } from '../../src/store/audit.ts'
import { pageOf } from '../../src/store/audit-query.ts'
import { openForRecords } from '../../src/store/database.ts'
import { chained, TEST_KEY, testChain } from '../audit/test-chain.ts'
import { openTemporaryStore } from './temporary-store.ts'

const event = (second: number, more: object = {}) => ({
  at: new Date(second * 1000 + 250).toISOString(),
  requestId: `r${second}`,
  effect: 'allow',
  path: '/api/2.0/mlflow/runs/get',
  ...more,
})

describe('audit events', () => {
  it('are found by time and person, newest first, as they were given', async () => {
    const { store } = await openTemporaryStore()
    const chain = testChain()
    const alice = { userId: 'u1', username: 'alice', resources: [{ type: 'experiment', id: '1' }] }
    await store.audit.append(chain, chained(chain, [event(10), event(20, alice), event(30, alice)]))
    await store.audit.append(chain, chained(chain, []))
    expect(await store.audit.query({ limit: 10 })).toEqual([event(30, alice), event(20, alice), event(10)])
    expect(await store.audit.query({ since: 20, limit: 10 })).toHaveLength(2)
    expect(await store.audit.query({ user: 'alice', limit: 1 })).toEqual([event(30, alice)])
    expect(await store.audit.query({ user: 'u1', since: 30, limit: 10 })).toEqual([event(30, alice)])
    expect(await store.audit.query({ user: "alice' or 1=1 --", limit: 10 })).toEqual([])
  })

  it('are found by what was done, a page at a time, and counted over time', async () => {
    const { store } = await openTemporaryStore()
    const chain = testChain()
    const of = (second: number, operation: string, effect = 'allow', reason?: string) =>
      event(second, { operation, effect, reason })
    const [a, b, c, d] = [
      of(10, 'runs.get'),
      of(65, 'runs.delete', 'deny', 'level_too_low'),
      of(70, 'runs2.get'),
      of(130, 'runs.get', 'deny', 'no_grant'),
    ] as const
    await store.audit.append(chain, chained(chain, [a, b, c, d]))
    expect(await store.audit.query({ operation: 'runs', limit: 9 })).toEqual([d, b, a])
    expect(await store.audit.query({ operation: 'runs.get', limit: 9 })).toEqual([d, a])
    expect(await store.audit.query({ effect: 'deny', until: 130, limit: 9 })).toEqual([b])
    expect(await store.audit.query({ reason: 'no_grant', limit: 9 })).toEqual([d])
    const [newest, second] = (await store.audit.page({ limit: 2 })).events
    expect([newest?.event, second?.event]).toEqual([d, c])
    expect(await store.audit.query({ before: second?.number, limit: 9 })).toEqual([b, a])
    expect(await store.audit.counts({}, 60)).toEqual([
      { from: 0, effect: 'allow', events: 1 },
      { from: 60, effect: 'allow', events: 1 },
      { from: 60, effect: 'deny', events: 1 },
      { from: 120, effect: 'deny', events: 1 },
    ])
  })

  it('that are rare are found in steps, none of which looks at more than so many, and none of them twice', async () => {
    const { store, databaseUrl } = await openTemporaryStore()
    const [rare, chain] = [{ ...event(3), effect: 'error' }, testChain()]
    const others = Array.from({ length: 20 }, (_, at) => event(4 + at))
    await store.audit.append(chain, chained(chain, [event(1), event(2), rare, ...others]))
    const db = await openForRecords({ databaseUrl })
    const pages: unknown[] = []
    let before: number | undefined
    for (let turn = 0; turn < 9; turn++) {
      const { events, next } = await pageOf(db, { effect: 'error', before, limit: 5 }, 10)
      pages.push(events.map((each) => each.event))
      before = next
      if (next === undefined) break
    }
    await db.destroy()
    expect(pages).toEqual([[], [], [rare]])
  })

  it.each([1, 2, 255, 256, 257, 1000])('are kept whole in few statements, %d at once', async (length) => {
    const { store, statements } = await openTemporaryStore()
    const chain = testChain()
    const events = Array.from({ length }, (_, index) => event(index))
    await store.audit.append(chain, chained(chain, events))
    const bits = length.toString(2).replaceAll('0', '').length
    expect(statements.filter((sql) => sql.startsWith('insert')).length).toBeLessThanOrEqual(bits + 4)
    expect(await store.audit.query({ limit: 10_000 })).toEqual(events.toReversed())
  })

  it('have in each column what the text says, in the order of their chain, whatever the batches', async () => {
    const { store, databaseUrl } = await openTemporaryStore()
    const text = fc.string({ unit: 'grapheme' }).map((each) => each.replaceAll('\0', ''))
    const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
    const recorded = fc.record({
      at: fc
        .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
        .map((date) => date.toISOString()),
      requestId: optional(text),
      userId: optional(text),
      username: optional(text),
      operation: optional(text),
      effect: text,
      reason: optional(text),
      status: optional(fc.nat(999)),
    })
    const batches = fc.array(fc.array(recorded, { maxLength: 70 }), { minLength: 1, maxLength: 3 })
    const db = await openForRecords({ databaseUrl })
    onTestFinished(() => db.destroy())
    await fc.assert(
      fc.asyncProperty(batches, async (batches) => {
        const chain = testChain()
        const given = batches.map((batch) => chained(chain, batch))
        for (const batch of given) await store.audit.append(chain, batch)
        const { number } = (await db
          .selectFrom('audit_chains')
          .select('number')
          .where('id', '=', chain.id)
          .executeTakeFirst()) ?? { number: 0 }
        const rows = await db
          .selectFrom('audit_events')
          .selectAll()
          .where('chain', '=', number)
          .orderBy('id')
          .execute()
        const expected = given.flat().map(({ event, text, link: { seq, digest } }) => ({
          ...columnsOf(event),
          ...{ id: expect.any(Number), event: text, chain: number, seq, digest },
        }))
        expect(rows).toEqual(expected)
      }),
      { numRuns: 40 },
    )
  })

  it.each([0, 15, 16, 39])('are not kept at all where the one at %d cannot be', async (index) => {
    const { store } = await openTemporaryStore()
    const chain = testChain()
    await store.audit.append(chain, chained(chain, [event(1)]))
    const events = Array.from({ length: 40 }, (_, at) => event(at, at === index ? { username: 'a\0b' } : {}))
    const refused = store.audit.append(chain, chained(chain, events))
    await expect(refused).rejects.toMatchObject({ code: 'ERR_INVALID_PARAMETER' })
    expect(await store.audit.query({ limit: 100 })).toEqual([event(1)])
  })

  it('go when they are old, in steps between which others run', async () => {
    const { store, statements } = await openTemporaryStore()
    const chain = testChain()
    await store.audit.append(
      chain,
      chained(
        chain,
        Array.from({ length: 12_000 }, (_, index) => event(index)),
      ),
    )
    statements.length = 0
    expect(await store.audit.prune({ before: 11_000, maxEvents: 0 }, TEST_KEY)).toBe(11_000)
    expect(statements.filter((sql) => sql.startsWith('delete'))).toHaveLength(11)
    expect(await store.audit.query({ limit: 1 })).toEqual([event(11_999)])
    expect(await store.audit.query({ limit: 10_000 })).toHaveLength(1000)
  })
})
