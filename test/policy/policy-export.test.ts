import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Access } from '../../src/policy/access.ts'
import {
  GRANT_TYPES,
  type Grant,
  type GrantType,
  isWildcardOnly,
  levelsOf,
  type ResourceType,
  type Tier,
} from '../../src/policy/grants.ts'
import { createMemberCompiler } from '../../src/policy/member.ts'
import { exportPolicy } from '../../src/policy/policy-export.ts'
import { applyPolicy, parsePolicy } from '../../src/policy/policy-file.ts'
import type { Person } from '../../src/store/people.ts'
import type { PolicyContent } from '../../src/store/policy.ts'
import type { Store } from '../../src/store/store.ts'
import { OIDC, openTemporaryStore, signInOf } from '../store/temporary-store.ts'

const CONTEXT = { providerIds: [OIDC.id] }
const SHARED = { ...CONTEXT, onlyPolicy: false }
const OWNED = { ...CONTEXT, onlyPolicy: true }
const NOW = 1_800_000_000

/** Names that YAML could take for something else, or end early on. */
const oddName = fc.constantFrom(
  ...[
    'a',
    'true',
    '010',
    'x: y',
    '# c',
    "it's",
    '"q"',
    '*',
    'a*',
    '&a',
    '!t',
    '[x',
    '- d',
    'é',
    '~t',
    '1e3',
    '<<',
  ],
  ...['null', 'a/b', 'a, b', '__proto__', 'constructor', 'name: x}', '2027-01-31'],
)
const roleName = oddName.filter((name) => !name.startsWith('~'))

const WITH_ID: readonly GrantType[] = [
  ...(['experiment', 'scorer', 'gateway_secret', 'gateway_endpoint', 'gateway_model_definition'] as const),
]
const WITH_NAME = GRANT_TYPES.filter((type) => !isWildcardOnly(type) && type !== 'scorer')

const grant: fc.Arbitrary<Grant> = fc
  .record({
    resourceType: fc.constantFrom(...GRANT_TYPES),
    how: fc.constantFrom('any', 'exact', 'name'),
    id: fc.constantFrom('1', '2', '300'),
    name: oddName,
    level: fc.nat(4),
    expiresAt: fc.constantFrom(undefined, undefined, NOW - 5, NOW + 86_400 * 30, NOW + 77),
  })
  .map(({ resourceType, how, id, name, level, expiresAt }) => {
    const levels = levelsOf(resourceType)
    const rest = { resourceType, level: levels[level % levels.length] ?? 'MANAGE', expiresAt }
    if (how === 'exact' && WITH_ID.includes(resourceType)) return { ...rest, match: 'exact', pattern: id }
    if (how === 'name' && WITH_NAME.includes(resourceType)) return { ...rest, match: 'name', pattern: name }
    return { ...rest, match: 'any', pattern: '*' }
  })

const target = ({ resourceType, match, pattern, expiresAt }: Grant) =>
  JSON.stringify([resourceType, match, pattern, expiresAt])
const mapping = (name: fc.Arbitrary<string>, role: fc.Arbitrary<string>) =>
  fc.uniqueArray(fc.record({ provider: fc.constant(OIDC.id), name, role }), {
    selector: (each) => JSON.stringify(each),
    maxLength: 4,
  })

const policy: fc.Arbitrary<PolicyContent> = fc
  .uniqueArray(
    fc.record({
      name: roleName,
      description: fc.option(fc.string({ maxLength: 40 }), { nil: undefined }),
      workspace: fc.constantFrom(undefined, undefined, 'team-a'),
      grants: fc.uniqueArray(grant, { selector: target, maxLength: 4 }),
    }),
    { selector: ({ name }) => name, minLength: 1, maxLength: 3 },
  )
  .chain((roles) => {
    const role = fc.constantFrom(...roles.map(({ name }) => name))
    return fc.record({
      defaultPermission: fc.constantFrom(undefined, 'READ' as const, 'EDIT' as const),
      workspaces: fc.constantFrom(undefined, [{ name: 'team-a', defaultPermission: 'USE' as const }]),
      roles: fc.constant(roles),
      groups: mapping(oddName, role),
      users: mapping(oddName, role),
    })
  })

