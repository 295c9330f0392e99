import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Answer } from '../../src/admin/explanation.ts'
import { SECRET } from '../config/environment.ts'
import { A, B, mlflowStandIn, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { startUpstream } from '../support/upstream.ts'
import { type CliFixture, cliFixture } from './run.ts'

let cli: CliFixture

beforeAll(async () => {
  const upstream = await startUpstream(mlflowStandIn())
  cli = await cliFixture()
  Object.assign(cli.env, {
    NODE_ENV: 'development',
    GATEWAY_SECRET: SECRET,
    UPSTREAM_URL: upstream.url,
    OIDC_ISSUER: 'https://issuer.invalid',
    OIDC_CLIENT_ID: 'gateway',
    OIDC_CLIENT_SECRET: 'a-client-secret-of-the-tests',
    ADMIN_USERS: 'boss',
  })
  for (const name of ['boss', 'editor', 'reader', 'outsider']) await cli.json('user', 'add', name)
  await cli.json('role', 'create', 'alpha-editor')
  await cli.json(
    'role',
    'grant',
    'alpha-editor',
    '--level',
    'EDIT',
    '--type',
    'experiment',
    '--name',
    'alpha/*',
  )
  await cli.json('role', 'assign', 'alpha-editor', 'editor')
  await cli.json('role', 'create', 'one-reader')
  await cli.json('role', 'grant', 'one-reader', '--level', 'READ', '--type', 'experiment', '--exact', A)
  await cli.json('role', 'assign', 'one-reader', 'reader')
})

afterAll(() => cli.clean())

const explain = (user: string, operation: string, ...about: string[]) =>
  cli.run('explain', '--user', user, '--operation', operation, ...about)

describe('field report 46: access', () => {
  it('lists everybody with a right, and what it comes from', async () => {
    const { code, out } = await cli.run('access', '--experiment', A)
    expect(code).toBe(0)
    expect(out.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '))).toEqual([
      'NAME | LEVEL | THROUGH',
      'boss | MANAGE | administrator',
      'editor | EDIT | EDIT on experiment named alpha/*, assigned',
      'reader | READ | READ on experiment 1, assigned',
      'Everybody else who signs in has NO_PERMISSIONS.',
      '',
    ])
  })

  it('says so if nobody has', async () => {
    cli.env['ADMIN_USERS'] = 'somebody-else'
    const { out } = await cli.run('access', '--experiment', B)
    expect(out).toContain('Nobody has a right of their own on it.')
    cli.env['ADMIN_USERS'] = 'boss'
  })

  it.each([[[]], [['--experiment', A, '--prompt', 'p']]])('asks for one resource: %j', async (args) => {
    const { code, err } = await cli.run('access', ...args)
    expect(code).toBe(2)
    expect(err).toContain('Say which one resource, with one of --experiment, --registered-model')
  })
})

describe('explain', () => {
  it('names the grants and what would help', async () => {
    const { code, out } = await explain('editor', 'runs.delete', '--run', RUN_A)
    expect(code).toBe(0)
    expect(out).toBe(
      [
        'editor is not allowed runs.delete',
        '- delete on experiment 1 (alpha/one), as a run: asks for MANAGE, has EDIT',
        '    * EDIT on experiment named alpha/*  role alpha-editor, assigned',
        '    would be allowed with MANAGE on experiment 1',
        '',
      ].join('\n'),
    )
  })

  it.each<[string, string, string[], Partial<Answer>]>([
    ['editor', 'runs.update', ['--run', RUN_A], { effect: 'allow' }],
    ['editor', 'runs.get', ['--run', RUN_B], { effect: 'deny', reason: 'no_grant' }],
    ['reader', 'runs.update', ['--run', RUN_A], { effect: 'deny', reason: 'level_too_low' }],
    [
      'outsider',
      'experiments.create',
      ['--experiment-name', 'alpha/new'],
      { effect: 'deny', reason: 'no_grant' },
    ],
    ['editor', 'experiments.create', ['--experiment-name', 'alpha/new'], { effect: 'allow' }],
    ['outsider', 'experiments.search', [], { effect: 'allow', explanations: [] }],
    ['outsider', 'webhooks.list', [], { effect: 'deny', reason: 'admin_only' }],
    ['outsider', 'ui.build_file', [], { effect: 'deny', reason: 'nobody' }],
  ])('%s, %s %j', async (user, operation, about, expected) => {
    expect(await cli.json('explain', '--user', user, '--operation', operation, ...about)).toMatchObject(
      expected,
    )
  })

  it.each<[string, string[], string]>([
    [
      'an unknown person',
      ['--user', 'nobody', '--operation', 'runs.get', '--run', RUN_A],
      'Nobody is known as nobody',
    ],
    [
      'an unknown operation, with those that are near',
      ['--user', 'editor', '--operation', 'runs.remove', '--run', RUN_A],
      'There is no operation runs.remove; of runs there are runs.create, runs.get',
    ],
    ['too little', ['--user', 'editor', '--operation', 'runs.get'], 'runs.get is about run: name that'],
    [
      'something else',
      ['--user', 'editor', '--operation', 'runs.get', '--run', RUN_A, '--trace', 'tr-1'],
      'runs.get is about run: name that, and nothing else',
    ],
  ])('refuses %s', async (_, args, message) => {
    const { code, err } = await cli.run('explain', ...args)
    expect(code).toBe(1)
    expect(err).toContain(message)
  })
})

