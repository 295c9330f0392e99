import { describe, expect, it } from 'vitest'
import { CHANGES_KEPT } from '../../src/store/changes.ts'
import type { Store } from '../../src/store/store.ts'
import type { TestDatabase } from '../support/database.ts'
import { openTemporaryStore, signInOf } from './temporary-store.ts'

const SID = 'S'.repeat(43)
const GRANT = {
  resourceType: 'registered_model',
  match: 'exact',
  pattern: 'm',
  level: 'READ',
  source: 'creator',
} as const
const KEY = { kid: 'k1', alg: 'ES256', publicJwk: { kty: 'EC' }, privateSealed: 'sealed', createdAt: 1 }

/** What every mutation is tried on: Alice, her session and token, a role she holds with a grant, a group that has it. */
async function furnish(store: Store, now: number) {
  const alice = await store.people.signIn(signInOf('alice', { groups: ['team'] }))
  const role = await store.roles.create({ name: 'role' })
  const grant = await store.roles.grant(role.id, GRANT)
  await store.roles.assign(alice.id, role.id)
  await store.roles.mapGroup('oidc', 'team', role.id)
  await store.sessions.set(SID, '{}', {
    userId: alice.id,
    idleExpiresAt: now + 60,
    absoluteExpiresAt: now + 60,
  })
  await store.tokens.add({
    jti: 't1',
    userId: alice.id,
    name: 'n',
    scope: [],
    createdAt: now,
    expiresAt: now + 60,
  })
  await store.keys.add(KEY)
  return { store, alice, role, grant }
}

type Furnished = Awaited<ReturnType<typeof furnish>>

/** Each with the changes it must announce. */
const MUTATIONS: [string, (furnished: Furnished) => Promise<unknown>, (furnished: Furnished) => string[]][] =
  [
    ['a first sign-in', ({ store }) => store.people.signIn(signInOf('bob')), () => ['user NEW']],
    [
      'other groups',
      ({ store }) => store.people.signIn(signInOf('alice')),
      ({ alice }) => [`user ${alice.id}`],
    ],
    [
      'another username',
      ({ store }) =>
        store.people.signIn(signInOf('alicia', { subject: 'subject-of-alice', groups: ['team'] })),
      ({ alice }) => [`user ${alice.id}`],
    ],
    ['nothing new', ({ store }) => store.people.signIn(signInOf('alice', { groups: ['team'] })), () => []],
    ['people.add', ({ store }) => store.people.add({ provider: 'oidc', username: 'x' }), () => ['user NEW']],
    [
      'setDisabled',
      ({ store, alice }) => store.people.setDisabled(alice.id, true),
      ({ alice }) => [`user ${alice.id}`],
    ],
    [
      'people.remove',
      ({ store, alice }) => store.people.remove(alice.id),
      ({ alice }) => [`user ${alice.id}`],
    ],
    ['roles.create', ({ store }) => store.roles.create({ name: 'other' }), () => ['role NEW']],
    ['roles.delete', ({ store, role }) => store.roles.delete(role.id), ({ role }) => [`role ${role.id}`]],
    [
      'roles.grant',
      ({ store, role }) => store.roles.grant(role.id, { ...GRANT, level: 'EDIT' }),
      ({ role }) => [`role ${role.id}`],
    ],
    [
      'revokeGrant',
      ({ store, grant }) => store.roles.revokeGrant(grant.id),
      ({ role }) => [`role ${role.id}`],
    ],
    [
      'assign',
      ({ store, alice, role }) => store.roles.assign(alice.id, role.id),
      ({ alice }) => [`user ${alice.id}`],
    ],
    [
      'unassign',
      ({ store, alice, role }) => store.roles.unassign(alice.id, role.id),
      ({ alice }) => [`user ${alice.id}`],
    ],
    ['mapGroup', ({ store, role }) => store.roles.mapGroup('', 'team', role.id), () => ['groups *']],
    ['unmapGroup', ({ store, role }) => store.roles.unmapGroup('oidc', 'team', role.id), () => ['groups *']],
    ['personal', ({ store, alice }) => store.roles.personal(alice.id), ({ alice }) => [`user ${alice.id}`]],
    [
      'replacePolicy',
      ({ store }) => store.roles.replacePolicy({ roles: [{ name: 'p', grants: [] }], groups: [], users: [] }),
      () => ['groups *'],
    ],
    [
      'renameResource',
      ({ store }) => store.roles.carry.renameResource('registered_model', 'm', 'n'),
      ({ role }) => [`role ${role.id}`, 'model m'],
    ],
    [
      'forgetResource',
      ({ store }) => store.roles.carry.forgetResource('registered_model', 'm'),
      ({ role }) => [`role ${role.id}`, 'model m'],
    ],
    [
      'forgetResource of an experiment',
      ({ store }) => store.roles.carry.forgetResource('experiment', '1'),
      () => ['experiment 1'],
    ],
    [
      'forgetCreators',
      ({ store }) => store.roles.carry.forgetCreators('registered_model', 'm'),
      ({ role }) => [`role ${role.id}`],
    ],
    [
      'tokens.add',
      ({ store, alice }) =>
        store.tokens.add({ jti: 't2', userId: alice.id, name: 'n', scope: [], createdAt: 1, expiresAt: 2 }),
      () => ['token t2'],
    ],
    ['tokens.revoke', ({ store }) => store.tokens.revoke('t1'), () => ['token t1']],
    ['sessions.destroy', ({ store }) => store.sessions.destroy(SID), () => [`session ${SID}`]],
    [
      'sessions.destroyOf',
      ({ store, alice }) => store.sessions.destroyOf(alice.id),
      () => [`session ${SID}`],
    ],
    ['keys.add', ({ store }) => store.keys.add({ ...KEY, kid: 'k2' }), () => ['keys k2']],
    ['keys.retire', ({ store }) => store.keys.retire('k1'), () => ['keys k1']],
    ['changes.note', ({ store }) => store.changes.note('experiment', '7'), () => ['experiment 7']],
  ]

