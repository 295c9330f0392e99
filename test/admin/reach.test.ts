import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { whoReaches } from '../../src/admin/reach.ts'
import type { ResourceRef } from '../../src/policy/access.ts'
import type { Grant, Level } from '../../src/policy/grants.ts'
import { createMemberCompiler, type MemberConfig } from '../../src/policy/member.ts'
import type { Store } from '../../src/store/store.ts'
import { openTemporaryStore } from '../store/temporary-store.ts'

const NOW = 1000
const CONFIG: MemberConfig = {
  adminUsers: ['boss'],
  adminGroups: ['admins'],
  defaultPermission: 'NO_PERMISSIONS',
  upstreams: [],
  providers: [{ id: 'oidc', issuer: 'https://issuer.invalid' }],
}
const ONE: ResourceRef = { type: 'experiment', key: '1', name: 'alpha/one' }

let store: Store

beforeEach(async () => {
  const temporary = await openTemporaryStore()
  temporary.clock.now = NOW
  store = temporary.store
})

async function person(username: string, groups: readonly string[] = []): Promise<string> {
  const { id } = await store.people.signIn({
    ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: username, username, groups },
  })
  return id
}

async function role(name: string, ...grants: readonly Grant[]): Promise<string> {
  const { id } = await store.roles.create({ name })
  for (const grant of grants) await store.roles.grant(id, { ...grant, source: 'manual' })
  return id
}

const reach = (resource = ONE, options = {}) =>
  whoReaches(resource, { store, config: CONFIG, now: () => NOW }, options)

const grant = (match: Grant['match'], pattern: string, level: Level, expiresAt?: number): Grant => ({
  ...{ resourceType: 'experiment', match, pattern, level, expiresAt },
})

describe('who can reach an experiment', () => {
  it('is everybody with a right on it, with what it comes from', async () => {
    await store.roles.assign(await person('ada'), await role('by-id', grant('exact', '1', 'EDIT')))
    await person('bob', ['ml'])
    await store.roles.mapGroup('', 'ml', await role('by-name', grant('name', 'alpha/*', 'READ')))
    const cleo = await person('cleo')
    await store.roles.grant((await store.roles.personal(cleo)).id, {
      ...grant('any', '*', 'MANAGE'),
      source: 'manual',
    })
    await person('boss')
    await person('dan', ['admins'])
    await store.roles.assign(await person('eve'), await role('elsewhere', grant('exact', '2', 'MANAGE')))
    await store.roles.assign(await person('fay'), await role('over', grant('exact', '1', 'READ', NOW)))
    await store.roles.assign(await person('gil'), await role('banned', grant('exact', '1', 'DENY')))

    const { people, byDefault } = await reach()
    expect(byDefault).toBe('NO_PERMISSIONS')
    expect(
      people.map(({ username, level, isAdmin, through }) => [
        username,
        level,
        isAdmin ? 'admin' : through.map(({ role: name, via }) => [name.replace(/^~.*/, '~'), via[0]?.kind]),
      ]),
    ).toEqual([
      ['ada', 'EDIT', [['by-id', 'assigned']]],
      ['bob', 'READ', [['by-name', 'group']]],
      ['boss', 'MANAGE', 'admin'],
      ['cleo', 'MANAGE', [['~', 'personal']]],
      ['dan', 'MANAGE', 'admin'],
      ['gil', 'DENY', [['banned', 'assigned']]],
    ])
  })

  it('leaves out who may not sign in any more', async () => {
    const ada = await person('ada')
    await store.roles.assign(ada, await role('reader', grant('exact', '1', 'READ')))
    await store.people.setDisabled(ada, true)
    expect((await reach()).people).toEqual([])
  })

  it('comes in pages that miss nobody', async () => {
    const reader = await role('reader', grant('exact', '1', 'READ'))
    for (const name of ['a', 'b', 'c', 'd', 'e']) await store.roles.assign(await person(name), reader)
    const seen: string[] = []
    let after: string | undefined
    for (let pages = 0; pages < 10; pages++) {
      const page = await reach(ONE, { after, limit: 2 })
      seen.push(...page.people.map(({ username }) => username))
      after = page.next
      if (after === undefined) break
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'])
  })
})

it('is for any rights what asking each of all people gives', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'boss']
  const ids: string[] = []
  for (const [index, name] of names.entries())
    ids.push(await person(name, index % 2 === 0 ? ['ml'] : ['web']))
  const roles = await Promise.all(['r0', 'r1', 'r2', 'r3'].map((name) => role(name)))
  const grants = fc.record({
    role: fc.nat({ max: 3 }),
    grant: fc.record({
      resourceType: fc.constantFrom<Grant['resourceType']>(
        'experiment',
        'experiment',
        'registered_model',
        'workspace',
      ),
      match: fc.constantFrom<Grant['match']>('exact', 'name', 'any'),
      pattern: fc.constantFrom('1', '2', 'alpha/*', 'beta/*', '*'),
      level: fc.constantFrom<Level>('READ', 'EDIT', 'MANAGE', 'DENY'),
    }),
  })
  const holding = fc.record({ role: fc.nat({ max: 3 }), how: fc.constantFrom('ml', 'web', 'a', 'b', 'c') })
  await fc.assert(
    fc.asyncProperty(
      fc.array(grants, { maxLength: 6 }),
      fc.array(holding, { maxLength: 6 }),
      async (given, held) => {
        const made: (() => Promise<unknown>)[] = []
        for (const { role: at, grant: what } of given) {
          const stored = await store.roles.grant(roles[at] ?? '', { ...what, source: 'manual' })
          made.push(() => store.roles.revokeGrant(stored.id))
        }
        for (const { role: at, how } of held) {
          const roleId = roles[at] ?? ''
          if (how === 'ml' || how === 'web') {
            await store.roles.mapGroup('oidc', how, roleId)
            made.push(() => store.roles.unmapGroup('oidc', how, roleId))
          } else {
            const userId = ids[names.indexOf(how)] ?? ''
            await store.roles.assign(userId, roleId)
            made.push(() => store.roles.unassign(userId, roleId))
          }
        }
        const found = new Map((await reach()).people.map(({ username, level }) => [username, level]))
        const compile = createMemberCompiler(CONFIG, () => NOW)
        for (const [index, name] of names.entries()) {
          const membership = await store.people.membership(ids[index] ?? '', CONFIG.providers)
          const member = membership && compile(membership)?.member
          const level = member?.principal.isAdmin
            ? 'MANAGE'
            : (member?.access.levelOf(ONE) ?? 'NO_PERMISSIONS')
          expect([name, found.get(name) ?? 'NO_PERMISSIONS']).toEqual([name, level])
        }
        for (const undo of made) await undo()
      },
    ),
    { numRuns: 25 },
  )
})
