import { describe, expect, it } from 'vitest'
import type { Person } from '../../src/store/people.ts'
import type { Store } from '../../src/store/store.ts'
import { OIDC, openTemporaryStore } from './temporary-store.ts'

const signInOf = (username: string, groups: readonly string[] = []) => ({
  ...{ provider: OIDC.id, issuer: OIDC.issuer, subject: `subject-of-${username}`, username, groups },
})

/** Somebody for each way to hold a role, and for each way that looks like one. */
async function seed(store: Store) {
  await store.roles.replacePolicy({
    roles: ['by-group', 'by-name', 'elsewhere'].map((name) => ({ name, grants: [] })),
    groups: [
      { provider: '', name: 'team', role: 'by-group' },
      { provider: 'other', name: 'team', role: 'elsewhere' },
    ],
    users: [
      { provider: 'oidc', name: 'nora', role: 'by-name' },
      { provider: '', name: 'pia', role: 'by-name' },
      { provider: 'other', name: 'nora', role: 'elsewhere' },
    ],
  })
  const byHand = await store.roles.create({ name: 'by-hand' })
  const [anna, gina, nora] = [
    await store.people.signIn(signInOf('anna')),
    await store.people.signIn(signInOf('gina', ['team'])),
    await store.people.signIn(signInOf('nora')),
  ]
  const pia = await store.people.add({ provider: 'oidc', username: 'pia' })
  const otto = await store.people.signIn({ ...signInOf('nora', ['team']), provider: 'other', issuer: 'x' })
  await store.roles.assign(anna.id, byHand.id)
  await store.roles.personal(anna.id)
  return { anna, gina, nora, pia, otto }
}

const PROVIDERS = [[OIDC], [OIDC, { id: 'other' }], [{ id: 'gone' }]]

describe('who holds which role', () => {
  it.each(PROVIDERS.map((providers) => [providers.map(({ id }) => id).join(), providers] as const))(
    'is for everybody at once what it is for each: with %s',
    async (_, providers) => {
      const { store } = await openTemporaryStore()
      await seed(store)
      const all = await store.roles.holdings(providers)
      for (const { id, username } of await store.people.list()) {
        const membership = await store.people.membership(id, providers)
        const held = membership?.roles.flatMap((role) => role.via.map((via) => `${role.id} ${via.kind}`))
        const ofOne = all.filter(({ userId }) => userId === id)
        expect([username, ofOne.map(({ roleId, kind }) => `${roleId} ${kind}`).sort()]).toEqual([
          username,
          held?.sort(),
        ])
        expect(await store.roles.holdings(providers, { userId: id })).toEqual(ofOne)
      }
    },
  )

  it('can be asked of one role', async () => {
    const { store } = await openTemporaryStore()
    const { nora, pia } = await seed(store)
    const role = await store.roles.get('by-name')
    const held = await store.roles.holdings([OIDC], { roleId: role?.id ?? '' })
    expect(held.map(({ userId }) => userId).sort()).toEqual([nora.id, pia.id].sort())
  })
})

describe('who is named in the configuration', () => {
  const ids = (people: readonly Person[]) => new Set(people.map(({ id }) => id))

  it('is who was first called so there, or is in the group there', async () => {
    const { store } = await openTemporaryStore()
    const { gina, nora, pia, otto } = await seed(store)
    const named = (users: string[], groups: string[]) =>
      store.roles.namedSo({
        users: users.map((name) => ({ provider: 'oidc', name })),
        groups: groups.map((name) => ({ provider: 'other', name })),
      })
    expect(await named(['nora', 'pia'], [])).toEqual(ids([nora, pia]))
    expect(await named([], ['team'])).toEqual(ids([otto]))
    expect(await named([], [])).toEqual(new Set())
    expect(
      await store.roles.namedSo({ users: [{ provider: 'oidc', name: 'nora' }], groups: [] }, gina.id),
    ).toEqual(new Set())
  })

  it('is nobody who was given the name after somebody else', async () => {
    const { store } = await openTemporaryStore()
    const { nora } = await seed(store)
    await store.people.signIn({ ...signInOf('norah'), subject: nora.subject ?? '' })
    const later = await store.people.signIn({ ...signInOf('nora'), subject: 'somebody else' })
    expect(later.username).toBe('nora')
    expect(await store.roles.namedSo({ users: [{ provider: 'oidc', name: 'nora' }], groups: [] })).toEqual(
      new Set(),
    )
  })
})
