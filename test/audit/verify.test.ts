import SQLite from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createChain, createChainKey, lineOf, readLine } from '../../src/audit/chain.ts'
import { type Line, verifyLines } from '../../src/audit/verify-lines.ts'
import { verifyStore } from '../../src/audit/verify-store.ts'
import { openTemporaryStore, type TemporaryStore } from '../store/temporary-store.ts'
import { decision } from './event-examples.ts'
import { chained, TEST_KEY, testChain } from './test-chain.ts'

const OTHER_KEY = createChainKey('another-secret-of-the-tests-0123456789')

const events = (count: number, second = 1000) =>
  Array.from({ length: count }, (_, index) =>
    decision({
      at: new Date((second + index) * 1000).toISOString(),
      requestId: `r${index}`,
      username: `u${index}`,
    }),
  )

/** What `audit verify` says of a store, as `kind seq`, or `kind` where it is about no single event. */
async function found({ store }: TemporaryStore, keys: Parameters<typeof verifyStore>[1] = [TEST_KEY]) {
  const report = await store.readAudit((snapshot) => verifyStore(snapshot, keys))
  const short = report.faults.map(({ kind, seq, until = seq }) =>
    seq === undefined ? kind : `${kind} ${seq === until ? seq : `${seq}-${until}`}`,
  )
  return { ...report, short }
}

/** Who has got hold of the file, and not of the secret. */
function attack({ databaseUrl }: TemporaryStore, ...statements: readonly string[]): void {
  const database = new SQLite(databaseUrl.slice('sqlite:'.length))
  for (const statement of statements) database.exec(statement)
  database.close()
}

async function tenEvents(): Promise<TemporaryStore> {
  const temporary = await openTemporaryStore()
  const chain = testChain()
  await temporary.store.audit.append(chain, chained(chain, events(6)))
  await temporary.store.audit.append(chain, chained(chain, events(4, 1006)))
  await temporary.store.audit.end(chain)
  return temporary
}

const swap = (a: number, b: number) =>
  `update audit_events set id = -1 where id = ${a}; update audit_events set id = ${a} where id = ${b}; update audit_events set id = ${b} where id = -1`
const copyOf = (row: number, seq: string) =>
  `insert into audit_events (at, effect, event, chain, seq, digest, request_id, user_id, username, operation, reason, status) select at, effect, event, chain, ${seq}, digest, request_id, user_id, username, operation, reason, status from audit_events where id = ${row}`

