import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { copyStore } from '../../src/store/backup.ts'
import { openStore } from '../../src/store/store.ts'
import { keepEverything } from '../store/everything.ts'
import { signInOf, temporaryDatabase, temporaryFolder } from '../store/temporary-store.ts'

const now = () => 1_800_000_000
const quietly = () => undefined

it('a store goes from SQLite to PostgreSQL and back, and is the same', async () => {
  const first = { databaseUrl: `sqlite:${join(temporaryFolder(), 'first.db')}` }
  const last = { databaseUrl: `sqlite:${join(temporaryFolder(), 'last.db')}` }
  const { databaseUrl } = await temporaryDatabase()
  const store = await openStore({ ...first, now })
  onTestFinished(() => store.close())
  await keepEverything(store, now())
  const there = await copyStore(first, { databaseUrl }, quietly)
  const back = await copyStore({ databaseUrl }, last, quietly)
  expect(back).toEqual(there)
  expect([...there.values()].every(({ rows }) => rows > 0)).toBe(true)
})

it('a store that is written to meanwhile is copied as it was at one moment', async () => {
  const { databaseUrl } = await temporaryDatabase()
  const source = await openStore({ databaseUrl, now })
  onTestFinished(() => source.close())
  await keepEverything(source, now())
  let isOver = false
  const writing = (async () => {
    for (let index = 0; !isOver; index++) {
      const { id } = await source.people.signIn(signInOf(`writer-${index}`, { groups: ['a', 'b'] }))
      if (index % 2) await source.people.remove(id)
    }
  })()
  const target = await temporaryDatabase()
  const copied = await copyStore({ databaseUrl }, target, quietly)
  isOver = true
  await writing
  expect(copied.get('identities')?.rows).toBeGreaterThanOrEqual(1)
  const orphans = await target.query('select 1 from identities where user_id not in (select id from users)')
  expect(orphans).toEqual([])
})
