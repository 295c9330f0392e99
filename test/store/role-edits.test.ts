import { describe, expect, it } from 'vitest'
import type { NewGrant } from '../../src/store/roles.ts'
import { openTemporaryStore } from './temporary-store.ts'

const ON_ONE: NewGrant = {
  ...{ resourceType: 'experiment', match: 'exact', pattern: '1', level: 'READ', source: 'manual' },
}

describe('a grant added', () => {
  it('is refused where the role has one on the same, whatever its level', async () => {
    const { store, clock } = await openTemporaryStore()
    const { id } = await store.roles.create({ name: 'reader' })
    await store.roles.addGrant(id, { ...ON_ONE, expiresAt: clock.now + 10 })
    const again = () => store.roles.addGrant(id, { ...ON_ONE, level: 'EDIT' })
    await expect(again()).rejects.toMatchObject({ code: 'ERR_ALREADY_EXISTS' })
    for (const other of [
      { ...ON_ONE, pattern: '2' },
      { ...ON_ONE, match: 'name' },
      { ...ON_ONE, resourceType: 'prompt' },
    ] as const) {
      await store.roles.addGrant(id, other)
    }
    clock.now += 10
    await again()
    const levels = (await store.roles.find(id))?.grants.map(({ level }) => level)
    expect(levels?.sort()).toEqual(['EDIT', 'READ', 'READ', 'READ'])
  })

  it('is refused for a role that is gone', async () => {
    const { store } = await openTemporaryStore()
    await expect(store.roles.addGrant('gone', ON_ONE)).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  })
})

describe('a grant changed or taken away', () => {
  it('is announced, and is by hand from then on', async () => {
    const { store } = await openTemporaryStore()
    const { id } = await store.roles.create({ name: 'reader' })
    const grant = await store.roles.addGrant(id, { ...ON_ONE, source: 'creator' })
    const seq = await store.changes.latest()
    expect(await store.roles.setLevel([grant.id], { level: 'MANAGE', by: 'anna' })).toBe(1)
    expect(await store.roles.findGrant(grant.id)).toMatchObject({
      roleId: id,
      grant: { level: 'MANAGE', source: 'manual', createdBy: 'anna' },
    })
    expect(await store.roles.removeGrants(id, ON_ONE)).toBe(1)
    expect(await store.roles.removeGrants(id, ON_ONE)).toBe(0)
    expect(await store.roles.findGrant(grant.id)).toBeUndefined()
    expect((await store.changes.since(seq)).map(({ kind, key }) => [kind, key])).toEqual([
      ['role', id],
      ['role', id],
    ])
  })

  it('stays if it is the policy file’s', async () => {
    const { store } = await openTemporaryStore()
    const { resourceType, match, pattern, level } = ON_ONE
    const grants = [{ resourceType, match, pattern, level }]
    await store.roles.replacePolicy({ roles: [{ name: 'reader', grants }], groups: [], users: [] })
    const role = await store.roles.get('reader')
    const [grant] = role?.grants ?? []
    expect(await store.roles.setLevel([grant?.id ?? ''], { level: 'MANAGE', by: 'anna' })).toBe(0)
    expect(await store.roles.removeGrants(role?.id ?? '', ON_ONE)).toBe(0)
    expect((await store.roles.get('reader'))?.grants).toEqual(role?.grants)
  })
})

describe('a role renamed', () => {
  it('keeps its id, what is not mentioned, and who holds it', async () => {
    const { store } = await openTemporaryStore()
    const { id } = await store.roles.create({ name: 'reader', description: 'reads' })
    await store.roles.rename(id, { name: 'viewer' })
    await store.roles.rename(id, { description: 'views' })
    await store.roles.rename(id, { name: 'viewer' })
    expect(await store.roles.find(id)).toMatchObject({ id, name: 'viewer', description: 'views' })
  })

  it('is no personal one', async () => {
    const { store } = await openTemporaryStore()
    const { id: userId } = await store.people.add({ provider: 'oidc', username: 'anna' })
    const { id } = await store.roles.personal(userId)
    await expect(store.roles.rename(id, { name: 'x' })).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
  })
})

describe('numbers for MLflow’s clients', () => {
  it('stay, are one each, and lead back', async () => {
    const { store } = await openTemporaryStore()
    const ids = Array.from({ length: 1200 }, (_, index) => `id-${index}`)
    const some = await store.publicIds.numbersOf(ids.slice(0, 700))
    const all = await store.publicIds.numbersOf([...ids, ...ids])
    expect(new Set(all.values()).size).toBe(1200)
    for (const [id, number] of some) expect(all.get(id)).toBe(number)
    expect(await store.publicIds.idOf(all.get('id-1100') ?? 0)).toBe('id-1100')
    expect(await store.publicIds.idOf(5000)).toBeUndefined()
  })

  it('are forgotten once what they stood for is gone, and never given to anything else', async () => {
    const { store } = await openTemporaryStore()
    const { id: user } = await store.people.add({ provider: 'oidc', username: 'anna' })
    const { id: role } = await store.roles.create({ name: 'reader' })
    const { id: grant } = await store.roles.addGrant(role, ON_ONE)
    const numbers = await store.publicIds.numbersOf([user, role, grant, 'gone'])
    expect(await store.publicIds.prune()).toBe(1)
    await store.roles.delete(role)
    expect(await store.publicIds.prune()).toBe(2)
    expect(await store.publicIds.idOf(numbers.get(user) ?? 0)).toBe(user)
    expect(await store.publicIds.idOf(numbers.get(role) ?? 0)).toBeUndefined()
    const after = await store.publicIds.numbersOf(['later'])
    expect(after.get('later')).toBeGreaterThan(Math.max(...numbers.values()))
  })

  it('cost no statement once they are known', async () => {
    const { store, statements } = await openTemporaryStore()
    const before = await store.publicIds.numbersOf(['a', 'b'])
    statements.length = 0
    expect(await store.publicIds.numbersOf(['b', 'a'])).toEqual(before)
    expect(statements).toEqual([])
  })
})
