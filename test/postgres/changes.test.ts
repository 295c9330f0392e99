import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createChangeFeed } from '../../src/policy/change-feed.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { openTemporaryStore, signInOf } from '../store/temporary-store.ts'

const now = () => 1_800_000_000

async function openOther(databaseUrl: string): Promise<Store> {
  const other = await openStore({ databaseUrl, now })
  onTestFinished(() => other.close())
  return other
}

/** A feed that reads all the time until the test ends, and the keys of what it has followed. */
async function follow({ changes }: Store): Promise<readonly string[]> {
  const followed: string[] = []
  const feed = createChangeFeed({ changes, now, follow: ({ key }) => followed.push(key) })
  await feed.read()
  followed.length = 0
  let isOver = false
  onTestFinished(() => {
    isOver = true
  })
  const readOn = async () => {
    while (!isOver) await feed.read().then(() => delay(1))
  }
  void readOn().catch(() => undefined)
  return followed
}

it('of two transactions that overlap, no reader passes over the one that commits last', async () => {
  const { store, database, databaseUrl } = await openTemporaryStore()
  const other = await openOther(databaseUrl)
  // The first has its number and does not commit for a while; the second would have the next one, and commit at once.
  await database.query(`
    create function linger() returns trigger language plpgsql as
    $$ begin if new.key = 'slow' then perform pg_sleep(0.5); end if; return null; end $$;
    create trigger linger after insert on changes for each row execute function linger()`)
  const followed = await follow(other)
  const slow = store.changes.note('experiment', 'slow')
  await delay(100)
  await Promise.all([slow, other.changes.note('experiment', 'fast')])
  await vi.waitFor(() => expect(followed).toEqual(['slow', 'fast']))
})

it('of many writers at once, also such that fail, every change is followed once and in order', async () => {
  const { store, databaseUrl } = await openTemporaryStore()
  const other = await openOther(databaseUrl)
  const followed = await follow(await openOther(databaseUrl))
  const write = async (writer: Store, key: string) => {
    await writer.changes.note('experiment', key)
    // Draws a number too, and gives it up: there is no such user.
    await expect(writer.tokens.add({ ...TOKEN, jti: key })).rejects.toThrow()
  }
  const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`)
  await Promise.all(keys.map((key, index) => write(index % 2 ? store : other, key)))
  const written = (await store.changes.since(0)).map(({ key }) => key)
  expect(written.toSorted()).toEqual(keys.toSorted())
  await vi.waitFor(() => expect(followed).toEqual(written))
})

const TOKEN = { userId: 'nobody', name: 'n', scope: [], createdAt: 1, expiresAt: 2 }

it('changes are heard of when they are made, and again after the connection was lost', async () => {
  const { store, database, databaseUrl } = await openTemporaryStore()
  const other = await openOther(databaseUrl)
  const heard: number[] = []
  const signal = other.changes.listen(() => heard.push(performance.now()))
  onTestFinished(signal.stop)
  await vi.waitFor(() => expect(signal.isLive()).toBe(true), { timeout: 5000 })

  const heardAfter = async (act: () => Promise<unknown>) => {
    heard.length = 0
    await act()
    const since = performance.now()
    await vi.waitFor(() => expect(heard).not.toEqual([]), { timeout: 5000, interval: 1 })
    return (heard[0] ?? 0) - since
  }
  const first = await heardAfter(() => store.people.signIn(signInOf('alice')))
  // Told of the loss at once, so that whoever relied on it looks by itself from now on.
  await heardAfter(() =>
    database.query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen%'"),
  )
  await vi.waitFor(() => expect(signal.isLive()).toBe(true), { timeout: 5000 })
  const again = await heardAfter(() => store.people.signIn(signInOf('bob')))
  console.info(
    `heard of a change after ${first.toFixed(1)} ms, and ${again.toFixed(1)} ms once it listened again`,
  )
})

it('a database that is not the one it was makes a reader forget everything', async () => {
  const { store, database } = await openTemporaryStore()
  for (const key of ['1', '2', '3']) await store.changes.note('experiment', key)
  const followed: string[] = []
  const feed = createChangeFeed({
    ...{ changes: store.changes, now },
    follow: ({ kind, key }) => followed.push(`${kind} ${key}`),
  })
  await feed.read()
  followed.length = 0
  // A standby took over that had not got the last two; then a token was revoked, under a number that was given before.
  await database.query('delete from changes where seq > 1')
  await database.query('alter table changes alter column seq restart with 2')
  await store.changes.note('token', 'revoked')
  await feed.read()
  expect(followed).toEqual(expect.arrayContaining(['token *', 'session *', 'keys *', 'role *']))
  await store.changes.note('token', 'next')
  followed.length = 0
  await feed.read()
  expect(followed).toEqual(['token next'])
})
