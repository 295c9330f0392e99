import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { signInAs } from '../support/browserless-sign-in.ts'
import { type IdentityApp, startIdentityApp } from '../support/identity-app.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { rawRequest } from '../support/raw-request.ts'

let issuer: Issuer
let gateway: IdentityApp

beforeAll(async () => {
  issuer = await startIssuer()
})
afterAll(() => issuer.stop())
beforeEach(async () => {
  gateway = await startIdentityApp({ issuer })
})
afterEach(() => gateway.stop())

async function person(name: string, groups: string[] = []) {
  return gateway.store.people.signIn({
    ...{ provider: 'oidc', issuer: issuer.url, subject: name, username: name, groups },
  })
}

async function tokenFor(name: string, more: { ttl?: number; scope?: 'read'[] } = {}) {
  const { id } = await person(name)
  const made = await gateway.identity.accessTokens.create({
    ...{ userId: id, name: 'test', scope: [], ttl: 600, ...more },
  })
  await gateway.directory.refresh()
  return made
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const basic = (token: string) => ({
  authorization: `Basic ${Buffer.from(`any:${token}`).toString('base64')}`,
})

/** The database is there but of no use: what a lost volume or a restore gone wrong looks like. */
async function loseTables() {
  for (const table of ['access_tokens', 'sessions', 'users', 'changes']) {
    await gateway.database.query(`alter table ${table} rename to gone_${table}`)
  }
}

/** Statements of requests; the feed of changes is followed beside them. */
const asked = () => gateway.statements.filter((sql) => !sql.includes('"changes"'))

describe('access tokens', () => {
  it('say who and how far, as Bearer and as the password of Basic', async () => {
    const { token, jti } = await tokenFor('editor', { scope: ['read'] })
    for (const [headers, form] of [[bearer(token), 'bearer'] as const, [basic(token), 'basic'] as const]) {
      const { status, body } = await gateway.who(headers)
      expect(status).toBe(200)
      expect(body).toMatchObject({
        username: 'editor',
        credential: { kind: 'access_token', form, id: jti, scope: ['read'] },
      })
    }
  })

  it('ask the store once, and nothing once they are warm', async () => {
    const { token } = await tokenFor('editor')
    gateway.statements.length = 0
    await gateway.who(bearer(token))
    expect(asked().filter((sql) => sql.includes('"access_tokens"'))).toHaveLength(1)
    gateway.statements.length = 0
    for (let index = 0; index < 20; index += 1) expect((await gateway.who(bearer(token))).status).toBe(200)
    expect(asked()).toEqual([])
  })

  it('answer at once when warm: no promise is made', async () => {
    const { token } = await tokenFor('editor')
    // What came before is followed, or it would be followed between the two.
    await gateway.directory.refresh()
    const rawHeaders = ['Host', 'x', 'Authorization', `Bearer ${token}`]
    const sink = { header: () => undefined }
    const first = gateway.identity.identify(rawHeaders, sink)
    expect(first).toBeInstanceOf(Promise)
    await first
    expect(gateway.identity.identify(rawHeaders, sink)).toMatchObject({ principal: { username: 'editor' } })
  })

  it('are verified once when many requests bring the same one', async () => {
    const { token } = await tokenFor('editor')
    gateway.statements.length = 0
    await Promise.all(Array.from({ length: 30 }, () => gateway.who(bearer(token))))
    expect(asked().filter((sql) => sql.includes('"access_tokens"'))).toHaveLength(1)
  })

  it('end when they are revoked, here at once and on another replica within a second', async () => {
    const replica = await startIdentityApp({ issuer, database: gateway.database })
    try {
      const { token, jti } = await tokenFor('editor')
      expect((await gateway.who(bearer(token))).status).toBe(200)
      expect((await replica.who(bearer(token))).status).toBe(200)
      await gateway.store.tokens.revoke(jti)
      await gateway.directory.refresh()
      expect((await gateway.who(bearer(token))).status).toBe(401)
      await expect.poll(async () => (await replica.who(bearer(token))).status, { timeout: 1000 }).toBe(401)
    } finally {
      await replica.stop()
    }
  })

  it('are those of the store only: one whose row is gone counts for nothing', async () => {
    const { token } = await tokenFor('editor')
    const other = await startIdentityApp({ issuer })
    try {
      for (const row of await gateway.store.keys.list()) await other.store.keys.add(row)
      await other.identity.keyring.reload()
      expect((await gateway.who(bearer(token))).status).toBe(200)
      expect((await other.who(bearer(token))).status).toBe(401)
    } finally {
      await other.stop()
    }
  })

  it('end even if nobody was told: once the feed is old it is read before a warm token counts', async () => {
    const { token, jti } = await tokenFor('editor')
    expect((await gateway.who(bearer(token))).status).toBe(200)
    gateway.directory.stop()
    await gateway.store.tokens.revoke(jti)
    gateway.clock.offset = 10
    expect((await gateway.who(bearer(token))).status).toBe(401)
  })

  it('belong to whom they were made for', async () => {
    const { token, jti } = await tokenFor('editor')
    const other = await person('reader')
    await gateway.database.query(`update access_tokens set user_id = '${other.id}' where jti = '${jti}'`)
    expect((await gateway.who(bearer(token))).status).toBe(401)
  })

  it('remember when they were last used, off the path', async () => {
    const { token, jti } = await tokenFor('editor')
    await gateway.who(bearer(token))
    expect((await gateway.store.tokens.get(jti))?.lastUsedAt).toBeUndefined()
    await gateway.identity.stop()
    expect((await gateway.store.tokens.get(jti))?.lastUsedAt).toBeGreaterThan(0)
  })
})

describe('field reports 35, 37 and 94: a 401 that helps', () => {
  it('names the expiry, with a code of its own in the log', async () => {
    const { token, expiresAt } = await tokenFor('editor', { ttl: 60 })
    expect((await gateway.who(bearer(token))).status).toBe(200)
    gateway.clock.offset = 66
    await gateway.directory.refresh()
    const { status, body, headers } = await gateway.who(bearer(token))
    expect(status).toBe(401)
    expect(body['error_code']).toBe('UNAUTHENTICATED')
    expect(body['message']).toContain(`token expired at ${new Date(expiresAt * 1000).toISOString()}`)
    expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
    expect(headers.get('content-type')).toContain('application/json')
    expect(gateway.log.join('')).toContain('"code":"ERR_EXPIRED_TOKEN","reason":"expired"')
  })

  it('field report 83: five seconds late is in time', async () => {
    const { token } = await tokenFor('editor', { ttl: 60 })
    gateway.clock.offset = 65
    expect((await gateway.who(bearer(token))).status).toBe(200)
  })

  it.each([
    ['an unknown token', () => 'a.b.c', 'unreadable'],
    [
      'a revoked one',
      async () => {
        const { token, jti } = await tokenFor('editor')
        await gateway.store.tokens.revoke(jti)
        return token
      },
      'revoked',
    ],
    [
      'one of somebody disabled',
      async () => {
        const { token } = await tokenFor('editor')
        await gateway.store.people.setDisabled((await person('editor')).id, true)
        await gateway.directory.refresh()
        return token
      },
      'no_such_person',
    ],
  ])('%s: the same answer, its own reason', async (_, make, reason) => {
    const { status, body } = await gateway.who(bearer(await make()))
    expect(status).toBe(401)
    expect(body['message']).toContain('The token is not valid here')
    expect(gateway.log.join('')).toContain(`"reason":"${reason}"`)
  })

  it('says 503, not 401, when the store is down', async () => {
    const { token } = await tokenFor('editor')
    await loseTables()
    const { status, body } = await gateway.who(bearer(token))
    expect(status).toBe(503)
    expect(body['error_code']).toBe('TEMPORARILY_UNAVAILABLE')
    expect((await gateway.who()).status).toBe(401) // a stranger is still a stranger
    expect((await gateway.who(bearer('a.b.c'))).status).toBe(401)
  })

  it('says 503 for a browser too, and for a warm token once changes cannot be followed', async () => {
    const browser = gateway.browser()
    await signInAs(browser, gateway, 'editor')
    const { token } = await tokenFor('editor')
    expect((await gateway.who(bearer(token))).status).toBe(200)
    const cookie = browser.cookieHeader(gateway.publicUrl)
    await loseTables()
    gateway.clock.offset = 10
    expect((await gateway.who(bearer(token))).status).toBe(503)
    gateway.clock.offset = 400 // the session token has run out
    expect((await gateway.who({ cookie })).status).toBe(503)
  })
})

describe('one reading of the credential', () => {
  it.each([
    ['two Authorization headers', 'Authorization: Bearer T\r\nAuthorization: Bearer T\r\n'],
    ['two of our cookies in one header', 'Cookie: __Host-gateway_token=a; __Host-gateway_token=b\r\n'],
    [
      'two of our cookies in two headers',
      'Cookie: __Host-gateway_token=a\r\nCookie: __Host-gateway_token=b\r\n',
    ],
    ['two session cookies', 'Cookie: __Host-gateway_session=a; x=1; __Host-gateway_session=a\r\n'],
  ])('%s: 400', async (_, headers) => {
    const { token } = await tokenFor('editor')
    const response = await rawRequest(
      gateway.port,
      `GET /api/2.0/who HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers.replaceAll('Bearer T', `Bearer ${token}`)}\r\n`,
    )
    expect(response.status).toBe(400)
    expect(JSON.parse(response.body.toString())).toMatchObject({ error_code: 'INVALID_PARAMETER_VALUE' })
  })

  it('an Authorization header that proves nothing is not made up for by a cookie', async () => {
    const browser = gateway.browser()
    await signInAs(browser, gateway, 'editor')
    const cookie = browser.cookieHeader(gateway.publicUrl)
    expect((await gateway.who({ cookie })).status).toBe(200)
    expect((await gateway.who({ cookie, authorization: 'Bearer a.b.c' })).status).toBe(401)
    expect((await gateway.who({ cookie, authorization: 'Digest x' })).status).toBe(401)
  })

  it('identity headers of others say nothing (field report 75)', async () => {
    const claims = {
      'x-forwarded-user': 'admin',
      'x-forwarded-email': 'admin@example.org',
      'remote-user': 'admin',
    }
    expect(
      (await gateway.who({ ...claims, 'x-forwarded-uri': '/healthz', 'user-agent': 'kube-probe/1.3' }))
        .status,
    ).toBe(401)
    const { token } = await tokenFor('reader')
    expect((await gateway.who({ ...claims, ...bearer(token) })).body['username']).toBe('reader')
  })
})

describe('public keys', () => {
  it('are published without their private part, and verify what is signed', async () => {
    const response = await fetch(`http://127.0.0.1:${gateway.port}/.well-known/jwks.json`)
    const { keys } = (await response.json()) as { keys: Record<string, unknown>[] }
    expect(keys).toHaveLength(1)
    expect(Object.keys(keys[0] ?? {}).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
  })

  it('can be rotated without signing anybody out', async () => {
    const browser = gateway.browser()
    await signInAs(browser, gateway, 'editor')
    const cookie = browser.cookieHeader(gateway.publicUrl)
    const { token } = await tokenFor('editor')
    const before = gateway.identity.keyring.current().kid
    await gateway.identity.keyring.rotate()
    await gateway.directory.refresh()
    gateway.clock.offset = 3
    expect(gateway.identity.keyring.current().kid).not.toBe(before)
    expect((await gateway.who({ cookie })).status).toBe(200)
    expect((await gateway.who(bearer(token))).status).toBe(200)
    const fresh = await tokenFor('editor')
    expect((await gateway.who(bearer(fresh.token))).status).toBe(200)
  })
})
