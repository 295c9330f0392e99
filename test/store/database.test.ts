import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import SQLite from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStore } from '../../src/store/store.ts'
import { openTemporaryStore, signInOf, temporaryFolder } from './temporary-store.ts'

const now = () => 1_800_000_000

function spawnOpener(databaseUrl: string, username: string, umask = '22') {
  const script = fileURLToPath(new URL('open-store.ts', import.meta.url))
  const child = spawn(process.execPath, [script, databaseUrl, username, umask])
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  return { child, errors: () => errors }
}

async function said(child: ChildProcessWithoutNullStreams, word: string): Promise<void> {
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer]
  expect(chunk.toString()).toContain(word)
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
    const { path } = await openTemporaryStore()
    const database = new SQLite(path, { readonly: true })
    onTestFinished(() => {
      database.close()
    })
    expect(database.pragma('journal_mode', { simple: true })).toBe('wal')
  })

  it('holds to foreign keys', async () => {
    const { store } = await openTemporaryStore()
    await expect(
      store.tokens.add({ jti: 'j', userId: 'nobody', name: 'n', scope: [], createdAt: 1, expiresAt: 2 }),
    ).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
  })

  it('keeps what was in it when it is opened again', async () => {
    const { store, databaseUrl } = await openTemporaryStore()
    const alice = await store.people.signIn(signInOf('alice'))
    await store.close()
    const again = await openStore({ databaseUrl, now })
    onTestFinished(() => again.close())
    expect(await again.people.find({ id: alice.id })).toEqual(alice)
  })
})

describe('several processes', () => {
  it('may open and migrate the same new file at once', async () => {
    const databaseUrl = `sqlite:${join(temporaryFolder(), 'gateway.db')}`
    const openers = ['a', 'b', 'c', 'd'].map((name) => spawnOpener(databaseUrl, name))
    await Promise.all(openers.map(({ child }) => said(child, 'waiting')))
    for (const { child } of openers) child.stdin.write('go')
    await Promise.all(openers.map(({ child }) => said(child, 'signed in')))
    for (const { child } of openers) child.stdin.write('end')
    const codes = await Promise.all(openers.map(({ child }) => once(child, 'exit')))
    expect(openers.map(({ errors }) => errors())).toEqual(['', '', '', ''])
    expect(codes.map(([code]) => code)).toEqual([0, 0, 0, 0])

    const store = await openStore({ databaseUrl, now })
    onTestFinished(() => store.close())
    expect((await store.people.list()).map(({ username }) => username)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('wait for each other without holding up the thread, also when one reads before it writes', async () => {
    const { store, databaseUrl } = await openTemporaryStore()
    const other = await openStore({ databaseUrl, now })
    onTestFinished(() => other.close())
    const names = Array.from({ length: 40 }, (_, index) => `user-${index}`)
    await Promise.all(names.map((name, index) => (index % 2 ? store : other).people.signIn(signInOf(name))))
    expect(await store.people.list()).toHaveLength(40)
  })
})

describe('a database URL', () => {
  it.each([
    ['postgres://db/gateway', 'not of the form sqlite:PATH'],
    ['sqlite:', 'not of the form sqlite:PATH'],
    ['sqlite://gateway.db', 'not of the form sqlite:PATH'],
    ['sqlite:///tmp/gateway.db', 'not of the form sqlite:PATH'],
    ['sqlite::memory:', 'not of the form sqlite:PATH'],
    ['sqlite:/does/not/exist/gateway.db', 'create /does/not/exist'],
  ])('%s is refused with what to do', async (databaseUrl, remedy) => {
    await expect(openStore({ databaseUrl, now })).rejects.toThrow(remedy)
  })

  it('that names something else than a database is refused, and the file is left as it was', async () => {
    const path = join(temporaryFolder(), 'notes.txt')
    writeFileSync(path, 'not a database, but somebody needs it'.repeat(40))
    await expect(openStore({ databaseUrl: `sqlite:${path}`, now })).rejects.toThrow()
    expect(statSync(path).size).toBe(37 * 40)
  })
})

describe('field report 94: store trouble is never an answer about rights', () => {
  it('a statement that fails is ERR_STORE_UNAVAILABLE, with the fault as cause only', async () => {
    const { store, path } = await openTemporaryStore()
    const database = new SQLite(path)
    onTestFinished(() => {
      database.close()
    })
    database.exec('drop table access_tokens')
    const error: unknown = await store.tokens.get('j').catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', refusal: { status: 503 } })
    expect(String(error)).not.toContain('access_tokens')
  })

  it('a database locked for longer than five seconds is ERR_STORE_UNAVAILABLE, and others run meanwhile', async () => {
    const { store, path } = await openTemporaryStore()
    const database = new SQLite(path)
    onTestFinished(() => {
      database.close()
    })
    database.exec('begin immediate')
    let ticks = 0
    const timer = setInterval(() => {
      ticks += 1
    }, 50)
    await expect(store.people.signIn(signInOf('alice'))).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(20)
    database.exec('commit')
    await expect(store.people.signIn(signInOf('alice'))).resolves.toMatchObject({ username: 'alice' })
  })
})
