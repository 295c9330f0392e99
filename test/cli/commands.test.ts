import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CliFixture, cliFixture } from './run.ts'

let cli: CliFixture

beforeEach(async () => {
  cli = await cliFixture()
})

afterEach(() => cli.clean())

describe('what is wrong is said, with what to do', () => {
  it.each([
    ['no command', [], 2, 'Usage: mlflow-auth-gateway'],
    ['an unknown command', ['tokens'], 2, "unknown command 'tokens'"],
    ['a group without a command', ['token'], 2, 'create [options]'],
    ['a missing option', ['token', 'create'], 2, "required option '--user <name>' not specified"],
    ['an unknown option', ['user', 'list', '--all'], 2, "unknown option '--all'"],
    ['one argument too many', ['user', 'list', 'x'], 2, 'too many arguments'],
    ['a duration without a unit', ['token', 'create', '--user', 'a', '--expires', '60'], 2, '90m, 1h, 30d'],
    ['a duration of nothing', ['token', 'create', '--user', 'a', '--expires', '0h'], 2, '90m, 1h, 30d'],
    [
      'an unknown level',
      ['role', 'grant', 'r', '--level', 'edit', '--type', 'experiment', '--all'],
      2,
      'Use one of READ, USE',
    ],
    [
      'a grant on nothing',
      ['role', 'grant', 'r', '--level', 'EDIT', '--type', 'experiment'],
      2,
      'one of --exact, --name and --all',
    ],
    [
      'a grant on two things',
      ['role', 'grant', 'r', '--level', 'EDIT', '--type', 'prompt', '--all', '--name', 'x'],
      2,
      'one of --exact, --name and --all',
    ],
    [
      'an unknown user',
      ['token', 'create', '--user', 'ada', '--expires', '1h'],
      1,
      'user add ada --provider',
    ],
    ['an unknown role', ['role', 'assign', 'r', 'ada'], 1, 'There is no role r. See them with: role list'],
    ['an unknown token', ['token', 'revoke', 'x'], 1, 'See them with: token list'],
    ['a file that is not there', ['policy', 'check', 'nope.yaml'], 1, 'nope.yaml cannot be read'],
  ])('%s', async (_, args, code, message) => {
    const result = await cli.run(...args)
    expect(result.code).toBe(code)
    expect(result.err).toContain(message)
    expect(result.out).toBe('')
  })

  it.each(['token', 'user', 'role', 'group', 'policy', 'keys'])(
    '%s has help, and so has each of its commands',
    async (group) => {
      const { code, out } = await cli.run(group, '--help')
      expect(code).toBe(0)
      const commands = [...out.matchAll(/^ {2}([a-z]+) \[options\]/gm)].map(([, name = '']) => name)
      expect(commands.length).toBeGreaterThan(1)
      for (const command of commands) {
        const help = await cli.run(group, command, '--help')
        expect([help.code, help.out.includes('--json')]).toEqual([0, true])
      }
    },
  )
})

describe('the configuration', () => {
  it('is needed only as far as the command has a use for it, and its faults come all at once', async () => {
    cli.env = { DATABASE_URL: cli.env['DATABASE_URL'] ?? '' }
    expect((await cli.run('role', 'list')).code).toBe(0)
    const refused = await cli.run('token', 'create', '--user', 'ada', '--expires', '1h')
    expect([refused.code, refused.out]).toEqual([2, ''])
    expect(refused.err).toMatch(/GATEWAY_SECRET is not set[\s\S]*PUBLIC_URL is not set/)
    expect(refused.err).not.toContain('UPSTREAM_URL')
  })

  it('may name a file that is not there yet: it is made, for its owner only, and that is said', async () => {
    cli.env['DATABASE_URL'] = `sqlite:${join(cli.folder, 'gateway.db')}`
    const { code, err } = await cli.run('user', 'list')
    expect([code, err]).toEqual([0, expect.stringContaining('there was no database at')])
    expect(statSync(join(cli.folder, 'gateway.db')).mode & 0o777).toBe(0o600)
  })
})

