import { describe, expect, it } from 'vitest'
import type { Grant } from '../../src/policy/grants.ts'
import type { NewGrant } from '../../src/store/roles.ts'
import type { Store } from '../../src/store/store.ts'
import { openTemporaryStore, signInOf } from './temporary-store.ts'

const READ_ALPHA: Grant = { resourceType: 'experiment', match: 'name', pattern: 'alpha/*', level: 'READ' }
const manual = (grant: Grant): NewGrant => ({ ...grant, source: 'manual' })
const exact = (pattern: string, more: Partial<NewGrant> = {}): NewGrant => ({
  resourceType: 'registered_model',
  match: 'exact',
  pattern,
  level: 'MANAGE',
  source: 'manual',
  ...more,
})

async function patternsOf(store: Store, role: string) {
  return (await store.roles.get(role))?.grants.map(({ pattern, source }) => `${source} ${pattern}`).sort()
}

describe('a role', () => {
  it('is listed with its grants and holders', async () => {
    const { store, clock } = await openTemporaryStore()
    const alice = await store.people.signIn(signInOf('alice'))
    const role = await store.roles.create({ name: 'reader', description: 'Reads' })
    const grant = await store.roles.grant(role.id, { ...READ_ALPHA, source: 'manual', createdBy: 'root' })
    await store.roles.assign(alice.id, role.id)
    await store.roles.assign(alice.id, role.id)
    await store.roles.mapGroup('oidc', 'team', role.id)
    await store.roles.mapGroup('oidc', 'team', role.id)
    expect(grant).toMatchObject({ ...READ_ALPHA, source: 'manual', createdBy: 'root', createdAt: clock.now })
    expect(await store.roles.list()).toEqual([{ ...role, grants: [grant] }])
    expect(await store.roles.get('reader')).toEqual({
      ...role,
      grants: [grant],
      users: [{ id: alice.id, username: 'alice', source: 'manual' }],
      groups: [{ provider: 'oidc', name: 'team', source: 'manual' }],
      names: [],
    })
    expect(await store.roles.get('writer')).toBeUndefined()
  })

  it.each([
    ['reader', 'ERR_ALREADY_EXISTS'],
    ...['', ' ', '~reader', '__user_7__', 'a\u0000b', 'x'.repeat(256)].map(
      (name) => [name, 'ERR_INVALID_PARAMETER'] as const,
    ),
  ] as const)('cannot be named %j', async (name, code) => {
    const { store } = await openTemporaryStore()
    await store.roles.create({ name: 'reader' })
    await expect(store.roles.create({ name })).rejects.toMatchObject({ code })
    const other = await store.roles.create({ name: 'other' })
    await expect(store.roles.rename(other.id, { name })).rejects.toMatchObject({ code })
  })

  it('goes with its grants, assignments and mappings', async () => {
    const { store } = await openTemporaryStore()
    const alice = await store.people.signIn(signInOf('alice', { groups: ['team'] }))
    const role = await store.roles.create({ name: 'reader' })
    const grant = await store.roles.grant(role.id, manual(READ_ALPHA))
    await store.roles.assign(alice.id, role.id)
    await store.roles.mapGroup('oidc', 'team', role.id)
    expect(await store.roles.delete(role.id)).toBe(true)
    expect(await store.roles.delete(role.id)).toBe(false)
    expect(await store.roles.revokeGrant(grant.id)).toBe(false)
    expect(await store.roles.unassign(alice.id, role.id)).toBe(false)
    expect(await store.roles.unmapGroup('oidc', 'team', role.id)).toBe(false)
  })

  it('keeps one of two grants that say the same, and both that differ in level, expiry or source', async () => {
    const { store, clock } = await openTemporaryStore()
    const role = await store.roles.create({ name: 'reader' })
    const grants = [
      manual(READ_ALPHA),
      manual({ ...READ_ALPHA, level: 'EDIT' }),
      manual({ ...READ_ALPHA, expiresAt: clock.now + 60 }),
      { ...READ_ALPHA, source: 'creator' as const },
    ]
    for (const grant of [...grants, ...grants]) await store.roles.grant(role.id, grant)
    expect((await store.roles.get('reader'))?.grants).toHaveLength(4)
  })

  it('is wanted by every change that names one', async () => {
    const { store } = await openTemporaryStore()
    const alice = await store.people.signIn(signInOf('alice'))
    const bob = await store.people.signIn(signInOf('bob'))
    const role = await store.roles.create({ name: 'reader' })
    const personal = await store.roles.personal(alice.id)
    const refused = { code: 'ERR_NOT_FOUND' }
    await expect(store.roles.grant('none', manual(READ_ALPHA))).rejects.toMatchObject(refused)
    await expect(store.roles.assign(alice.id, 'none')).rejects.toMatchObject(refused)
    await expect(store.roles.assign('nobody', role.id)).rejects.toMatchObject(refused)
    await expect(store.roles.mapGroup('oidc', 'team', 'none')).rejects.toMatchObject(refused)
    await expect(store.roles.personal('nobody')).rejects.toMatchObject(refused)
    // What is somebody's own is not given to others.
    await expect(store.roles.assign(bob.id, personal.id)).rejects.toMatchObject(refused)
    await expect(store.roles.mapGroup('oidc', 'team', personal.id)).rejects.toMatchObject(refused)
    expect(await store.roles.delete(personal.id)).toBe(false)
  })

  it('of a person is made once, and not listed among the others', async () => {
    const { store } = await openTemporaryStore()
    const { id } = await store.people.signIn(signInOf('alice'))
    const roles = await Promise.all([
      store.roles.personal(id),
      store.roles.personal(id),
      store.roles.personal(id),
    ])
    expect(new Set(roles.map((role) => role.id)).size).toBe(1)
    expect(roles[0]).toMatchObject({ ownerUserId: id, grants: [] })
    expect(await store.roles.list()).toEqual([])
  })
})

