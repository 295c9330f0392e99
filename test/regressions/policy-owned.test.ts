/**
 * What a team keeps in git is changed by somebody at the console, and the next start undoes it without a word; or the
 * change stands, and git no longer says who may do what (field report 96). Whatever comes from the policy file is changed
 * there: every other way is refused, says so, and leaves nothing behind.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { etagOf } from '../../src/admin/endpoint.ts'
import { roleToWire } from '../../src/admin/wire.ts'
import { runCli } from '../../src/cli/program.ts'
import { AUTH_ROUTES } from '../../src/mlflow-auth/routes.ts'
import type { RoleDetails } from '../../src/store/roles.ts'
import { SECRET } from '../config/environment.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
let role: RoleDetails
let state: string
const OWNED = 'comes from the policy file; change it there and apply the file'
const READ = { resourceType: 'experiment', match: 'exact', pattern: '1', level: 'READ' } as const

beforeAll(async () => {
  gateway = await startTestGateway({ env: { GATEWAY_SECRET: SECRET } })
  await gateway.store.roles.replacePolicy({
    roles: [{ name: 'written', description: 'in git', grants: [READ] }],
    groups: [{ provider: 'oidc', name: 'team', role: 'written' }],
    users: [{ provider: 'oidc', name: 'reader', role: 'written' }],
  })
  role = await written()
  state = JSON.stringify(role)
})
afterAll(() => gateway.stop())

async function written(): Promise<RoleDetails> {
  const found = await gateway.store.roles.get('written')
  if (found === undefined) throw new Error('the role is gone')
  return found
}

async function expectUntouched(): Promise<void> {
  expect(JSON.stringify(await written())).toBe(state)
  expect(
    await gateway.store.people.membership(gateway.members.reader.userId, [{ id: 'oidc' }]),
  ).toMatchObject({
    roles: expect.arrayContaining([expect.objectContaining({ name: 'written' })]),
  })
}

const grantId = () => role.grants[0]?.id ?? ''

/** Each with the endpoint's name, its method and path, parameters and body. */
const CHANGES = [
  ['roles.update', 'PATCH', '', {}, { name: 'other' }],
  ['roles.update', 'PATCH', '', {}, { description: 'not in git' }],
  ['roles.delete', 'DELETE', '', {}, undefined],
  [
    'roles.grant',
    'POST',
    '/grants',
    {},
    { resource_type: 'prompt', match: 'any', pattern: '*', level: 'MANAGE' },
  ],
  ['roles.revoke', 'DELETE', '/grants/:grant', { grant: grantId }, undefined],
  ['roles.unmap_group', 'DELETE', '/groups/:provider/:group', { provider: 'oidc', group: 'team' }, undefined],
  ['roles.unassign', 'DELETE', '/people/:person', { person: () => gateway.members.reader.userId }, undefined],
] as const

type Given = Readonly<Record<string, string | (() => string)>>

function settled(given: Given): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => [key, typeof value === 'string' ? value : value()]),
  )
}

