import { describe, expect, it } from 'vitest'
import type { Grant } from '../../src/policy/grants.ts'
import type { Store } from '../../src/store/store.ts'
import { OIDC, openTemporaryStore, signInOf } from './temporary-store.ts'

const CORP = { id: 'corp' }
const READ_ALPHA: Grant = { resourceType: 'experiment', match: 'name', pattern: 'alpha/*', level: 'READ' }

async function rolesOf(store: Store, userId: string, providers = [OIDC as { readonly id: string }]) {
  return (await store.people.membership(userId, providers))?.roles.map(({ name }) => name)
}

describe('field report 93: statements do not grow with groups and roles', () => {
  it('reads 1, 100 and 1000 groups, each with a role of its own, in the same number of statements', async () => {
    const { store, statements } = await openTemporaryStore()
    const groups = Array.from({ length: 1000 }, (_, index) => `group-${index}`)
    await store.roles.replacePolicy({
      roles: groups.map((group) => ({ name: `role-of-${group}`, grants: [READ_ALPHA] })),
      groups: groups.map((name) => ({ provider: 'oidc', name, role: `role-of-${name}` })),
      users: [],
    })
    const counts = []
    for (const count of [1, 100, 1000]) {
      const { id } = await store.people.signIn(signInOf(`user-${count}`, { groups: groups.slice(0, count) }))
      statements.length = 0
      const membership = await store.people.membership(id, [OIDC])
      counts.push(statements.length)
      expect(membership?.groups).toHaveLength(count)
      expect(membership?.roles.flatMap((role) => role.grants)).toHaveLength(count)
    }
    // begin, person, names, ways to roles, groups, grants, default permission, commit
    expect(counts).toEqual([8, 8, 8])
  })
})

describe('a membership', () => {
  it('names each role once, with every way it is held', async () => {
    const { store } = await openTemporaryStore()
    const { id } = await store.people.signIn(signInOf('alice', { groups: ['a', 'b'] }))
    const role = await store.roles.create({ name: 'reader' })
    await store.roles.grant(role.id, { ...READ_ALPHA, source: 'manual', createdBy: 'root' })
    await store.roles.assign(id, role.id)
    await store.roles.mapGroup('oidc', 'a', role.id)
    await store.roles.mapGroup('', 'b', role.id)
    const personal = await store.roles.personal(id)
    const membership = await store.people.membership(id, [OIDC])
    expect(membership?.roles).toEqual([
      {
        id: role.id,
        name: 'reader',
        personal: false,
        grants: [expect.objectContaining({ ...READ_ALPHA, source: 'manual', createdBy: 'root' })],
        via: expect.arrayContaining([
          { kind: 'assigned' },
          { kind: 'group', provider: 'oidc', name: 'a' },
          { kind: 'group', provider: 'oidc', name: 'b' },
        ]),
      },
      { id: personal.id, name: personal.name, personal: true, grants: [], via: [{ kind: 'personal' }] },
    ])
    expect(membership?.roles[0]?.via).toHaveLength(3)
  })

  it.each([
    ['oidc', [OIDC], ['reader']],
    ['oidc', [OIDC, CORP], ['reader']],
    ['', [OIDC], ['reader']],
    ['', [OIDC, CORP], []],
    ['corp', [OIDC, CORP], []],
    ['oidc', [CORP], []],
    ['', [CORP], []],
    ['oidc', [], []],
  ])('with a group mapped at %j and the providers %j holds %j', async (provider, providers, expected) => {
    const { store } = await openTemporaryStore()
    const { id } = await store.people.signIn(signInOf('alice', { groups: ['team'] }))
    const role = await store.roles.create({ name: 'reader' })
    await store.roles.mapGroup(provider, 'team', role.id)
    expect(await rolesOf(store, id, providers)).toEqual(expected)
  })

  it.each([
    ['oidc', 'alice', [OIDC], ['reader']],
    ['oidc', 'alice', [OIDC, CORP], ['reader']],
    ['', 'alice', [OIDC], ['reader']],
    ['', 'alice', [OIDC, CORP], []],
    ['corp', 'alice', [OIDC, CORP], []],
    ['oidc', 'Alice', [OIDC], []],
    ['oidc', 'alice', [CORP], []],
  ])(
    'with a role given to %j %s and the providers %j holds %j',
    async (provider, name, providers, expected) => {
      const { store } = await openTemporaryStore()
      await store.roles.replacePolicy({
        roles: [{ name: 'reader', grants: [] }],
        groups: [],
        users: [{ provider, name, role: 'reader' }],
      })
      const { id } = await store.people.signIn(signInOf('alice'))
      expect(await rolesOf(store, id, providers)).toEqual(expected)
    },
  )

  it('holds what is given to a name before the first sign-in', async () => {
    const { store } = await openTemporaryStore()
    const { id } = await store.people.add({ provider: 'oidc', username: 'ci' })
    await store.roles.replacePolicy({
      roles: [{ name: 'reader', grants: [] }],
      groups: [],
      users: [{ provider: 'oidc', name: 'ci', role: 'reader' }],
    })
    expect(await rolesOf(store, id)).toEqual(['reader'])
  })

  it.each([
    [-1, []],
    [0, []],
    [1, ['READ']],
  ])('holds a grant that expires in %i s as %j', async (seconds, expected) => {
    const { store, clock } = await openTemporaryStore()
    const { id } = await store.people.signIn(signInOf('alice'))
    const role = await store.roles.personal(id)
    await store.roles.grant(role.id, { ...READ_ALPHA, expiresAt: clock.now + seconds, source: 'manual' })
    const membership = await store.people.membership(id, [OIDC])
    expect(membership?.roles.flatMap(({ grants }) => grants.map(({ level }) => level))).toEqual(expected)
  })

  it('loses what came through a group once the provider no longer names it', async () => {
    const { store } = await openTemporaryStore()
    const { id } = await store.people.signIn(signInOf('alice', { groups: ['team'] }))
    const role = await store.roles.create({ name: 'reader' })
    await store.roles.mapGroup('oidc', 'team', role.id)
    await store.people.signIn(signInOf('alice', { groups: [] }))
    expect(await rolesOf(store, id)).toEqual([])
  })

  it('of nobody is undefined', async () => {
    const { store } = await openTemporaryStore()
    expect(await store.people.membership('nobody', [OIDC])).toBeUndefined()
  })
})
