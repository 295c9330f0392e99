import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ENDPOINTS } from '../../src/admin/endpoints.ts'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import { subjectsOf } from '../../src/mlflow/hypothetical.ts'
import { ENDED_REQUESTS } from '../../src/store/access-requests.ts'
import { A, B, MODEL_B, RUN_B, TRACE_B } from '../support/mlflow-stand-in.ts'
import { DEFINITION_B, ENDPOINT_B, GUARDRAIL_B, SECRET_B } from '../support/stand-in-ai-gateway.ts'
import { DATASET_B, ISSUE_B, QUEUE_B, SCHEMA_B } from '../support/stand-in-things.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

let gateway: TestGateway

beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

type Sent = { readonly as?: MemberName; readonly json?: unknown; readonly match?: string }

async function call(method: string, path: string, { as = 'admin', json, match }: Sent = {}) {
  const headers = match === undefined ? [] : [`If-Match: ${match}`]
  const answer = await gateway.ask({ method, target: `/auth/api/v1${path}`, as, headers, json })
  const body = answer.text === '' ? undefined : JSON.parse(answer.text)
  return { ...answer, json: body, etag: answer.headers['etag']?.toString() ?? '' }
}

const READ_ALPHA = { resource_type: 'experiment', match: 'name', pattern: 'alpha/*', level: 'READ' }

async function role(name: string) {
  const { json, etag } = await call('POST', '/roles', { json: { name } })
  return { id: json.id as string, etag }
}

describe('every endpoint', () => {
  const filled = (path: string) => path.replaceAll(/:\w+/g, 'x')

  it.each(ENDPOINTS.map((each) => [each.name, each] as const))(
    '%s is nothing to a stranger',
    async (_, each) => {
      const { status, forwarded } = await gateway.ask({
        method: each.method,
        target: `/auth/api/v1${filled(each.path)}`,
      })
      expect([status, forwarded]).toEqual([401, []])
    },
  )

  it.each(ENDPOINTS.filter(({ who }) => who === 'admin').map((each) => [each.name, each] as const))(
    '%s is for administrators, before anything is read',
    async (_, each) => {
      const ask = {
        method: each.method,
        target: `/auth/api/v1${filled(each.path)}`,
        as: 'editor',
        body: '{',
      } as const
      const { line, event } = await gateway.ask(ask)
      expect(line).toBe('403 PERMISSION_DENIED admin_only')
      expect(event?.operation).toBe(`admin.${each.name}`)
    },
  )

  it.each(ENDPOINTS.filter(({ method }) => method !== 'GET').map((each) => [each.name, each] as const))(
    '%s is nothing to a token that may only read',
    async (_, each) => {
      const { line } = await gateway.ask({
        method: each.method,
        target: `/auth/api/v1${filled(each.path)}`,
        as: 'observer',
      })
      expect(line).toBe('403 PERMISSION_DENIED read_only_token')
    },
  )

  it.each(ENDPOINTS.filter(({ method }) => method !== 'GET').map((each) => [each.name, each] as const))(
    '%s is not done for a page of somebody else',
    async (_, each) => {
      const headers = [`Cookie: ${gateway.members.admin.cookie}`, 'Origin: https://evil.example']
      const { status, code } = await gateway.ask({
        method: each.method,
        target: `/auth/api/v1${filled(each.path)}`,
        headers,
      })
      expect([status, code]).toEqual([403, 'PERMISSION_DENIED'])
    },
  )
})

