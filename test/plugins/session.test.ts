import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sessionStoreId } from '../../src/store/sessions.ts'
import { type Browser, signInAs } from '../support/browserless-sign-in.ts'
import { type IdentityApp, startIdentityApp } from '../support/identity-app.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'

const SESSION = '__Host-gateway_session'
const TOKEN = '__Host-gateway_token'

let issuer: Issuer
let gateway: IdentityApp

beforeAll(async () => {
  issuer = await startIssuer({ rotateRefreshTokens: true })
})
afterAll(() => issuer.stop())
beforeEach(async () => {
  gateway = await startIdentityApp({
    issuer,
    env: {
      OIDC_SCOPES: 'openid profile email offline_access',
      SESSION_IDLE_TTL: '3600',
      SESSION_ABSOLUTE_TTL: '28800',
    },
  })
})
afterEach(() => gateway.stop())

async function signIn(name: 'editor' | 'reader' = 'editor') {
  const browser = gateway.browser()
  await signInAs(browser, gateway, name)
  return browser
}

const cookieOf = (browser: Browser) => ({ cookie: browser.cookieHeader(gateway.publicUrl) })
const only = (browser: Browser, name: string) => ({ cookie: `${name}=${browser.cookies()[name]}` })
const refreshes = () => issuer.requests.filter((line) => line === 'POST /token refresh_token').length

async function setCookieOf(headers: Readonly<Record<string, string>>) {
  const { status, headers: answer } = await gateway.who(headers)
  return { status, setCookies: answer.getSetCookie() }
}

describe('field report 90: sessions that come back', () => {
  it('a planted session id does not survive the sign-in', async () => {
    const attacker = await signIn('reader')
    const planted = attacker.cookies()[SESSION] ?? ''
    const victim = gateway.browser()
    victim.setCookie(gateway.publicUrl, `${SESSION}=${planted}; Path=/; Secure`)
    await signInAs(victim, gateway, 'editor')
    expect(victim.cookies()[SESSION]).not.toBe(planted)
    expect((await gateway.who({ cookie: `${SESSION}=${planted}` })).status).toBe(401)
    expect((await gateway.who(cookieOf(attacker))).status).toBe(401) // its token too
    expect((await gateway.who(cookieOf(victim))).body['username']).toBe('editor')
  })

  it('a made-up session id is never taken up', async () => {
    const victim = gateway.browser()
    victim.setCookie(gateway.publicUrl, `${SESSION}=${'a'.repeat(32)}.${'b'.repeat(43)}; Path=/; Secure`)
    await signInAs(victim, gateway, 'editor')
    expect(victim.cookies()[SESSION]).not.toContain('aaaa')
  })

  it('the old cookies are dead after signing in again', async () => {
    const browser = await signIn()
    const before = cookieOf(browser)
    expect((await gateway.who(before)).status).toBe(200)
    await signInAs(browser, gateway, 'editor')
    expect((await gateway.who(before)).status).toBe(401)
    expect((await gateway.who(cookieOf(browser))).status).toBe(200)
  })

  it('and after signing out, on every replica', async () => {
    const replica = await startIdentityApp({ issuer, database: gateway.database })
    try {
      const browser = await signIn()
      const before = cookieOf(browser)
      expect((await replica.who(before)).status).toBe(200)
      await browser.send(`${gateway.publicUrl}/auth/logout`, {
        ...{ method: 'POST', form: {}, headers: { origin: gateway.publicUrl } },
      })
      expect((await gateway.who(before)).status).toBe(401)
      await expect.poll(async () => (await replica.who(before)).status, { timeout: 1000 }).toBe(401)
    } finally {
      await replica.stop()
    }
  })

  it.each([
    ['absolute expiry, however busy', 28_800, true],
    ['idle expiry', 3601, false],
  ])('after %s', async (_, after, busy) => {
    const browser = await signIn()
    const cookies = cookieOf(browser)
    if (busy) {
      for (let at = 1800; at < after; at += 1800) {
        gateway.clock.offset = at
        expect((await gateway.who(cookies)).status).toBe(200)
      }
    }
    gateway.clock.offset = after
    const { status, body } = await gateway.who(cookies)
    expect(status).toBe(401)
    expect(body['message']).toContain('The session has ended')
  })

  it('a renewal never signs past the absolute expiry', async () => {
    const browser = await signIn()
    for (let at = 1800; at < 28_800; at += 1800) {
      gateway.clock.offset = at
      await gateway.who(cookieOf(browser))
    }
    gateway.clock.offset = 28_700
    const { setCookies } = await setCookieOf(only(browser, SESSION))
    expect(setCookies[0]).toMatch(/Max-Age=\d{1,2}[0-9]?;/)
    expect(Number(/Max-Age=(\d+)/.exec(setCookies[0] ?? '')?.[1])).toBeLessThanOrEqual(100)
  })

  it('with its row expired only by the clock, not deleted, and with its expiry tampered with', async () => {
    const browser = await signIn()
    const sid = sessionStoreId(browser.cookies()[SESSION]?.split('.')[0] ?? '')
    const { query } = gateway.database
    await query(`update sessions set idle_expires_at = ${gateway.now() - 1} where id = '${sid}'`)
    expect(await query('select id from sessions')).toEqual([{ id: sid }])
    gateway.clock.offset = 400
    expect((await gateway.who(cookieOf(browser))).status).toBe(401)
  })

  it('nothing in the database opens a session', async () => {
    const browser = await signIn()
    const id = browser.cookies()[SESSION]?.split('.')[0] ?? ''
    const dump = JSON.stringify(await gateway.database.query('select * from sessions'))
    expect(dump).not.toContain(id)
    expect(dump).not.toMatch(/eyJ/) // neither ID Token nor refresh token in the clear
    expect((await gateway.who({ cookie: `${SESSION}=${sessionStoreId(id)}` })).status).toBe(401)
  })
})