describe('what comes from the policy file', () => {
  it.each(CHANGES)('is not changed by %s of the JSON API', async (_name, method, path, given, body) => {
    const params = settled(given)
    const target = `/auth/api/v1/roles/${role.id}${path.replace(/:(\w+)/g, (_, key: string) => params[key] ?? '')}`
    const answer = await gateway.ask({
      ...{ method, target, as: 'admin', ...(body && { json: body }) },
      headers: [`If-Match: ${etagOf(roleToWire(role))}`],
    })
    expect([answer.status, answer.event?.reason, answer.message]).toEqual([
      400,
      'owned_by_policy',
      expect.stringContaining(OWNED),
    ])
    await expectUntouched()
  })

  it.each(CHANGES)('is not changed by the form for %s', async (name, _method, _path, given, body) => {
    const { cookie } = gateway.members.admin
    const session = await gateway.ask({ target: '/auth/admin/roles', headers: [`Cookie: ${cookie}`] })
    const token = /name="form_token" value="([^"]+)"/.exec(session.text)?.[1]
    const fields = new URLSearchParams({
      form_token: token ?? '',
      match: etagOf(roleToWire(role)),
      'p.id': role.id,
      ...prefixed('p.', settled(given)),
      ...prefixed('b.', body ?? {}),
    })
    const answer = await gateway.ask({
      ...{ method: 'POST', target: `/auth/admin/do/${name}`, body: String(fields) },
      headers: [
        `Cookie: ${cookie}`,
        `Origin: ${gateway.url}`,
        'Content-Type: application/x-www-form-urlencoded',
      ],
    })
    expect([answer.status, answer.event?.reason]).toEqual([400, 'owned_by_policy'])
    expect(answer.text).toContain(OWNED)
    await expectUntouched()
  })

  const other = { resource_type: 'experiment', resource_pattern: '2', permission: 'READ' }
  it.each([
    ['roles.update', { name: 'other' }],
    ['roles.update', { description: 'not in git' }],
    ['roles.delete', {}],
    ['roles.add_permission', other],
    ['roles.remove_permission', {}],
    ['roles.update_permission', { permission: 'MANAGE' }],
    ['roles.unassign', { username: 'reader' }],
  ])("is not changed by MLflow's %s with %j", async (name, more) => {
    const route = AUTH_ROUTES.find((each) => each.name === name)
    const numbers = await gateway.store.publicIds.numbersOf([role.id, grantId()])
    const ids = { role_id: numbers.get(role.id), role_permission_id: numbers.get(grantId()) }
    const json = { ...(name.endsWith('e_permission') ? { ...ids, role_id: undefined } : ids), ...more }
    const answer = await gateway.ask({
      ...{ method: route?.method ?? '', target: route?.urls[0] ?? '', as: 'admin', json },
    })
    expect([answer.status === 400 || answer.status === 403, answer.message]).toEqual([
      true,
      expect.stringContaining(OWNED),
    ])
    await expectUntouched()
  })

  it.each([
    ['role', 'delete', 'written'],
    ['role', 'grant', 'written', '--level', 'MANAGE', '--type', 'experiment', '--all'],
    ['role', 'revoke', 'written', 'GRANT'],
    ['role', 'unassign', 'written', 'reader'],
    ['group', 'unmap', 'team', 'written'],
    ['group', 'unmap', 'team', 'written', '--provider', 'oidc'],
  ])('is not changed by %s %s %s', async (...words) => {
    let said = ''
    const code = await runCli(
      words.map((word) => (word === 'GRANT' ? grantId() : word)),
      {
        env: gateway.env,
        now: () => Math.floor(Date.now() / 1000),
        readFile: () => '',
        out: () => undefined,
        err: (text) => {
          said += text
        },
      },
    )
    expect([code, said]).toEqual([1, expect.stringContaining(OWNED)])
    await expectUntouched()
  })

  it('is not changed by the store, whoever asks it', async () => {
    const { roles } = gateway.store
    const { userId } = gateway.members.reader
    const refused = { code: 'ERR_INVALID_PARAMETER', reason: 'owned_by_policy' }
    const grant = { ...READ, pattern: '2', source: 'manual' } as const
    const ways = [
      () => roles.delete(role.id),
      () => roles.rename(role.id, { name: 'other' }),
      () => roles.grant(role.id, grant),
      () => roles.addGrant(role.id, grant),
      () => roles.revokeGrant(grantId()),
      () => roles.unassign(userId, role.id),
      () => roles.unmapGroup('', 'team', role.id),
    ]
    for (const way of ways) await expect(way()).rejects.toMatchObject(refused)
    expect(await roles.setLevel([grantId()], { level: 'MANAGE', by: 'x' })).toBe(0)
    expect(await roles.removeGrants(role.id, READ)).toBe(0)
    await expectUntouched()
  })

  it('may still be given to further people and groups by hand, and taken from those again', async () => {
    const { roles } = gateway.store
    const { userId } = gateway.members.outsider
    await roles.assign(userId, role.id)
    await roles.mapGroup('oidc', 'guests', role.id)
    expect(await roles.unassign(userId, role.id)).toBe(true)
    expect(await roles.unmapGroup('oidc', 'guests', role.id)).toBe(true)
    await expectUntouched()
  })
})

function prefixed(prefix: string, fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [`${prefix}${key}`, value]))
}
