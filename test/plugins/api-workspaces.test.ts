import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import type { Level } from '../../src/policy/grants.ts'
import { A, B, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'
import { headerValues } from '../support/upstream.ts'

/*
 * Two workspaces besides the default one: `team`, which the reader administers and where the editor may read; `theirs`,
 * where the outsider may edit. The stand-in for MLflow has the same things in each.
 */

let gateway: TestGateway
let roleIds: Readonly<Record<string, string>>

beforeAll(async () => {
  gateway = await startTestGateway({ env: { WORKSPACES: 'true' } })
  roleIds = {
    team: await give('reader', 'team', 'workspace', 'MANAGE'),
    'team readers': await give('editor', 'team', 'experiment', 'READ'),
    theirs: await give('outsider', 'theirs', 'experiment', 'EDIT'),
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
})
afterAll(() => gateway.stop())

async function give(
  who: MemberName,
  workspace: string,
  resourceType: 'workspace' | 'experiment',
  level: Level,
) {
  const { store, members } = gateway
  const role = await store.roles.create({ name: `${workspace} ${who}`, workspace })
  await store.roles.grant(role.id, { resourceType, match: 'any', pattern: '*', level, source: 'manual' })
  await store.roles.assign(members[who].userId, role.id)
  return role.id
}

type Sent = { readonly as?: MemberName; readonly json?: unknown; readonly match?: string | undefined }

async function call(method: string, path: string, { as = 'admin', json, match }: Sent = {}) {
  const headers = match === undefined ? [] : [`If-Match: ${match}`]
  const answer = await gateway.ask({ method, target: `/auth/api/v1${path}`, as, headers, json })
  const body = answer.text === '' ? undefined : JSON.parse(answer.text)
  return { ...answer, json: body, etag: answer.headers['etag']?.toString() }
}

const WHERE = ['default', 'team', 'theirs', 'missing'] as const
const WHO = ['admin', 'reader', 'editor', 'outsider'] as const

/** Operations about things there are, as a request and as a question. */
const ASKED: readonly (readonly [
  operation: string,
  about: string,
  ask: { method?: string; target: string; json?: object },
])[] = [
  ...[A, B].flatMap((id) => [
    [
      'experiments.get',
      `experiment=${id}`,
      { target: `/api/2.0/mlflow/experiments/get?experiment_id=${id}` },
    ] as const,
    [
      'experiments.update',
      `experiment=${id}`,
      { method: 'POST', target: '/api/2.0/mlflow/experiments/update', json: { experiment_id: id } },
    ] as const,
  ]),
  ...[RUN_A, RUN_B].flatMap((id) => [
    ['runs.get', `run=${id}`, { target: `/api/2.0/mlflow/runs/get?run_id=${id}` }] as const,
    [
      'runs.delete',
      `run=${id}`,
      { method: 'POST', target: '/api/2.0/mlflow/runs/delete', json: { run_id: id } },
    ] as const,
  ]),
  [
    'registered_models.get',
    'registered_model=beta-model',
    { target: '/api/2.0/mlflow/registered-models/get?name=beta-model' },
  ],
  ['workspaces.get', 'workspace=team', { target: '/api/3.0/mlflow/workspaces/team' }],
  ['workspaces.delete', '', { method: 'DELETE', target: '/api/3.0/mlflow/workspaces/none' }],
]

describe('an explanation of a request to a workspace', () => {
  it.each(WHO.flatMap((who) => WHERE.map((where) => [who, where] as const)))(
    'of the %s to %s is what is decided on it',
    async (as, workspace) => {
      for (const [operation, about, ask] of ASKED) {
        const decided = await gateway.ask({ ...ask, as, headers: [`X-MLFLOW-WORKSPACE: ${workspace}`] })
        const query = new URLSearchParams({ username: as, operation, workspace })
        if (about !== '') query.set('about', about)
        const { json } = await call('GET', `/explain?${query}`)
        expect([operation, about, json.effect, json.reason ?? undefined]).toEqual([
          ...[operation, about, decided.event?.effect],
          decided.event?.reason,
        ])
      }
    },
  )

  it('asks MLflow there, and nowhere else', async () => {
    gateway.upstream.forget()
    await call('GET', `/explain?operation=runs.get&about=run%3D${RUN_B}&workspace=theirs`, { as: 'outsider' })
    const sent = gateway.upstream.requests.map((request) =>
      headerValues(request, 'x-mlflow-workspace').join(),
    )
    expect([...new Set(sent)]).toEqual(sent.length === 0 ? [] : ['theirs'])
  })

  it('says what would help, and where', async () => {
    const { json } = await call(
      'GET',
      `/explain?username=editor&operation=runs.delete&about=run%3D${RUN_A}&workspace=team`,
    )
    expect(json).toMatchObject({ workspace: 'team', reason: 'level_too_low' })
    expect(json.explanations[0].remedy).toMatchObject({
      grants: [{ workspace: 'team', level: 'MANAGE' }],
      text: 'Add MANAGE on experiment 1 in workspace team',
    })
  })

  it('knows every operation that the catalogue has, in each', () => {
    expect(ASKED.every(([name]) => CATALOGUE.some((row) => row.name === name))).toBe(true)
  })
})

describe('who can reach a resource', () => {
  const reach = (workspace: string, as: MemberName = 'admin') =>
    call('GET', `/access?resource_type=experiment&key=${A}&workspace=${workspace}`, { as })
  const brief = (people: readonly { username: string; level: string }[]) =>
    people.map(({ username, level }) => `${username} ${level}`)

  it.each<[string, string[]]>([
    ['default', ['admin MANAGE', 'editor EDIT', 'reader READ']],
    ['team', ['admin MANAGE', 'editor READ', 'reader MANAGE']],
    ['theirs', ['admin MANAGE', 'outsider EDIT']],
    ['missing', ['admin MANAGE']],
  ])('in %s', async (workspace, people) => {
    expect(brief((await reach(workspace)).json.people)).toEqual(people)
    const { json } = await call('GET', `/access/matrix?workspace=${workspace}`)
    const column = json.resources.findIndex(({ key }: { key: string }) => key === A)
    const shown = json.rows.flatMap(
      ({ people: alike, levels }: { people: { username: string }[]; levels: string[] }) =>
        alike.map(({ username }) => `${username} ${levels[column]}`),
    )
    expect(shown.filter((each: string) => !each.endsWith('NO_PERMISSIONS')).toSorted()).toEqual(people)
  })

  it('is told to whoever manages it there', async () => {
    expect((await reach('team', 'reader')).status).toBe(200)
    expect((await reach('default', 'reader')).line).toBe('403 PERMISSION_DENIED level_too_low')
    expect((await reach('theirs', 'reader')).line).toBe('403 PERMISSION_DENIED no_such_membership')
  })

  it('tells an administrator of a workspace of those only who are in it', async () => {
    const { json } = await call('GET', '/access/matrix?workspace=team', { as: 'reader' })
    const names = json.rows.flatMap(({ people }: { people: { username: string }[] }) =>
      people.map((each) => each.username),
    )
    expect(names.toSorted()).toEqual(['admin', 'editor', 'reader'])
    for (const workspace of ['default', 'theirs'])
      expect((await call('GET', `/access/matrix?workspace=${workspace}`, { as: 'reader' })).status).toBe(403)
  })

  it('holds what somebody was granted directly there, beside what they were granted elsewhere', async () => {
    const json = { username: 'outsider', resource_type: 'experiment', key: B, level: 'READ' }
    const here = await call('POST', '/grants', { json })
    const there = await call('POST', '/grants', {
      as: 'reader',
      json: { ...json, workspace: 'team', level: 'EDIT' },
    })
    expect([here.json.workspace, there.json.workspace, there.event?.workspace]).toEqual([
      undefined,
      'team',
      'team',
    ])
    for (const [workspace, level] of [
      ['default', 'READ'],
      ['team', 'EDIT'],
      ['theirs', 'EDIT'],
    ] as const) {
      const { json: matrix } = await call('GET', `/access/matrix?workspace=${workspace}&search=outsider`)
      const column = matrix.resources.findIndex(({ key }: { key: string }) => key === B)
      expect([workspace, matrix.rows[0].levels[column]]).toEqual([workspace, level])
    }
    expect((await call('DELETE', `/grants/${here.json.id}`, { as: 'reader' })).status).toBe(404)
    expect((await call('DELETE', `/grants/${there.json.id}`, { as: 'reader' })).status).toBe(204)
    expect((await call('DELETE', `/grants/${here.json.id}`)).status).toBe(204)
  })
})

describe('an administrator of a workspace', () => {
  it('makes roles in it, gives and takes them, each on record with the workspace', async () => {
    const made = await call('POST', '/roles', { as: 'reader', json: { name: 'guests', workspace: 'team' } })
    expect([made.status, made.json.workspace, made.event?.workspace]).toEqual([201, 'team', 'team'])
    const path = `/roles/${made.json.id}`
    const grant = { resource_type: 'experiment', match: 'any', pattern: '*', level: 'EDIT' }
    const granted = await call('POST', `${path}/grants`, { as: 'reader', json: grant, match: made.etag })
    expect(granted.json.grants).toMatchObject([{ ...grant, workspace: 'team' }])
    const { userId } = gateway.members.outsider
    const given = await call('PUT', `${path}/people/${userId}`, { as: 'reader', match: granted.etag })
    expect(given.event).toMatchObject({
      operation: 'admin.roles.assign',
      workspace: 'team',
      username: 'reader',
    })
    const update = (workspace: string) =>
      gateway.ask({
        ...{ method: 'POST', target: '/api/2.0/mlflow/experiments/update', as: 'outsider' },
        ...{ headers: [`X-MLFLOW-WORKSPACE: ${workspace}`], json: { experiment_id: A } },
      })
    const lines = async () => [(await update('team')).line, (await update('default')).line]
    expect(await lines()).toEqual(['200 allow', '403 PERMISSION_DENIED no_grant'])
    expect((await call('DELETE', path, { as: 'reader', match: given.etag })).status).toBe(204)
    expect(await lines()).toEqual([
      '403 PERMISSION_DENIED no_such_membership',
      '403 PERMISSION_DENIED no_grant',
    ])
  })

  it('sees the roles of it, and of no other', async () => {
    const names = async (as: MemberName, query = '') =>
      (await call('GET', `/roles${query}`, { as })).json.roles.map(({ name }: { name: string }) => name)
    expect(await names('reader')).toEqual(['team editor', 'team reader'])
    expect(await names('reader', '?workspace=theirs')).toEqual([])
    expect(await names('admin', '?workspace=theirs')).toEqual(['theirs outsider'])
    expect(await names('admin', '?workspace=default')).toEqual(['alpha-editor', 'alpha-reader'])
  })

  it('explains others in it, and in no other', async () => {
    const path = `/explain?username=editor&operation=runs.get&about=run%3D${RUN_A}`
    expect((await call('GET', `${path}&workspace=team`, { as: 'reader' })).json.explanations).toHaveLength(1)
    for (const workspace of ['default', 'theirs'])
      expect((await call('GET', `${path}&workspace=${workspace}`, { as: 'reader' })).line).toBe(
        '403 PERMISSION_DENIED admin_only',
      )
  })

  /** Every change to a role, tried on what is not theirs. */
  const CHANGES: readonly { readonly method: string; readonly path: string; readonly json?: object }[] = [
    { method: 'PATCH', path: '', json: { name: 'mine' } },
    { method: 'DELETE', path: '' },
    {
      ...{ method: 'POST', path: '/grants' },
      json: { resource_type: 'experiment', match: 'any', pattern: '*', level: 'MANAGE' },
    },
    { method: 'DELETE', path: '/grants/x' },
    { method: 'PUT', path: '/people/OWN' },
    { method: 'DELETE', path: '/people/OWN' },
    { method: 'PUT', path: '/groups/oidc/team' },
    { method: 'DELETE', path: '/groups/oidc/team' },
  ]

  it.each(CHANGES)('$method /roles/:id$path is not done outside of it', async ({ method, path, json }) => {
    const personal = await gateway.store.roles.personal(gateway.members.reader.userId)
    const outside = [roleIds['theirs'], (await gateway.store.roles.get('alpha-reader'))?.id, personal.id]
    const own = path.replace('OWN', gateway.members.reader.userId)
    for (const id of outside) {
      const { etag } = await call('GET', `/roles/${id}`)
      const { line, status } = await call(method, `/roles/${id}${own}`, { as: 'reader', json, match: etag })
      expect([line, status]).toEqual(['404 RESOURCE_DOES_NOT_EXIST ERR_NOT_FOUND', 404])
      expect((await call('GET', `/roles/${id}`)).etag).toBe(etag)
    }
  })

  it.each(['default', 'theirs', 'missing'])(
    'makes no role in %s, and moves none there',
    async (workspace) => {
      const { line } = await call('POST', '/roles', { as: 'reader', json: { name: 'x', workspace } })
      expect(line).toBe('403 PERMISSION_DENIED admin_only')
      const { etag } = await call('GET', `/roles/${roleIds['team']}`)
      const moved = await call('PATCH', `/roles/${roleIds['team']}`, {
        as: 'reader',
        json: { workspace },
        match: etag,
      })
      expect(moved.status).toBe(400)
    },
  )

  it('makes none without saying where: that is the default one', async () => {
    expect((await call('POST', '/roles', { as: 'reader', json: { name: 'x' } })).status).toBe(403)
  })

  it('is no administrator of anything else', async () => {
    for (const path of ['/people', '/groups', '/audit', `/people/${gateway.members.editor.userId}`])
      expect([path, (await call('GET', path, { as: 'reader' })).line]).toEqual([
        path,
        '403 PERMISSION_DENIED admin_only',
      ])
  })

  it('gives nothing on that outlasts their own right', async () => {
    const { store, members } = gateway
    const until = Math.floor(Date.now() / 1000) + 3600
    const role = await store.roles.create({ name: 'for an hour', workspace: 'brief' })
    const administrator = {
      resourceType: 'workspace',
      match: 'any',
      pattern: '*',
      level: 'MANAGE',
      source: 'manual',
    } as const
    await store.roles.grant(role.id, { ...administrator, expiresAt: until })
    await store.roles.assign(members.outsider.userId, role.id)
    const lasting = await store.roles.create({ name: 'for good', workspace: 'brief' })
    await store.roles.grant(lasting.id, administrator)
    await expect.poll(async () => (await call('GET', '/roles', { as: 'outsider' })).status).toBe(200)

    const grant = { resource_type: 'workspace', match: 'any', pattern: '*', level: 'MANAGE' }
    const made = await call('POST', '/roles', {
      as: 'outsider',
      json: { name: 'theirs', workspace: 'brief' },
    })
    const add = (more: object) =>
      call('POST', `/roles/${made.json.id}/grants`, {
        as: 'outsider',
        json: { ...grant, ...more },
        match: made.etag,
      })
    for (const more of [{}, { expires_at: until + 1 }])
      expect((await add(more)).line).toBe('403 PERMISSION_DENIED wider_than_own')
    const { etag } = await call('GET', `/roles/${lasting.id}`)
    for (const holder of [`people/${members.outsider.userId}`, 'groups/oidc/everybody']) {
      const path = `/roles/${lasting.id}/${holder}`
      expect((await call('PUT', path, { as: 'outsider', match: etag })).line).toBe(
        '403 PERMISSION_DENIED wider_than_own',
      )
    }
    expect((await add({ expires_at: until })).status).toBe(200)
    await store.roles.carry.forgetWorkspace('brief')
  })
})

describe('a request for access in a workspace', () => {
  it('is answered by who manages the thing there, and counts there', async () => {
    const json = { resource_type: 'experiment', key: B, level: 'EDIT', workspace: 'team' }
    const asked = await call('POST', '/requests', { as: 'outsider', json })
    expect([asked.json.workspace, asked.event?.workspace]).toEqual(['team', 'team'])
    const elsewhere = await call('POST', '/requests', {
      as: 'editor',
      json: { ...json, workspace: 'theirs' },
    })
    const open = (await call('GET', '/requests', { as: 'reader' })).json.requests
    expect(open.map(({ username, workspace }: Record<string, string>) => [username, workspace])).toEqual([
      ['outsider', 'team'],
    ])
    expect(
      (await call('POST', `/requests/${elsewhere.json.id}/grant`, { as: 'reader', json: {} })).status,
    ).toBe(404)
    const granted = await call('POST', `/requests/${asked.json.id}/grant`, { as: 'reader', json: {} })
    expect([granted.status, granted.event?.workspace]).toEqual([204, 'team'])
    const get = (workspace: string) =>
      gateway.ask({
        ...{ target: `/api/2.0/mlflow/experiments/get?experiment_id=${B}`, as: 'outsider' },
        headers: [`X-MLFLOW-WORKSPACE: ${workspace}`],
      })
    expect([(await get('team')).line, (await get('default')).line]).toEqual([
      '200 allow',
      '403 PERMISSION_DENIED no_grant',
    ])
  })
})

describe('the record', () => {
  it('says the workspace of every decision, also of one that was refused entry', async () => {
    const seen = async (as: MemberName, workspace: string | undefined) => {
      const headers = workspace === undefined ? [] : [`X-MLFLOW-WORKSPACE: ${workspace}`]
      const target = `/api/2.0/mlflow/experiments/get?experiment_id=${A}`
      const { line, event } = await gateway.ask({ target, as, headers })
      return [line, event?.workspace]
    }
    expect(await seen('editor', 'team')).toEqual(['200 allow', 'team'])
    expect(await seen('editor', undefined)).toEqual(['200 allow', 'default'])
    expect(await seen('editor', 'theirs')).toEqual(['403 PERMISSION_DENIED no_such_membership', 'theirs'])
  })

  it('says the workspace of a role that was changed by MLflow’s own API', async () => {
    const json = { name: 'by MLflow', workspace: 'team' }
    const { event } = await gateway.ask({
      method: 'POST',
      target: '/api/3.0/mlflow/roles/create',
      as: 'reader',
      json,
    })
    expect([event?.operation, event?.workspace]).toEqual(['roles.create', 'team'])
  })
})

describe('without workspaces', () => {
  it('nothing of them is shown, and none but the default one is taken', async () => {
    const off = await startTestGateway()
    try {
      const { roles } = off.store
      const left = await roles.create({ name: 'left over', workspace: 'team' })
      await roles.grant(left.id, {
        resourceType: 'workspace',
        match: 'any',
        pattern: '*',
        level: 'MANAGE',
        source: 'manual',
      })
      await roles.assign(off.members.reader.userId, left.id)
      await new Promise((resolve) => setTimeout(resolve, 100))
      const ask = (as: MemberName, target: string) => off.ask({ target: `/auth/api/v1${target}`, as })
      for (const path of [
        '/roles?workspace=team',
        `/access?resource_type=experiment&key=${A}&workspace=team`,
        '/explain?operation=runs.get&about=run%3D1&workspace=team',
      ]) {
        const { status, message } = await ask('admin', path)
        expect([path, status, message]).toEqual([
          path,
          400,
          expect.stringContaining('There is no such workspace; the only one here is default'),
        ])
      }
      expect((await ask('reader', '/roles')).line).toBe('403 PERMISSION_DENIED admin_only')
      const reach = await ask('admin', `/access?resource_type=experiment&key=${A}`)
      expect(reach.text).not.toContain('workspace')
      for (const page of ['/auth/admin/roles', '/auth/admin/access', '/auth/admin/explain', '/auth/access']) {
        const headers = [`Cookie: ${off.members.admin.cookie}`]
        const { status, text } = await off.ask({ target: page, headers })
        expect([page, status, /name="(?:b\.)?workspace"/.test(text)]).toEqual([page, 200, false])
      }
      const decided = await off.ask({
        target: `/api/2.0/mlflow/experiments/get?experiment_id=${A}`,
        as: 'reader',
      })
      expect(decided.event).not.toHaveProperty('workspace', expect.anything())
    } finally {
      await off.stop()
    }
  })
})