describe('renewal', () => {
  it('signs a new token from the session when the old one has run out', async () => {
    const browser = await signIn()
    const first = browser.cookies()[TOKEN]
    gateway.clock.offset = 310
    const { status, setCookies } = await setCookieOf(cookieOf(browser))
    expect(status).toBe(200)
    expect(setCookies).toHaveLength(1)
    expect(setCookies[0]).toMatch(
      new RegExp(`^${TOKEN}=[\\w.-]+; Max-Age=300; Path=/; HttpOnly; Secure; SameSite=Lax$`),
    )
    expect(setCookies[0]).not.toContain(first)
    browser.setCookie(gateway.publicUrl, setCookies[0] ?? '')
    gateway.statements.length = 0
    expect((await setCookieOf(cookieOf(browser))).setCookies).toEqual([])
    expect(gateway.statements.filter((sql) => !sql.includes('"changes"'))).toEqual([]) // warm at once
  })

  it('field report 70: reads the groups again at the provider, and what was taken away there is gone', async () => {
    const browser = await signIn()
    issuer.setGroups('editor', ['others'])
    try {
      expect((await gateway.who(cookieOf(browser))).body['groups']).toEqual(['alpha-editors'])
      gateway.clock.offset = 310
      expect((await gateway.who(cookieOf(browser))).body['groups']).toEqual(['others'])
    } finally {
      issuer.setGroups('editor', ['alpha-editors'])
    }
  })

  it('goes on with the rights it has while the provider is away', async () => {
    const browser = await signIn()
    for (const answer of [
      { status: 503, body: {} },
      { status: 500, body: { error: 'server_error' } },
    ]) {
      issuer.breakPath('/token', answer)
      gateway.clock.offset += 310
      expect((await gateway.who(cookieOf(browser))).body['groups']).toEqual(['alpha-editors'])
    }
    issuer.breakPath('/token', { status: 401, body: { error: 'invalid_client' } }) // our trouble, not the person's
    gateway.clock.offset += 310
    expect((await gateway.who(cookieOf(browser))).status).toBe(200)
    issuer.breakPath('/token', undefined)
    gateway.clock.offset += 310
    const before = refreshes()
    expect((await gateway.who(cookieOf(browser))).status).toBe(200)
    expect(refreshes()).toBe(before + 1)
  })

  it('ends the session once the provider has ended the grant', async () => {
    const browser = await signIn()
    issuer.breakPath('/token', { status: 400, body: { error: 'invalid_grant' } })
    try {
      gateway.clock.offset = 310
      expect((await gateway.who(cookieOf(browser))).status).toBe(401)
    } finally {
      issuer.breakPath('/token', undefined)
    }
    expect((await gateway.who(cookieOf(browser))).status).toBe(401)
  })

  it('is refused to somebody disabled, at once', async () => {
    const browser = await signIn()
    const { body } = await gateway.who(cookieOf(browser))
    await gateway.store.people.setDisabled(String(body['userId']), true)
    await gateway.directory.refresh()
    expect((await gateway.who(cookieOf(browser))).status).toBe(401)
    gateway.clock.offset = 310
    expect((await gateway.who(cookieOf(browser))).status).toBe(401)
    await expect(signInAs(browser, gateway, 'editor')).resolves.toMatchObject({ status: 400 })
    await gateway.store.people.setDisabled(String(body['userId']), false)
  })
})

describe('field report 63: two requests refresh at once', () => {
  it('40 parallel calls with a rotating provider: one refresh, 40 answers', async () => {
    const browser = await signIn()
    gateway.clock.offset = 310
    const before = refreshes()
    const headers = cookieOf(browser)
    const answers = await Promise.all(Array.from({ length: 40 }, () => setCookieOf(headers)))
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 200))
    expect(refreshes() - before).toBe(1)
    gateway.clock.offset = 620 // and the rotated refresh token works
    expect((await gateway.who(headers)).status).toBe(200)
    expect(refreshes() - before).toBe(2)
  })

  it('a second replica waits for nobody and takes nothing apart', async () => {
    const replica = await startIdentityApp({ issuer, database: gateway.database })
    try {
      const browser = await signIn()
      gateway.clock.offset = 310
      replica.clock.offset = 310
      const headers = cookieOf(browser)
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? gateway : replica).who(headers)),
      )
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
      for (const at of [620, 930]) {
        gateway.clock.offset = at
        replica.clock.offset = at
        expect((await replica.who(headers)).status).toBe(200)
        expect((await gateway.who(headers)).status).toBe(200)
      }
    } finally {
      await replica.stop()
    }
  })
})
