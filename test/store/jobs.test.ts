import { describe, expect, it } from 'vitest'
import { OIDC } from './provider.ts'
import { openTemporaryStore } from './temporary-store.ts'

async function openWithTwo() {
  const opened = await openTemporaryStore()
  const signIn = async (username: string) => {
    const person = await opened.store.people.signIn({
      ...{ provider: OIDC.id, issuer: OIDC.issuer, subject: username, username },
      groups: [],
    })
    return person.id
  }
  return { ...opened, alice: await signIn('alice'), bob: await signIn('bob') }
}

describe('whose jobs are', () => {
  it('their starter’s, and nobody else’s', async () => {
    const { store, alice, bob } = await openWithTwo()
    await store.jobs.remember(alice, ['j1', 'j2'])
    await store.jobs.remember(bob, ['j3'])
    await store.jobs.remember(bob, [])
    expect(await store.jobs.isOwner(alice, 'j1')).toBe(true)
    expect(await store.jobs.isOwner(bob, 'j1')).toBe(false)
    expect(await store.jobs.isOwner(alice, 'J1')).toBe(false)
    expect(await store.jobs.isOwner(alice, 'never started')).toBe(false)
    expect(await store.jobs.startedBy(alice)).toEqual(new Set(['j1', 'j2']))
    expect(await store.jobs.startedBy(bob)).toEqual(new Set(['j3']))
  })

  it('are not taken over under the same id', async () => {
    const { store, alice, bob } = await openWithTwo()
    await store.jobs.remember(alice, ['j1'])
    await store.jobs.remember(bob, ['j1', 'j2'])
    expect(await store.jobs.startedBy(alice)).toEqual(new Set(['j1']))
    expect(await store.jobs.startedBy(bob)).toEqual(new Set(['j2']))
  })

  it('takes a thousand and more at once', async () => {
    const { store, alice } = await openWithTwo()
    const ids = Array.from({ length: 2500 }, (_, index) => `j${index}`)
    await store.jobs.remember(alice, ids)
    expect(await store.jobs.startedBy(alice)).toEqual(new Set(ids))
  })

  it('is forgotten when they are old', async () => {
    const { store, alice, clock } = await openWithTwo()
    await store.jobs.remember(alice, ['old'])
    const first = clock.now
    clock.now += 100
    await store.jobs.remember(alice, ['new'])
    expect(await store.jobs.prune(first)).toBe(0)
    expect(await store.jobs.prune(first + 1)).toBe(1)
    expect(await store.jobs.startedBy(alice)).toEqual(new Set(['new']))
  })

  it('goes with the person', async () => {
    const { store, alice } = await openWithTwo()
    await store.jobs.remember(alice, ['j1'])
    await store.people.remove(alice)
    expect(await store.jobs.isOwner(alice, 'j1')).toBe(false)
  })
})