describe('a role', () => {
  it('is made, granted, given, shown and deleted, each on record and in force at once', async () => {
    const made = await role('team')
    const granted = await call('POST', `/roles/${made.id}/grants`, { json: READ_ALPHA, match: made.etag })
    expect([granted.status, granted.json.grants]).toEqual([
      200,
      [{ id: expect.any(String), ...READ_ALPHA, expires_at: null, source: 'manual' }],
    ])
    expect(granted.event).toMatchObject({
      event: 'role_changed',
      operation: 'admin.roles.grant',
      username: 'admin',
      resources: [{ type: 'role', id: made.id, name: 'team' }],
    })
    const outsider = gateway.members.outsider.userId
    const target = `/api/2.0/mlflow/experiments/get?experiment_id=${A}`
    expect((await gateway.ask({ target, as: 'outsider' })).status).toBe(403)
    const given = await call('PUT', `/roles/${made.id}/people/${outsider}`, { match: granted.etag })
    expect(given.json.users).toEqual([{ id: outsider, username: 'outsider', source: 'manual' }])
    expect((await gateway.ask({ target, as: 'outsider' })).status).toBe(200)

    const gone = await call('DELETE', `/roles/${made.id}`, { match: given.etag })
    expect([gone.status, gone.text]).toEqual([204, ''])
    expect((await gateway.ask({ target, as: 'outsider' })).status).toBe(403)
  })

  it.each([
    ['nothing', undefined, 428],
    ['anything', '*', 428],
    ['what it was before', 'stale', 412],
  ])('is not changed by somebody who has seen %s', async (_, match, status) => {
    const made = await role(`guarded ${status} ${match}`)
    const changed = await call('POST', `/roles/${made.id}/grants`, { json: READ_ALPHA, match: made.etag })
    const second = await call('DELETE', `/roles/${made.id}`, {
      ...(match && { match: match === 'stale' ? made.etag : match }),
    })
    expect(second.status).toBe(status)
    expect((await call('GET', `/roles/${made.id}`)).etag).toBe(changed.etag)
  })

  it.each<[string, object, string]>([
    [
      'a level the type does not have',
      { ...READ_ALPHA, resource_type: 'workspace', match: 'any', pattern: '*' },
      'USE, MANAGE',
    ],
    ['one run', { ...READ_ALPHA, resource_type: 'run', match: 'exact', pattern: '1' }, 'on all of them'],
    ['all, with a pattern', { ...READ_ALPHA, match: 'any' }, "the pattern is '*'"],
    ['the past', { ...READ_ALPHA, expires_at: 1 }, 'in the past'],
    ['an unknown key', { ...READ_ALPHA, levle: 'READ' }, 'Invalid request: body'],
    ['no pattern', { ...READ_ALPHA, pattern: '' }, 'Invalid request: body/pattern'],
    ['a number', { ...READ_ALPHA, pattern: 1 }, 'Invalid request: body/pattern'],
  ])('is not granted %s', async (name, grant, message) => {
    const made = await role(`fault ${name}`)
    const answer = await call('POST', `/roles/${made.id}/grants`, { json: grant, match: made.etag })
    expect([answer.status, answer.code]).toEqual([400, 'INVALID_PARAMETER_VALUE'])
    expect(answer.message).toContain(message)
    expect((await call('GET', `/roles/${made.id}`)).json.grants).toEqual([])
  })
})