describe('user', () => {
  it('adds, lists, disables, enables and removes', async () => {
    expect((await cli.run('user', 'add', 'ada')).out).toContain('who first signs in at oidc as ada')
    expect(await cli.json('user', 'list')).toMatchObject([
      { username: 'ada', provider: 'oidc', state: 'not signed in yet' },
    ])
    expect((await cli.run('user', 'add', 'ada')).code).toBe(1)
    expect((await cli.run('user', 'disable', 'ada')).out).toBe('ada is disabled.\n')
    expect(await cli.json('user', 'list')).toMatchObject([{ state: 'disabled' }])
    const refused = await cli.run('token', 'create', '--user', 'ada', '--expires', '1h')
    expect([refused.code, refused.err]).toEqual([
      1,
      'error: ada is disabled, so a token would not work. See: user enable\n',
    ])
    await cli.run('user', 'enable', 'ada')
    expect(await cli.json('user', 'list')).toMatchObject([{ state: 'not signed in yet' }])
    await cli.run('user', 'remove', 'ada')
    expect(await cli.json('user', 'list')).toEqual([])
  })

  it('asks which provider when there are several, and tells their people apart', async () => {
    cli.env['OIDC_PROVIDERS'] = 'corp,partner'
    const refused = await cli.run('user', 'add', 'ada')
    expect([refused.code, refused.err]).toEqual([2, expect.stringContaining('--provider corp|partner')])
    await cli.run('user', 'add', 'ada', '--provider', 'corp')
    await cli.run('user', 'add', 'ada', '--provider', 'partner')
    await cli.run('user', 'disable', 'ada', '--provider', 'partner')
    expect(await cli.json('user', 'list')).toMatchObject([
      { username: 'ada', provider: 'corp', state: 'not signed in yet' },
      { username: 'partner:ada', provider: 'partner', state: 'disabled' },
    ])
    expect((await cli.run('user', 'disable', 'ada', '--provider', 'other')).code).toBe(1)
  })
})

describe('token', () => {
  it('creates, lists and revokes; the token is shown once', async () => {
    await cli.run('user', 'add', 'ada')
    const made: { token: string; id: string } = await cli.json(
      'token',
      'create',
      '--user',
      'ada',
      '--expires',
      '90m',
      '--read-only',
      '--name',
      'nightly',
    )
    expect(made).toMatchObject({ user: 'ada', name: 'nightly', scope: 'read' })
    const listed = await cli.run('token', 'list', '--user', 'ada')
    expect(listed.out).toMatch(new RegExp(`${made.id} +ada +nightly +read +works`))
    expect(listed.out).not.toContain(made.token)
    expect((await cli.run('token', 'revoke', made.id)).code).toBe(0)
    expect((await cli.run('token', 'revoke', made.id)).code).toBe(1)
    expect(await cli.json('token', 'list')).toMatchObject([{ id: made.id, state: 'revoked' }])
  })

  it('refuses a longer life than the server allows', async () => {
    await cli.run('user', 'add', 'ada')
    cli.env['ACCESS_TOKEN_MAX_TTL'] = '3600'
    const refused = await cli.run('token', 'create', '--user', 'ada', '--expires', '2h')
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining('3600 seconds (ACCESS_TOKEN_MAX_TTL)'),
    ])
  })

  it('needs the secret the keys were sealed with', async () => {
    await cli.run('user', 'add', 'ada')
    await cli.run('token', 'create', '--user', 'ada', '--expires', '1h')
    cli.env['GATEWAY_SECRET'] = 'another-secret-of-the-tests-0123456789'
    const refused = await cli.run('token', 'create', '--user', 'ada', '--expires', '1h')
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('another GATEWAY_SECRET')])
  })
})

