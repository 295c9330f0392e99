import { describe, expect, it } from 'vitest'
import { openTemporaryStore, signInOf } from './temporary-store.ts'

async function withAlice() {
  const temporary = await openTemporaryStore()
  const alice = await temporary.store.people.signIn(signInOf('alice'))
  const { now } = temporary.clock
  const expiry = { userId: alice.id, idleExpiresAt: now + 60, absoluteExpiresAt: now + 100 }
  return { ...temporary, alice, expiry }
}

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