describe('a group', () => {
  const TEAM = '/groups/oidc/team%2Fone'
  const read = { target: `/api/2.0/mlflow/experiments/get?experiment_id=${A}`, as: 'outsider' } as const
  const put = (groups: readonly string[]) =>
    gateway.store.people.signIn({
      ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: 'subject-outsider' },
      ...{ username: 'outsider', groups },
    })

  it('is given a role before anybody is in it, and loses it, each on record and in force at once', async () => {
    const made = await role('of a group')
    await call('POST', `/roles/${made.id}/grants`, { json: READ_ALPHA, match: made.etag })
    const empty = await call('GET', TEAM)
    expect(empty.json).toMatchObject({ people: 0, roles: 0, in_force: true, mappings: [] })
    const path = `${TEAM}/roles/${made.id}`
    expect((await call('PUT', path)).status).toBe(428)
    const given = await call('PUT', path, { match: empty.etag })
    expect(given.json.mappings).toEqual([{ id: made.id, name: 'of a group', source: 'manual' }])
    expect(given.event).toMatchObject({
      ...{ event: 'role_changed', operation: 'admin.groups.map_role', username: 'admin' },
      resources: [
        { type: 'group', id: 'oidc:team/one' },
        { type: 'role', id: made.id, name: 'of a group' },
      ],
    })
    expect((await call('DELETE', path, { match: empty.etag })).status).toBe(412)

    await put(['team/one'])
    await expect.poll(async () => (await gateway.ask(read)).line).toBe('200 allow')
    const { json: people } = await call('GET', `${TEAM}/people`)
    expect(people.people.map(({ username }: { username: string }) => username)).toEqual(['outsider'])
    const listed = await call('GET', '/groups?search=TEAM')
    expect(listed.json).toEqual({
      groups: [{ provider: 'oidc', name: 'team/one', people: 1, roles: 1, in_force: true, is_admin: false }],
      next: null,
    })
    expect((await call('DELETE', path, { match: given.etag })).json.mappings).toEqual([])
    expect((await gateway.ask(read)).line).toBe('403 PERMISSION_DENIED no_grant')
    await put([])
  })

  it('of no configured provider is not given roles, and is shown only if it is there', async () => {
    const made = await role('of nobody')
    const answer = await call('PUT', `/groups/other/team/roles/${made.id}`, { match: made.etag })
    expect([answer.status, answer.message]).toEqual([400, expect.stringContaining('configured are oidc')])
    expect((await call('GET', '/groups/other/team')).status).toBe(404)
    await gateway.store.roles.mapGroup('other', 'team', made.id)
    expect((await call('GET', '/groups/other/team')).json).toMatchObject({ in_force: false, roles: 1 })
  })

  it('loses by its role what was given to it without saying whose it is', async () => {
    const made = await role('of the only provider')
    await gateway.store.roles.mapGroup('', 'bare', made.id)
    expect((await call('GET', '/groups/-/bare')).json).toMatchObject({ provider: 'oidc', roles: 1 })
    const { etag } = await call('GET', `/roles/${made.id}`)
    const gone = await call('DELETE', `/roles/${made.id}/groups/-/bare`, { match: etag })
    expect([gone.json.groups, gone.event?.resources?.at(-1)]).toEqual([[], { type: 'group', id: '-:bare' }])
  })
})

describe('people', () => {
  it('are found by what they are called, a page at a time', async () => {
    const first = await call('GET', '/people?limit=2')
    expect(first.json.people.map(({ username }: { username: string }) => username)).toEqual([
      'admin',
      'editor',
    ])
    const second = await call('GET', `/people?limit=2&after=${first.json.next}`)
    expect(second.json.people.map(({ username }: { username: string }) => username)).toEqual([
      'outsider',
      'reader',
    ])
    const found = await call('GET', '/people?search=DIT')
    expect(found.json.people.map(({ username }: { username: string }) => username)).toEqual(['editor'])
    expect((await call('GET', '/people?search=%25')).json.people).toEqual([])
  })

  it('are shown with all they hold, and how', async () => {
    const { json } = await call('GET', `/people/${gateway.members.editor.userId}`)
    expect(json).toMatchObject({
      username: 'editor',
      is_admin: false,
      disabled: false,
      roles: [{ name: 'alpha-editor', personal: false, via: [{ kind: 'assigned' }] }],
    })
  })

  it('are locked out at once and let in again; nobody locks themselves out', async () => {
    const path = `/people/${gateway.members.reader.userId}`
    const before = await call('GET', path)
    const locked = await call('PATCH', path, { json: { disabled: true }, match: before.etag })
    expect(locked.json.disabled).toBe(true)
    expect((await call('GET', '/me', { as: 'reader' })).status).toBe(401)
    await call('PATCH', path, { json: { disabled: false }, match: locked.etag })
    expect((await call('GET', '/me', { as: 'reader' })).status).toBe(200)

    const own = `/people/${gateway.members.admin.userId}`
    const self = await call('GET', own)
    expect((await call('PATCH', own, { json: { disabled: true }, match: self.etag })).message).toContain(
      'this is you',
    )
    expect((await call('DELETE', own, { match: self.etag })).message).toContain('this is you')
  })
})

