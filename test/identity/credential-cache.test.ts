import { describe, expect, it } from 'vitest'
import {
  createCredentialCache,
  digestOf,
  type VerifiedCredential,
} from '../../src/identity/credential-cache.ts'

const verified = (id: string, expiresAt = 2000): VerifiedCredential => ({
  userId: 'u1',
  credential: { kind: 'access_token', form: 'bearer', id, scope: [], expiresAt },
})

describe('verified credentials by digest', () => {
  it('forgets at the second of expiry', () => {
    const clock = { now: 1000 }
    const cache = createCredentialCache({ now: () => clock.now })
    cache.put('d', verified('t1'), cache.version())
    clock.now = 1999
    expect(cache.get('d')?.credential.id).toBe('t1')
    clock.now = 2000
    expect(cache.get('d')).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  it.each([
    [{ kind: 'token', key: 't1' }, ['t2', 't2']],
    [{ kind: 'session', key: 't2' }, ['t1']],
    [{ kind: 'keys', key: 'k9' }, []],
    [{ kind: 'token', key: '*' }, []],
    [{ kind: 'session', key: '*' }, []],
    [{ kind: 'user', key: 't1' }, ['t1', 't2', 't2']],
    [{ kind: 'token', key: 'other' }, ['t1', 't2', 't2']],
  ])('on %j', (change, left) => {
    const cache = createCredentialCache({ now: () => 0 })
    cache.put('a', verified('t1'), cache.version())
    cache.put('b', verified('t2'), cache.version())
    cache.put('c', verified('t2'), cache.version()) // the same token as Basic
    cache.drop(change)
    expect(['a', 'b', 'c'].map((digest) => cache.get(digest)?.credential.id).filter(Boolean)).toEqual(left)
  })

  it('does not keep what was read before a revocation arrived', () => {
    const cache = createCredentialCache({ now: () => 0 })
    const before = cache.version()
    cache.drop({ kind: 'token', key: 't1' }) // while the store was being asked
    cache.put('a', verified('t1'), before)
    expect(cache.get('a')).toBeUndefined()
    cache.put('a', verified('t1'), cache.version())
    expect(cache.get('a')).toBeDefined()
  })

  it('is bounded, and so is what it remembers to find entries by', () => {
    const cache = createCredentialCache({ now: () => 0, max: 3 })
    for (let index = 0; index < 10; index += 1) cache.put(`d${index}`, verified(`t${index}`), cache.version())
    expect(cache.size).toBe(3)
    cache.drop({ kind: 'token', key: 't0' })
    expect(cache.size).toBe(3)
    cache.drop({ kind: 'token', key: 't9' })
    expect(cache.size).toBe(2)
  })

  it('holds no token as a key', () => {
    expect(digestOf('secret')).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })
})
