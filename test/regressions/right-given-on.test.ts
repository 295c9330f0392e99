/**
 * The attack: to give on more than one has. Whoever manages a thing, or a workspace, says who else may do what there, by
 * our own API, by answering requests, and by MLflow's; a level above one's own, on more than the thing itself, or for
 * longer than one's own right lasts would be a right made out of nothing. So would a request that was changed after its
 * answer was decided on, and an answer by somebody whose right has ended meanwhile.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Level } from '../../src/policy/grants.ts'
import { A, B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const LATER = Math.floor(Date.now() / 1000) + 3600
const WIDER = '403 PERMISSION_DENIED wider_than_own'
const DENIED = '403 PERMISSION_DENIED level_too_low'

/** Has the editor hold just that on experiment A, directly, beside EDIT by a role. */
async function own(level: Level, expiresAt?: number): Promise<void> {
  const { roles } = gateway.store
  const { id, grants } = await roles.personal(gateway.members.editor.userId)
  for (const grant of grants) await roles.revokeGrant(grant.id)
  await roles.grant(id, {
    ...{ resourceType: 'experiment', match: 'exact', pattern: A, level, expiresAt, source: 'manual' },
  })
  await new Promise((resolve) => setTimeout(resolve, 60))
}

beforeEach(() => own('MANAGE'))

function api(as: MemberName, method: string, path: string, json?: object) {
  return gateway.ask({ method, target: `/auth/api/v1${path}`, as, json })
}

const about = (key: string, more: object) => ({ resource_type: 'experiment', key, ...more })

describe('a grant by who manages the thing', () => {
  const give = (more: object, key = A) =>
    api('editor', 'POST', '/grants', about(key, { username: 'outsider', level: 'READ', ...more }))

  it.each<[string, Level, number | undefined, object, string]>([
    ['what they have', 'MANAGE', undefined, { level: 'MANAGE' }, '201 allow'],
    ['less, for a time', 'MANAGE', undefined, { expires_at: LATER }, '201 allow'],
    ['at a level below managing, nothing', 'EDIT', undefined, {}, DENIED],
    ['denied themselves, nothing', 'DENY', undefined, {}, DENIED],
    ['for as long as their own right', 'MANAGE', LATER, { expires_at: LATER }, '201 allow'],
    ['for longer', 'MANAGE', LATER, { expires_at: LATER + 1 }, WIDER],
    ['for good, having it for a time', 'MANAGE', LATER, {}, WIDER],
    ['to themselves, for longer', 'MANAGE', LATER, { username: 'editor', level: 'MANAGE' }, WIDER],
  ])('%s', async (_, level, expiresAt, more, line) => {
    await own(level, expiresAt)
    const { status, line: got, event } = await give(more)
    expect(event?.effect === 'allow' ? `${status} allow` : got).toBe(line)
  })

  it.each([
    ['all of the kind', { resource_type: 'experiment', match: 'any', pattern: '*' }],
    ['a pattern', { match: 'name', pattern: '*' }],
    ['a workspace', { resource_type: 'workspace', key: '*' }],
    ['all runs', { resource_type: 'run', key: '*' }],
  ])('is not on %s', async (_, more) => {
    expect((await give(more)).status).toBe(400)
  })

  it('is on a thing called *, if at all', async () => {
    expect((await give({}, '*')).line).toBe(DENIED)
  })
})

describe('the same by MLflow’s own API, which knows no end of a grant', () => {
  const one = { username: 'outsider', resource_type: 'experiment', resource_id: A }
  const ways: readonly (readonly [string, string, object])[] = [
    ['POST', '/api/3.0/mlflow/users/permissions/grant', { ...one, permission: 'READ' }],
    [
      'POST',
      '/api/2.0/mlflow/experiments/permissions/create',
      { username: 'outsider', experiment_id: A, permission: 'READ' },
    ],
  ]

  beforeEach(async () => {
    const { roles } = gateway.store
    const { grants } = await roles.personal(gateway.members.outsider.userId)
    for (const { id } of grants) await roles.revokeGrant(id)
  })

  it.each(ways)('%s %s', async (method, target, json) => {
    await own('MANAGE', LATER)
    const refused = await gateway.ask({ method, target, as: 'editor', json })
    expect([refused.line, refused.message]).toEqual([
      WIDER,
      expect.stringContaining('Your own right ends at'),
    ])
    await own('MANAGE')
    expect((await gateway.ask({ method, target, as: 'editor', json })).line).toBe('200 allow')
  })

  it('raises nobody’s level for longer, and may lower it', async () => {
    const { roles } = gateway.store
    const { id } = await roles.personal(gateway.members.outsider.userId)
    const held = { resourceType: 'experiment', match: 'exact', pattern: A, level: 'EDIT' } as const
    await roles.grant(id, { ...held, source: 'manual' })
    await own('MANAGE', LATER)
    const to = (permission: string) =>
      gateway.ask({
        ...{ method: 'PATCH', target: '/api/2.0/mlflow/experiments/permissions/update', as: 'editor' },
        json: { username: 'outsider', experiment_id: A, permission },
      })
    expect((await to('MANAGE')).line).toBe(WIDER)
    expect((await to('READ')).line).toBe('200 allow')
  })
})