describe('whoever manages a resource', () => {
  const grant = (as: MemberName, changes: object = {}) =>
    call('POST', '/grants', {
      as,
      json: { username: 'outsider', resource_type: 'experiment', key: A, level: 'READ', ...changes },
    })

  it('grants on it and sees who reaches it, and nobody else does', async () => {
    expect((await grant('editor')).line).toBe('403 PERMISSION_DENIED level_too_low')
    expect((await call('GET', `/access?resource_type=experiment&key=${A}`, { as: 'editor' })).status).toBe(
      403,
    )
    const personal = await gateway.store.roles.personal(gateway.members.editor.userId)
    const until = Math.floor(Date.now() / 1000) + 3600
    await gateway.store.roles.grant(personal.id, {
      ...{
        resourceType: 'experiment',
        match: 'exact',
        pattern: A,
        level: 'MANAGE',
        expiresAt: until,
        source: 'manual',
      },
    })
    await expect.poll(async () => (await grant('editor')).line).toBe('403 PERMISSION_DENIED wider_than_own')
    const made = await grant('editor', { expires_at: until })
    expect([made.status, made.json.level]).toEqual([201, 'READ'])
    const { json } = await call('GET', `/access?resource_type=experiment&key=${A}`, { as: 'editor' })
    expect(json.people.map(({ username, level }: Record<string, string>) => [username, level])).toEqual([
      ['admin', 'MANAGE'],
      ['editor', 'MANAGE'],
      ['outsider', 'READ'],
      ['reader', 'READ'],
    ])
    // Not on another resource, and not on one that does not exist.
    expect((await grant('editor', { key: B })).status).toBe(403)
    expect((await grant('editor', { key: '999' })).status).toBe(403)
    expect((await call('DELETE', `/grants/${made.json.id}`, { as: 'reader' })).status).toBe(404)
    expect((await call('DELETE', `/grants/${made.json.id}`, { as: 'editor' })).status).toBe(204)
  })
})

describe('whoever manages things by their names', () => {
  /** Roles as the API makes them are in force at once. */
  async function managing(resource_type: string, pattern: string) {
    const made = await role(`by name: ${resource_type} ${pattern}`)
    const json = { resource_type, match: 'name', pattern, level: 'MANAGE' }
    const { etag } = await call('POST', `/roles/${made.id}/grants`, { json, match: made.etag })
    const path = `/roles/${made.id}/people/${gateway.members.reader.userId}`
    return { path, etag: (await call('PUT', path, { match: etag })).etag }
  }

  const CASES = [
    ['experiment', B, '2', 'beta/*'],
    ['scorer', '2/safety', '2/*', 'beta/*'],
    ['gateway_secret', SECRET_B, 's-*', 'beta-*'],
    ['gateway_endpoint', ENDPOINT_B, 'e-*', 'beta-*'],
    ['gateway_model_definition', DEFINITION_B, 'd-*', 'beta-*'],
    ['prompt', 'beta-prompt', 'x*', 'beta-*'],
  ] as const

  it.each(
    CASES.flatMap(([type, key, byId, byName]) => [
      [type, byId, key, 403, 404],
      [type, byName, key, 201, 204],
    ]),
  )('%s %s: %s', async (resource_type, pattern, key, granting, declining) => {
    const held = await managing(resource_type, pattern)
    const about = { resource_type, key }
    const asked = await call('POST', '/requests', { as: 'editor', json: { ...about, level: 'READ' } })
    const query = new URLSearchParams(about)
    const open = (await call('GET', '/requests', { as: 'reader' })).json.requests
    const seen = open.some(({ id }: { id: string }) => id === asked.json.id)
    const json = { ...about, username: 'outsider', level: 'READ' }
    const granted = await call('POST', '/grants', { as: 'reader', json })
    if (granted.status === 201) await call('DELETE', `/grants/${granted.json.id}`, { as: 'reader' })
    expect([
      granted.status,
      (await call('GET', `/access?${query}`, { as: 'reader' })).status,
      seen,
      (await call('POST', `/requests/${asked.json.id}/decline`, { as: 'reader' })).status,
    ]).toEqual([granting, granting === 201 ? 200 : 403, granting === 201, declining])
    await call('DELETE', `/requests/${asked.json.id}`, { as: 'editor' })
    await call('DELETE', held.path, { match: held.etag })
  })

  it('has nothing looked up for requests about what they cannot manage', async () => {
    const asked = await call('POST', '/requests', {
      as: 'editor',
      json: { resource_type: 'experiment', key: '4711', level: 'READ' },
    })
    gateway.upstream.forget()
    expect((await call('GET', '/requests', { as: 'reader' })).json.requests).toEqual([])
    expect(gateway.upstream.requests).toEqual([])
    await call('DELETE', `/requests/${asked.json.id}`, { as: 'editor' })
  })

  it.each([
    ['experiment', '4711'],
    ['experiment', '02'],
    ['gateway_endpoint', 'e-none'],
    ['scorer', '2/not quoted'],
  ])('%s %s is nothing, also to an administrator', async (resource_type, key) => {
    const json = { resource_type, key, username: 'outsider', level: 'READ' }
    expect((await call('POST', '/grants', { json })).line).toContain('404 RESOURCE_DOES_NOT_EXIST')
    const query = new URLSearchParams({ resource_type, key })
    expect((await call('GET', `/access?${query}`)).status).toBe(404)
  })
})

