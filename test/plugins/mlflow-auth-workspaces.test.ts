import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ env: { WORKSPACES: 'true' } })
})
afterAll(() => gateway.stop())

type Asking = {
  readonly method?: string
  readonly fields?: Readonly<Record<string, unknown>>
  /** The workspace the request is sent to. */
  readonly to?: string
}

function speak(as: MemberName, path: string, { method = 'POST', fields = {}, to }: Asking = {}) {
  const headers = to === undefined ? [] : [`X-MLFLOW-WORKSPACE: ${to}`]
  const target = `/api/3.0/mlflow/${path}`
  if (method !== 'GET') return gateway.ask({ method, target, as, headers, json: fields })
  const query = Object.entries(fields).map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
  return gateway.ask({ target: `${target}?${query.join('&')}`, as, headers })
}

async function heard(as: MemberName, path: string, asking: Asking = {}) {
  const { status, text } = await speak(as, path, asking)
  if (status !== 200) throw new Error(`${path}: ${status} ${text}`)
  return JSON.parse(text)
}

const read = (to?: string) => ({ method: 'GET', ...(to === undefined ? {} : { to }) })
const one = { username: 'outsider', resource_type: 'experiment', resource_id: '2' }

async function makeRole(workspace: string, name: string, permission: readonly [type: string, level: string]) {
  const { role } = await heard('admin', 'roles/create', { fields: { workspace, name } })
  const [resource_type, level] = permission
  const fields = { role_id: role.id, resource_type, resource_pattern: '*', permission: level }
  await heard('admin', 'roles/permissions/add', { fields })
  return role.id as number
}

describe('a role in a workspace', () => {
  it('counts there, and in no other', async () => {
    const role_id = await makeRole('team-a', 'readers of a', ['experiment', 'READ'])
    await heard('admin', 'roles/assign', { fields: { role_id, username: 'outsider' } })
    const levels = await Promise.all(
      ['team-a', undefined, 'team-b'].map(
        async (to) =>
          (await heard('admin', 'users/permissions/get', { ...read(to), fields: one })).permission,
      ),
    )
    expect(levels).toEqual(['READ', 'NO_PERMISSIONS', 'NO_PERMISSIONS'])
    const get = (headers: readonly string[]) =>
      gateway.ask({ target: '/api/2.0/mlflow/experiments/get?experiment_id=2', as: 'outsider', headers })
    expect((await get([])).status).toBe(403)
    expect((await get(['X-MLFLOW-WORKSPACE: team-b'])).status).toBe(403)
    expect((await get(['X-MLFLOW-WORKSPACE: team-a'])).status).toBe(200)
    const { roles } = await heard('outsider', 'users/roles/list', {
      ...read(),
      fields: { username: 'outsider' },
    })
    expect(roles.map(({ workspace }: { workspace: string }) => workspace)).toContain('team-a')
    await heard('admin', 'roles/unassign', { method: 'DELETE', fields: { role_id, username: 'outsider' } })
  })

  it('is managed by who administers that workspace, who administers no other', async () => {
    const role_id = await makeRole('team-a', 'administrators of a', ['workspace', 'MANAGE'])
    const other = await makeRole('team-b', 'readers of b', ['experiment', 'READ'])
    await heard('admin', 'roles/assign', { fields: { role_id, username: 'outsider' } })
    const lines = async (asking: readonly (readonly [path: string, asking: Asking])[]) => {
      const seen: string[] = []
      for (const [path, each] of asking) seen.push((await speak('outsider', path, each)).line)
      return seen
    }
    const to = { ...one, username: 'reader', permission: 'READ' }
    const all = { ...to, resource_id: '*' }
    expect(
      await lines([
        ['roles/create', { fields: { workspace: 'team-a', name: 'made in a' } }],
        ['roles/get', { ...read(), fields: { role_id } }],
        ['users/permissions/grant', { to: 'team-a', fields: all }],
        ['users/permissions/revoke', { to: 'team-a', fields: all }],
      ]),
    ).toEqual(Array(4).fill('200 allow'))
    expect(
      await lines([
        ['roles/create', { fields: { workspace: 'team-b', name: 'made in b' } }],
        ['roles/create', { fields: { workspace: 'default', name: 'made' } }],
        ['roles/get', { ...read(), fields: { role_id: other } }],
        ['roles/assign', { fields: { role_id: other, username: 'outsider' } }],
        ['roles/delete', { method: 'DELETE', fields: { role_id: other } }],
        ['users/permissions/grant', { fields: all }],
        ['users/permissions/grant', { fields: to }],
      ]),
    ).toEqual(Array(7).fill('403 PERMISSION_DENIED no_grant'))
    expect(
      await lines([
        ['users/permissions/grant', { to: 'team-b', fields: all }],
        ['users/permissions/get', { ...read('team-b'), fields: { ...one } }],
      ]),
    ).toEqual(Array(2).fill('403 PERMISSION_DENIED no_such_membership'))
    const listed = await heard('outsider', 'roles/list', { ...read(), fields: { workspace: 'team-b' } })
    expect(listed.roles).toEqual([])
    await heard('admin', 'roles/unassign', { method: 'DELETE', fields: { role_id, username: 'outsider' } })
  })
})

