import { describe, expect, it } from 'vitest'
import { sessionStoreId } from '../../src/store/sessions.ts'
import { openTemporaryStore, signInOf } from './temporary-store.ts'

async function withAlice() {
  const temporary = await openTemporaryStore()
  const alice = await temporary.store.people.signIn(signInOf('alice'))
  const { now } = temporary.clock
  const expiry = { userId: alice.id, idleExpiresAt: now + 60, absoluteExpiresAt: now + 100 }
  return { ...temporary, alice, expiry }
}

describe('a session', () => {
  const id = sessionStoreId('session id')

  it('is kept under the hash of its id, its data as given', async () => {
    const { store, expiry, clock } = await withAlice()
    expect(await store.sessions.set(id, 'opaque {"', expiry)).toBe(true)
    expect(await store.sessions.get(id)).toEqual({ id, data: 'opaque {"', createdAt: clock.now, ...expiry })
    expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  it('is not kept under an id that would be usable', async () => {
    const { store, expiry } = await withAlice()
    await expect(async () => store.sessions.set('session id', '{}', expiry)).rejects.toThrow('sessionStoreId')
    await expect(async () => store.sessions.get('session id')).rejects.toThrow('sessionStoreId')
  })

  it.each([
    ['idle', 59, 'there'],
    ['idle', 60, 'gone'],
    ['absolute', 99, 'there'],
    ['absolute', 100, 'gone'],
  ])('by its %s expiry after %i s is %s', async (kind, seconds, expected) => {
    const { store, expiry, clock } = await withAlice()
    const idleExpiresAt = kind === 'idle' ? expiry.idleExpiresAt : expiry.absoluteExpiresAt + 1000
    await store.sessions.set(id, '{}', { ...expiry, idleExpiresAt })
    clock.now += seconds
    expect((await store.sessions.get(id)) === undefined ? 'gone' : 'there').toBe(expected)
    expect(await store.sessions.list(expiry.userId)).toHaveLength(expected === 'there' ? 1 : 0)
  })

  it('field report 91: saving moves the idle expiry and nothing else', async () => {
    const { store, expiry, clock } = await withAlice()
    await store.sessions.set(id, 'a', expiry)
    const later = { ...expiry, idleExpiresAt: clock.now + 90, absoluteExpiresAt: clock.now + 5000 }
    expect(await store.sessions.set(id, 'b', later)).toBe(true)
    expect(await store.sessions.get(id)).toMatchObject({
      data: 'b',
      ...expiry,
      idleExpiresAt: clock.now + 90,
    })
  })

  it('is never handed to somebody else', async () => {
    const { store, expiry } = await withAlice()
    const bob = await store.people.signIn(signInOf('bob'))
    await store.sessions.set(id, 'a', expiry)
    expect(await store.sessions.set(id, 'b', { ...expiry, userId: bob.id })).toBe(false)
    expect(await store.sessions.get(id)).toMatchObject({ data: 'a', userId: expiry.userId })
  })

  it.each(['destroy', 'destroyOf', 'idle expiry'])(
    'ended by %s is not brought back by a late save',
    async (how) => {
      const { store, expiry, clock } = await withAlice()
      await store.sessions.set(id, 'a', expiry)
      if (how === 'destroy') expect(await store.sessions.destroy(id)).toBe(true)
      else if (how === 'destroyOf') expect(await store.sessions.destroyOf(expiry.userId)).toBe(1)
      else clock.now += 60
      expect(await store.sessions.set(id, 'b', { ...expiry, idleExpiresAt: clock.now + 60 })).toBe(false)
      expect(await store.sessions.get(id)).toBeUndefined()
      if (how === 'destroy') expect(await store.sessions.destroy(id)).toBe(false)
    },
  )

  it('leaves nothing of its data behind when it ends', async () => {
    const { store, expiry, database } = await withAlice()
    await store.sessions.set(id, 'refresh token', expiry)
    await store.sessions.destroy(id)
    expect(await database.query('select data from sessions')).toEqual([{ data: '' }])
  })

  it('goes at pruning once it has expired; one that was ended stays until its absolute expiry', async () => {
    const { store, expiry, clock } = await withAlice()
    const ended = sessionStoreId('ended')
    await store.sessions.set(id, 'a', expiry)
    await store.sessions.set(ended, 'b', expiry)
    await store.sessions.destroy(ended)
    expect(await store.sessions.prune(clock.now)).toBe(0)
    expect(await store.sessions.prune(clock.now + 60)).toBe(1)
    expect(await store.sessions.set(ended, 'b', expiry)).toBe(false)
    expect(await store.sessions.prune(clock.now + 100)).toBe(1)
  })
})

describe('an access token', () => {
  it('is listed, revoked once, and touched only forwards', async () => {
    const { store, alice, clock } = await withAlice()
    const bob = await store.people.signIn(signInOf('bob'))
    const token = {
      userId: alice.id,
      name: 'ci',
      scope: ['read' as const],
      createdAt: clock.now,
      expiresAt: clock.now + 60,
    }
    await store.tokens.add({ jti: 'a', ...token })
    await store.tokens.add({ jti: 'b', ...token, scope: [], createdAt: clock.now + 1, createdBy: 'root' })
    await store.tokens.add({ jti: 'c', ...token, userId: bob.id })
    expect(await store.tokens.get('a')).toEqual({ jti: 'a', ...token })
    expect(await store.tokens.get('b')).toMatchObject({ scope: [], createdBy: 'root' })
    expect((await store.tokens.list(alice.id)).map(({ jti }) => jti)).toEqual(['b', 'a'])
    expect((await store.tokens.list()).map(({ jti }) => jti)).toEqual(['b', 'a', 'c'])

    await store.tokens.touch(
      new Map([
        ['a', 50],
        ['b', 60],
        ['unknown', 70],
      ]),
    )
    await store.tokens.touch(new Map([['a', 40]]))
    expect((await store.tokens.list(alice.id)).map(({ lastUsedAt }) => lastUsedAt)).toEqual([60, 50])

    expect(await store.tokens.revoke('a')).toBe(true)
    expect(await store.tokens.revoke('a')).toBe(false)
    expect(await store.tokens.revoke('unknown')).toBe(false)
    expect(await store.tokens.get('a')).toMatchObject({ revokedAt: clock.now })
  })
})

describe('a signing key', () => {
  it('is listed after those before it, and retired once', async () => {
    const { store, clock } = await openTemporaryStore()
    const key = {
      kid: 'z',
      alg: 'ES256',
      publicJwk: { kty: 'EC', x: 'x' },
      privateSealed: 'sealed',
      createdAt: 1,
    }
    await store.keys.add(key)
    await store.keys.add({ ...key, kid: 'a', createdAt: 2 })
    expect(await store.keys.retire('z')).toBe(true)
    expect(await store.keys.retire('z')).toBe(false)
    expect(await store.keys.list()).toEqual([
      { ...key, retiredAt: clock.now },
      { ...key, kid: 'a', createdAt: 2 },
    ])
  })
})