describe('the picture of access', () => {
  it('has people alike in one row, and what each may do on each experiment', async () => {
    const { json } = await call('GET', '/access/matrix')
    const columns = json.resources.map(({ name }: { name: string }) => name)
    const at = [columns.indexOf('alpha/bucket'), columns.indexOf('beta/secret')]
    const rows = json.rows.map(
      (row: { people: { username: string }[]; is_admin: boolean; levels: string[] }) => [
        row.people.map(({ username }) => username).join(' '),
        row.is_admin,
        at.map((index) => row.levels[index]),
      ],
    )
    expect(rows).toContainEqual(['admin', true, ['MANAGE', 'MANAGE']])
    expect(rows).toContainEqual(['reader', false, ['READ', 'NO_PERMISSIONS']])
    expect((await call('GET', '/access/matrix?search=outs')).json.rows).toHaveLength(1)
  })
})

describe("what is one's own", () => {
  it('is shown to oneself', async () => {
    expect((await call('GET', '/me/access', { as: 'reader' })).json).toMatchObject({
      username: 'reader',
      roles: [{ name: 'alpha-reader' }],
    })
    expect((await call('GET', '/me/sessions', { as: 'reader' })).json.sessions).toHaveLength(1)
    expect((await call('DELETE', '/me/sessions', { as: 'reader' })).json).toEqual({ ended: 1 })
    const headers = [`Cookie: ${gateway.members.reader.cookie}`]
    await expect
      .poll(async () => (await gateway.ask({ target: '/auth/api/v1/me', headers })).status)
      .toBe(401)
  })
})

