/**
 * The attack: two credentials in one request, of which two readers take one each; or one that is used in a form it was
 * not made for. Two `Authorization` headers, a cookie twice, a cookie's token as a bearer and back; a bad credential
 * that a good one should make up for.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const TARGET = '/api/2.0/mlflow/experiments/get?experiment_id=1'
const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'

const bearer = (token: string) => `Authorization: Bearer ${token}`
const basic = (name: string, password: string) =>
  `Authorization: Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
const cookies = (member: 'admin' | 'editor' | 'outsider') =>
  Object.fromEntries(
    gateway.members[member].cookie.split('; ').map((pair) => pair.split(/=(.*)/s).slice(0, 2)),
  )
const ask = (headers: readonly string[], target = TARGET) => gateway.ask({ target, headers })

describe('two credentials', () => {
  it.each<[string, () => string[]]>([
    ['two tokens', () => [bearer(gateway.members.outsider.token), bearer(gateway.members.admin.token)]],
    [
      'two tokens, other order',
      () => [bearer(gateway.members.admin.token), bearer(gateway.members.outsider.token)],
    ],
    ['the same twice', () => [bearer(gateway.members.admin.token), bearer(gateway.members.admin.token)]],
    [
      'a token and a password',
      () => [bearer(gateway.members.admin.token), basic('x', gateway.members.editor.token)],
    ],
    [
      'another spelling',
      () => [bearer(gateway.members.admin.token), `authorization: Bearer ${gateway.members.editor.token}`],
    ],
    ['one that is empty', () => ['Authorization: ', bearer(gateway.members.admin.token)]],
    ['a cookie twice', () => [`Cookie: gateway_token=${cookies('admin')['gateway_token']}; gateway_token=x`]],
    [
      'a cookie twice, other order',
      () => [`Cookie: gateway_token=x; gateway_token=${cookies('admin')['gateway_token']}`],
    ],
    [
      'a cookie in two headers',
      () => ['Cookie: gateway_token=x', `Cookie: gateway_token=${cookies('admin')['gateway_token']}`],
    ],
    [
      'a session twice',
      () => [`Cookie: gateway_session=x; gateway_session=${cookies('admin')['gateway_session']}`],
    ],
    [
      'a session in two headers',
      () => [
        `Cookie: gateway_session=${cookies('editor')['gateway_session']}`,
        `cookie: gateway_session=${cookies('admin')['gateway_session']}`,
      ],
    ],
    [
      'an empty cookie and one',
      () => [`Cookie: gateway_token=; gateway_token=${cookies('admin')['gateway_token']}`],
    ],
  ])('%s: refused', async (_, headers) => {
    const { line, reached } = await ask(headers())
    expect([line, reached]).toEqual([AMBIGUOUS, []])
  })

  it('a token goes before cookies, for better or worse', async () => {
    const outsiderFirst = await ask([
      bearer(gateway.members.outsider.token),
      `Cookie: ${gateway.members.admin.cookie}`,
    ])
    expect([outsiderFirst.line, outsiderFirst.event?.username]).toEqual([
      '403 PERMISSION_DENIED no_grant',
      'outsider',
    ])
    const adminFirst = await ask([
      bearer(gateway.members.admin.token),
      `Cookie: ${gateway.members.outsider.cookie}`,
    ])
    expect([adminFirst.line, adminFirst.event?.username]).toEqual(['200 allow', 'admin'])
  })

  it.each([
    'Bearer x',
    'Bearer',
    'Basic eDp5',
    'Digest username="admin"',
    'Negotiate x',
    'x',
    'Bearer x.y.z',
  ])('no cookie makes up for a bad one: %s', async (value) => {
    const { status, code, reached } = await ask([
      `Authorization: ${value}`,
      `Cookie: ${gateway.members.admin.cookie}`,
    ])
    expect([status, code, reached]).toEqual([401, 'UNAUTHENTICATED', []])
  })

  it('names that only look like ours are none of ours', async () => {
    const { gateway_token: token, gateway_session: session } = cookies('admin')
    for (const pairs of [
      `xgateway_token=${token}`,
      `gateway_tokenx=${token}`,
      `GATEWAY_TOKEN=${token}`,
      `"gateway_token"=${token}`,
      `x=gateway_token=${token}`,
      `__Host-gateway_token=${token}`,
      `gateway_token =${token}`,
      `xgateway_session=${session}`,
      `gateway%5Ftoken=${token}`,
      `x="; gateway_tokem=${token}`,
    ]) {
      const { status, reached } = await ask([`Cookie: ${pairs}`])
      expect([pairs, status, reached]).toEqual([pairs, 401, []])
    }
  })

  it('foreign cookies beside ours do no harm', async () => {
    const { line } = await ask([`Cookie: a=b; xgateway_token=x;${gateway.members.editor.cookie}; c="d;e"`])
    expect(line).toBe('200 allow')
  })
})

describe('a credential in a form it was not made for', () => {
  it.each<[string, () => string]>([
    ["a session's token as a bearer", () => bearer(cookies('admin')['gateway_token'] ?? '')],
    ["a session's token as a password", () => basic('admin', cookies('admin')['gateway_token'] ?? '')],
    ['a session as a bearer', () => bearer(cookies('admin')['gateway_session'] ?? '')],
    ['an access token as a cookie', () => `Cookie: gateway_token=${gateway.members.admin.token}`],
    ['an access token as a session', () => `Cookie: gateway_session=${gateway.members.admin.token}`],
    ["a session's token as a session", () => `Cookie: gateway_session=${cookies('admin')['gateway_token']}`],
    [
      'a session without its signature',
      () => `Cookie: gateway_session=${cookies('admin')['gateway_session']?.split('.')[0]}`,
    ],
    [
      "a session with another's signature",
      () =>
        `Cookie: gateway_session=${cookies('admin')['gateway_session']?.split('.')[0]}.${cookies('editor')['gateway_session']?.split('.')[1]}`,
    ],
    ['a token in the query', () => 'X: y'],
    ['a name and a password', () => basic('admin', 'password1234')],
    ['no password', () => basic('admin', '')],
    ['the token as the name', () => basic(gateway.members.admin.token, '')],
    ['a token with a blank', () => `Authorization: Bearer ${gateway.members.admin.token} x`],
    [
      'two tokens in one',
      () => `Authorization: Bearer ${gateway.members.admin.token}, Bearer ${gateway.members.admin.token}`,
    ],
    ['a token without a scheme', () => `Authorization: ${gateway.members.admin.token}`],
    ['a token with a letter changed', () => bearer(`${gateway.members.admin.token.slice(0, -8)}AAAAAAAA`)],
    ['a token cut off', () => bearer(gateway.members.admin.token.slice(0, -1))],
    [
      'a token without a signature',
      () => bearer(`${gateway.members.admin.token.split('.').slice(0, 2).join('.')}.`),
    ],
  ])('%s: refused', async (_, header) => {
    const { status, code, reached } = await ask(
      [header()],
      `${TARGET}&access_token=${gateway.members.admin.token}`,
    )
    expect([status, code, reached]).toEqual([401, 'UNAUTHENTICATED', []])
  })

  it('the form a token was verified in is not forgotten by the memory of it', async () => {
    const { gateway_token: token } = cookies('editor')
    expect((await ask([`Cookie: gateway_token=${token}`])).line).toBe('200 allow')
    expect((await ask([bearer(token ?? '')])).status).toBe(401)
    expect((await ask([`Authorization: ${token}`])).status).toBe(401)
    const asBearer = `Bearer ${gateway.members.editor.token}`
    expect((await ask([`Authorization: ${asBearer}`])).line).toBe('200 allow')
    expect((await ask([`Cookie: gateway_token=${asBearer}`])).status).toBe(401)
    expect((await ask([`Cookie: gateway_token=${gateway.members.editor.token}`])).status).toBe(401)
  })

  it('a token as a password is one, whatever the name', async () => {
    for (const name of ['token', 'admin', '', 'a:b'.split(':')[0] ?? '']) {
      const { line, event } = await ask([basic(name, gateway.members.editor.token)])
      expect([line, event?.username, event?.credential?.form]).toEqual(['200 allow', 'editor', 'basic'])
    }
  })
})

describe('what is said of a refused credential', () => {
  it('is a challenge and a reason, and nothing of the credential', async () => {
    const token = `${gateway.members.admin.token.slice(0, -8)}AAAAAAAA`
    const { text, headers, event } = await ask([bearer(token)])
    expect(headers['www-authenticate']?.[0]).toMatch(/^Bearer realm="mlflow", error="invalid_token"/)
    expect(`${text}${JSON.stringify(headers)}${JSON.stringify(event)}${gateway.log.join('')}`).not.toContain(
      token,
    )
    expect(event).toMatchObject({ effect: 'deny', status: 401, userId: undefined, username: undefined })
  })
})
