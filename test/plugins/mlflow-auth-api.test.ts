import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AUTH_ROUTES } from '../../src/mlflow-auth/routes.ts'
import {
  DEFINITION_A,
  DEFINITION_B,
  ENDPOINT_A,
  ENDPOINT_B,
  SECRET_A,
  SECRET_B,
} from '../support/stand-in-ai-gateway.ts'
import { type Outcome, startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

type Fields = Readonly<Record<string, unknown>>
type Who = MemberName | 'nobody'

/** One request to a route by its name; a GET has its fields in the query, anything else in a JSON body. */
function speak(who: Who, name: string, fields: Fields = {}): Promise<Outcome> {
  const route = AUTH_ROUTES.find((each) => each.name === name)
  if (route === undefined) throw new Error(`no route ${name}`)
  const [target = ''] = route.urls
  const as = who === 'nobody' ? undefined : who
  if (route.method !== 'GET') return gateway.ask({ method: route.method, target, as, json: fields })
  const query = Object.entries(fields).map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
  return gateway.ask({ target: query.length === 0 ? target : `${target}?${query.join('&')}`, as })
}

/** The answer's body, of a request that has to be allowed. */
async function heard(who: MemberName, name: string, fields: Fields = {}) {
  const { status, text } = await speak(who, name, fields)
  if (status !== 200) throw new Error(`${name}: ${status} ${text}`)
  return JSON.parse(text)
}

/** `[who, route, fields, line]`; each has to come out so, and to reach MLflow with nothing. */
async function expectLines(rows: readonly (readonly [Who, string, Fields, string])[]): Promise<void> {
  const seen: typeof rows = []
  for (const [who, name, fields] of rows) {
    const { line, reached } = await speak(who, name, fields)
    ;(seen as unknown[]).push([who, name, fields, [line, ...reached].join(' ')])
  }
  expect(seen).toEqual(rows)
}

const numberOf = async (name: MemberName): Promise<number> => (await heard(name, 'users.current')).user.id

const WORKSPACE = { workspace: 'default' }
const NO_GRANT = '403 PERMISSION_DENIED no_grant'
const ADMIN_ONLY = '403 PERMISSION_DENIED admin_only'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'
const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'
const TAKEN = '400 RESOURCE_ALREADY_EXISTS ERR_ALREADY_EXISTS'
const UNKNOWN = '404 RESOURCE_DOES_NOT_EXIST ERR_NOT_FOUND'
const OK = '200 allow'

/** A role made by hand for one test. */
const role = { id: 0, name: 'crew' }
beforeEach(async () => {
  role.id = (await heard('admin', 'roles.create', { ...WORKSPACE, name: role.name })).role.id
})
afterEach(async () => {
  await speak('admin', 'roles.delete', { role_id: role.id })
})

describe('field report 45: users/current missing', () => {
  const PATHS = ['/api/2.0', '/ajax-api/2.0', '/api/3.0', '/ajax-api/3.0'].map(
    (at) => `${at}/mlflow/users/current`,
  )

  it.each(PATHS)('%s says who is signed in, in the words of MLflow', async (target) => {
    const listed = (await heard('admin', 'users.list')).users
    for (const [as, isAdmin] of [
      ['editor', false],
      ['admin', true],
    ] as const) {
      const { status, text, line, reached } = await gateway.ask({ target, as })
      expect(status).toBe(200)
      const { user, ...rest } = JSON.parse(text)
      expect(rest).toEqual({ is_basic_auth: false })
      expect(user).toEqual({ id: expect.any(Number), username: as, is_admin: isAdmin })
      expect(user).toEqual({ ...listed.find((each: Fields) => each['username'] === as), roles: undefined })
      expect([line, reached]).toEqual([OK, []])
    }
  })

  it.each(PATHS)('%s tells a stranger nothing', async (target) => {
    const { status, code, headers, reached } = await gateway.ask({ target })
    expect([status, code, reached]).toEqual([401, 'UNAUTHENTICATED', []])
    expect(headers['www-authenticate']).toEqual(['Bearer realm="mlflow"'])
  })
})

describe('field report 30: open sign-up', () => {
  it('accounts come from the provider or an administrator', async () => {
    await expectLines([
      ['nobody', 'users.create', { username: 'x', password: 'y' }, '401 UNAUTHENTICATED no_credential'],
      ['editor', 'users.create', { username: 'x', password: 'y' }, NO_GRANT],
    ])
    for (const target of [
      '/signup',
      '/api/2.0/mlflow/users/create-ui',
      '/ajax-api/2.0/mlflow/users/create-ui',
    ]) {
      for (const method of ['GET', 'POST']) {
        expect((await gateway.ask({ method, target, as: 'admin' })).line).toMatch(/^404 ENDPOINT_NOT_FOUND/)
      }
    }
    expect((await gateway.store.people.list()).map(({ username }) => username)).not.toContain('x')
  })
})

describe('every route', () => {
  const each = AUTH_ROUTES.flatMap(({ name, method, urls }) =>
    urls.map((target) => [`${method} ${target}`, { name, method, target }] as const),
  )

  it.each(each)('%s is closed to strangers, and reads no body of theirs', async (_, { method, target }) => {
    const headers = ['Content-Type: application/json', 'Content-Length: 1000']
    const { line } = await gateway.ask({ method, target, ...(method === 'GET' ? {} : { headers }) })
    expect(line).toBe('401 UNAUTHENTICATED no_credential')
  })

  it.each(each.filter(([, { method }]) => method !== 'GET'))(
    '%s is closed to a read-only token, and to other sites',
    async (_, { method, target }) => {
      const asked = await gateway.ask({ method, target, as: 'observer', json: {} })
      expect(asked.line).toBe('403 PERMISSION_DENIED read_only_token')
      for (const origin of ['https://evil.example', 'null', gateway.url.replace('http:', 'https:')]) {
        const headers = [`Cookie: ${gateway.members.admin.cookie}`, `Origin: ${origin}`]
        const { line } = await gateway.ask({ method, target, headers, json: {} })
        expect(line).toBe('403 PERMISSION_DENIED cross_origin')
      }
    },
  )

  it.each(each.filter(([, { method }]) => method === 'GET'))('%s has no body', async (_, { target }) => {
    expect((await gateway.ask({ target, as: 'admin', json: {} })).line).toBe(AMBIGUOUS)
  })

  it.each(each)(
    '%s does nothing without what it needs to know, and reaches MLflow with nothing',
    async (...args) => {
      const [, { name, method, target }] = args
      const outcome = await gateway.ask({
        method,
        target,
        as: 'admin',
        ...(method === 'GET' ? {} : { json: {} }),
      })
      const knows = [
        'users.current',
        'users.current_permissions',
        'users.list',
        'roles.list',
        'users.update_password',
      ]
      if (!knows.includes(name)) expect(outcome.line).toBe(INVALID)
      expect(outcome.reached).toEqual([])
      expect(outcome.headers['cache-control']).toEqual(['no-store'])
      expect(outcome.event?.operation).toBe(name)
    },
  )
})

describe('who may', () => {
  const one = { resource_type: 'experiment', resource_id: '1' }
  const named = { username: 'reader' }

  /** What somebody may ask for who has nothing that administers or manages anything. */
  const closed = (who: MemberName): readonly (readonly [Who, string, Fields, string])[] => [
    [who, 'users.get', named, NO_GRANT],
    [who, 'users.create', { username: 'x', password: 'y' }, NO_GRANT],
    [who, 'users.update_password', { ...named, password: 'x' }, NO_GRANT],
    [who, 'users.update_admin', { username: who, is_admin: true }, ADMIN_ONLY],
    [who, 'users.delete', named, ADMIN_ONLY],
    [who, 'users.delete', { username: who }, ADMIN_ONLY],
    [who, 'users.list_permissions', named, NO_GRANT],
    [who, 'users.list_permissions', { username: 'nobody at all' }, NO_GRANT],
    [who, 'users.list_roles', named, NO_GRANT],
    [who, 'users.grant_permission', { ...one, username: who, permission: 'MANAGE' }, NO_GRANT],
    [
      who,
      'users.grant_permission',
      { ...one, resource_id: '*', username: who, permission: 'READ' },
      NO_GRANT,
    ],
    [
      who,
      'users.grant_permission',
      { ...one, resource_id: 'name:*', username: who, permission: 'READ' },
      NO_GRANT,
    ],
    [who, 'users.revoke_permission', { ...one, ...named }, NO_GRANT],
    [who, 'users.get_permission', { ...one, ...named }, NO_GRANT],
    [who, 'roles.create', { ...WORKSPACE, name: 'x' }, NO_GRANT],
    [who, 'roles.get', { role_id: role.id }, NO_GRANT],
    [who, 'roles.get', { role_id: 999_999 }, NO_GRANT],
    [who, 'roles.list', {}, NO_GRANT],
    [who, 'roles.update', { role_id: role.id, name: 'x' }, NO_GRANT],
    [who, 'roles.delete', { role_id: role.id }, NO_GRANT],
    [who, 'roles.delete', { role_id: 999_999 }, NO_GRANT],
    [who, 'roles.list_permissions', { role_id: role.id }, NO_GRANT],
    [
      who,
      'roles.add_permission',
      { role_id: role.id, resource_type: 'workspace', resource_pattern: '*', permission: 'MANAGE' },
      NO_GRANT,
    ],
    [who, 'roles.remove_permission', { role_permission_id: 999_999 }, NO_GRANT],
    [who, 'roles.update_permission', { role_permission_id: 999_999, permission: 'READ' }, NO_GRANT],
    [who, 'roles.assign', { role_id: role.id, username: who }, NO_GRANT],
    [who, 'roles.unassign', { role_id: role.id, username: who }, NO_GRANT],
    [who, 'roles.list_users', { role_id: role.id }, NO_GRANT],
    [
      who,
      'experiment_permissions.create',
      { experiment_id: '1', username: who, permission: 'READ' },
      NO_GRANT,
    ],
    [who, 'experiment_permissions.get', { experiment_id: '1', username: who }, NO_GRANT],
    [who, 'registered_model_permissions.delete', { name: 'alpha-model', username: who }, NO_GRANT],
  ]

  it('the outsider asks about themselves only', async () => {
    await expectLines([
      ...closed('outsider'),
      ['outsider', 'users.list', {}, NO_GRANT],
      ['outsider', 'users.get', { username: 'outsider' }, OK],
      ['outsider', 'users.current_permissions', {}, OK],
      ['outsider', 'users.list_permissions', { username: 'outsider' }, OK],
      ['outsider', 'users.list_roles', { username: 'outsider' }, OK],
      ['outsider', 'users.get_permission', { ...one, username: 'outsider' }, OK],
      ['outsider', 'roles.list', WORKSPACE, OK],
    ])
    expect((await heard('outsider', 'roles.list', WORKSPACE)).roles).toEqual([])
  })

  it('the editor knows the others by name, and the own roles', async () => {
    await expectLines([...closed('editor'), ['editor', 'users.list', {}, OK]])
    const { users } = await heard('editor', 'users.list')
    const roles = users.map((user: { username: string; roles: { name: string }[] }) => [
      user.username,
      user.roles.map(({ name }) => name),
    ])
    expect(Object.fromEntries(roles)).toEqual({
      admin: [],
      editor: ['alpha-editor'],
      reader: [],
      outsider: [],
    })
    const listed = (await heard('editor', 'roles.list', WORKSPACE)).roles
    expect(listed.map(({ name }: { name: string }) => name)).toEqual(['alpha-editor'])
    await expectLines([
      ['editor', 'roles.get', { role_id: listed[0].id }, OK],
      ['editor', 'roles.list_permissions', { role_id: listed[0].id }, OK],
      ['editor', 'roles.update', { role_id: listed[0].id, name: 'x' }, NO_GRANT],
      ['editor', 'roles.list_users', { role_id: listed[0].id }, NO_GRANT],
    ])
  })

  it('a read-only token reads what its owner may', async () => {
    await expectLines([
      ['observer', 'users.list', {}, OK],
      ['readonly', 'users.current_permissions', {}, OK],
      ['readonly', 'users.list_roles', named, NO_GRANT],
    ])
  })

  it('an administrator of the workspace manages its roles and adds people, and makes no administrator', async () => {
    const on = { resource_type: 'workspace', resource_pattern: '*' }
    await heard('admin', 'roles.add_permission', { role_id: role.id, ...on, permission: 'MANAGE' })
    await heard('admin', 'roles.assign', { role_id: role.id, username: 'outsider' })
    const made = await heard('outsider', 'roles.create', { ...WORKSPACE, name: 'made' })
    const role_id = made.role.id
    await expectLines([
      ['outsider', 'roles.list', {}, NO_GRANT],
      ['outsider', 'roles.get', { role_id }, OK],
      ['outsider', 'roles.list_users', { role_id }, OK],
      ['outsider', 'roles.assign', { role_id, username: 'reader' }, OK],
      ['outsider', 'users.list_roles', named, OK],
      ['outsider', 'users.list_permissions', named, OK],
      ['outsider', 'users.get_permission', { ...one, ...named }, OK],
      ['outsider', 'users.grant_permission', { ...one, resource_id: '*', ...named, permission: 'READ' }, OK],
      ['outsider', 'users.revoke_permission', { ...one, resource_id: '*', ...named }, OK],
      ['outsider', 'roles.delete', { role_id }, OK],
      ['outsider', 'users.create', { username: 'seeded' }, OK],
      ['outsider', 'users.get', named, NO_GRANT],
      ['outsider', 'users.delete', { username: 'seeded' }, ADMIN_ONLY],
      ['outsider', 'users.update_admin', { username: 'outsider', is_admin: true }, ADMIN_ONLY],
      ['admin', 'users.delete', { username: 'seeded' }, OK],
      ['admin', 'roles.unassign', { role_id: role.id, username: 'outsider' }, OK],
      ['outsider', 'roles.create', { ...WORKSPACE, name: 'again' }, NO_GRANT],
    ])
    expect((await heard('outsider', 'users.current')).user.is_admin).toBe(false)
  })

  it('who manages a thing says who else has what on it, and on nothing else', async () => {
    const to = { username: 'reader', permission: 'EDIT' }
    await heard('admin', 'users.grant_permission', { ...one, username: 'outsider', permission: 'MANAGE' })
    await expectLines([
      ['outsider', 'users.grant_permission', { ...one, ...to }, OK],
      ['outsider', 'users.grant_permission', { ...one, ...to }, TAKEN],
      ['outsider', 'users.revoke_permission', { ...one, ...to }, OK],
      ['outsider', 'users.revoke_permission', { ...one, ...to }, UNKNOWN],
      ['outsider', 'users.grant_permission', { ...one, resource_id: 'exact:1', ...to }, OK],
      ['outsider', 'experiment_permissions.get', { experiment_id: '1', username: 'reader' }, OK],
      ['outsider', 'experiment_permissions.update', { experiment_id: '1', ...to, permission: 'READ' }, OK],
      ['outsider', 'experiment_permissions.delete', { experiment_id: '1', username: 'reader' }, OK],
      ...['2', '*', 'name:alpha/one', 'name:*', 'exact:2'].map(
        (resource_id) =>
          ['outsider', 'users.grant_permission', { ...one, resource_id, ...to }, NO_GRANT] as const,
      ),
      ...['01', ' 1', '1 ', 'exact:*', ''].map(
        (resource_id) =>
          ['outsider', 'users.grant_permission', { ...one, resource_id, ...to }, INVALID] as const,
      ),
      [
        'outsider',
        'users.grant_permission',
        { resource_type: 'scorer', resource_id: '1/x', ...to },
        NO_GRANT,
      ],
      ['outsider', 'users.grant_permission', { resource_type: 'run', resource_id: '*', ...to }, NO_GRANT],
      ['outsider', 'users.get_permission', { ...one, username: 'reader' }, NO_GRANT],
      ['admin', 'users.revoke_permission', { ...one, username: 'outsider' }, OK],
      ['outsider', 'users.grant_permission', { ...one, ...to }, NO_GRANT],
    ])
  })

  it('a manager of everything of a type gives it thing by thing, not all at once', async () => {
    const all = { resource_type: 'experiment', resource_pattern: '*', permission: 'MANAGE' }
    await heard('admin', 'roles.add_permission', { role_id: role.id, ...all })
    await heard('admin', 'roles.assign', { role_id: role.id, username: 'outsider' })
    const to = { resource_type: 'experiment', username: 'reader', permission: 'EDIT' }
    await expectLines([
      ['outsider', 'users.grant_permission', { ...to, resource_id: '2' }, OK],
      ['outsider', 'users.revoke_permission', { ...to, resource_id: '2' }, OK],
      ['outsider', 'users.grant_permission', { ...to, resource_id: '*' }, NO_GRANT],
      ['outsider', 'users.revoke_permission', { ...to, resource_id: '*' }, NO_GRANT],
      ['outsider', 'users.grant_permission', { ...to, resource_id: 'name:*' }, NO_GRANT],
    ])
  })

  const KINDS = [
    ['experiment', '1', '2', '999', 'name:alpha/*', 'name:beta/*'],
    ['scorer', '1/relevance', '2/safety', '999/safety', 'name:alpha/*', 'name:beta/*'],
    ['gateway_secret', SECRET_A, SECRET_B, 's-none', 'name:alpha-*', 'name:beta-*'],
    ['gateway_endpoint', ENDPOINT_A, ENDPOINT_B, 'e-none', 'name:alpha-*', 'name:beta-*'],
    ['gateway_model_definition', DEFINITION_A, DEFINITION_B, 'd-none', 'name:alpha-*', 'name:beta-*'],
    ['prompt', 'alpha-prompt', 'beta-prompt', 'none', 'name:alpha-*', 'name:beta-*'],
  ] as const

  it.each(KINDS)('a manager of each %s by a name pattern manages what is called so', async (...kind) => {
    const [resource_type, own, others, missing, resource_pattern] = kind
    const held = { resource_type, resource_pattern, permission: 'MANAGE' }
    await heard('admin', 'roles.add_permission', { role_id: role.id, ...held })
    await heard('admin', 'roles.assign', { role_id: role.id, username: 'outsider' })
    const to = { resource_type, username: 'reader', permission: 'EDIT' }
    await expectLines([
      ['outsider', 'users.grant_permission', { ...to, resource_id: own }, OK],
      ['outsider', 'users.revoke_permission', { ...to, resource_id: own }, OK],
      ['outsider', 'users.grant_permission', { ...to, resource_id: others }, NO_GRANT],
      ['outsider', 'users.grant_permission', { ...to, resource_id: missing }, NO_GRANT],
      ['outsider', 'users.grant_permission', { ...to, resource_id: resource_pattern }, NO_GRANT],
    ])
  })

  it.each(KINDS)('a manager of every %s but what is called so manages the rest', async (...kind) => {
    const [resource_type, own, denied, , , resource_pattern] = kind
    const add = (pattern: string, permission: string) =>
      heard('admin', 'roles.add_permission', {
        ...{ role_id: role.id, resource_type, resource_pattern: pattern, permission },
      })
    await add('*', 'MANAGE')
    await add(resource_pattern, 'DENY')
    await heard('admin', 'roles.assign', { role_id: role.id, username: 'outsider' })
    const to = { resource_type, username: 'reader', permission: 'EDIT' }
    await expectLines([
      ['outsider', 'users.grant_permission', { ...to, resource_id: own }, OK],
      ['outsider', 'users.revoke_permission', { ...to, resource_id: own }, OK],
      ['outsider', 'users.grant_permission', { ...to, resource_id: denied }, NO_GRANT],
    ])
    const asked = { username: 'outsider', resource_type, resource_id: denied }
    expect(await heard('admin', 'users.get_permission', asked)).toEqual({
      allowed: false,
      permission: 'DENY',
    })
  })
})

describe('a role', () => {
  const on = { resource_type: 'experiment', resource_pattern: '1' }

  it('is made, shown, changed, filled, given, taken and deleted as MLflow’s client expects', async () => {
    const role_id = role.id
    expect((await heard('admin', 'roles.get', { role_id })).role).toEqual({
      ...{ id: role_id, name: 'crew', workspace: 'default', description: null, permissions: [] },
    })
    const changed = { name: 'crew two', description: 'of the ship' }
    expect((await heard('admin', 'roles.update', { role_id, ...changed })).role).toMatchObject(changed)
    await heard('admin', 'roles.update', { role_id, name: 'crew' })

    const added = await heard('admin', 'roles.add_permission', { role_id, ...on, permission: 'READ' })
    const { role_permission: permission } = added
    expect(permission).toEqual({ id: expect.any(Number), role_id, ...on, permission: 'READ' })
    const role_permission_id = permission.id
    const raised = await heard('admin', 'roles.update_permission', { role_permission_id, permission: 'EDIT' })
    expect(raised.role_permission).toEqual({ ...permission, permission: 'EDIT' })
    const listed = await heard('admin', 'roles.list_permissions', { role_id })
    expect(listed.role_permissions).toEqual([raised.role_permission])

    const user_id = await numberOf('outsider')
    const { assignment } = await heard('admin', 'roles.assign', { role_id, username: 'outsider' })
    expect(assignment).toEqual({ id: expect.any(Number), user_id, role_id })
    expect((await heard('admin', 'roles.list_users', { role_id })).assignments).toEqual([assignment])
    const own = await heard('outsider', 'users.list_roles', { username: 'outsider' })
    expect(own.roles.filter(({ id }: { id: number }) => id === role_id)).toEqual([
      {
        ...{ id: role_id, name: 'crew', workspace: 'default', description: 'of the ship' },
        permissions: [raised.role_permission],
      },
    ])
    expect(await heard('outsider', 'users.current_permissions')).toEqual({
      is_admin: false,
      permissions: [{ role_id, role_name: 'crew', workspace: 'default', ...on, permission: 'EDIT' }],
    })

    await heard('admin', 'roles.remove_permission', { role_permission_id })
    await heard('admin', 'roles.unassign', { role_id, username: 'outsider' })
    expect(await heard('admin', 'roles.delete', { role_id })).toEqual({})
    await expectLines([
      ['admin', 'roles.get', { role_id }, UNKNOWN],
      ['admin', 'roles.unassign', { role_id, username: 'outsider' }, UNKNOWN],
      ['admin', 'roles.update_permission', { role_permission_id, permission: 'READ' }, UNKNOWN],
    ])
  })

  it('refuses what MLflow refuses, with its codes', async () => {
    const role_id = role.id
    const add = { role_id, ...on, permission: 'READ' }
    await heard('admin', 'roles.add_permission', add)
    await heard('admin', 'roles.assign', { role_id, username: 'reader' })
    await expectLines([
      ['admin', 'roles.create', { ...WORKSPACE, name: 'crew' }, TAKEN],
      ['admin', 'roles.create', { ...WORKSPACE, name: ' ' }, INVALID],
      ['admin', 'roles.create', { ...WORKSPACE, name: '__user_1__' }, INVALID],
      ['admin', 'roles.create', { ...WORKSPACE, name: '~x' }, INVALID],
      ['admin', 'roles.create', { ...WORKSPACE, name: 'x', description: 1 }, INVALID],
      ['admin', 'roles.create', { workspace: 'elsewhere', name: 'x' }, INVALID],
      ['admin', 'roles.update', { role_id }, INVALID],
      ['admin', 'roles.update', { role_id, name: 'alpha-editor' }, TAKEN],
      ['admin', 'roles.update', { role_id, name: '__user_x' }, INVALID],
      ['admin', 'roles.update', { role_id: 999_999, name: 'x' }, UNKNOWN],
      ['admin', 'roles.update', { role_id: 'x', name: 'x' }, INVALID],
      ['admin', 'roles.add_permission', { ...add, permission: 'EDIT' }, TAKEN],
      [
        'admin',
        'roles.add_permission',
        { ...add, resource_pattern: '2', permission: 'NO_PERMISSIONS' },
        INVALID,
      ],
      ['admin', 'roles.add_permission', { ...add, resource_type: 'run' }, INVALID],
      [
        'admin',
        'roles.add_permission',
        { ...add, resource_type: 'workspace', resource_pattern: '*' },
        INVALID,
      ],
      ['admin', 'roles.add_permission', { ...add, resource_type: 'server' }, INVALID],
      ['admin', 'roles.add_permission', { ...add, role_id: 999_999 }, UNKNOWN],
      ['admin', 'roles.update_permission', { role_permission_id: role_id, permission: 'READ' }, UNKNOWN],
      ['admin', 'roles.assign', { role_id, username: 'reader' }, TAKEN],
      ['admin', 'roles.assign', { role_id, username: 'nobody at all' }, UNKNOWN],
      ['admin', 'roles.list', { workspace: '' }, OK],
      ['admin', 'users.list_roles', { username: 'nobody at all' }, UNKNOWN],
    ])
    expect((await heard('admin', 'roles.list', { workspace: 'elsewhere' })).roles).toEqual([])
  })

  it('takes effect with the next request', async () => {
    // Nothing is heard of changes but what the request that makes one waits for.
    const slow = await startTestGateway({ pollMs: 3_600_000 })
    try {
      const change = async (path: string, json: Fields, method = 'POST') => {
        const target = `/api/3.0/mlflow/roles/${path}`
        return JSON.parse((await slow.ask({ method, target, as: 'admin', json })).text)
      }
      const ask = () =>
        slow.ask({ target: '/api/2.0/mlflow/experiments/get?experiment_id=2', as: 'outsider' })
      expect((await ask()).status).toBe(403)
      const { id: role_id } = (await change('create', { ...WORKSPACE, name: 'crew' })).role
      await change('assign', { role_id, username: 'outsider' })
      const add = { role_id, ...on, resource_pattern: '2', permission: 'READ' }
      const { id: role_permission_id } = (await change('permissions/add', add)).role_permission
      expect((await ask()).status).toBe(200)
      await change('permissions/update', { role_permission_id, permission: 'DENY' }, 'PATCH')
      expect((await ask()).status).toBe(403)
      await change('permissions/update', { role_permission_id, permission: 'READ' }, 'PATCH')
      expect((await ask()).status).toBe(200)
      await change('unassign', { role_id, username: 'outsider' }, 'DELETE')
      expect((await ask()).status).toBe(403)
    } finally {
      await slow.stop()
    }
  })

  it('is on record with what became of it', async () => {
    const add = { role_id: role.id, ...on, permission: 'READ' }
    const { event } = await speak('admin', 'roles.add_permission', add)
    expect(event).toMatchObject({
      ...{
        event: 'role_changed',
        operation: 'roles.add_permission',
        effect: 'allow',
        username: 'admin',
        status: 200,
      },
      resources: [
        { type: 'role', name: 'crew' },
        { type: 'experiment', id: '1', name: 'READ' },
      ],
    })
    const given = await speak('admin', 'roles.assign', { role_id: role.id, username: 'reader' })
    expect(given.event?.resources).toMatchObject([{ name: 'crew' }, { type: 'user', name: 'reader' }])
    expect((await speak('admin', 'roles.get', { role_id: role.id })).event?.event).toBe('decision')
  })
})

describe('what one user has directly', () => {
  const one = { username: 'outsider', resource_type: 'registered_model', resource_id: 'beta-model' }

  it('is a role of its own to MLflow', async () => {
    const user_id = await numberOf('outsider')
    expect(await heard('admin', 'users.grant_permission', { ...one, permission: 'USE' })).toEqual({})
    expect(await heard('outsider', 'users.get_permission', one)).toEqual({ allowed: true, permission: 'USE' })
    const [own] = (await heard('admin', 'users.list_roles', { username: 'outsider' })).roles
    expect(own).toMatchObject({ name: `__user_${user_id}__`, workspace: 'default', description: null })
    expect(own.permissions).toMatchObject([
      { resource_type: 'registered_model', resource_pattern: 'beta-model', permission: 'USE' },
    ])
    const [{ id: role_permission_id }] = own.permissions
    await expectLines([
      ['admin', 'roles.update', { role_id: own.id, name: 'x' }, INVALID],
      ['admin', 'roles.delete', { role_id: own.id }, INVALID],
      ['admin', 'roles.assign', { role_id: own.id, username: 'editor' }, INVALID],
      ['admin', 'roles.unassign', { role_id: own.id, username: 'outsider' }, INVALID],
      ['editor', 'roles.get', { role_id: own.id }, NO_GRANT],
      ['outsider', 'roles.get', { role_id: own.id }, OK],
      ['admin', 'roles.remove_permission', { role_permission_id }, OK],
      ['admin', 'users.revoke_permission', one, UNKNOWN],
    ])
    expect(await heard('outsider', 'users.get_permission', one)).toEqual({
      ...{ allowed: false, permission: 'NO_PERMISSIONS' },
    })
  })

  it('is asked about as a request would be judged', async () => {
    const of = (username: string, resource_type: string, resource_id: string) =>
      heard('admin', 'users.get_permission', { username, resource_type, resource_id })
    expect(await of('editor', 'experiment', '1')).toEqual({ allowed: true, permission: 'EDIT' })
    expect(await of('reader', 'experiment', '1')).toEqual({ allowed: false, permission: 'READ' })
    expect(await of('reader', 'registered_model', 'alpha-model')).toMatchObject({ permission: 'READ' })
    expect(await of('editor', 'experiment', '2')).toMatchObject({ permission: 'NO_PERMISSIONS' })
    expect(await of('editor', 'experiment', '*')).toMatchObject({ permission: 'NO_PERMISSIONS' })
    expect(await of('editor', 'run', '*')).toMatchObject({ permission: 'NO_PERMISSIONS' })
    expect(await of('admin', 'experiment', '2')).toEqual({ allowed: true, permission: 'MANAGE' })
    await expectLines([
      ['admin', 'users.get_permission', { ...one, username: 'nobody at all' }, UNKNOWN],
      ['admin', 'users.get_permission', { ...one, resource_id: 'name:x' }, INVALID],
      ['admin', 'users.get_permission', { ...one, resource_type: 'workspace', resource_id: '*' }, INVALID],
      ['admin', 'users.get_permission', { ...one, resource_type: 'scorer', resource_id: 'x' }, INVALID],
      ['admin', 'users.grant_permission', { ...one, resource_type: 'workspace', permission: 'USE' }, INVALID],
      ['admin', 'users.grant_permission', { ...one, permission: 'ALL' }, INVALID],
    ])
  })

  it('is found by the routes of older versions, which know no patterns', async () => {
    const user_id = await numberOf('outsider')
    const at = { name: 'beta-model', username: 'outsider' }
    const permission = (level: string) => ({
      registered_model_permission: { name: 'beta-model', user_id, permission: level },
    })
    expect(
      await heard('admin', 'registered_model_permissions.create', { ...at, permission: 'EDIT' }),
    ).toEqual(permission('EDIT'))
    expect(await heard('admin', 'registered_model_permissions.get', at)).toEqual(permission('EDIT'))
    await expectLines([
      ['admin', 'registered_model_permissions.create', { ...at, permission: 'READ' }, TAKEN],
    ])
    await heard('admin', 'registered_model_permissions.update', { ...at, permission: 'NO_PERMISSIONS' })
    expect(await heard('admin', 'registered_model_permissions.get', at)).toEqual(permission('NO_PERMISSIONS'))
    expect(await heard('outsider', 'users.get_permission', one)).toMatchObject({ permission: 'DENY' })
    expect(await heard('admin', 'registered_model_permissions.delete', at)).toEqual({})
    await expectLines([
      ['admin', 'registered_model_permissions.get', at, UNKNOWN],
      ['admin', 'registered_model_permissions.update', { ...at, permission: 'READ' }, UNKNOWN],
      ['admin', 'registered_model_permissions.delete', at, UNKNOWN],
      ['admin', 'registered_model_permissions.create', { ...at, permission: 'ALL' }, INVALID],
      ['admin', 'experiment_permissions.create', { ...at, experiment_id: '*', permission: 'READ' }, INVALID],
    ])
    // One thing called so, and no pattern.
    const odd = { name: 'name:*', username: 'outsider' }
    await heard('admin', 'registered_model_permissions.create', { ...odd, permission: 'EDIT' })
    expect(await heard('outsider', 'users.get_permission', one)).toMatchObject({
      permission: 'NO_PERMISSIONS',
    })
    await heard('admin', 'registered_model_permissions.delete', odd)
  })

  it('names a scorer as MLflow does', async () => {
    const at = { experiment_id: '1', scorer_name: "it's 1/2 (ü)", username: 'outsider' }
    expect(await heard('admin', 'scorer_permissions.create', { ...at, permission: 'READ' })).toMatchObject({
      scorer_permission: { experiment_id: '1', scorer_name: "it's 1/2 (ü)", permission: 'READ' },
    })
    const { permissions } = await heard('outsider', 'users.current_permissions')
    expect(permissions).toMatchObject([{ resource_pattern: '1/it%27s%201%2F2%20%28%C3%BC%29' }])
    await heard('admin', 'scorer_permissions.delete', at)
  })
})

describe('a user', () => {
  it('is added before the first sign-in; a password is not kept, and that is said', async () => {
    const { user, note } = await heard('admin', 'users.create', {
      username: 'newcomer',
      password: 'pass-phrase-1',
    })
    expect(user).toEqual({ id: expect.any(Number), username: 'newcomer', is_admin: false })
    expect(note).toMatch(/not kept/)
    expect(gateway.log.join('') + JSON.stringify(gateway.events)).not.toContain('pass-phrase-1')
    expect(await heard('admin', 'users.get', { username: 'newcomer' })).toEqual({ user })
    expect(await heard('admin', 'users.get', { username: 'oidc:newcomer' })).toEqual({ user })
    await expectLines([
      ['admin', 'users.create', { username: 'newcomer' }, TAKEN],
      ['admin', 'users.create', { username: 'oidc:newcomer' }, TAKEN],
      ['admin', 'users.create', { username: 'elsewhere:newcomer' }, INVALID],
      ['admin', 'users.create', { username: ' ' }, INVALID],
      ['admin', 'users.create', { username: 'a\nb' }, INVALID],
      ['admin', 'users.create', { username: 'other', password: 1 }, INVALID],
      ['admin', 'users.get', { username: 'elsewhere:newcomer' }, UNKNOWN],
      ['admin', 'users.delete', { username: 'newcomer' }, OK],
      ['admin', 'users.delete', { username: 'newcomer' }, UNKNOWN],
      ['admin', 'users.delete', { username: 'admin' }, '400 BAD_REQUEST ERR_BAD_REQUEST'],
    ])
  })

  it('has no password to change', async () => {
    for (const [who, username] of [
      ['admin', 'editor'],
      ['editor', 'editor'],
    ] as const) {
      const fields = { username, password: 'new', current_password: 'old' }
      const { line, message } = await speak(who, 'users.update_password', fields)
      expect(line).toBe(INVALID)
      expect(message).toMatch(/provider.*\/auth\/tokens/)
    }
  })

  it('is an administrator by the configuration, which is said to who asks for something else', async () => {
    await expectLines([
      ['admin', 'users.update_admin', { username: 'admin', is_admin: true }, OK],
      ['admin', 'users.update_admin', { username: 'editor', is_admin: false }, OK],
      ['admin', 'users.update_admin', { username: 'editor', is_admin: 'true' }, INVALID],
      ['admin', 'users.update_admin', { username: 'nobody at all', is_admin: true }, UNKNOWN],
    ])
    for (const fields of [
      { username: 'editor', is_admin: true },
      { username: 'admin', is_admin: false },
    ]) {
      const { line, message } = await speak('admin', 'users.update_admin', fields)
      expect(line).toBe(INVALID)
      expect(message).toMatch(/ADMIN_USERS and ADMIN_GROUPS/)
    }
  })
})

describe('what the policy file says', () => {
  beforeEach(async () => {
    const grant = { resourceType: 'experiment', match: 'exact', pattern: '1', level: 'READ' } as const
    await gateway.store.roles.replacePolicy({
      roles: [{ name: 'written', description: 'in git', grants: [grant] }],
      groups: [],
      users: [{ provider: '', name: 'reader', role: 'written' }],
    })
  })
  afterEach(async () => {
    await gateway.store.roles.replacePolicy({ roles: [], groups: [], users: [] })
  })

  it('is shown, and changed only there', async () => {
    const { roles } = await heard('admin', 'roles.list')
    const written = roles.find(({ name }: { name: string }) => name === 'written')
    expect(written).toMatchObject({ description: 'in git', permissions: [{ resource_pattern: '1' }] })
    const [{ id: role_permission_id }] = written.permissions
    const role_id = written.id
    const refused = '403 PERMISSION_DENIED policy_file'
    const other = { resource_type: 'experiment', resource_pattern: '2', permission: 'READ' }
    await expectLines([
      ['admin', 'roles.update', { role_id, name: 'x' }, refused],
      ['admin', 'roles.delete', { role_id }, refused],
      ['admin', 'roles.add_permission', { role_id, ...other }, refused],
      ['admin', 'roles.remove_permission', { role_permission_id }, refused],
      ['admin', 'roles.update_permission', { role_permission_id, permission: 'EDIT' }, refused],
      ['admin', 'roles.unassign', { role_id, username: 'reader' }, '403 PERMISSION_DENIED not_assigned'],
      ['admin', 'roles.assign', { role_id, username: 'outsider' }, OK],
      ['admin', 'roles.unassign', { role_id, username: 'outsider' }, OK],
    ])
    const { assignments } = await heard('admin', 'roles.list_users', { role_id })
    expect(assignments).toMatchObject([{ user_id: await numberOf('reader'), role_id }])
  })
})

describe('a body', () => {
  const target = '/api/3.0/mlflow/roles/create'
  const ask = (body: string, headers: readonly string[] = ['Content-Type: application/json']) =>
    gateway.ask({ method: 'POST', target, as: 'admin', body, headers })

  it.each([
    ['{"workspace":"default","name":"a","name":"b"}', AMBIGUOUS],
    ['{"workspace":"default","name":"a"}{}', AMBIGUOUS],
    ['[{"workspace":"default","name":"a"}]', AMBIGUOUS],
    ['', AMBIGUOUS],
    [`{"name":"${'x'.repeat(20_000)}"}`, '413 REQUEST_LIMIT_EXCEEDED ERR_BODY_TOO_LARGE'],
  ])('%.60s is refused', async (body, line) => {
    expect((await ask(body)).line).toBe(line)
  })

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'application/json;charset=utf-7'])(
    'of type %s is refused, as forms of other sites would send it',
    async (type) => {
      const { line } = await ask('{"workspace":"default","name":"a"}', [`Content-Type: ${type}`])
      expect(line).toBe('415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE')
    },
  )

  it('for a workspace is refused while none are kept apart', async () => {
    const json = { workspace: 'default', name: 'a' }
    const headers = ['X-MLFLOW-WORKSPACE: team-a']
    const { line } = await gateway.ask({ method: 'POST', target, as: 'admin', headers, json })
    expect(line).toBe('400 INVALID_PARAMETER_VALUE workspaces_off')
  })

  it('beside a query is refused', async () => {
    const json = { workspace: 'default', name: 'a' }
    const outcome = await gateway.ask({ method: 'POST', target: `${target}?name=b`, as: 'admin', json })
    expect(outcome.line).toBe(AMBIGUOUS)
  })
})
