import { describe, expect, it } from 'vitest'
import { createDirectory } from '../../src/policy/directory.ts'
import { GRANT_TYPES } from '../../src/policy/grants.ts'
import { applyPolicy, diffPolicy, PolicyError, parsePolicy } from '../../src/policy/policy-file.ts'
import { publishedPolicySchema } from '../../src/policy/policy-schema.ts'
import { OIDC, openTemporaryStore, signInOf } from '../store/temporary-store.ts'

const SINGLE = { providerIds: ['oidc'] }
const SEVERAL = { providerIds: ['oidc', 'corp'] }

const EXAMPLE = `
version: 1
default_permission: READ
roles:
  - name: alpha-editor
    description: Works on alpha
    grants:
      - experiment: { name: alpha/* }
        level: EDIT
      - registered_model: { name: alpha-* }
        level: EDIT
        expires: 2027-01-31
      - { prompt: "*", level: READ }
      - { experiment: { id: "123456789012345678" }, level: DENY, expires: "2027-01-31T18:00+01:00" }
  - name: nothing
    grants: []
groups:
  ml-team: [alpha-editor]
  "010": [nothing]
users:
  oidc:alice: [alpha-editor, nothing]
`

/** Faults as \`line place: problem | remedy\`. */
function faultsOf(text: string, context = SINGLE): string[] {
  try {
    parsePolicy(text, context)
  } catch (error) {
    if (error instanceof PolicyError) {
      return error.faults.map(
        ({ line, place, problem, remedy }) => `${line} ${place}: ${problem} | ${remedy}`,
      )
    }
    throw error
  }
  return []
}

describe('a policy file in order', () => {
  it('is read whole', () => {
    expect(parsePolicy(EXAMPLE, SINGLE)).toEqual({
      defaultPermission: 'READ',
      roles: [
        {
          name: 'alpha-editor',
          description: 'Works on alpha',
          grants: [
            { resourceType: 'experiment', match: 'name', pattern: 'alpha/*', level: 'EDIT' },
            {
              resourceType: 'registered_model',
              match: 'name',
              pattern: 'alpha-*',
              level: 'EDIT',
              // The end of the day in UTC.
              expiresAt: Date.UTC(2027, 1, 1) / 1000,
            },
            { resourceType: 'prompt', match: 'any', pattern: '*', level: 'READ' },
            {
              resourceType: 'experiment',
              match: 'exact',
              pattern: '123456789012345678',
              level: 'DENY',
              expiresAt: Date.UTC(2027, 0, 31, 17) / 1000,
            },
          ],
        },
        { name: 'nothing', description: undefined, grants: [] },
      ],
      groups: [
        { provider: 'oidc', name: 'ml-team', role: 'alpha-editor' },
        { provider: 'oidc', name: '010', role: 'nothing' },
      ],
      users: [
        { provider: 'oidc', name: 'alice', role: 'alpha-editor' },
        { provider: 'oidc', name: 'alice', role: 'nothing' },
      ],
    })
  })

  it('may say next to nothing', () => {
    expect(parsePolicy('{ version: 1, roles: [] }', SINGLE)).toEqual({ roles: [], groups: [], users: [] })
  })

  it('tells names of several providers apart', () => {
    const text = 'version: 1\nroles: [{ name: r, grants: [] }]\ngroups: { "oidc:a": [r], "corp:a": [r] }'
    expect(parsePolicy(text, SEVERAL).groups).toEqual([
      { provider: 'oidc', name: 'a', role: 'r' },
      { provider: 'corp', name: 'a', role: 'r' },
    ])
  })
})

