import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type IdentityApp, startIdentityApp } from '../support/identity-app.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'

let issuer: Issuer
let gateway: IdentityApp

beforeAll(async () => {
  issuer = await startIssuer()
  gateway = await startIdentityApp({ issuer, env: { OIDC_AUDIENCES: 'mlflow-gateway,mlflow-api' } })
})
afterAll(async () => {
  await gateway.stop()
  await issuer.stop()
})

async function present(claims: Record<string, unknown>, header?: Record<string, unknown>) {
  const token = await issuer.signJwt({ sub: 'editor', preferred_username: 'editor', ...claims }, header)
  const { status, body } = await gateway.who({ authorization: `Bearer ${token}` })
  return { status, message: String(body['message'] ?? ''), body }
}

describe('field report 82: whom a token is meant for', () => {
  it.each([
    ['ours, as a string', { aud: 'mlflow-gateway' }, 200],
    ['another of the list', { aud: 'mlflow-api' }, 200],
    ['a list that holds ours', { aud: ['account', 'mlflow-api'] }, 200],
    [
      'absent, Cognito access token of our client',
      { aud: undefined, client_id: 'mlflow-api', token_use: 'access' },
      200,
    ],
    ['absent, Cognito ID token', { aud: undefined, client_id: 'mlflow-api', token_use: 'id' }, 401],
    ['absent, client_id without token_use', { aud: undefined, client_id: 'mlflow-api' }, 401],
    ['absent, another client', { aud: undefined, client_id: 'other', token_use: 'access' }, 401],
    [
      'another client, its client_id ours',
      { aud: 'other', client_id: 'mlflow-api', token_use: 'access' },
      401,
    ],
    ['another client, azp ours', { aud: 'other', azp: 'mlflow-gateway' }, 401],
    ['an empty list', { aud: [] }, 401],
    ['an empty string', { aud: '' }, 401],
    ['absent', { aud: undefined }, 401],
    ['ours as a part', { aud: 'mlflow-gateway-2' }, 401],
    ['in another case', { aud: 'MLFLOW-GATEWAY' }, 401],
  ])('%s', async (_, claims, status) => {
    expect((await present(claims)).status).toBe(status)
  })
})

describe('field report 83: clocks that differ a little', () => {
  it.each([
    ['nbf in one second', { nbf: 1 }, 200],
    ['nbf in two minutes', { nbf: 120 }, 401],
    ['iat in one second', { iat: 1 }, 200],
    ['iat in two minutes', { iat: 120 }, 401],
    ['exp five seconds ago', { exp: -5 }, 200],
    ['exp a minute ago', { exp: -60 }, 401],
    ['exp absent', { exp: undefined }, 401],
    ['exp in text', { exp: 'tomorrow' as const }, 401],
    ['iat absent', { iat: undefined }, 200],
  ])('%s', async (_, offsets: Record<string, number | string | undefined>, status) => {
    const now = gateway.now()
    const claims = Object.fromEntries(
      Object.entries(offsets).map(([name, value]) => [name, typeof value === 'number' ? now + value : value]),
    )
    expect((await present(claims)).status).toBe(status)
  })

  it('says when a token expired', async () => {
    const exp = gateway.now() - 60
    const { message } = await present({ exp })
    expect(message).toContain(`token expired at ${new Date(exp * 1000).toISOString()}`)
  })

  it('says so only of a token whose signature is right', async () => {
    const token = await issuer.signJwt({ sub: 'editor', exp: gateway.now() - 60 })
    const { body } = await gateway.who({ authorization: `Bearer ${token.slice(0, -4)}AAAA` })
    expect(body['message']).not.toContain('expired')
  })
})

