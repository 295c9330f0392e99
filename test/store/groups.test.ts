import { describe, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { OIDC, openTemporaryStore } from './temporary-store.ts'

const OTHER = { id: 'other' }

/** Groups that people are in, that roles are given to, and that both are so of. */
async function seed(store: Store) {
  await store.roles.replacePolicy({
    roles: ['readers', 'writers'].map((name) => ({ name, grants: [] })),
    groups: [
      { provider: '', name: 'team', role: 'readers' },
      { provider: 'oidc', name: 'team', role: 'writers' },
      { provider: 'other', name: 'team', role: 'writers' },
      { provider: 'oidc', name: 'not-yet', role: 'readers' },
    ],
    users: [],
  })
  const of = (provider: string, username: string, groups: readonly string[]) =>
    store.people.signIn({ provider, issuer: provider, subject: username, username, groups })
  for (const name of ['ada', 'ben', 'cleo']) await of('oidc', name, ['team', 'Ops_1'])
  await of('other', 'dora', ['team'])
  const guests = await store.roles.create({ name: 'guests' })
  await store.roles.mapGroup('', 'team', guests.id)
  return { guests }
}

const brief = (groups: readonly { provider: string; name: string; people: number; roles: number }[]) =>
  groups.map(({ provider, name, people, roles }) => [`${provider}:${name}`, people, roles])

describe('groups', () => {
  it('are those of sign-ins and of mappings; what names no provider is of the only one', async () => {
    const { store } = await openTemporaryStore()
    await seed(store)
    expect(brief(await store.groups.page({ limit: 10 }, [OIDC]))).toEqual([
      ['oidc:Ops_1', 3, 0],
      ['oidc:not-yet', 0, 1],
      ['oidc:team', 3, 3],
      ['other:team', 1, 1],
    ])
    expect(brief(await store.groups.page({ limit: 10 }, [OIDC, OTHER]))).toEqual([
      ['oidc:Ops_1', 3, 0],
      ['oidc:not-yet', 0, 1],
      [':team', 0, 2],
      ['oidc:team', 3, 1],
      ['other:team', 1, 1],
    ])
  })

  it('come a page at a time, and by a part of their name, in whichever case', async () => {
    const { store } = await openTemporaryStore()
    await seed(store)
    const seen: unknown[] = []
    let after: { provider: string; name: string } | undefined
    for (let turn = 0; turn < 10; turn++) {
      const page = await store.groups.page({ limit: 1, ...(after && { after }) }, [OIDC, OTHER])
      after = page[0]
      if (after === undefined) break
      seen.push(`${after.provider}:${after.name}`)
    }
    expect(seen).toEqual(['oidc:Ops_1', 'oidc:not-yet', ':team', 'oidc:team', 'other:team'])
    const found = async (search: string) =>
      brief(await store.groups.page({ limit: 10, search }, [OIDC])).map(([name]) => name)
    expect([await found('OPS_'), await found('s%1')]).toEqual([['oidc:Ops_1'], []])
  })

  it('hold what each of their people holds by them', async () => {
    const { store } = await openTemporaryStore()
    await seed(store)
    for (const providers of [[OIDC], [OIDC, OTHER]]) {
      for (const { provider, name } of await store.groups.page({ limit: 10 }, providers)) {
        const details = await store.groups.get({ provider, name }, providers)
        const roles = [...new Set(details?.mappings.map((mapping) => mapping.id))].sort()
        for (const { id } of await store.groups.people({ provider, name }, { after: '', limit: 10 })) {
          const membership = await store.people.membership(id, providers)
          const held = (membership?.roles ?? [])
            .filter(({ via }) =>
              via.some((way) => way.kind === 'group' && way.provider === provider && way.name === name),
            )
            .map((role) => role.id)
          if (providers.some((each) => each.id === provider))
            expect([name, held.sort()]).toEqual([name, roles])
        }
      }
    }
  })

  it('are given and lose roles by hand only as they were seen, and not what the policy file gives', async () => {
    const { store } = await openTemporaryStore()
    const { guests } = await seed(store)
    const team = { provider: 'oidc', name: 'team' }
    const guard = { providers: [OIDC], isCurrent: () => true }
    const names = async () =>
      (await store.groups.get(team, [OIDC]))?.mappings.map(({ name, source }) => `${name} ${source}`)
    expect(await names()).toEqual(['guests manual', 'readers policy', 'writers policy'])
    const stale = { ...guard, isCurrent: () => false }
    await expect(
      store.groups.change(team, { kind: 'unmap', roleId: guests.id }, stale),
    ).rejects.toMatchObject({ code: 'ERR_PRECONDITION_FAILED' })
    await store.groups.change(team, { kind: 'unmap', roleId: guests.id }, guard)
    const writers = await store.roles.get('writers')
    await expect(
      store.groups.change(team, { kind: 'unmap', roleId: writers?.id ?? '' }, guard),
    ).rejects.toMatchObject({ code: 'ERR_INVALID_PARAMETER', reason: 'owned_by_policy' })
    await expect(
      store.groups.change(team, { kind: 'unmap', roleId: guests.id }, guard),
    ).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    const personal = await store.roles.personal((await store.people.list())[0]?.id ?? '')
    await expect(
      store.groups.change(team, { kind: 'map', roleId: personal.id }, guard),
    ).rejects.toMatchObject({ code: 'ERR_NOT_FOUND' })
    expect(await names()).toEqual(['readers policy', 'writers policy'])
  })
})