describe('role and group', () => {
  it('builds a role, gives it to people and groups, and takes it apart again', async () => {
    await cli.run('user', 'add', 'ada')
    await cli.run('role', 'create', 'alpha', '--description', 'edits alpha')
    await cli.run('role', 'grant', 'alpha', '--level', 'EDIT', '--type', 'experiment', '--name', 'alpha/*')
    await cli.run('role', 'grant', 'alpha', '--level', 'READ', '--type', 'registered_model', '--exact', '*')
    await cli.run('role', 'grant', 'alpha', '--level', 'READ', '--type', 'prompt', '--all', '--expires', '1d')
    await cli.run('role', 'assign', 'alpha', 'ada')
    await cli.run('group', 'map', 'ds', 'alpha')
    const shown: { grants: { id: string; match: string }[] } = await cli.json('role', 'show', 'alpha')
    expect(shown).toMatchObject({
      name: 'alpha',
      description: 'edits alpha',
      grants: expect.arrayContaining([
        expect.objectContaining({
          resource_type: 'experiment',
          match: 'name',
          pattern: 'alpha/*',
          level: 'EDIT',
          expires_at: null,
        }),
        expect.objectContaining({
          resource_type: 'registered_model',
          match: 'exact',
          pattern: '*',
          level: 'READ',
        }),
        expect.objectContaining({
          resource_type: 'prompt',
          match: 'any',
          level: 'READ',
          expires_at: expect.any(Number),
        }),
      ]),
      users: [{ username: 'ada' }],
      groups: [{ name: 'ds', provider: '' }],
    })
    const ofAlpha = shown.grants.find(({ match }) => match === 'name')?.id ?? ''
    expect((await cli.run('role', 'show', 'alpha')).out).toContain('EDIT on experiment named alpha/*')
    expect(await cli.json('group', 'list')).toMatchObject([{ group: 'ds', provider: null, role: 'alpha' }])
    expect((await cli.run('role', 'revoke', 'alpha', ofAlpha)).code).toBe(0)
    expect((await cli.run('role', 'revoke', 'alpha', ofAlpha)).code).toBe(1)
    expect((await cli.run('role', 'unassign', 'alpha', 'ada')).code).toBe(0)
    expect((await cli.run('role', 'unassign', 'alpha', 'ada')).code).toBe(1)
    expect((await cli.run('group', 'unmap', 'ds', 'alpha')).code).toBe(0)
    expect((await cli.run('group', 'unmap', 'ds', 'alpha')).code).toBe(1)
    expect((await cli.run('role', 'delete', 'alpha')).code).toBe(0)
    expect(await cli.json('role', 'list')).toEqual([])
  })
})

const POLICY = `version: 1
roles:
  - name: alpha-reader
    grants:
      - level: READ
        experiment: { name: alpha/* }
groups:
  ds: [alpha-reader]
`