describe('field report 41: a token holder who never signed in', () => {
  it.each([
    [
      'with groups',
      { sub: 'fresh-1', preferred_username: 'fresh', groups: ['alpha-readers'] },
      ['alpha-readers'],
    ],
    ['without groups', { sub: 'fresh-2', preferred_username: 'other' }, []],
    ['without a name', { sub: 'fresh-3' }, []],
  ])('%s is somebody at once', async (_, claims, groups) => {
    const { status, body } = await present({ preferred_username: undefined, ...claims })
    expect(status).toBe(200)
    expect(body).toMatchObject({ subject: claims.sub, issuer: issuer.url, groups, isAdmin: false })
    expect(body['credential']).toMatchObject({ kind: 'provider_token', form: 'bearer' })
  })

  it.each([[{ sub: '' }], [{ sub: 'x'.repeat(300) }], [{ sub: undefined }], [{ sub: 7 }]])(
    '%j is nobody',
    async (claims) => {
      expect((await present(claims)).status).toBe(401)
    },
  )

  it('many at once are one person', async () => {
    const token = await issuer.signJwt({ sub: 'crowd', preferred_username: 'crowd' })
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => gateway.who({ authorization: `Bearer ${token}` })),
    )
    expect(new Set(answers.map(({ body }) => body['userId'])).size).toBe(1)
    expect(answers.every(({ status }) => status === 200)).toBe(true)
  })

  it('a name is no identity: the same one under another subject is somebody else', async () => {
    const first = await present({ sub: 'n-1', preferred_username: 'twin' })
    const second = await present({ sub: 'n-2', preferred_username: 'twin' })
    expect(second.body['userId']).not.toBe(first.body['userId'])
    expect([first.body['username'], second.body['username']]).toEqual(['twin', 'oidc:twin'])
  })
})

describe('groups of a bearer token', () => {
  it('follow the newest statement: an old token gives back nothing', async () => {
    const now = gateway.now()
    const who = (iat: number, groups: string[] | undefined) =>
      present({ sub: 'mover', iat, exp: iat + 3600, groups })
    expect((await who(now - 100, ['a'])).body['groups']).toEqual(['a'])
    expect(await who(now + 1, ['b'])).toMatchObject({ status: 200, body: { groups: ['b'] } })
    expect((await who(now - 90, ['a', 'c'])).body['groups']).toEqual(['b'])
    expect((await who(now + 2, undefined)).body['groups']).toEqual(['b']) // says nothing of groups, changes nothing
    expect((await who(now + 3, [])).body['groups']).toEqual([])
  })
})

describe('keys of the provider', () => {
  it('are asked for rarely however many unknown key ids come, and their absence is no 401', async () => {
    const away = await startIssuer()
    const other = await startIdentityApp({ issuer: away })
    try {
      away.breakPath('/jwks', { status: 500, body: {} })
      const token = await away.signJwt({ sub: 'x' })
      const bearer = { authorization: `Bearer ${token}` }
      const first = await other.who(bearer)
      expect(first.status).toBe(503)
      expect(first.body['error_code']).toBe('TEMPORARILY_UNAVAILABLE')
      for (let index = 0; index < 10; index += 1) expect((await other.who(bearer)).status).toBe(503)
      expect(away.requests.filter((line) => line === 'GET /jwks')).toHaveLength(1)
      away.breakPath('/jwks', undefined)
      other.clock.offset += 6
      expect((await other.who(bearer)).status).toBe(200)
      for (let index = 0; index < 10; index += 1) {
        const unknown = await away.signJwt({ sub: 'x', jti: String(index) }, { kid: `unknown-${index}` })
        expect((await other.who({ authorization: `Bearer ${unknown}` })).status).toBe(401)
      }
      expect(away.requests.filter((line) => line === 'GET /jwks')).toHaveLength(2)
    } finally {
      await other.stop()
      await away.stop()
    }
  })

  it('that are known count for an hour more while the provider is away, and no unknown one does', async () => {
    const away = await startIssuer()
    const other = await startIdentityApp({ issuer: away })
    const statusOf = async (jti: string, header?: Record<string, unknown>) => {
      const token = await away.signJwt({ sub: 'x', jti }, header)
      return (await other.who({ authorization: `Bearer ${token}` })).status
    }
    const pass = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })
    try {
      expect(await statusOf('before')).toBe(200)
      away.breakPath('/jwks', { status: 500, body: {} })
      pass(700)
      expect([await statusOf('later'), await statusOf('forged', { kid: 'unknown' })]).toEqual([200, 503])
      pass(3500)
      expect(await statusOf('too late')).toBe(503)
      away.breakPath('/jwks', undefined)
      pass(6)
      expect([await statusOf('again'), await statusOf('unknown', { kid: 'unknown' })]).toEqual([200, 401])
    } finally {
      vi.useRealTimers()
      await other.stop()
      await away.stop()
    }
  })
})