describe('a request for access', () => {
  const ask = (as: MemberName, key: string, level = 'READ') =>
    call('POST', '/requests', {
      as,
      json: { resource_type: 'experiment', key, level, note: 'for the report' },
    })

  it('is seen and answered by whoever manages what it is about, and by nobody else', async () => {
    const asked = await ask('outsider', B, 'EDIT')
    expect([asked.status, asked.json.state, asked.json.about]).toEqual([201, 'open', null])
    expect(asked.event).toMatchObject({ event: 'access_requested', operation: 'admin.requests.ask' })
    expect((await call('GET', '/requests', { as: 'reader' })).json.requests).toEqual([])
    const [seen] = (await call('GET', '/requests')).json.requests
    expect(seen).toMatchObject({
      username: 'outsider',
      key: B,
      about: { resource_type: 'experiment', key: B, name: 'beta/secret' },
      level: 'EDIT',
      note: 'for the report',
    })

    const path = `/requests/${asked.json.id}`
    for (const as of ['reader', 'outsider'] as const) {
      expect((await call('POST', `${path}/grant`, { as, json: {} })).status).toBe(404)
      expect((await call('POST', `${path}/decline`, { as })).status).toBe(404)
    }
    const target = `/api/2.0/mlflow/experiments/get?experiment_id=${B}`
    expect((await gateway.ask({ target, as: 'outsider' })).status).toBe(403)
    expect((await call('POST', `${path}/grant`, { json: { level: 'READ' } })).status).toBe(204)
    expect((await gateway.ask({ target, as: 'outsider' })).status).toBe(200)
    expect((await call('POST', `${path}/grant`, { json: {} })).status).toBe(404)
    const mine = await call('GET', '/requests?mine=true', { as: 'outsider' })
    expect(mine.json.requests).toMatchObject([{ state: 'granted', decided_by: 'admin', about: null }])
  })

  it('reads the same for a thing that is there and one that is not', async () => {
    const [there, missing] = [await ask('reader', B), await ask('reader', '4711')]
    const shape = ({ id: _id, key: _key, created_at: _at, ...rest }: Record<string, unknown>) => rest
    expect(shape(there.json)).toEqual(shape(missing.json))
    const granting = (id: string, json: object) => call('POST', `/requests/${id}/grant`, { json })
    expect((await granting(there.json.id, { expires_at: 1 })).status).toBe(400)
    // What comes to be under that id later is not given away now.
    expect((await granting(missing.json.id, {})).line).toContain('404 RESOURCE_DOES_NOT_EXIST')
  })

  it.each([
    ['run', RUN_B, { resource_type: 'experiment', key: B, name: 'beta/secret' }],
    ['logged_model', MODEL_B, { resource_type: 'experiment', key: B, name: 'beta/secret' }],
    ['trace', TRACE_B, { resource_type: 'experiment', key: B, name: 'beta/secret' }],
    // What it is, is not in the name.
    ['registered_model', 'beta-prompt', { resource_type: 'prompt', key: 'beta-prompt', name: 'beta-prompt' }],
    ['prompt', 'beta-model', { resource_type: 'registered_model', key: 'beta-model', name: 'beta-model' }],
    ['run', 'f'.repeat(32), null],
    ['run', '../runs/get', null],
    ['registered_model', 'beta-none', null],
  ])(
    'for a %s (%s) is about what is found by that, for those who answer only',
    async (resource_type, key, about) => {
      const json = { resource_type, key, level: 'READ' }
      const asked = await call('POST', '/requests', { as: 'outsider', json })
      expect(asked.json).toMatchObject({ resource_type, key, about: null, state: 'open' })
      const mine = (await call('GET', '/requests?mine=true', { as: 'outsider' })).json.requests
      expect(mine).toContainEqual(asked.json)
      const open = (await call('GET', '/requests')).json.requests
      expect(open.find(({ id }: { id: string }) => id === asked.json.id)).toMatchObject({ about })
      const path = `/requests/${asked.json.id}`
      if (about === null) {
        expect((await call('POST', `${path}/grant`)).line).toContain('404 RESOURCE_DOES_NOT_EXIST')
        expect((await call('POST', `${path}/decline`, { json: { answer: 'no such thing' } })).status).toBe(
          204,
        )
        const told = (await call('GET', '/requests?mine=true', { as: 'outsider' })).json.requests
        const declined = { state: 'declined', answer: 'no such thing', decided_by: 'admin' }
        expect(told).toContainEqual(expect.objectContaining({ id: asked.json.id, ...declined }))
        return
      }
      const granted = await call('POST', `${path}/grant`)
      expect([granted.status, granted.event?.event]).toEqual([204, 'access_answered'])
      expect(granted.event?.resources).toContainEqual({ type: about.resource_type, id: about.key })
      const held = (await call('GET', '/me/access', { as: 'outsider' })).json.roles
      const { personal } = held.find((each: { personal: boolean }) => each.personal)
      expect(personal).toBe(true)
      expect(JSON.stringify(held)).toContain(`"resource_type":"${about.resource_type}"`)
    },
  )

  it.each([
    [{ key: 'a\u0000b' }],
    [{ key: '\ud800' }],
    [{ key: '' }],
    [{ note: 'x\u001b[31m' }],
    [{ note: 'x'.repeat(1001) }],
    [{ resource_type: 'workspace' }],
    [{ level: 'DENY' }],
  ])('is not made with %j', async (fault) => {
    const json = { resource_type: 'experiment', key: B, level: 'READ', ...fault }
    expect((await call('POST', '/requests', { as: 'reader', json })).status).toBe(400)
  })

  it('does not fill the store, however often it is made and taken back', async () => {
    const { id: userId } = await gateway.store.people.signIn({
      ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject: 'asker', username: 'asker' },
      groups: [],
    })
    const about = { userId, resourceType: 'experiment', key: '1', level: 'READ', note: '' } as const
    for (let round = 0; round < ENDED_REQUESTS + 5; round++) {
      const { id } = await gateway.store.accessRequests.ask(about)
      await gateway.store.accessRequests.decide(id, { state: 'withdrawn', by: 'asker' })
    }
    await gateway.store.accessRequests.ask(about)
    const all = await gateway.store.accessRequests.listOf(userId)
    expect(all.map(({ state }) => state).sort()).toEqual(['open', ...Array(ENDED_REQUESTS).fill('withdrawn')])
  })

  it('is taken back, declined, or changed by asking again; and they are not without end', async () => {
    const first = await ask('editor', B)
    expect((await ask('editor', B)).json.id).toBe(first.json.id)
    const other = await ask('editor', B, 'EDIT')
    expect([other.json.level, other.json.id === first.json.id]).toEqual(['EDIT', false])
    // Who saw READ and grants what is asked for grants nothing else.
    expect((await call('POST', `/requests/${first.json.id}/grant`, { json: {} })).status).toBe(404)
    expect((await call('DELETE', `/requests/${other.json.id}`, { as: 'reader' })).status).toBe(404)
    expect((await call('DELETE', `/requests/${other.json.id}`, { as: 'editor' })).status).toBe(204)
    const second = await ask('editor', B)
    expect((await call('POST', `/requests/${second.json.id}/decline`)).status).toBe(204)
    for (let key = 100; key < 120; key++) expect((await ask('editor', String(key))).status).toBe(201)
    expect((await ask('editor', '200')).status).toBe(429)
  })
})

