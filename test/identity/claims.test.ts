import { describe, expect, it } from 'vitest'
import { hasGroups, readClaim, readGroups, readProfile, readUsername } from '../../src/identity/claims.ts'

const KEYCLOAK = {
  sub: '42',
  realm_access: { roles: ['offline_access', 'trainers'] },
  resource_access: { 'ml.flow': { roles: ['editor'] }, account: { roles: ['view'] } },
}

describe('a claim by its path', () => {
  it.each([
    ['groups', { groups: ['a', 'b'] }, ['a', 'b']],
    ['groups', { groups: 'a' }, ['a']],
    ['groups', { groups: 'a b,c' }, ['a b,c']], // one string is one group
    ['realm_access.roles', KEYCLOAK, ['offline_access', 'trainers']],
    ['resource_access.ml\\.flow.roles', KEYCLOAK, ['editor']],
    ['resource_access.ml.flow.roles', KEYCLOAK, []],
    ['https://example\\.org/groups', { 'https://example.org/groups': ['a'] }, ['a']],
    ['a\\\\b', { 'a\\b': ['x'] }, ['x']],
    ['groups', {}, []],
    ['groups', { groups: null }, []],
    ['groups', { groups: { a: true } }, []],
    ['groups', { groups: ['a', 1, null, ['b'], 'a', '', '  '] }, ['a']],
    ['groups', { groups: [`a\u0000b`, 'x'.repeat(256), 'ok'] }, ['ok']],
    ['constructor.name', {}, []],
    ['__proto__', {}, []],
    ['groups.length', { groups: ['a'] }, []],
    [undefined, { groups: ['a'] }, []],
  ])('%s of %j', (path, claims, expected) => {
    expect(readGroups(claims, path)).toEqual(expected)
  })

  it('takes no more than 2000 groups', () => {
    expect(
      readGroups({ groups: Array.from({ length: 5000 }, (_, index) => `g${index}`) }, 'groups'),
    ).toHaveLength(2000)
  })

  it('tells an empty list from none', () => {
    expect(hasGroups({ groups: [] }, 'groups')).toBe(true)
    expect(hasGroups({}, 'groups')).toBe(false)
    expect(readClaim({ a: { b: 0 } }, 'a.b')).toBe(0)
  })
})

describe('field report 81: what a person is called', () => {
  it.each([
    ['preferred_username', { sub: '1', preferred_username: 'alice' }, 'alice'],
    ['preferred_username', { sub: '1', email: 'a@x.org', email_verified: true }, 'a@x.org'],
    ['preferred_username', { sub: '1', email: 'a@x.org', email_verified: 'true' }, 'a@x.org'],
    ['preferred_username', { sub: '1', email: 'a@x.org', email_verified: false }, '1'],
    ['preferred_username', { sub: '1', email: 'a@x.org' }, '1'],
    ['email', { sub: '1', email: 'a@x.org' }, '1'], // an address nobody vouches for names nobody
    ['email', { sub: '1', email: 'a@x.org', email_verified: true }, 'a@x.org'],
    ['preferred_username', { sub: '1', preferred_username: ' ' }, '1'],
    ['preferred_username', { sub: '1', preferred_username: 'a\nb' }, '1'],
    ['preferred_username', { sub: '1', preferred_username: ['alice'] }, '1'],
    ['profile.login', { sub: '1', profile: { login: 'alice' } }, 'alice'],
  ])('%s of %j', (claim, claims, expected) => {
    expect(readUsername(claims, claim)).toBe(expected)
  })

  it('keeps an e-mail address only if the provider vouches for it', () => {
    const rules = { usernameClaim: 'preferred_username', groupsClaim: undefined }
    expect(readProfile({ sub: '1', email: 'a@x.org', email_verified: false }, rules).email).toBeUndefined()
    expect(readProfile({ sub: '1', email: 'a@x.org', email_verified: true }, rules).email).toBe('a@x.org')
  })
})