describe('the store', () => {
  it('is sound as it was recorded, over several batches and chains', async () => {
    const temporary = await tenEvents()
    const chain = testChain()
    await temporary.store.audit.append(chain, chained(chain, events(1)))
    const { short, events: count, chains, unchained } = await found(temporary)
    expect([short, count, unchained]).toEqual([[], 11, 0])
    expect(chains.map(({ state, lastSeq }) => [state, lastSeq])).toEqual([
      ['ended', 10],
      ['open', 1],
    ])
  })

  it.each([
    [
      'a text that was changed',
      'update audit_events set event = replace(event, \'"allow"\', \'"deny"\') where id = 4',
      ['changed 4', 'changed 4'],
    ],
    ['a space in a text', "update audit_events set event = event || ' ' where id = 4", ['changed 4']],
    ['a column people look for', "update audit_events set username = 'mallory' where id = 4", ['changed 4']],
    ['a time, in the column', 'update audit_events set at = 1 where id = 4', ['changed 4']],
    ['a digest', "update audit_events set digest = 'x' where id = 4", ['changed 4']],
    ['one that is gone', 'delete from audit_events where id = 4', ['missing 4']],
    ['several that are gone', 'delete from audit_events where id in (4, 5, 8)', ['missing 4-5', 'missing 8']],
    ['the first one gone', 'delete from audit_events where id = 1', ['missing 1']],
    ['the last ones gone', 'delete from audit_events where id in (9, 10)', ['missing 9-10']],
    ['all gone', 'delete from audit_events', ['missing 1-10', 'missing 1']],
    ['two in each other’s place', swap(4, 8), ['reordered 5', 'reordered 8']],
    ['neighbours in each other’s place', swap(4, 5), ['reordered 5']],
    ['a copy', copyOf(4, 'seq'), ['inserted 4']],
    ['a copy at the end', copyOf(4, '11'), ['changed 11', 'chain_changed 10']],
    [
      'one in no chain',
      `insert into audit_events (at, effect, event) select at, effect, event from audit_events where id = 4`,
      ['inserted'],
    ],
    [
      'one taken out of its chain',
      'update audit_events set chain = null, seq = null where id = 4',
      ['inserted', 'missing 4'],
    ],
    [
      'one in a chain that is not there',
      'update audit_events set chain = 9 where id = 4',
      ['inserted', 'missing 4'],
    ],
    [
      'a place that is no number',
      'update audit_events set seq = null where id = 4',
      ['inserted', 'missing 4'],
    ],
    [
      'an end that is brought forward',
      'delete from audit_events where id in (9, 10); update audit_chains set last_seq = 8 where number = 1',
      ['chain_changed'],
    ],
    [
      'a retention nobody carried out',
      'delete from audit_events where id < 4; update audit_chains set pruned_seq = 3 where number = 1',
      ['chain_changed', 'changed 4'],
    ],
    [
      'events declared older than the chains',
      'update audit_events set chain = null, seq = null where id = 10; update audit_chains set unchained_until = 10 where number = 1',
      ['chain_changed'],
    ],
    [
      'the chain gone with its events',
      'delete from audit_events where chain = 1; delete from audit_chains where number = 1',
      ['chain_missing'],
    ],
    [
      'a chain that is said to be of another secret',
      "update audit_chains set key_id = 'x' where number = 1",
      ['other_secret'],
    ],
  ])('does not hide %s', async (_, statement, expected) => {
    const temporary = await tenEvents()
    // Somebody who goes on has seen the chain.
    const next = testChain()
    await temporary.store.audit.append(next, chained(next, events(1)))
    attack(temporary, statement)
    const { short, faultCount } = await found(temporary)
    expect([short, faultCount]).toEqual([expected, expected.length])
  })

  it('shows a chain that went as a whole, even the newest, to those that go on', async () => {
    const temporary = await openTemporaryStore()
    const [gateway, command] = [testChain(), testChain()]
    const { append } = temporary.store.audit
    await append(gateway, chained(gateway, events(1)))
    await append(command, chained(command, events(1)))
    await append(gateway, chained(gateway, events(1)))
    attack(temporary, 'delete from audit_events where chain = 2; delete from audit_chains where number = 2')
    expect((await found(temporary)).short).toEqual(['chain_missing'])
    await append(gateway, chained(gateway, events(1)))
    expect((await found(temporary)).short).toEqual(['chain_missing'])
  })

  it('goes on when its chain was taken away, and that shows', async () => {
    const temporary = await openTemporaryStore()
    const chain = testChain()
    const { append } = temporary.store.audit
    await append(chain, chained(chain, events(3)))
    attack(temporary, 'delete from audit_events; delete from audit_chains')
    await append(chain, chained(chain, events(2)))
    expect((await found(temporary)).short).toEqual(['missing 1-3'])
  })

  it('is told apart from one that another secret would have made', async () => {
    const temporary = await tenEvents()
    const forged = testChain(OTHER_KEY)
    await temporary.store.audit.append(forged, chained(forged, events(2)))
    expect((await found(temporary)).short).toEqual(['other_secret'])
    expect((await found(temporary, [OTHER_KEY])).short).toEqual(['other_secret'])
    expect((await found(temporary, [OTHER_KEY, TEST_KEY])).short).toEqual([])
  })

  it('says that a process was cut off, which is no fault', async () => {
    const temporary = await openTemporaryStore()
    const [crashed, next] = [testChain(), testChain()]
    await temporary.store.audit.append(crashed, chained(crashed, events(2)))
    await temporary.store.audit.append(next, chained(next, events(2)))
    await temporary.store.audit.end(next)
    const { short, chains } = await found(temporary)
    expect([short, chains.map(({ state }) => state)]).toEqual([[], ['cut_off', 'ended']])
  })

  it('counts what is older than the chains, and is sound', async () => {
    const temporary = await openTemporaryStore()
    attack(temporary, "insert into audit_events (at, effect, event) values (1, 'allow', '{}')")
    const chain = testChain()
    await temporary.store.audit.append(chain, chained(chain, events(2)))
    const { short, unchained } = await found(temporary)
    expect([short, unchained]).toEqual([[], 1])
  })
})