describe('with workspaces', () => {
  const inTeam = ['--workspace', 'team']
  const records = async () => {
    const store = await cli.store()
    try {
      const { events } = await store.audit.page({ limit: 1 })
      return events.map(({ event }) => event)[0]
    } finally {
      await store.close()
    }
  }

  beforeAll(async () => {
    cli.env['WORKSPACES'] = 'true'
    const made = await cli.run('role', 'create', 'team-editor', ...inTeam)
    expect([made.code, made.out]).toEqual([0, expect.stringContaining('is made in workspace team.')])
    expect(await records()).toMatchObject({ path: 'role create', workspace: 'team' })
    const all = ['--level', 'EDIT', '--type', 'experiment', '--all']
    await cli.json('role', 'grant', 'team-editor', ...all)
    await cli.json('role', 'assign', 'team-editor', 'outsider')
  })
  afterAll(() => {
    delete cli.env['WORKSPACES']
  })

  it('access is of one at a time', async () => {
    const { out } = await cli.run('access', '--experiment', A, ...inTeam)
    expect(out.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '))).toEqual([
      'NAME | LEVEL | THROUGH',
      'boss | MANAGE | administrator',
      'outsider | EDIT | EDIT on every experiment in workspace team, assigned',
      'Everybody else who holds something there has NO_PERMISSIONS.',
      '',
    ])
    expect((await cli.run('access', '--experiment', A)).out).not.toContain('outsider')
  })

  it.each([
    ['outsider', [], 'is not allowed runs.get'],
    ['outsider', inTeam, 'is allowed runs.get'],
    ['editor', inTeam, 'hold nothing in that workspace'],
    ['boss', ['--workspace', 'missing'], 'is allowed runs.get, as an administrator'],
  ])('explain %s %j: %s', async (user, where, says) => {
    expect((await explain(user, 'runs.get', '--run', RUN_A, ...where)).out).toContain(says)
  })

  it('explain tells the workspace that is asked about from the one a request goes to', async () => {
    const asked = (user: string) => explain(user, 'workspaces.get', '--workspace-name', 'team')
    expect((await asked('outsider')).out).toContain('is allowed')
    expect((await asked('editor')).out).toContain('is not allowed')
  })

  it('roles are listed and shown with theirs', async () => {
    expect((await cli.run('role', 'list')).out).toMatch(/^ROLE +WORKSPACE +GRANTS/)
    expect((await cli.run('role', 'show', 'team-editor')).out).toContain('(by hand, in workspace team)')
  })

  it.each([
    ['role', 'create', 'x', '--workspace', 'Team'],
    ['access', '--experiment', A, '--workspace', '../x'],
  ])('a name that is none is refused: %s %s', async (...command) => {
    const { code, err } = await cli.run(...command)
    expect([code, err]).toEqual([1, expect.stringContaining('2 to 63 lower-case letters')])
  })
})

it('without WORKSPACES there is no other workspace', async () => {
  for (const command of [
    ['role', 'create', 'x'],
    ['access', '--experiment', A],
    ['explain', '--user', 'reader', '--operation', 'runs.get', '--run', RUN_A],
  ]) {
    const { code, err } = await cli.run(...command, '--workspace', 'team')
    expect([code, err]).toEqual([1, expect.stringContaining('There is no such workspace')])
  }
})