describe('what one user has directly', () => {
  it('is a role of its own in each workspace', async () => {
    const level = (permission: string) => ({ ...one, permission })
    await heard('admin', 'users/permissions/grant', { fields: level('READ') })
    await heard('admin', 'users/permissions/grant', { to: 'team-a', fields: level('EDIT') })
    const { roles } = await heard('admin', 'users/roles/list', {
      ...read(),
      fields: { username: 'outsider' },
    })
    type Shown = {
      id: number
      name: string
      workspace: string
      permissions: { id: number; permission: string }[]
    }
    const shown = (roles as Shown[]).map(({ workspace, permissions }) => [
      workspace,
      permissions.map(({ permission }) => permission),
    ])
    expect(shown).toEqual([
      ['default', ['READ']],
      ['team-a', ['EDIT']],
    ])
    const [here, there] = roles as Shown[]
    expect([here?.name, here?.id === there?.id]).toEqual([there?.name, false])
    const got = await heard('admin', 'roles/get', { ...read(), fields: { role_id: there?.id } })
    expect(got.role).toEqual(there)
    const { permissions } = await heard('outsider', 'users/current/permissions', read())
    expect(permissions.map(({ workspace }: { workspace: string }) => workspace)).toEqual([
      'default',
      'team-a',
    ])
    await gateway.store.publicIds.prune()
    expect((await heard('admin', 'roles/get', { ...read(), fields: { role_id: there?.id } })).role).toEqual(
      there,
    )
    await heard('admin', 'users/permissions/revoke', { to: 'team-a', fields: one })
    expect((await speak('admin', 'users/permissions/revoke', { to: 'team-a', fields: one })).code).toBe(
      'RESOURCE_DOES_NOT_EXIST',
    )
    await heard('admin', 'users/permissions/revoke', { fields: one })
  })
})

describe('a name', () => {
  it.each(['A', 'x', 'a_b', '-a', 'a/b', '', ' default', 'x'.repeat(64)])(
    '%j is of no workspace',
    async (name) => {
      const fields = { workspace: name, name: 'x' }
      expect((await speak('admin', 'roles/create', { fields })).line).toMatch(/^400 INVALID_PARAMETER_VALUE/)
    },
  )

  it('in a header twice is refused', async () => {
    const headers = ['X-MLFLOW-WORKSPACE: team-a', 'x-mlflow-workspace: team-b']
    const target = '/api/3.0/mlflow/users/permissions/grant'
    const json = { ...one, permission: 'READ' }
    const { line } = await gateway.ask({ method: 'POST', target, as: 'admin', headers, json })
    expect(line).toBe('400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST')
  })
})