describe('retention', () => {
  it.each([
    ['by age', { before: 1004, maxEvents: 0 }, 4],
    ['by number', { before: 0, maxEvents: 3 }, 7],
    ['of all', { before: 9999, maxEvents: 0 }, 10],
  ])('%s leaves no alarm, and any gap behind it is one', async (_, retention, deleted) => {
    const temporary = await tenEvents()
    expect(await temporary.store.audit.prune(retention, TEST_KEY)).toBe(deleted)
    const { short, chains } = await found(temporary)
    expect([short, chains[0]?.prunedUntil]).toEqual([[], deleted])
    if (deleted === 10) return
    attack(temporary, `delete from audit_events where id = ${deleted + 1}`)
    expect((await found(temporary)).short).toEqual([`missing ${deleted + 1}`])
  })

  it.each([
    [
      'what was dated back in the column',
      'update audit_events set at = 1',
      { before: 1000, maxEvents: 0 },
      1,
      'none',
    ],
    [
      'what was dated back in the text',
      `update audit_events set event = replace(event, '1970-01-01T00:16:42', '1970-01-01T00:00:42') where id = 3`,
      { before: 1005, maxEvents: 0 },
      3,
      'Audit event 3 is not as it was recorded (changed)',
    ],
    [
      'what has a gap',
      'delete from audit_events where id = 3',
      { before: 1005, maxEvents: 0 },
      4,
      'Audit event 4 is not as it was recorded (missing)',
    ],
    [
      'what is pushed out by rows put there',
      `with recursive n(i) as (select 1 union all select i + 1 from n where i < 50) insert into audit_events (at, effect, event) select 2000, 'allow', '{"at":"1970-01-01T00:33:20Z"}' from n`,
      { before: 0, maxEvents: 10 },
      1,
      'none',
    ],
    [
      'what is pushed out by a chain said to be longer',
      'update audit_chains set last_seq = 1000',
      { before: 0, maxEvents: 10 },
      1,
      'Audit event 1 is in a chain whose row was changed',
    ],
  ])('does not take %s', async (_, statement, retention, first, fault) => {
    const temporary = await tenEvents()
    attack(temporary, statement)
    const outcome = await temporary.store.audit.prune(retention, TEST_KEY).then(
      () => 'none',
      (error: Error) => error.message,
    )
    expect(outcome).toContain(fault)
    const left = await temporary.store.audit.lines({ limit: 1 }, 0)
    expect(left[0]?.number).toBe(first)
  })
})

type Tampering = {
  readonly kind: 'change' | 'remove' | 'swap' | 'insert'
  readonly at: number
  readonly to: number
}

const tampering = (length: number): fc.Arbitrary<Tampering> =>
  fc.record({
    kind: fc.constantFrom('change', 'remove', 'swap', 'insert'),
    at: fc.nat(length - 1),
    to: fc.nat(length - 1),
  })

/** @returns Undefined if it would leave everything as it is. */
function tampered(lines: readonly string[], { kind, at, to }: Tampering): string[] | undefined {
  const copy = [...lines]
  const line = copy[at] ?? ''
  if (kind === 'remove') copy.splice(at, 1)
  else if (kind === 'insert') copy.splice(to, 0, line)
  else if (kind === 'swap') {
    if (at === to) return undefined
    copy[at] = copy[to] ?? ''
    copy[to] = line
  } else {
    // One character, anywhere in it.
    const index = (to * 7919) % (line.length - 1)
    copy[at] = `${line.slice(0, index)}${line[index] === 'x' ? 'y' : 'x'}${line.slice(index + 1)}`
  }
  return copy
}

const anyEvent = fc.record({
  username: fc.string({ unit: 'binary' }),
  path: fc.string(),
  reason: fc.string(),
})

async function* placed(lines: readonly string[]): AsyncGenerator<Line> {
  for (const [index, line] of lines.entries())
    yield { text: line.replace(/\n$/, ''), place: `line ${index + 1}` }
}