describe('a policy file with faults', () => {
  it('has them all reported, each with its line, its place and what to do', () => {
    const text = `version: 2
default_permission: MANAGE
roles:
  - name: editor
    grnts: []
    grants:
      - experiment: { id: 12 }
        level: EDIT
      - experiment: { name: alpha/* }
        level: EDITOR
        expires: tomorrow
      - level: READ
      - { experiment: "*", prompt: "*", level: READ }
      - { experiment: "*", level: READ, expires: 2027-02-30 }
      - { experiment: "*", level: READ }
      - { experiment: "*", level: EDIT }
  - name: editor
groups:
  ml-team: [editor, nope, editor]
  oidc:ml-team: []
  other:x: []
users: 5
extra: 1
`
    expect(faultsOf(text)).toEqual([
      '1 version: is not 1 | Make it 1.',
      '2 default_permission: is not one of NO_PERMISSIONS, READ, USE, EDIT | Make it one of NO_PERMISSIONS, READ, USE, EDIT.',
      '5 roles[0].grnts: is not known here | Use name, workspace, description, grants only.',
      '7 roles[0].grants[0].experiment: is not { id: "12" } (in quotes), { name: "alpha/*" } or the "*" in quotes | Make it { id: "12" } (in quotes), { name: "alpha/*" } or the "*" in quotes.',
      '10 roles[0].grants[1].level: is not one of READ, USE, EDIT, MANAGE, DENY | Make it one of READ, USE, EDIT, MANAGE, DENY.',
      '11 roles[0].grants[1].expires: is not a day such as 2027-01-31 or a time with its zone such as 2027-01-31T18:00Z | Make it a day such as 2027-01-31 or a time with its zone such as 2027-01-31T18:00Z.',
      `12 roles[0].grants[2]: is on nothing | Give it exactly one of ${GRANT_TYPES.join(', ')}.`,
      `13 roles[0].grants[3]: is on experiment and prompt at once | Give it exactly one of ${GRANT_TYPES.join(', ')}.`,
      '14 roles[0].grants[4].expires: is a time that does not exist | Correct the date or the time of day.',
      '16 roles[0].grants[6]: is on the same as an earlier grant of this role | Keep one of the two.',
      '17 roles[1]: has no grants | Add grants: a list of grants, [] for none.',
      '17 roles[1].name: is editor again | Give each role its own name, or join the two.',
      '19 groups.ml-team[1]: is nope, a role this file does not define | Define it under roles, or use one of: editor.',
      '19 groups.ml-team[2]: is editor again | Remove it.',
      '20 groups.oidc:ml-team: is oidc:ml-team again | Join the two lists.',
      '21 groups.other:x: begins with no configured provider | Write it as provider:name, with one of: oidc.',
      '22 users: is not a map from usernames to lists of role names, {} for none | Make it a map from usernames to lists of role names, {} for none.',
      '23 extra: is not known here | Use version, default_permission, workspaces, roles, groups, users only.',
    ])
  })

  const one = (roles: string) => `version: 1\nroles:\n${roles}`
  it.each([
    ['nothing at all', '', '1 the file: is not a policy that begins with version: 1'],
    ['only comments', '# later\n', '1 the file: is not a policy that begins with version: 1'],
    ['a list', '- a', '1 the file: is not a policy that begins with version: 1'],
    ['no version', 'roles: []', '1 the file: has no version'],
    ['no roles', 'version: 1', '1 the file: has no roles'],
    ['empty roles', 'version: 1\nroles:', '2 roles: is not a list of roles, [] for none'],
    ['empty groups', 'version: 1\nroles: []\ngroups:', '3 groups: is not a map from groups to lists'],
    ['the version as text', 'version: "1"\nroles: []', '1 version: is not 1'],
    ['a key twice', 'version: 1\nroles: []\nroles: []', '3 : a key is given twice in one map'],
    [
      'a group twice',
      'version: 1\nroles: []\ngroups: { a: [], b: [], a: [] }',
      '3 : a key is given twice in one map',
    ],
    ['broken YAML', 'version: 1\nroles: [', '2 : not valid YAML'],
    ['a second document', 'version: 1\nroles: []\n---\nroles: []', '3 : there is a second document'],
    ['a tag', 'version: 1\nroles: !!set {}', '2 : a tag is used'],
    [
      'a pattern without quotes',
      one('- { name: r, grants: [{ experiment: *x, level: READ }] }'),
      '3 : *x refers to another',
    ],
    ['an alias', `${one('- &r { name: r, grants: [] }')}\n- *r`, '4 : *r refers to another place'],
    ['a key that is a list', '? [a]\n: 1', '1 : not valid YAML'],
    ['a merge key', one('- { <<: { name: r }, grants: [] }'), '3 roles[0].<<: is not known here'],
    ['__proto__', 'version: 1\nroles: []\n__proto__: {}', '3 __proto__: is not known here'],
    ['a personal role', one('- { name: ~u, grants: [] }'), '3 roles[0].name: is not a name of up to 255'],
    ['an empty name', one('- { name: "", grants: [] }'), '3 roles[0].name: is not a name of up to 255'],
    [
      'a name with spaces around',
      one('- { name: " r", grants: [] }'),
      '3 roles[0].name: is not a name of up to 255',
    ],
    [
      'an id of a model',
      one('- { name: r, grants: [{ prompt: { id: "1" }, level: READ }] }'),
      '3 roles[0].grants[0].prompt: is',
    ],
    [
      'a bare name',
      one('- { name: r, grants: [{ prompt: alpha, level: READ }] }'),
      '3 roles[0].grants[0].prompt: is not {',
    ],
    [
      'NO_PERMISSIONS',
      one('- { name: r, grants: [{ prompt: "*", level: NO_PERMISSIONS }] }'),
      '3 roles[0].grants[0].level: is',
    ],
    [
      'MANAGE for all',
      'version: 1\ndefault_permission: MANAGE\nroles: []',
      '2 default_permission: is not one of',
    ],
    [
      'a time without zone',
      one('- { name: r, grants: [{ prompt: "*", level: READ, expires: "2027-01-31T18:00" }] }'),
      '3 roles[0].grants[0].expires: is not',
    ],
    [
      'an hour 25',
      one('- { name: r, grants: [{ prompt: "*", level: READ, expires: "2027-01-31T25:00Z" }] }'),
      '3 roles[0].grants[0].expires: is a time that does not',
    ],
    ['an empty group', 'version: 1\nroles: []\ngroups: { "": [] }', '3 groups.: names nobody'],
    ['a provider only', 'version: 1\nroles: []\nusers: { "oidc:": [] }', '3 users.oidc:: names nobody'],
    [
      'a role given bare',
      'version: 1\nroles: [{ name: r, grants: [] }]\nusers: { a: r }',
      '3 users.a: is not a list of role names',
    ],
  ])('%s is one', (_what, text, fault) => {
    const faults = faultsOf(text)
    expect(faults[0]?.slice(0, fault.length)).toBe(fault)
  })

  it('is not heard of beyond its broken YAML, but is beyond a key given twice', () => {
    expect(faultsOf('version: 2\nroles: [')).toHaveLength(1)
    expect(faultsOf('version: 2\nroles: []\nroles: []').map((fault) => fault.split(' | ')[0])).toEqual([
      '1 version: is not 1',
      '3 : a key is given twice in one map',
    ])
  })

  it('wants the provider of every name once there are several', () => {
    expect(faultsOf(EXAMPLE, SEVERAL).map((fault) => fault.split(' | ')[0])).toEqual([
      '18 groups.ml-team: does not say which provider it is of',
      '19 groups.010: does not say which provider it is of',
    ])
  })

  it('is described for people in one message', () => {
    expect(() => parsePolicy('version: 1', SINGLE)).toThrow(
      'The policy file has 1 fault:\n  line 1: the file has no roles\n    Add roles: a list of roles, [] for none.',
    )
  })
})

