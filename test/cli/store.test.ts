import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { migrate, withDatabase } from '../../src/store/database.ts'
import { migrations } from '../../src/store/migrations/list.ts'
import { openStore } from '../../src/store/store.ts'
import { TABLES } from '../../src/store/tables.ts'
import { keepEverything } from '../store/everything.ts'
import { temporaryDatabase } from '../store/temporary-store.ts'
import type { TestDatabase } from '../support/database.ts'
import { type CliFixture, cliFixture } from './run.ts'

const NOW = 1_800_000_000

type Tables = {
  readonly tables: Readonly<Record<string, { readonly rows: number; readonly digest: string }>>
}

let cli: CliFixture
let file: string
beforeEach(async () => {
  cli = await cliFixture()
  file = join(cli.folder, 'gateway.backup')
  const store = await cli.store()
  await keepEverything(store, NOW)
  await store.close()
})
afterEach(() => cli.clean())

/** Has the commands work on another store, which is empty. */
async function useAnother(): Promise<TestDatabase> {
  const database = await temporaryDatabase()
  cli.env['DATABASE_URL'] = database.databaseUrl
  return database
}

async function usersIn({ query }: TestDatabase): Promise<number> {
  return (await query('select id from users')).length
}

it('every table is named, so that none is left out of a backup', async () => {
  const { databaseUrl, tables } = await temporaryDatabase()
  const store = await openStore({ databaseUrl, now: () => NOW })
  await store.close()
  expect(Object.keys(TABLES).toSorted()).toEqual((await tables()).toSorted())
})