/** What everybody who may be signed in can do with some of everything, now and later. */
async function rightsOf(store: Store, people: readonly Person[]): Promise<unknown> {
  const config = {
    adminUsers: [],
    adminGroups: [],
    defaultPermission: 'NO_PERMISSIONS',
    upstreams: [],
    providers: [OIDC],
  } as const
  const rights: unknown[] = []
  for (const { id } of people) {
    const membership = await store.people.membership(id, [OIDC])
    for (const at of [NOW, NOW + 80, NOW + 86_400 * 31]) {
      const member = membership && createMemberCompiler(config, () => at)(membership)?.member
      for (const access of [member?.access, member?.workspaces.get('team-a')]) {
        rights.push(GRANT_TYPES.map((type) => access && [type, ...levelsIn(access, type)]))
      }
    }
  }
  return rights
}

function levelsIn(access: Access, type: GrantType) {
  if (isWildcardOnly(type))
    return type === 'workspace' ? [access.isMember] : [access.levelOfAll(type as Tier)]
  return [undefined, '1', '300', 'a', 'true', 'a/b', '*'].map((key) =>
    access.levelOf({ type: type as ResourceType, key, name: key }),
  )
}

describe('a policy that was applied', () => {
  it('is exported as a file that says the same, whatever it is called', async () => {
    await fc.assert(
      fc.asyncProperty(policy, async (content) => {
        const [{ store }, other] = [await openTemporaryStore(), await openTemporaryStore()]
        await applyPolicy(store, content)
        const { text, leftOut } = exportPolicy(await store.roles.rules(), OWNED)
        expect(leftOut).toEqual([])
        const read = parsePolicy(text, CONTEXT)
        await applyPolicy(other.store, read)
        expect(await other.store.roles.policy()).toEqual(await store.roles.policy())
        expect(await applyPolicy(store, read)).toBe(false)
        expect(exportPolicy(await other.store.roles.rules(), OWNED).text).toBe(text)
      }),
      { numRuns: 15 },
    )
  })
})