describe('lines', () => {
  const linesOf = (changes: readonly object[]) => {
    const chain = createChain(TEST_KEY, 'gateway@test')
    return changes.map((change) => lineOf(chain.add(decision(change))))
  }

  it('read back as they were written', () => {
    fc.assert(
      fc.property(anyEvent, (change) => {
        const made = createChain(TEST_KEY, 'gateway@test').add(decision(change))
        const { text, link } = made
        expect(readLine(lineOf(made).slice(0, -1))).toEqual({ text, link })
      }),
    )
  })

  it('any events are sound, and any one of them changed, removed, moved or copied is found', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc
          .array(anyEvent, { minLength: 3, maxLength: 12 })
          .chain((changes) => fc.tuple(fc.constant(changes), tampering(changes.length))),
        async ([changes, what]) => {
          const lines = linesOf(changes)
          expect((await verifyLines(placed(lines), [TEST_KEY])).faults).toEqual([])
          const after = tampered(lines, what)
          if (after === undefined) return
          const { faultCount, chains } = await verifyLines(placed(after), [TEST_KEY])
          const [first] = chains
          // Files go when they are rotated: a front or an end that is gone is for who knows where it was.
          const isCut =
            ['remove', 'change'].includes(what.kind) && (what.at === 0 || what.at === lines.length - 1)
          const range = [first?.prunedUntil, first?.lastSeq]
          const shows = isCut && JSON.stringify(range) !== JSON.stringify([0, lines.length])
          expect(shows || faultCount > 0).toBe(true)
        },
      ),
      { numRuns: 300 },
    )
  })

  it('of the program’s own log are passed over; audit lines without a place are not', async () => {
    const [a = '', b = '', c = ''] = linesOf([{}, {}, {}])
    const other = '{"level":30,"msg":"listening"}'
    const bare = `{"log":"audit",${JSON.stringify(decision()).slice(1)}`
    const before = await verifyLines(placed([bare, a, other, b, c]), [TEST_KEY])
    expect([before.faults, before.unchained, before.events]).toEqual([[], 1, 3])
    const within = await verifyLines(placed([a, bare, b, c]), [TEST_KEY])
    expect(within.faults).toEqual([{ kind: 'inserted', place: 'line 2' }])
    const broken = await verifyLines(placed([a, b.slice(0, 100), c]), [TEST_KEY])
    expect(broken.faults.map(({ kind }) => kind)).toEqual(['changed', 'missing'])
  })

  it('of another secret are not taken for sound', async () => {
    const { faultCount } = await verifyLines(placed(linesOf([{}, {}, {}])), [OTHER_KEY])
    expect(faultCount).toBe(3)
  })
})

it('any one event of the store changed, removed, moved or copied is found; nothing else is', async () => {
  const temporary = await tenEvents()
  const rows = fc.tuple(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 10 }))
  const columns = fc.constantFrom(
    'event',
    'digest',
    'seq',
    'chain',
    'username',
    'at',
    'effect',
    'operation',
    'status',
    'reason',
    'user_id',
    'request_id',
  )
  await fc.assert(
    fc.asyncProperty(
      rows,
      columns,
      fc.constantFrom('change', 'remove', 'swap', 'insert'),
      async ([a, b], column, kind) => {
        if (kind === 'swap' && a === b) return
        const database = new SQLite(temporary.databaseUrl.slice('sqlite:'.length))
        const saved = database.prepare('select * from audit_events').all() as Record<string, unknown>[]
        if (kind === 'change')
          database.exec(`update audit_events set ${column} = coalesce(${column}, '') || '1' where id = ${a}`)
        if (kind === 'remove') database.exec(`delete from audit_events where id = ${a}`)
        if (kind === 'swap') database.exec(swap(a, b))
        if (kind === 'insert') database.exec(copyOf(a, String(b)))
        const { faultCount } = await found(temporary)
        database.exec('delete from audit_events')
        for (const row of saved) {
          const names = Object.keys(row)
          database
            .prepare(`insert into audit_events (${names.join()}) values (${names.map(() => '?').join()})`)
            .run(...names.map((name) => row[name]))
        }
        database.close()
        expect([kind, column, a, b, faultCount > 0]).toEqual([kind, column, a, b, true])
        expect((await found(temporary)).faultCount).toBe(0)
      },
    ),
    { numRuns: 150 },
  )
}, 60_000)
