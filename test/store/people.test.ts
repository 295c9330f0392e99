import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { OIDC, openTemporaryStore, signInOf } from './temporary-store.ts'

describe('signing in', () => {
  it('finds the person by issuer and subject, and follows name, email and groups', async () => {
    const { store, clock } = await openTemporaryStore()
    const first = await store.people.signIn(signInOf('alice', { groups: ['a', 'b', 'b'] }))
    clock.now += 60
    const second = await store.people.signIn(
      signInOf('alicia', {
        subject: 'subject-of-alice',
        email: 'a@example',
        displayName: 'Alicia',
        groups: ['b', 'c'],
      }),
    )
    expect(second).toEqual({
      ...first,
      username: 'alicia',
      email: 'a@example',
      displayName: 'Alicia',
      lastSeenAt: clock.now,
    })
    const membership = await store.people.membership(first.id, [OIDC])
    expect(membership?.groups.map(({ name }) => name)).toEqual(['b', 'c'])
  })

  it.each([
    ['another subject', { subject: 'other' }],
    ['another issuer with the same subject', { issuer: 'https://other.example' }],
    [
      'another provider with the same name',
      { provider: 'corp', issuer: 'https://corp.example', subject: 'other' },
    ],
  ])('%s is another person', async (_what, more) => {
    const { store } = await openTemporaryStore()
    const alice = await store.people.signIn(signInOf('alice'))
    const other = await store.people.signIn(signInOf('alice', more))
    expect(other.id).not.toBe(alice.id)
    expect(other.username).toBe(`${other.provider}:alice`)
    expect((await store.people.find({ id: alice.id }))?.username).toBe('alice')
  })

  it.each([
    [['alice'], 'bob', 'bob'],
    [['alice'], 'alice', 'oidc:alice'],
    [['alice', 'oidc:alice'], 'alice', 'oidc:alice'],
    [[], 'corp:alice', 'oidc:corp:alice'],
    [[], 'oidc:alice', 'oidc:oidc:alice'],
  ])('beside %j, %s is shown as %s', async (others, claimed, shown) => {
    const { store } = await openTemporaryStore()
    for (const other of others) await store.people.signIn(signInOf(other))
    expect(await store.people.signIn(signInOf(claimed, { subject: 'new' }))).toMatchObject({
      username: shown,
    })
  })

  it('numbers the names of many with one name', async () => {
    const { store } = await openTemporaryStore()
    const names = []
    for (let index = 0; index < 23; index += 1) {
      names.push((await store.people.signIn(signInOf('alice', { subject: `s${index}` }))).username)
    }
    expect(names.slice(0, 4)).toEqual(['alice', 'oidc:alice', 'oidc:alice-2', 'oidc:alice-3'])
    expect(new Set(names).size).toBe(23)
  })

  it('keeps the username of somebody who signs in again, and gives a better one once it is free', async () => {
    const { store } = await openTemporaryStore()
    const first = await store.people.signIn(signInOf('alice'))
    await store.people.signIn(signInOf('alice', { subject: 'second' }))
    expect(await store.people.signIn(signInOf('alice', { subject: 'second' }))).toMatchObject({
      username: 'oidc:alice',
    })
    await store.people.remove(first.id)
    expect(await store.people.signIn(signInOf('alice', { subject: 'second' }))).toMatchObject({
      username: 'alice',
    })
  })

  it('under another provider id drops the groups of the former one', async () => {
    const { store } = await openTemporaryStore()
    const { id } = await store.people.signIn(signInOf('alice', { groups: ['admins'] }))
    await store.people.signIn(signInOf('alice', { provider: 'corp', groups: ['staff'] }))
    const membership = await store.people.membership(id, [OIDC, { id: 'corp' }])
    expect(membership?.groups).toEqual([{ provider: 'corp', name: 'staff' }])
  })

  it('of two at once with one subject makes one person', async () => {
    const { store } = await openTemporaryStore()
    const people = await Promise.all([1, 2, 3].map(() => store.people.signIn(signInOf('alice'))))
    expect(new Set(people.map(({ id }) => id)).size).toBe(1)
  })

  it('of a disabled person changes nothing about that', async () => {
    const { store } = await openTemporaryStore()
    const { id } = await store.people.signIn(signInOf('alice'))
    await store.people.setDisabled(id, true)
    expect(await store.people.signIn(signInOf('alice'))).toMatchObject({ id, disabled: true })
  })
})

