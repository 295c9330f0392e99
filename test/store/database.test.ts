import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openStore } from '../../src/store/store.ts'
import { said, spawnOpener } from './opener.ts'
import { OIDC, openTemporaryStore, signInOf, temporaryDatabase } from './temporary-store.ts'

const now = () => 1_800_000_000

describe('the database', () => {
  it.each([
    ['nobody', 'foreign_key'],
    ['the same again', 'unique'],
  ])('refuses a token of %s as a violated constraint, without naming a value', async (whose, constraint) => {
    const { store } = await openTemporaryStore()
    const { id } = await store.people.signIn(signInOf('alice'))
    const token = { jti: 'jti-1', userId: id, name: 'n', scope: [], createdAt: 1, expiresAt: 2 }
    await store.tokens.add(token)
    const added = store.tokens.add(whose === 'nobody' ? { ...token, jti: 'jti-2', userId: 'nobody' } : token)
    const error: unknown = await added.catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code: 'ERR_CONSTRAINT', constraint })
    expect(JSON.stringify([String(error), error])).not.toContain('jti-')
  })

  it('keeps what was in it when it is opened again', async () => {
    const { store, databaseUrl } = await openTemporaryStore()
    const alice = await store.people.signIn(signInOf('alice'))
    await store.close()
    const again = await openStore({ databaseUrl, now })
    onTestFinished(() => again.close())
    expect(await again.people.find({ id: alice.id })).toEqual(alice)
  })

  it('keeps no NUL, which not every database can', async () => {
    const { store } = await openTemporaryStore()
    await expect(store.people.find({ username: 'a\0b' })).rejects.toMatchObject({
      code: 'ERR_INVALID_PARAMETER',
    })
  })

  it('compares and sorts text by its bytes, reads seconds and counts as numbers', async () => {
    const { store, clock } = await openTemporaryStore()
    clock.now = 5_000_000_000
    const names = ['Zoë', 'alice', 'Alice', 'ähre', '_x', 'bob', 'b-ob', 'z', 'é', '😀', '￼']
    for (const name of names) await store.people.signIn(signInOf(name, { groups: ['team'] }))
    const byBytes = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect((await store.people.list()).map(({ username }) => username)).toEqual(byBytes)
    const page = await store.people.page({ after: byBytes[3] ?? '', limit: 3 })
    expect(page.map(({ username }) => username)).toEqual(byBytes.slice(4, 7))
    expect(page.map(({ createdAt }) => createdAt)).toEqual([5_000_000_000, 5_000_000_000, 5_000_000_000])
    const [team] = await store.groups.page({ limit: 9 }, [OIDC])
    expect(team).toEqual({ provider: 'oidc', name: 'team', people: names.length, roles: 0 })
  })
})

describe('several processes', () => {
  it('may open and migrate the same new database at once', async () => {
    const { databaseUrl } = await temporaryDatabase({ empty: true })
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

  it('that do the same at once do it once, and both are told so', async () => {
    const { store, databaseUrl } = await openTemporaryStore()
    const other = await openStore({ databaseUrl, now })
    onTestFinished(() => other.close())
    const both = [store, other, store, other]
    const [alice] = await Promise.all(both.map(({ people }) => people.signIn(signInOf('alice'))))
    const roles = await Promise.all(both.map((each) => each.roles.personal(alice?.id ?? '')))
    const made = await Promise.allSettled(both.map((each) => each.roles.create({ name: 'team' })))
    expect(await store.people.list()).toHaveLength(1)
    expect(new Set(roles.map(({ id }) => id)).size).toBe(1)
    const outcomes = made.map((each) => (each.status === 'fulfilled' ? 'made' : each.reason.code))
    expect(outcomes.toSorted()).toEqual([
      'ERR_ALREADY_EXISTS',
      'ERR_ALREADY_EXISTS',
      'ERR_ALREADY_EXISTS',
      'made',
    ])
  })
})

describe('field report 94: store trouble is never an answer about rights', () => {
  it('a statement that fails is ERR_STORE_UNAVAILABLE, with the fault as cause only', async () => {
    const { store, database } = await openTemporaryStore()
    await database.query('drop table access_tokens')
    const error: unknown = await store.tokens.get('j').catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', refusal: { status: 503 } })
    expect(String(error)).not.toContain('access_tokens')
  })
})