describe('workspaces', () => {
  const text = (name: string) => `
version: 1
workspaces:
  ${name}: { default_permission: READ }
roles:
  - name: r
    workspace: ${name}
    grants: []
`

  it('have a level for their members, and roles of their own', () => {
    expect(parsePolicy(text('team-a'), { providerIds: ['oidc'] })).toMatchObject({
      workspaces: [{ name: 'team-a', defaultPermission: 'READ' }],
      roles: [{ name: 'r', workspace: 'team-a' }],
    })
  })

  it.each(['Team', 't', 'a-', '"../x"', 'default'])('do not exist under the name %s', (name) => {
    expect(() => parsePolicy(text(name), { providerIds: ['oidc'] })).toThrow(/workspaces/)
  })
})

describe('the published schema', () => {
  it('is the one files are checked with', async () => {
    await expect(publishedPolicySchema()).toMatchFileSnapshot('../../docs/policy.schema.json')
  })
})

describe('field report 96: managed as code', () => {
  it('applied twice, the second time changes nothing', async () => {
    const { store } = await openTemporaryStore()
    const policy = parsePolicy(EXAMPLE, SINGLE)
    expect((await diffPolicy(store, policy)).added).toEqual([
      'default_permission: READ',
      'role alpha-editor: Works on alpha',
      'grant alpha-editor: EDIT on experiment name alpha/*',
      'grant alpha-editor: EDIT on registered_model name alpha-* until 2027-02-01T00:00:00.000Z',
      'grant alpha-editor: READ on every prompt',
      'grant alpha-editor: DENY on experiment id 123456789012345678 until 2027-01-31T17:00:00.000Z',
      'role nothing',
      'group oidc:ml-team: role alpha-editor',
      'group oidc:010: role nothing',
      'user oidc:alice: role alpha-editor',
      'user oidc:alice: role nothing',
    ])
    expect(await applyPolicy(store, policy)).toBe(true)
    expect(await diffPolicy(store, policy)).toEqual({ added: [], removed: [], byHand: [] })
    expect(await applyPolicy(store, policy)).toBe(false)
  })

  it('a difference is shown without being made, as what goes and what comes', async () => {
    const { store } = await openTemporaryStore()
    await applyPolicy(store, parsePolicy(EXAMPLE, SINGLE))
    const next = parsePolicy(
      EXAMPLE.replace('level: DENY', 'level: READ').replace('READ\nroles', 'EDIT\nroles'),
      SINGLE,
    )
    const seq = await store.changes.latest()
    expect(await diffPolicy(store, next)).toEqual({
      added: [
        'default_permission: EDIT',
        'grant alpha-editor: READ on experiment id 123456789012345678 until 2027-01-31T17:00:00.000Z',
      ],
      removed: [
        'default_permission: READ',
        'grant alpha-editor: DENY on experiment id 123456789012345678 until 2027-01-31T17:00:00.000Z',
      ],
      byHand: [],
    })
    expect(await store.changes.latest()).toBe(seq)
  })

  it('what was done by hand is shown, stays, and goes only with its role', async () => {
    const { store } = await openTemporaryStore()
    const policy = parsePolicy(EXAMPLE, SINGLE)
    await applyPolicy(store, policy)
    const role = await store.roles.get('nothing')
    const bob = await store.people.signIn(signInOf('bob'))
    const roleId = role?.id ?? ''
    await store.roles.mapGroup('', 'team', roleId)
    await store.roles.assign(bob.id, roleId)
    const byHand = ['group team: role nothing', 'user bob: role nothing']
    expect(await diffPolicy(store, policy)).toEqual({ added: [], removed: [], byHand })
    const without = parsePolicy('{ version: 1, roles: [] }', SINGLE)
    const diff = await diffPolicy(store, without)
    expect(diff.byHand).toEqual([])
    expect(diff.removed).toEqual(expect.arrayContaining(byHand))
    await applyPolicy(store, without)
    expect(await store.roles.list()).toEqual([])
  })

  it('a role that was made by hand is not taken over, and then nothing is applied', async () => {
    const { store } = await openTemporaryStore()
    await store.roles.create({ name: 'nothing' })
    await expect(applyPolicy(store, parsePolicy(EXAMPLE, SINGLE))).rejects.toMatchObject({
      code: 'ERR_INVALID_PARAMETER',
    })
    expect(await store.roles.policy()).toEqual({ roles: [], groups: [], users: [] })
    expect((await diffPolicy(store, parsePolicy(EXAMPLE, SINGLE))).byHand).toEqual(['role nothing'])
  })

  it('gives a user their roles from the first sign-in on', async () => {
    const { store, clock } = await openTemporaryStore()
    await applyPolicy(store, parsePolicy(EXAMPLE, SINGLE))
    const config = {
      adminUsers: [],
      adminGroups: [],
      defaultPermission: 'NO_PERMISSIONS' as const,
      upstreams: [],
      providers: [OIDC],
    }
    const directory = createDirectory({ store, config, now: () => clock.now })
    const rolesOf = async (id: string) => (await directory.resolve(id))?.principal.roles
    const alice = await store.people.signIn(signInOf('alice'))
    const bob = await store.people.signIn(signInOf('bob', { groups: ['010'] }))
    expect(await rolesOf(alice.id)).toEqual(['alpha-editor', 'nothing'])
    expect(await rolesOf(bob.id)).toEqual(['nothing'])
  })
})