describe('an administrator of a workspace, for a time', () => {
  const mlflow = (path: string, json: object, method = 'POST') =>
    gateway.ask({ method, target: `/api/3.0/mlflow/roles/${path}`, as: 'reader', json })

  it('gives nothing on by MLflow’s API that has no end', async () => {
    const { roles } = gateway.store
    const everything = { resourceType: 'workspace', match: 'any', pattern: '*', level: 'MANAGE' } as const
    const brief = await roles.create({ name: 'administrators for an hour' })
    await roles.grant(brief.id, { ...everything, source: 'manual', expiresAt: LATER })
    await roles.assign(gateway.members.reader.userId, brief.id)
    const lasting = await roles.create({ name: 'administrators for good' })
    await roles.grant(lasting.id, { ...everything, source: 'manual' })
    await new Promise((resolve) => setTimeout(resolve, 60))
    const made = await mlflow('create', { workspace: 'default', name: 'own' })
    const { role } = JSON.parse(made.text)
    const add = { role_id: role.id, resource_type: 'workspace', resource_pattern: '*', permission: 'MANAGE' }
    expect((await mlflow('permissions/add', add)).line).toBe(WIDER)
    const numbers = await gateway.store.publicIds.numbersOf([lasting.id, brief.id])
    const assign = (id: string) => mlflow('assign', { role_id: numbers.get(id), username: 'outsider' })
    expect((await assign(lasting.id)).line).toBe(WIDER)
    expect((await assign(brief.id)).line).toBe('200 allow')
    for (const { id } of [brief, lasting]) await roles.delete(id)
  })
})

describe('a request for access', () => {
  const ask = async (level: Level, as: MemberName = 'outsider', key = A): Promise<string> =>
    JSON.parse((await api(as, 'POST', '/requests', about(key, { level }))).text).id
  const answer = (id: string, json: object = {}, as: MemberName = 'editor') =>
    api(as, 'POST', `/requests/${id}/grant`, json)
  const granted = async () => {
    const { grants } = await gateway.store.roles.personal(gateway.members.outsider.userId)
    return grants.map(({ level, match, pattern, expiresAt }) => [level, match, pattern, expiresAt])
  }
  beforeEach(async () => {
    const { roles, accessRequests } = gateway.store
    const { grants } = await roles.personal(gateway.members.outsider.userId)
    for (const { id } of grants) await roles.revokeGrant(id)
    for (const { id } of await accessRequests.open({ limit: 100 })) {
      await accessRequests.decide(id, { state: 'withdrawn', by: 'the test' })
    }
  })

  it.each<[Level, object, string]>([
    ['READ', {}, '204 allow'],
    ['EDIT', { level: 'READ' }, '204 allow'],
    ['READ', { level: 'EDIT' }, '400 INVALID_PARAMETER_VALUE more_than_asked'],
    ['EDIT', { level: 'MANAGE' }, '400 INVALID_PARAMETER_VALUE more_than_asked'],
    ['READ', { level: 'DENY' }, '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'],
    ['READ', { key: B }, '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'],
    ['READ', { username: 'reader' }, '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'],
  ])('for %s is answered with %j: %s', async (asked, json, line) => {
    const outcome = await answer(await ask(asked), json)
    expect(outcome.line).toBe(line)
    expect(await granted()).toHaveLength(line.endsWith('allow') ? 1 : 0)
  })

  it('that was changed into more is another one', async () => {
    const seen = await ask('READ')
    const changed = await ask('MANAGE')
    expect((await answer(seen)).line).toBe('404 RESOURCE_DOES_NOT_EXIST ERR_NOT_FOUND')
    expect(await granted()).toEqual([])
    expect((await answer(changed, { level: 'READ' })).status).toBe(204)
    expect(await granted()).toEqual([['READ', 'exact', A, undefined]])
  })

  it.each<[string, () => Promise<void>, string]>([
    ['has ended', () => own('EDIT'), '404 RESOURCE_DOES_NOT_EXIST ERR_NOT_FOUND'],
    ['is denied by now', () => own('DENY'), '404 RESOURCE_DOES_NOT_EXIST ERR_NOT_FOUND'],
    ['ends before what is asked for', () => own('MANAGE', LATER), WIDER],
  ])('is not granted by who managed it, but whose right %s', async (_, change, line) => {
    const id = await ask('READ')
    expect((await api('editor', 'GET', '/requests')).text).toContain(id)
    await change()
    expect((await answer(id)).line).toBe(line)
    expect(await granted()).toEqual([])
  })

  it('is granted once, and not after it was taken back or declined', async () => {
    for (const end of [
      (id: string) => answer(id),
      (id: string) => api('outsider', 'DELETE', `/requests/${id}`),
      (id: string) => api('editor', 'POST', `/requests/${id}/decline`),
    ]) {
      const id = await ask('READ')
      expect((await end(id)).status).toBe(204)
      const before = await granted()
      expect((await answer(id, { expires_at: LATER })).status).toBe(404)
      expect(await granted()).toEqual(before)
    }
  })

  it('of one’s own is answered by oneself only as far as one could grant it to anybody', async () => {
    const id = await ask('MANAGE', 'editor', B)
    expect((await answer(id)).status).toBe(404)
    await own('EDIT')
    const lower = await ask('MANAGE', 'editor', A)
    expect((await answer(lower)).status).toBe(404)
  })
})