async function announcedBy(store: Store, seq: number, known: readonly string[]) {
  const changes = await store.changes.since(seq)
  return changes.map(({ kind, key }) => {
    const isNew = (kind === 'user' || kind === 'role') && !known.includes(key)
    return `${kind} ${isNew ? 'NEW' : key}`
  })
}

describe('every mutation announces what others must forget', () => {
  it.each(MUTATIONS)('%s', async (_name, mutate, expected) => {
    const { store, clock } = await openTemporaryStore()
    const furnished = await furnish(store, clock.now)
    const seq = await store.changes.latest()
    await mutate(furnished)
    const announced = await announcedBy(store, seq, [furnished.alice.id, furnished.role.id])
    expect(announced).toEqual(expected(furnished))
  })

  it.each(MUTATIONS)('and is not made if it cannot be announced: %s', async (_name, mutate, expected) => {
    const { store, database, clock } = await openTemporaryStore()
    const furnished = await furnish(store, clock.now)
    if (expected(furnished).length === 0) return
    await database.refuseInserts('changes')
    const before = await contentsOf(database)
    await expect(mutate(furnished)).rejects.toThrow()
    expect(await contentsOf(database)).toBe(before)
  })
})

async function contentsOf({ tables, query }: TestDatabase): Promise<string> {
  const names = (await tables()).toSorted()
  return JSON.stringify(
    await Promise.all(names.map((table) => query(`select * from ${table} order by 1, 2`))),
  )
}

describe('the feed', () => {
  it('counts on and never back, and hands out what came after', async () => {
    const { store } = await openTemporaryStore()
    expect(await store.changes.latest()).toBe(0)
    for (const key of ['1', '2', '3']) await store.changes.note('experiment', key)
    expect(await store.changes.since(1)).toEqual([
      { seq: 2, kind: 'experiment', key: '2' },
      { seq: 3, kind: 'experiment', key: '3' },
    ])
    expect(await store.changes.latest()).toBe(3)
  })

  it('does not grow without bound', async () => {
    const { store, clock } = await openTemporaryStore()
    for (let index = 0; index < 300; index += 1) await store.changes.note('experiment', 'old')
    clock.now += CHANGES_KEPT + 1
    for (let index = 0; index < 300; index += 1) await store.changes.note('experiment', 'new')
    const left = await store.changes.since(0)
    expect(left.every(({ key }) => key === 'new')).toBe(true)
    expect(left).toHaveLength(300)
  })
})