describe('grants on one resource', () => {
  it('follow a rename whatever role holds them; patterns and other types stay', async () => {
    const { store } = await openTemporaryStore()
    const alice = await store.people.signIn(signInOf('alice'))
    const role = await store.roles.create({ name: 'r' })
    const personal = await store.roles.personal(alice.id)
    await store.roles.grant(personal.id, exact('old', { source: 'creator' }))
    await store.roles.grant(role.id, exact('old'))
    await store.roles.grant(role.id, exact('old', { resourceType: 'prompt' }))
    await store.roles.grant(role.id, exact('old', { match: 'name' }))
    await store.roles.grant(role.id, exact('older'))
    await store.roles.carry.renameResource('registered_model', 'old', 'new')
    expect(await patternsOf(store, 'r')).toEqual(['manual new', 'manual old', 'manual old', 'manual older'])
    expect(await patternsOf(store, personal.name)).toEqual(['creator new'])
  })

  it('go with a deletion whatever role holds them', async () => {
    const { store } = await openTemporaryStore()
    const role = await store.roles.create({ name: 'r' })
    await store.roles.grant(role.id, exact('gone'))
    await store.roles.grant(role.id, exact('gone', { source: 'creator' }))
    await store.roles.grant(role.id, exact('gone', { match: 'name' }))
    await store.roles.carry.forgetResource('registered_model', 'gone')
    expect(await patternsOf(store, 'r')).toEqual(['manual gone'])
  })

  it.each(['create', 'rename'])(
    'left by the creator of an earlier one of that name are gone after a %s',
    async (how) => {
      const { store } = await openTemporaryStore()
      const role = await store.roles.create({ name: 'r' })
      await store.roles.grant(role.id, exact('name', { source: 'creator' }))
      await store.roles.grant(role.id, exact('name', { level: 'READ' }))
      if (how === 'create') await store.roles.carry.forgetCreators('registered_model', 'name')
      else await store.roles.carry.renameResource('registered_model', 'other', 'name')
      expect(await patternsOf(store, 'r')).toEqual(['manual name'])
    },
  )
})