describe('an explanation', () => {
  it('is for oneself, or for administrators', async () => {
    const path = `/explain?operation=runs.get&about=run%3D${RUN_B}`
    const own = await call('GET', path, { as: 'reader' })
    expect(own.json).toMatchObject({
      effect: 'deny',
      reason: 'no_grant',
      // What was looked up stays here: whether there is such a run, and where.
      explanations: [],
      withheld: true,
    })
    const missing = await call('GET', '/explain?operation=runs.get&about=run%3Dnone', { as: 'reader' })
    expect(missing.json).toEqual(own.json)
    expect((await call('GET', `${path}&username=editor`, { as: 'reader' })).status).toBe(403)
    const told = await call('GET', `${path}&username=editor`)
    expect(told.json.explanations[0]).toMatchObject({
      resource: { type: 'experiment', key: B, name: 'beta/secret', tier: 'run' },
      remedy: { kind: 'grant', text: 'Add READ on experiment 2' },
    })
  })
})

describe('an explanation for oneself', () => {
  /** What is there and somebody else's, and what is not there, for each kind that is looked up. */
  const THERE_OR_NOT: Readonly<Record<string, readonly [there: string, missing: string]>> = {
    experiment: [B, '4711'],
    experiment_or_all: [B, '4711'],
    scored_experiment: [B, '4711'],
    experiment_name: ['beta/secret', 'beta/none'],
    run: [RUN_B, 'f'.repeat(32)],
    logged_model: [MODEL_B, `m-${'f'.repeat(32)}`],
    trace: [TRACE_B, `tr-${'f'.repeat(32)}`],
    new_trace: [TRACE_B, `tr-${'f'.repeat(32)}`],
    artifact_path: ['2/some/file', '4711/some/file'],
    registered_model: ['beta-prompt', 'beta-none'],
    model_source: ['models:/beta-prompt/1', 'models:/beta-none/1'],
    prompt_uri: ['prompts:/beta-prompt/1', 'prompts:/beta-none/1'],
    dataset: [DATASET_B, `d-${'f'.repeat(32)}`],
    issue: [ISSUE_B, `iss-${'f'.repeat(32)}`],
    label_schema: [SCHEMA_B, `ls-${'f'.repeat(32)}`],
    review_queue: [QUEUE_B, `rq-${'f'.repeat(32)}`],
    gateway_secret: [SECRET_B, `s-${'f'.repeat(32)}`],
    gateway_endpoint: [ENDPOINT_B, `e-${'f'.repeat(32)}`],
    gateway_endpoint_name: ['beta-endpoint', 'beta-none'],
    gateway_model_definition: [DEFINITION_B, `d-${'f'.repeat(32)}`],
    gateway_guardrail: [GUARDRAIL_B, `gr-${'f'.repeat(32)}`],
    mcp_server: ['beta-org/server', 'beta-org/none'],
  }
  const rows = CATALOGUE.map((row) => ({ row, kinds: [...subjectsOf(row).keys()] }))
  const known = rows.filter(({ kinds }) => kinds.some((kind) => kind in THERE_OR_NOT))

  it.each(known.map(({ row, kinds }) => [row.name, kinds] as const))(
    '%s tells what is there from what is not to nobody who may not see it',
    async (operation, kinds) => {
      const ask = async (which: 0 | 1) => {
        const query = new URLSearchParams({ operation })
        for (const kind of kinds) query.append('about', `${kind}=${THERE_OR_NOT[kind]?.[which] ?? 'beta-x'}`)
        const { status, json } = await call('GET', `/explain?${query}`, { as: 'reader' })
        return { status, json }
      }
      const [there, missing] = [await ask(0), await ask(1)]
      expect([there.status, there.json]).toEqual([200, missing.json])
    },
  )
})

