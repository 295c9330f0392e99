import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openForRecords } from '../../src/store/database.ts'
import { rowsQuery } from '../../src/store/many-rows.ts'
import { openStore } from '../../src/store/store.ts'
import { sqliteDatabase } from '../support/database.ts'
import { said, spawnOpener } from './opener.ts'
import { signInOf, temporaryFolder } from './temporary-store.ts'

const now = () => 1_800_000_000

async function openFile() {
  const database = sqliteDatabase(join(temporaryFolder(), 'gateway.db'))
  const store = await openStore({ databaseUrl: database.databaseUrl, now })
  onTestFinished(() => store.close())
  return { store, database }
}

describe('the file', () => {
  it.each(['0', '22', '777'])(
    'is readable for its owner only, with its -wal and -shm, under umask %s',
    async (umask) => {
      const path = join(temporaryFolder(), 'gateway.db')
      const { child } = spawnOpener(`sqlite:${path}`, 'alice', umask)
      await said(child, 'waiting')
      child.stdin.write('go')
      await said(child, 'signed in')
      const modes = [path, `${path}-wal`, `${path}-shm`].map((file) =>
        (statSync(file).mode & 0o777).toString(8),
      )
      expect(modes).toEqual(['600', '600', '600'])
    },
  )

  it('is in WAL mode', async () => {
    const { database } = await openFile()
    expect(await database.query('pragma journal_mode')).toEqual([{ journal_mode: 'wal' }])
  })

  it('that cannot be used is said to be so, with what to do', async () => {
    const folder = temporaryFolder()
    const path = join(folder, 'notes.txt')
    writeFileSync(path, 'no database at all, but a text of some length, so that it is taken for one')
    const opening = (databaseUrl: string) => openStore({ databaseUrl, now })
    await expect(opening(`sqlite:${path}`)).rejects.toThrow('it is no SQLite file. Check the path.')
    await expect(opening(`sqlite:${folder}`)).rejects.toThrow(/it cannot be opened.*its folder\.$/)
  })

  it('that is something else than a database is refused, and left as it was', async () => {
    const path = join(temporaryFolder(), 'notes.txt')
    writeFileSync(path, 'not a database, but somebody needs it'.repeat(40))
    await expect(openStore({ databaseUrl: `sqlite:${path}`, now })).rejects.toThrow()
    expect(statSync(path).size).toBe(37 * 40)
  })

  it('in a folder that does not exist is refused with what to do', async () => {
    const opened = openStore({ databaseUrl: 'sqlite:/does/not/exist/gateway.db', now })
    await expect(opened).rejects.toThrow('create /does/not/exist')
  })
})

it('a database locked for longer than five seconds is ERR_STORE_UNAVAILABLE, and others run meanwhile', async () => {
  const { store, database } = await openFile()
  const release = await database.holdWriteLock()
  let ticks = 0
  const timer = setInterval(() => {
    ticks += 1
  }, 50)
  await expect(store.people.signIn(signInOf('alice'))).rejects.toMatchObject({
    code: 'ERR_STORE_UNAVAILABLE',
  })
  clearInterval(timer)
  expect(ticks).toBeGreaterThan(20)
  await release()
  await expect(store.people.signIn(signInOf('alice'))).resolves.toMatchObject({ username: 'alice' })
})

it('many rows at once are for a transaction only', async () => {
  const { database } = await openFile()
  const db = await openForRecords({ databaseUrl: database.databaseUrl })
  onTestFinished(() => db.destroy())
  const rows = [['a'], ['b']]
  const query = rowsQuery(rows, (count) => `insert into public_ids (id) values ${Array(count).fill('(?)')}`)
  const kept = async () => (await db.selectFrom('public_ids').select('id').execute()).map(({ id }) => [id])
  await expect(db.executeQuery(query)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  expect(await kept()).toEqual([])
  await db.transaction().execute((trx) => trx.executeQuery(query))
  expect(await kept()).toEqual(rows)
})