describe('store backup and store restore', () => {
  it('carry over every row of every table, and what comes after goes on from there', async () => {
    const { tables } = await cli.json<Tables>('store', 'backup', file)
    expect(Object.entries(tables).filter(([, { rows }]) => rows === 0)).toEqual([])
    expect(tables).toMatchObject({ jobs: { rows: 2500 }, audit_events: { rows: 2001 } })

    await useAnother()
    expect((await cli.json<Tables>('store', 'restore', file)).tables).toEqual(tables)
    const second = join(cli.folder, 'second.backup')
    expect((await cli.json<Tables>('store', 'backup', second)).tables).toEqual(tables)
    const lines = (path: string) => readFileSync(path, 'utf8').split('\n').slice(1)
    expect(lines(second)).toEqual(lines(file))

    const store = await cli.store()
    const before = await store.changes.latest()
    await store.changes.note('experiment', 'after')
    expect(await store.changes.since(before)).toEqual([{ seq: before + 1, kind: 'experiment', key: 'after' }])
    expect((await store.publicIds.numbersOf(['new'])).get('new')).toBe(3)
    await store.close()
  })

  it('tell progress on the error output, and make a file for its owner only', async () => {
    const { code, err, out } = await cli.run('store', 'backup', file)
    expect([code, statSync(file).mode & 0o777]).toEqual([0, 0o600])
    expect(err).toContain('jobs: 2500 found\n')
    expect(out).toContain('audit_events')
    expect(out).not.toContain('found')
  })

  it('overwrite nothing', async () => {
    writeFileSync(file, 'of somebody')
    const backup = await cli.run('store', 'backup', file)
    expect([backup.code, backup.err]).toEqual([1, expect.stringContaining('exists already')])
    expect(readFileSync(file, 'utf8')).toBe('of somebody')

    await cli.run('store', 'backup', `${file}.2`)
    const restore = await cli.run('store', 'restore', `${file}.2`)
    expect([restore.code, restore.err]).toEqual([
      1,
      expect.stringContaining('not empty: there are rows in users'),
    ])
  })

  it.each<readonly [string, (text: string) => string, string]>([
    ['that ends too early', (text) => text.slice(0, -1000), 'is damaged'],
    [
      'without its last line',
      (text) => text.replace(/.*\n$/, ''),
      'audit_events was not carried over whole: 2000 of 2001',
    ],
    ['with a wider grant', (text) => text.replace('"alpha/*"', '"*"'), 'grants was not carried over whole'],
    ['with a table nobody knows', (text) => text.replace('{"table":"jobs"', '{"table":"jobz"'), 'is damaged'],
    ['of a later version', (text) => text.replace('"version":1', '"version":2'), 'newer gateway'],
    ['of a later schema', (text) => text.replace(/"schema":"\d+/, '"schema":"9999'), 'newer gateway'],
    ['that is something else', () => '{}', 'is no backup'],
    ['that is empty', () => '', 'is no backup'],
  ])('refuse a file %s, and keep nothing of it', async (_what, damage, message) => {
    await cli.run('store', 'backup', file)
    const text = readFileSync(file, 'utf8')
    const damaged = damage(text)
    expect(damaged).not.toBe(text)
    writeFileSync(file, damaged)
    const database = await useAnother()
    await cli.run('store', 'migrate')
    const { code, err } = await cli.run('store', 'restore', file)
    expect([code, err]).toEqual([1, expect.stringContaining(message)])
    expect(await usersIn(database)).toBe(0)
  })

  it('say what is not there', async () => {
    expect((await cli.run('store', 'restore', `${file}.none`)).err).toContain('cannot be read')
    expect((await cli.run('store', 'backup', '/nowhere/backup')).err).toContain('check its folder')
    cli.env['DATABASE_URL'] = `sqlite:${cli.folder}/none.db`
    expect((await cli.run('store', 'backup', file)).err).toContain('There is no database')
  })
})

describe('store copy', () => {
  it('fills another store, and only an empty one', async () => {
    const target = await temporaryDatabase()
    const from = cli.env['DATABASE_URL'] ?? ''
    writeFileSync(file, `${target.databaseUrl}\n`)
    const { tables } = await cli.json<Tables>('store', 'copy', '--from', from, '--to', `@${file}`)
    expect(await usersIn(target)).toBe(tables['users']?.rows)
    const again = await cli.run('store', 'copy', '--from', from, '--to', `@${file}`)
    expect([again.code, again.err]).toEqual([1, expect.stringContaining('not empty')])
  })

  it.each([
    [['--from', 'sqlite:a.db', '--to', 'sqlite:a.db'], 'the same store'],
    [['--from', 'mysql://u:s3cret@h/d', '--to', 'sqlite:a.db'], 'The URL of --from is not of the form'],
    [['--from', 'sqlite:a.db', '--to', '@/nowhere'], '--to names a file that cannot be read'],
    [['--from', 'sqlite:a.db'], "'--to <url>' not specified"],
  ])('%j is refused with what to do', async (args, message) => {
    const { code, err } = await cli.run('store', 'copy', ...args)
    expect([code, err]).toEqual([2, expect.stringContaining(message)])
    expect(err).not.toContain('s3cret')
  })
})

it('store migrate brings a store to the newest schema, once', async () => {
  const { databaseUrl } = await temporaryDatabase({ empty: true })
  cli.env['DATABASE_URL'] = databaseUrl
  expect(await cli.json('store', 'migrate')).toMatchObject({ before: null })
  const { before, now } = await cli.json<{ before: string; now: string }>('store', 'migrate')
  expect(before).toBe(now)
})

describe('what is done with a store as a whole', () => {
  /** A store in which nothing was kept but what the commands record. */
  async function useNew(): Promise<TestDatabase> {
    const database = await useAnother()
    await (await openStore({ databaseUrl: database.databaseUrl, now: () => NOW })).close()
    return database
  }

  async function recorded({ query }: TestDatabase): Promise<readonly string[]> {
    const rows = await query('select event from audit_events order by id')
    return rows.map((row) => {
      const { event, path, resources, effect } = JSON.parse(String(row['event']))
      return `${event} ${path} ${resources[0].type} ${resources[0].id} ${effect}`
    })
  }

  it('is on record, in chains that are sound', async () => {
    const database = await useNew()
    expect((await cli.run('store', 'backup', file)).err).not.toContain('not on record')
    expect(await recorded(database)).toEqual(['store_backed_up store backup backup gateway.backup allow'])

    const restored = await useAnother()
    await cli.run('store', 'restore', file)
    expect(await recorded(restored)).toEqual(['store_restored store restore backup gateway.backup allow'])

    const target = await temporaryDatabase()
    const url = (await useNew()).databaseUrl
    writeFileSync(`${file}.url`, target.databaseUrl)
    await cli.run('store', 'copy', '--from', url, '--to', `@${file}.url`)
    const kind = url.split(':', 1)[0] ?? ''
    expect(await recorded(target)).toEqual([`store_copied store copy --to store ${kind} allow`])
    cli.env['DATABASE_URL'] = target.databaseUrl
    expect((await cli.run('audit', 'verify')).code).toBe(0)
  })

  it('is on record when it brings a store up to date, and not when there is nothing to do', async () => {
    const database = await temporaryDatabase({ empty: true })
    const { databaseUrl } = database
    cli.env['DATABASE_URL'] = databaseUrl
    await withDatabase({ databaseUrl }, (db, kind) => migrate(db, kind, '0008-access-answers'))
    for (const _ of ['brings it up to date', 'finds nothing to do']) await cli.run('store', 'migrate')
    const last = Object.keys(migrations('sqlite')).at(-1)
    expect(await recorded(database)).toEqual([`store_migrated store migrate schema ${last} allow`])
  })

  it('is done without GATEWAY_SECRET too, or with another one, and then says that it is not on record', async () => {
    const database = await useNew()
    const { code, err } = await cli.run('store', 'backup', `${file}.1`)
    expect([code, err.includes('not on record')]).toEqual([0, false])
    Reflect.deleteProperty(cli.env, 'GATEWAY_SECRET')
    const without = await cli.run('store', 'backup', `${file}.2`)
    expect([without.code, without.err]).toEqual([
      0,
      expect.stringContaining(
        'note: store backup is not on record in the audit log: GATEWAY_SECRET is not set\n',
      ),
    ])
    expect(await recorded(database)).toHaveLength(1)
  })
})