describe('field report 96: policy', () => {
  function file(text: string): string {
    const path = join(cli.folder, 'policy.yaml')
    writeFileSync(path, text)
    return path
  }

  it('shows what would change, changes it, and then has nothing left to do', async () => {
    const path = file(POLICY)
    expect((await cli.run('policy', 'check', path)).out).toContain('1 roles, 1 group and 0 user mappings')
    const wanted = [
      '+ role alpha-reader',
      '+ grant alpha-reader: READ on experiment name alpha/*',
      '+ group oidc:ds: role alpha-reader',
    ]
    for (const args of [
      ['diff', path],
      ['apply', path, '--dry-run'],
    ]) {
      const { out } = await cli.run('policy', ...args)
      expect(out.split('\n').filter((line) => line.startsWith('+'))).toEqual(wanted)
    }
    expect(await cli.json('role', 'list')).toEqual([])
    expect(await cli.json('policy', 'apply', path)).toMatchObject({ applied: true, removed: [] })
    expect(await cli.json('policy', 'diff', path)).toMatchObject({
      ...{ added: [], removed: [], by_hand: [] },
      findings: [{ line: 8, problem: 'is a group that nobody who has signed in is in' }],
    })
    expect((await cli.run('policy', 'apply', path)).out).toBe('The store follows the file already.\n')
  })

  it('shows what was done by hand, and keeps hands off what the file says', async () => {
    const path = file(POLICY)
    await cli.run('policy', 'apply', path)
    await cli.run('group', 'map', 'guests', 'alpha-reader')
    expect((await cli.run('policy', 'diff', path)).out).toContain(
      'Done by hand, and kept:\n  group guests: role alpha-reader',
    )
    const { grants }: { grants: { id: string; source: string }[] } = await cli.json(
      'role',
      'show',
      'alpha-reader',
    )
    const ofPolicy = grants.find(({ source }) => source === 'policy')?.id ?? ''
    expect((await cli.run('role', 'revoke', 'alpha-reader', ofPolicy)).err).toContain(
      'comes from the policy file',
    )
    expect((await cli.run('role', 'delete', 'alpha-reader')).err).toContain('comes from the policy file')
  })

  it('turns handwork into a file that the next store can be made from', async () => {
    await cli.run('role', 'create', 'crew', '--description', 'Made by hand')
    await cli.run('role', 'grant', 'crew', '--level', 'EDIT', '--type', 'experiment', '--name', 'alpha/*')
    await cli.run('user', 'add', 'ada')
    await cli.run('role', 'assign', 'crew', 'ada')
    const { out } = await cli.run('policy', 'export')
    expect(out).toBe(`version: 1

roles:
  - name: crew
    description: Made by hand
    grants:
      - { experiment: { name: "alpha/*" }, level: EDIT }

users:
  ada: [ crew ]
`)
    const path = file(out)
    expect((await cli.run('policy', 'check', path)).code).toBe(0)
    expect(await cli.json('policy', 'export')).toEqual({ policy: out, left_out: [] })
    expect((await cli.run('policy', 'export', '--only-policy')).out).toBe('version: 1\n\nroles: []\n')
    // The role is there by hand: it is the file's only once that one is deleted.
    const { code, err } = await cli.run('policy', 'apply', path)
    expect([code, err]).toEqual([1, expect.stringContaining('delete that one or give this one another name')])
    await cli.run('role', 'delete', 'crew')
    expect(await cli.json('policy', 'apply', path)).toMatchObject({ applied: true })
    expect((await cli.run('policy', 'export', '--only-policy')).out).toBe(out)
  })

  it('lists every fault with its line, and changes nothing', async () => {
    const path = file(
      'version: 1\nroles:\n  - name: a\n    grants: [{ level: EDITS, experiment: "*" }]\ngroups:\n  ds: [b]\n',
    )
    for (const command of ['check', 'diff', 'apply']) {
      const { code, err } = await cli.run('policy', command, path)
      expect(code).toBe(1)
      expect(err).toMatch(/line 4:[\s\S]*line 6:/)
    }
    expect(await cli.json('role', 'list')).toEqual([])
  })
})

describe('keys', () => {
  it('rotates: tokens made before stay valid, the next is signed with the new key', async () => {
    await cli.run('user', 'add', 'ada')
    await cli.run('token', 'create', '--user', 'ada', '--expires', '1h')
    const { kid }: { kid: string } = await cli.json('keys', 'rotate')
    const keys: { kid: string; retired_at: number | null }[] = await cli.json('keys', 'list')
    expect(keys).toHaveLength(2)
    expect(keys.find((key) => key.retired_at === null)?.kid).toBe(kid)
  })
})

it('puts what it changes on record, without the token', async () => {
  await cli.run('user', 'add', 'ada')
  const { token }: { token: string } = await cli.json(
    'token',
    'create',
    '--user',
    'ada',
    '--expires',
    '1h',
    '--name',
    'ci',
  )
  await cli.run('role', 'create', 'r')
  await cli.run('role', 'assign', 'r', 'ada')
  const store = await cli.store()
  const events = await store.audit.query({ limit: 10 })
  await store.close()
  expect(events.map(({ event, path }) => [event, path])).toEqual([
    ['role_changed', 'role assign'],
    ['role_changed', 'role create'],
    ['token_created', 'token create'],
    ['user_changed', 'user add'],
  ])
  expect(events[0]).toMatchObject({
    provider: 'command line',
    resources: [
      { type: 'role', name: 'r' },
      { type: 'user', name: 'ada' },
    ],
  })
  expect(JSON.stringify(events)).not.toContain(token)
})