describe('what was done by hand', () => {
  const handwork = fc.record({
    policy,
    roles: fc.uniqueArray(fc.tuple(roleName, fc.array(grant, { maxLength: 5 })), {
      selector: ([name]) => name,
      maxLength: 3,
    }),
    assigned: fc.array(fc.tuple(fc.nat(2), fc.nat(5)), { maxLength: 4 }),
    mapped: fc.array(fc.tuple(fc.constantFrom('', OIDC.id), fc.constantFrom('team', '010'), fc.nat(5)), {
      maxLength: 4,
    }),
  })

  const signEverybodyIn = async (store: Store) => {
    const ann = await store.people.signIn(signInOf('ann', { groups: ['team'] }))
    const bob = await store.people.signIn(signInOf('bob', { groups: ['010', 'a'] }))
    return [ann, bob, await store.people.signIn(signInOf('x: y'))]
  }

  it('is exported too, and gives everybody in an empty store the same', async () => {
    await fc.assert(
      fc.asyncProperty(handwork, async ({ policy: content, roles, assigned, mapped }) => {
        const [{ store }, other] = [await openTemporaryStore(), await openTemporaryStore()]
        await applyPolicy(store, content)
        for (const [name, grants] of roles) {
          const role = await store.roles.create({ name: `hand ${name}` })
          for (const each of grants) await store.roles.grant(role.id, { ...each, source: 'manual' })
        }
        const people = await signEverybodyIn(store)
        const all = await store.roles.list()
        const pick = (index: number) => all[index % all.length]?.id ?? ''
        for (const [who, index] of assigned) await store.roles.assign(people[who]?.id ?? '', pick(index))
        for (const [provider, group, index] of mapped)
          await store.roles.mapGroup(provider, group, pick(index))

        const { text, leftOut } = exportPolicy(await store.roles.rules(), SHARED)
        expect(leftOut).toEqual([])
        await applyPolicy(other.store, parsePolicy(text, CONTEXT))
        const same = await signEverybodyIn(other.store)
        expect(await rightsOf(other.store, same)).toEqual(await rightsOf(store, people))
      }),
      { numRuns: 15 },
    )
  })

  it('and cannot be said in a file is named, at its top as well', async () => {
    const { store } = await openTemporaryStore()
    const ann = await store.people.signIn(signInOf('ann'))
    const late = await store.people.signIn(signInOf('ann', { subject: 'another' }))
    const off = await store.people.signIn(signInOf('off'))
    await store.people.setDisabled(off.id, true)
    const role = await store.roles.create({ name: 'crew', description: 'x\n# y' })
    await store.roles.create({ name: ' spaced' })
    const [a, b] = [
      await store.roles.create({ name: 'twin' }),
      await store.roles.create({ name: 'other', workspace: 'ws' }),
    ]
    await store.roles.rename(b.id, { name: 'twin' })
    for (const { id } of [ann, late, off]) await store.roles.assign(id, role.id)
    await store.roles.mapGroup('gone', 'team', a.id)
    const odd = { match: 'exact', pattern: '*', level: 'READ', source: 'manual' } as const
    await store.roles.grant(role.id, { ...odd, resourceType: 'registered_model' })
    await store.roles.grant(role.id, { ...odd, resourceType: 'registered_model', pattern: 'one' })
    const { id } = await store.roles.personal(ann.id)
    await store.roles.grant(id, { ...odd, resourceType: 'experiment', pattern: '7', level: 'MANAGE' })

    const { text, content, leftOut } = exportPolicy(await store.roles.rules(), SHARED)
    expect(leftOut).toEqual([
      expect.stringMatching(/^role " spaced" of the workspace default: roles\[0\]\.name is not a name/),
      'role "twin" of the workspace ws: another workspace has a role of that name: rename one of the two',
      expect.stringMatching(/^role crew, READ on registered_model \*: .*registered_model is not/),
      'group "team" has the role twin: gone is not a configured provider',
      'off has the role crew: is disabled, which a file cannot say',
      'oidc:ann has the role crew: is not the first who was called so at the provider',
      'ann holds MANAGE on experiment 7 directly: put it into a role',
    ])
    expect(text).toContain('#   ann holds MANAGE on experiment 7 directly: put it into a role\n')
    expect(content.roles[0]?.grants).toMatchObject([{ match: 'name', pattern: 'one' }])
    expect(parsePolicy(text, CONTEXT)).toMatchObject({ roles: [{ name: 'crew' }, { name: 'twin' }] })
    expect(exportPolicy(await store.roles.rules(), OWNED)).toMatchObject({
      leftOut: [],
      content: { roles: [] },
    })
  })

  it('of names with line ends stays inside its comment', async () => {
    const { store } = await openTemporaryStore()
    const eve = await store.people.signIn(signInOf('eve\nroles: []\u2028x'))
    const { id } = await store.roles.personal(eve.id)
    await store.roles.grant(id, {
      resourceType: 'run',
      match: 'any',
      pattern: '*',
      level: 'READ',
      source: 'manual',
    })
    const { text } = exportPolicy(await store.roles.rules(), SHARED)
    expect(text.split('\n').filter((line) => line.startsWith('roles'))).toEqual(['roles: []'])
    expect(() => parsePolicy(text, CONTEXT)).not.toThrow()
  })
})

it('reads like a file that somebody wrote', async () => {
  const { store } = await openTemporaryStore()
  await applyPolicy(store, {
    defaultPermission: 'READ',
    roles: [
      {
        name: 'alpha-editor',
        description: 'Works on alpha',
        grants: [
          {
            resourceType: 'registered_model',
            match: 'name',
            pattern: 'alpha-*',
            level: 'EDIT',
            expiresAt: 1_801_440_000,
          },
          { resourceType: 'experiment', match: 'name', pattern: 'alpha/*', level: 'EDIT' },
          {
            resourceType: 'experiment',
            match: 'exact',
            pattern: '12',
            level: 'DENY',
            expiresAt: 1_801_440_060,
          },
          { resourceType: 'prompt', match: 'any', pattern: '*', level: 'READ' },
        ],
      },
      { name: 'nothing', workspace: 'team-a', grants: [] },
    ],
    groups: [{ provider: 'oidc', name: '010', role: 'alpha-editor' }],
    users: [{ provider: 'oidc', name: 'alice', role: 'nothing' }],
  })
  expect(exportPolicy(await store.roles.rules(), OWNED).text).toBe(`version: 1
default_permission: READ

roles:
  - name: alpha-editor
    description: Works on alpha
    grants:
      - { experiment: { id: "12" }, level: DENY, expires: 2027-02-01T00:01:00Z }
      - { experiment: { name: "alpha/*" }, level: EDIT }
      - { registered_model: { name: "alpha-*" }, level: EDIT, expires: 2027-01-31 }
      - { prompt: "*", level: READ }

  - name: nothing
    workspace: team-a
    grants: []

groups:
  "010": [ alpha-editor ]

users:
  alice: [ nothing ]
`)
})