describe('what somebody was given through a role', () => {
  it('does not come back with another role, group or person of the same name', async () => {
    const { roles, people } = gateway.store
    const read = { resourceType: 'experiment', match: 'any', pattern: '*', level: 'READ' } as const
    const outsider = (subject: string, groups: readonly string[]) =>
      people.signIn({
        ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject, username: 'outsider', groups },
      })
    const line = async () => {
      await new Promise((resolve) => setTimeout(resolve, 60))
      return (
        await gateway.ask({ target: `/api/2.0/mlflow/experiments/get?experiment_id=${B}`, as: 'outsider' })
      ).line
    }
    const first = await roles.create({ name: 'phoenix' })
    await roles.grant(first.id, { ...read, source: 'manual' })
    await roles.mapGroup('', 'ashes', first.id)
    await roles.assign(gateway.members.outsider.userId, first.id)
    await outsider('subject-outsider', ['ashes'])
    expect(await line()).toBe('200 allow')

    await roles.delete(first.id)
    const second = await roles.create({ name: 'phoenix' })
    await roles.grant(second.id, { ...read, source: 'manual' })
    expect(await line()).toBe('403 PERMISSION_DENIED no_grant')

    await roles.mapGroup('other', 'ashes', second.id)
    expect(await line()).toBe('403 PERMISSION_DENIED no_grant')
    await roles.mapGroup('', 'ashes', second.id)
    expect(await line()).toBe('200 allow')
    await outsider('subject-outsider', [])
    expect(await line()).toBe('403 PERMISSION_DENIED no_grant')

    await roles.assign(gateway.members.outsider.userId, second.id)
    const namesake = await outsider('another-subject', [])
    expect(namesake.id).not.toBe(gateway.members.outsider.userId)
    expect((await people.membership(namesake.id, [{ id: 'oidc' }]))?.roles).toEqual([])
    await roles.delete(second.id)
  })

  it('is not had by who takes the e-mail address or the name of somebody else at the provider', async () => {
    const { people } = gateway.store
    const signIn = (subject: string, username: string, email?: string) =>
      people.signIn({
        ...{ provider: 'oidc', issuer: 'https://issuer.invalid', subject, username, email, groups: [] },
      })
    await signIn('subject-admin', 'admin', 'boss@example.org')
    const thief = await signIn('thief', 'thief', 'boss@example.org')
    for (const [username, email] of [
      ['admin', undefined],
      ['oidc:admin', undefined],
      ['boss@example.org', 'boss@example.org'],
      ['editor', 'editor@example.org'],
    ] as const) {
      const now = await signIn('thief', username, email)
      expect([now.id, now.username === username && username !== 'boss@example.org']).toEqual([
        thief.id,
        false,
      ])
      const { body } = await memberOf(thief.id)
      expect(body).toMatchObject({ is_admin: false, roles: [] })
    }
    const { body } = await memberOf(gateway.members.admin.userId)
    expect(body.is_admin).toBe(true)
  })

  async function memberOf(id: string) {
    return { body: JSON.parse((await api('admin', 'GET', `/people/${id}`)).text) }
  }
})