describe('a username that is given to somebody else at the provider', () => {
  it('carries nothing over: neither roles, grants nor tokens, nor what is configured by name', async () => {
    const { store } = await openTemporaryStore()
    const before = await store.people.signIn(signInOf('alice'))
    const role = await store.roles.create({ name: 'editor' })
    await store.roles.assign(before.id, role.id)
    const personal = await store.roles.personal(before.id)
    await store.roles.grant(personal.id, {
      resourceType: 'experiment',
      match: 'exact',
      pattern: '1',
      level: 'MANAGE',
      source: 'creator',
    })
    await store.roles.replacePolicy({
      roles: [{ name: 'reader', grants: [] }],
      groups: [],
      users: [{ provider: 'oidc', name: 'alice', role: 'reader' }],
    })
    const after = await store.people.signIn(signInOf('alice', { subject: 're-created' }))
    expect(await store.people.membership(after.id, [OIDC])).toMatchObject({ names: [], roles: [] })
    const held = (await store.people.membership(before.id, [OIDC]))?.roles.map(({ name }) => name)
    expect(held).toEqual(['editor', 'reader', personal.name])
  })

  it('counts as theirs only once an admin has removed who had it', async () => {
    const { store } = await openTemporaryStore()
    const before = await store.people.signIn(signInOf('alice'))
    const after = await store.people.signIn(signInOf('alice', { subject: 're-created' }))
    await store.people.remove(before.id)
    await store.people.signIn(signInOf('alice', { subject: 're-created' }))
    const membership = await store.people.membership(after.id, [OIDC])
    expect(membership?.names).toEqual([{ provider: 'oidc', name: 'alice' }])
  })

  it('is no longer the name of somebody who was renamed, and not free for others either', async () => {
    const { store } = await openTemporaryStore()
    const alice = await store.people.signIn(signInOf('alice'))
    await store.people.signIn(signInOf('alicia', { subject: 'subject-of-alice' }))
    const other = await store.people.signIn(signInOf('alice', { subject: 'other' }))
    const namesOf = async (id: string) => (await store.people.membership(id, [OIDC]))?.names
    expect(await namesOf(alice.id)).toEqual([{ provider: 'oidc', name: 'alicia' }])
    expect(await namesOf(other.id)).toEqual([])
  })
})

describe('somebody an admin added before their first sign-in', () => {
  it('is taken over, once, by who signs in at exactly that provider with exactly that username', async () => {
    const { store } = await openTemporaryStore()
    const pending = await store.people.add({ provider: 'oidc', username: 'alice' })
    expect(pending).toMatchObject({
      provider: 'oidc',
      username: 'alice',
      issuer: undefined,
      subject: undefined,
    })
    const first = await store.people.signIn(signInOf('alice', { subject: 's1' }))
    const second = await store.people.signIn(signInOf('alice', { subject: 's2' }))
    expect(first).toMatchObject({ id: pending.id, issuer: OIDC.issuer, subject: 's1' })
    expect(second.id).not.toBe(pending.id)
  })

  it.each([
    ['the username in other letters', signInOf('Alice')],
    ['another username', signInOf('alice2')],
    ['another provider', signInOf('alice', { provider: 'corp', issuer: 'https://corp.example' })],
  ])('is not taken over by %s', async (_what, signIn) => {
    const { store } = await openTemporaryStore()
    const pending = await store.people.add({ provider: 'oidc', username: 'alice' })
    expect((await store.people.signIn(signIn)).id).not.toBe(pending.id)
    expect((await store.people.signIn(signInOf('alice', { subject: 'right' }))).id).toBe(pending.id)
  })

  it('is not taken over by somebody already known who is renamed to that', async () => {
    const { store } = await openTemporaryStore()
    const known = await store.people.signIn(signInOf('bob'))
    const pending = await store.people.add({ provider: 'oidc', username: 'alice' })
    const renamed = await store.people.signIn(signInOf('alice', { subject: 'subject-of-bob' }))
    expect(renamed.id).toBe(known.id)
    expect(await store.people.membership(known.id, [OIDC])).toMatchObject({ names: [] })
    expect((await store.people.signIn(signInOf('alice'))).id).toBe(pending.id)
  })

  it('may be given the name of somebody who has another by now', async () => {
    const { store } = await openTemporaryStore()
    await store.people.signIn(signInOf('alice'))
    await store.people.signIn(signInOf('alicia', { subject: 'subject-of-alice' }))
    const { id } = await store.people.add({ provider: 'oidc', username: 'alice' })
    await store.people.signIn(signInOf('alice', { subject: 'new' }))
    expect(await store.people.membership(id, [OIDC])).toMatchObject({
      person: { subject: 'new', username: 'alice' },
      names: [{ provider: 'oidc', name: 'alice' }],
    })
  })

  it('cannot be added under a name somebody holds, or twice', async () => {
    const { store } = await openTemporaryStore()
    await store.people.signIn(signInOf('alice'))
    await store.people.add({ provider: 'oidc', username: 'bob' })
    for (const username of ['alice', 'bob']) {
      const error = await store.people.add({ provider: 'oidc', username }).catch((fault: unknown) => fault)
      expect(isGatewayError(error, 'ERR_ALREADY_EXISTS'), username).toBe(true)
    }
    expect(await store.people.list()).toHaveLength(2)
  })
})

describe('removing somebody', () => {
  it('takes sessions, tokens, assignments and personal grants along', async () => {
    const { store, clock } = await openTemporaryStore()
    const { id } = await store.people.signIn(signInOf('alice', { groups: ['g'] }))
    await store.roles.personal(id)
    await store.tokens.add({ jti: 'j', userId: id, name: 'n', scope: [], createdAt: 1, expiresAt: 2 })
    const expiry = { userId: id, idleExpiresAt: clock.now + 60, absoluteExpiresAt: clock.now + 60 }
    await store.sessions.set('s'.repeat(43), '{}', expiry)
    expect(await store.people.remove(id)).toBe(true)
    expect(await store.people.remove(id)).toBe(false)
    expect(await store.people.find({ id })).toBeUndefined()
    expect(await store.people.membership(id, [OIDC])).toBeUndefined()
    expect(await store.tokens.list()).toEqual([])
    expect(await store.sessions.get('s'.repeat(43))).toBeUndefined()
  })
})
