import { describe, expect, it } from 'vitest'
import type { Grant } from '../../src/policy/grants.ts'
import type { PolicyContent } from '../../src/store/policy.ts'
import { openTemporaryStore } from './temporary-store.ts'

const READ_ALPHA: Grant = { resourceType: 'experiment', match: 'name', pattern: 'alpha/*', level: 'READ' }
const EDIT_ALPHA: Grant = { ...READ_ALPHA, level: 'EDIT', expiresAt: 1_900_000_000 }

const POLICY: PolicyContent = {
  defaultPermission: 'READ',
  roles: [
    { name: 'reader', description: 'Reads', grants: [READ_ALPHA] },
    { name: 'editor', grants: [EDIT_ALPHA, READ_ALPHA] },
  ],
  groups: [{ provider: 'oidc', name: 'team', role: 'reader' }],
  users: [{ provider: 'oidc', name: 'alice', role: 'editor' }],
}

const EMPTY: PolicyContent = { roles: [], groups: [], users: [] }

describe('replacing the policy', () => {
  it('makes the store say what the policy says, in whatever order it was written', async () => {
    const { store } = await openTemporaryStore()
    expect(await store.roles.replacePolicy(POLICY)).toBe(true)
    const kept = await store.roles.policy()
    expect(kept.roles.map(({ name, description, grants }) => [name, description, grants.length])).toEqual([
      ['editor', undefined, 2],
      ['reader', 'Reads', 1],
    ])
    expect(kept).toMatchObject({ defaultPermission: 'READ', groups: POLICY.groups, users: POLICY.users })
    expect(await store.roles.replacePolicy({ ...POLICY, roles: POLICY.roles.toReversed() })).toBe(false)
  })

  it('keeps the ids of roles by name, and what was done by hand', async () => {
    const { store } = await openTemporaryStore()
    await store.roles.replacePolicy(POLICY)
    const before = await store.roles.get('reader')
    await store.roles.mapGroup('oidc', 'team', before?.id ?? '')
    await store.roles.replacePolicy({ ...EMPTY, roles: [{ name: 'reader', grants: [EDIT_ALPHA] }] })
    const after = await store.roles.get('reader')
    expect(after).toMatchObject({
      id: before?.id,
      description: undefined,
      groups: [{ provider: 'oidc', name: 'team', source: 'manual' }],
    })
    expect(after?.grants.map(({ source, level }) => `${source} ${level}`)).toEqual(['policy EDIT'])
    expect(await store.roles.policy()).toMatchObject({ defaultPermission: undefined, groups: [], users: [] })
    expect(await store.roles.get('editor')).toBeUndefined()
  })

  it('leaves roles made by hand alone', async () => {
    const { store } = await openTemporaryStore()
    await store.roles.create({ name: 'manual' })
    await store.roles.replacePolicy(POLICY)
    await store.roles.replacePolicy(EMPTY)
    expect((await store.roles.list()).map(({ name }) => name)).toEqual(['manual'])
  })

  it.each([
    [
      'a role of that name was made by hand',
      { ...POLICY, roles: [...POLICY.roles, { name: 'manual', grants: [] }] },
    ],
    ['a role is not defined', { ...POLICY, users: [{ provider: 'oidc', name: 'bob', role: 'nothing' }] }],
  ])('changes nothing if %s', async (_what, policy) => {
    const { store } = await openTemporaryStore()
    await store.roles.create({ name: 'manual' })
    const before = { ...EMPTY, roles: [{ name: 'reader', grants: [READ_ALPHA] }] }
    await store.roles.replacePolicy(before)
    const seq = await store.changes.latest()
    const contents = JSON.stringify([await store.roles.policy(), await store.roles.list()])
    await expect(store.roles.replacePolicy(policy)).rejects.toMatchObject({ code: 'ERR_INVALID_PARAMETER' })
    expect(JSON.stringify([await store.roles.policy(), await store.roles.list()])).toBe(contents)
    expect(await store.changes.latest()).toBe(seq)
  })
})
