/** Browser sessions, wherever they are kept: the same rules in the database and in Redis. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { providerSessionKey, sessionStoreId } from '../../src/store/sessions.ts'
import { type RedisServer, startRedis } from '../support/redis-server.ts'
import { openTemporaryStore, signInOf } from './temporary-store.ts'

let redis: RedisServer
beforeAll(async () => {
  redis = await startRedis()
})
afterAll(() => redis?.stop())

const PLACES = ['the database', 'Redis'] as const

async function withAlice(place: (typeof PLACES)[number]) {
  const temporary = await openTemporaryStore(place === 'Redis' ? { url: redis.url } : undefined)
  const alice = await temporary.store.people.signIn(signInOf('alice'))
  const { now } = temporary.clock
  const expiry = { userId: alice.id, idleExpiresAt: now + 60, absoluteExpiresAt: now + 100 }
  // People are told apart in one Redis by their ids, sessions by theirs.
  const id = sessionStoreId(`session of ${alice.id}`)
  return { ...temporary, alice, expiry, id }
}

describe.each(PLACES)('a session in %s', (place) => {
  it('is kept under the hash of its id, its data as given', async () => {
    const { store, expiry, clock, id } = await withAlice(place)
    expect(await store.sessions.set(id, 'opaque {"', expiry)).toBe(true)
    expect(await store.sessions.get(id)).toEqual({ id, data: 'opaque {"', createdAt: clock.now, ...expiry })
    expect(id).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })

  it('is not kept under an id that would be usable', async () => {
    const { store, expiry } = await withAlice(place)
    await expect(async () => store.sessions.set('session id', '{}', expiry)).rejects.toThrow('sessionStoreId')
    await expect(async () => store.sessions.get('session id')).rejects.toThrow('sessionStoreId')
  })

  it.each([
    ['idle', 59, 'there'],
    ['idle', 60, 'gone'],
    ['absolute', 99, 'there'],
    ['absolute', 100, 'gone'],
  ])('by its %s expiry after %i s is %s', async (kind, seconds, expected) => {
    const { store, expiry, clock, id } = await withAlice(place)
    const idleExpiresAt = kind === 'idle' ? expiry.idleExpiresAt : expiry.absoluteExpiresAt + 1000
    await store.sessions.set(id, '{}', { ...expiry, idleExpiresAt })
    clock.now += seconds
    expect((await store.sessions.get(id)) === undefined ? 'gone' : 'there').toBe(expected)
    expect(await store.sessions.list(expiry.userId)).toHaveLength(expected === 'there' ? 1 : 0)
  })

  it('field report 91: saving moves the idle expiry and nothing else', async () => {
    const { store, expiry, clock, id } = await withAlice(place)
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
    const { store, expiry, id } = await withAlice(place)
    const bob = await store.people.signIn(signInOf('bob'))
    await store.sessions.set(id, 'a', expiry)
    expect(await store.sessions.set(id, 'b', { ...expiry, userId: bob.id })).toBe(false)
    expect(await store.sessions.get(id)).toMatchObject({ data: 'a', userId: expiry.userId })
  })

  it.each(['destroy', 'destroyOf', 'idle expiry'])(
    'ended by %s is not brought back by a late save',
    async (how) => {
      const { store, expiry, clock, id } = await withAlice(place)
      await store.sessions.set(id, 'a', expiry)
      if (how === 'destroy') expect(await store.sessions.destroy(id)).toBe(true)
      else if (how === 'destroyOf') expect(await store.sessions.destroyOf(expiry.userId)).toBe(1)
      else clock.now += 60
      expect(await store.sessions.set(id, 'b', { ...expiry, idleExpiresAt: clock.now + 60 })).toBe(false)
      expect(await store.sessions.get(id)).toBeUndefined()
      if (how === 'destroy') expect(await store.sessions.destroy(id)).toBe(false)
    },
  )

  it('is listed with the others of its person, newest first, and with everybody’s', async () => {
    const { store, expiry, clock, alice } = await withAlice(place)
    const bob = await store.people.signIn(signInOf('bob'))
    const ids = [1, 2, 3].map((number) => sessionStoreId(`${number} of ${alice.id}`))
    for (const [index, id] of ids.entries()) {
      const userId = index === 1 ? bob.id : alice.id
      expect(
        await store.sessions.set(id, 'x', { ...expiry, userId, absoluteExpiresAt: clock.now + 500 }),
      ).toBe(true)
      clock.now += 1
    }
    const [first = '', second = '', third = ''] = ids
    expect((await store.sessions.list(alice.id)).map((each) => each.id)).toEqual([third, first])
    const everybody = (await store.sessions.list()).map((each) => each.id)
    expect(everybody.filter((id) => ids.includes(id))).toEqual([third, second, first])
    expect(await store.sessions.destroy(third)).toBe(true)
    expect((await store.sessions.list(alice.id)).map((each) => each.id)).toEqual([first])
  })

  it('is found by what its provider knows it by, as long as it lives', async () => {
    const { store, expiry, clock, alice, id } = await withAlice(place)
    const [ours, theirs] = ['corp', 'partner'].map((provider) => providerSessionKey(provider, alice.id))
    const [other, nameless] = [sessionStoreId(`other of ${alice.id}`), sessionStoreId(`none of ${alice.id}`)]
    await store.sessions.set(id, 'a', { ...expiry, providerSession: ours })
    await store.sessions.set(other, 'b', { ...expiry, providerSession: theirs })
    await store.sessions.set(nameless, 'c', expiry)
    await store.sessions.set(id, 'saved again', expiry)
    expect(await store.sessions.begunBy(ours ?? '')).toEqual([id])
    expect(await store.sessions.begunBy(theirs ?? '')).toEqual([other])
    expect(await store.sessions.begunBy('')).toEqual([])
    await store.sessions.destroy(id)
    clock.now += 60
    expect(await store.sessions.begunBy(ours ?? '')).toEqual([])
    expect(await store.sessions.begunBy(theirs ?? '')).toEqual([])
  })

  it('ends with all of them, and everybody who has one in memory is told', async () => {
    const { store, expiry, id, clock } = await withAlice(place)
    await store.sessions.set(id, 'a', expiry)
    const before = await store.changes.latest()
    expect(await store.sessions.destroyAll()).toBeGreaterThanOrEqual(1)
    expect(await store.changes.since(before)).toMatchObject([{ kind: 'session', key: '*' }])
    expect(await store.sessions.set(id, 'b', { ...expiry, idleExpiresAt: clock.now + 90 })).toBe(false)
    expect(await store.sessions.destroyAll()).toBe(0)
  })

  it('that ends is told of by its id', async () => {
    const { store, expiry, id } = await withAlice(place)
    await store.sessions.set(id, 'a', expiry)
    const before = await store.changes.latest()
    await store.sessions.destroyOf(expiry.userId)
    expect(await store.changes.since(before)).toMatchObject([{ kind: 'session', key: id }])
  })

  it('ends with the signing keys', async () => {
    const { store, expiry, id, clock } = await withAlice(place)
    await store.sessions.set(id, 'a', expiry)
    const publicJwk = { kty: 'EC' }
    const key = { kid: 'new', alg: 'ES256', publicJwk, privateSealed: 'sealed', createdAt: clock.now }
    expect(await store.keys.replaceAll(key)).toMatchObject({ sessions: expect.any(Number) })
    expect(await store.sessions.get(id)).toBeUndefined()
  })
})

describe('a session in the database', () => {
  it('leaves nothing of its data behind when it ends', async () => {
    const { store, expiry, database, id } = await withAlice('the database')
    await store.sessions.set(id, 'refresh token', expiry)
    await store.sessions.destroy(id)
    expect(await database.query('select data from sessions')).toEqual([{ data: '' }])
  })

  it('goes at pruning once it has expired; one that was ended stays until its absolute expiry', async () => {
    const { store, expiry, clock, id } = await withAlice('the database')
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

describe('a session in Redis', () => {
  it('leaves nothing behind but that it has ended, and that only as long as it could have lasted', async () => {
    const { store, expiry, id, clock } = await withAlice('Redis')
    await store.sessions.set(id, 'refresh token', expiry)
    await store.sessions.destroy(id)
    const [row, lasts] = await inspect(id)
    expect(row).toMatchObject({ ended: '1', data: '' })
    expect(lasts).toBe(expiry.absoluteExpiresAt)
    expect(await store.sessions.prune(clock.now + 100)).toBeGreaterThanOrEqual(1)
  })

  it('is not there, and not nobody’s, while Redis does not answer; it comes back by itself', async () => {
    const own = await startRedis()
    onTestFinished(() => own.stop())
    const states: string[] = []
    const { store } = await openTemporaryStore({ url: own.url, onState: (state) => states.push(state) })
    const id = sessionStoreId('x')
    expect(await store.sessions.get(id)).toBeUndefined()
    await own.halt()
    const unavailable = expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE' })
    await expect(store.sessions.get(id)).rejects.toEqual(unavailable)
    await expect(store.sessions.destroyAll()).rejects.toEqual(unavailable)
    expect(String(await store.redis?.ping().catch((fault) => fault))).not.toContain('redis-of-a-test')
    await own.resume()
    await expect
      .poll(() => store.sessions.get(id).catch(() => 'not yet'), { timeout: 10_000 })
      .toBeUndefined()
    expect(states).toEqual(['lost', 'back'])
  })
})

async function inspect(id: string): Promise<[Record<string, string>, number]> {
  const { Redis } = await import('ioredis')
  const client = new Redis(redis.url)
  try {
    const key = `mlflow-auth-gateway:session:${id}`
    return [await client.hgetall(key), await client.expiretime(key)]
  } finally {
    client.disconnect()
  }
}