describe('the record', () => {
  it('is found by what was done, and counted', async () => {
    await gateway.ask({ target: `/api/2.0/mlflow/experiments/get?experiment_id=${B}`, as: 'reader' })
    const found = async () =>
      (await call('GET', '/audit?user=reader&effect=deny&operation=experiments&limit=1')).json
    await expect.poll(async () => (await found()).events.length).toBe(1)
    expect((await found()).events[0]).toMatchObject({
      username: 'reader',
      operation: 'experiments.get',
      reason: 'no_grant',
    })
    const counts = await call('GET', '/audit/counts?span=3600&user=reader&effect=deny&operation=experiments')
    expect(counts.json.counts).toEqual([{ from: expect.any(Number), effect: 'deny', events: 1 }])
    expect((await call('GET', '/audit?effect=maybe')).status).toBe(400)
    expect((await call('GET', '/audit/counts?span=1')).status).toBe(400)
  })
})

describe('the OpenAPI document', () => {
  it('describes every endpoint, with what it takes and answers', async () => {
    const answer = await gateway.ask({ target: '/auth/api/openapi.json', as: 'reader' })
    const document = JSON.parse(answer.text)
    expect(document.openapi).toBe('3.1.0')
    const operations = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap(
      (path) => Object.values(path).map(({ operationId }) => operationId),
    )
    expect(operations.toSorted()).toEqual(ENDPOINTS.map(({ name }) => name).toSorted())
    expect(document.paths['/auth/api/v1/roles/{id}/grants'].post.requestBody).toBeDefined()
  })

  it('is not for strangers', async () => {
    expect((await gateway.ask({ target: '/auth/api/openapi.json' })).status).toBe(401)
  })
})
