import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { signInAs } from '../support/browserless-sign-in.ts'
import { ALICE, CLIENT_ID, type GoogleStandIn, startGoogleStandIn } from '../support/google-stand-in.ts'
import { type IdentityApp, startIdentityApp } from '../support/identity-app.ts'

const TRAINER = {
  sub: '107517467455664443765',
  azp: '107517467455664443765',
  email: 'trainer@project.iam.gserviceaccount.com',
  email_verified: true,
}

let google: GoogleStandIn
let gateway: IdentityApp

beforeAll(async () => {
  google = await startGoogleStandIn()
  gateway = await startIdentityApp({
    env: {
      GOOGLE_CLIENT_ID: google.clientId,
      GOOGLE_CLIENT_SECRET: google.clientSecret,
      GOOGLE_HOSTED_DOMAIN: 'corp.org',
      GOOGLE_SERVICE_ACCOUNTS: `${TRAINER.email},200000000000000000002`,
      GOOGLE_AUDIENCES: 'https://mlflow.example.org',
      GOOGLE_ISSUER_FOR_TESTS_ONLY: google.url,
      ADMIN_USERS: 'admin@corp.org',
    },
  })
})
afterAll(async () => {
  await gateway.stop()
  await google.stop()
})
beforeEach(() => google.setAccount(ALICE))

async function signIn() {
  const browser = gateway.browser()
  gateway.log.length = 0
  const last = await signInAs(browser, { ...gateway, provider: 'google' }, '')
  const line = gateway.log.map((text) => JSON.parse(text)).find((entry) => entry.msg === 'sign-in failed')
  return { browser, last, fault: line?.err?.message as string | undefined, log: gateway.log.join('') }
}

describe('signing in with Google', () => {
  it('is by subject, named by the verified address', async () => {
    const { browser, last } = await signIn()
    expect(last.status).toBe(302)
    const who = JSON.parse((await browser.send(`${gateway.publicUrl}/api/2.0/who`)).body)
    expect(who).toMatchObject({
      username: 'alice@corp.org',
      subject: ALICE['sub'],
      provider: 'google',
      groups: [],
    })
  })

  it('asks with PKCE, nonce, state and the hosted domain', async () => {
    await signIn()
    const request = google.requests.findLast((line) => line.startsWith('GET /o/oauth2/v2/auth'))
    const query = new URL(request?.split(' ')[1] ?? '', google.url).searchParams
    expect(Object.fromEntries(query)).toMatchObject({
      hd: 'corp.org',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{22}$/),
      redirect_uri: 'https://mlflow.example.org/auth/callback/google',
      response_type: 'code',
    })
  })

  it('asks for another account after signing out, since Google has no sign-out to send people to', async () => {
    const page = await gateway.browser().send(`${gateway.publicUrl}/auth/login?provider=google&prompt=login`)
    expect(new URL(String(page.headers['location'])).searchParams.get('prompt')).toBe('select_account')
    const { browser } = await signIn()
    const out = await browser.send(`${gateway.publicUrl}/auth/logout`, {
      ...{ method: 'POST', form: {}, headers: { origin: gateway.publicUrl } },
    })
    expect(out.headers['location']).toBe('https://mlflow.example.org/auth/signed-out')
  })

  it.each([
    ['https://accounts.google.com', 302],
    ['accounts.google.com', 302],
    ['https://accounts.google.com/', 400],
    ['http://accounts.google.com', 400],
    ['https://evil.example', 400],
  ])('issuer %s', async (iss, status) => {
    google.setAccount({ ...ALICE, iss })
    expect((await signIn()).last.status).toBe(status)
  })
})

describe('field report 79: the domain of an address is not the organisation', () => {
  it.each([
    ['no hd', { hd: undefined }, 400],
    ['another hd', { hd: 'other.org' }, 400],
    ['hd as a list', { hd: ['corp.org'] }, 400],
    ['hd in another case', { hd: 'CORP.org' }, 400],
    ['a subdomain', { hd: 'x.corp.org' }, 400],
    ['ours', { hd: 'corp.org' }, 302],
    ['ours, with an address elsewhere', { hd: 'corp.org', email: 'a@alias.example' }, 302],
  ])('%s', async (_, claims, status) => {
    google.setAccount({ ...ALICE, ...claims })
    const { browser, last } = await signIn()
    expect(last.status).toBe(status)
    if (status === 302) return
    expect(last.body).toContain('does not belong to corp.org')
    expect(gateway.events.at(-1)).toMatchObject({ event: 'sign_in', effect: 'deny', reason: 'hosted_domain' })
    expect((await browser.send(`${gateway.publicUrl}/api/2.0/who`)).status).toBe(401)
  })

  it('an address nobody verified names nobody (field report 81)', async () => {
    google.setAccount({ ...ALICE, sub: '7', email: 'admin@corp.org', email_verified: false })
    const { browser } = await signIn()
    const who = JSON.parse((await browser.send(`${gateway.publicUrl}/api/2.0/who`)).body)
    expect(who).toMatchObject({ username: '7', isAdmin: false })
  })
})

describe('what is wrong with an ID Token', () => {
  it.each([
    ['another nonce', { nonce: 'x' }, 'unexpected nonce'],
    ['no nonce', { nonce: undefined }, 'unexpected nonce'],
    ['another audience', { aud: 'other.apps.googleusercontent.com' }, 'Wrong recipient'],
    ['expired', { iat: 1, exp: 3600 }, 'token expired at 1970-01-01T01:00:00.000Z'],
    ['no subject', { sub: undefined }, 'no sub'],
  ])('%s', async (_, claims, fault) => {
    google.setAccount({ ...ALICE, ...claims })
    const answer = await signIn()
    expect(answer.last.status).toBe(400)
    expect(answer.fault).toContain(fault)
    expect(answer.log).not.toMatch(/eyJ/) // the library's own messages repeat the token
    expect(answer.log).not.toContain('alice@corp.org')
  })

  it.each([
    [{ status: 401, body: { error: 'invalid_client', error_description: 'no' } }, 400, 'invalid_client "no"'],
    [{ status: 500, body: {} }, 503, ''],
    [{ status: 200, body: { access_token: 'x' } }, 400, 'no ID Token'],
  ])('the exchange answers %j: once, without code or secret in the log', async (answer, status, fault) => {
    google.breakPath('/token', answer)
    try {
      const before = google.requests.filter((line) => line === 'POST /token').length
      const failed = await signIn()
      expect(failed.last.status).toBe(status)
      expect(failed.fault).toContain(fault)
      expect(failed.log).not.toContain(google.clientSecret)
      expect(failed.log).not.toMatch(/4\/[\w-]{40}/)
      expect(google.requests.filter((line) => line === 'POST /token')).toHaveLength(before + 1)
    } finally {
      google.breakPath('/token', undefined)
    }
  })
})

describe('field report 38: service accounts', () => {
  const present = async (claims: Record<string, unknown>, header?: Record<string, unknown>) => {
    const token = await google.signJwt({ aud: 'https://mlflow.example.org', ...TRAINER, ...claims }, header)
    return gateway.who({ authorization: `Bearer ${token}` })
  }

  it.each([
    ['listed by address', {}, 200],
    ['the other spelling of the issuer', { iss: 'accounts.google.com' }, 200],
    ['listed by subject', { sub: '200000000000000000002', email: undefined }, 200],
    ['another audience', { aud: 'https://other.example' }, 401],
    ['the client id, when audiences are listed', { aud: CLIENT_ID }, 401],
    ['a list of audiences', { aud: ['https://mlflow.example.org'] }, 401],
    ['another service account', { sub: '3', email: 'other@project.iam.gserviceaccount.com' }, 401],
    ['the address, not verified', { sub: '3', email_verified: false }, 401],
    ['a person', { ...ALICE }, 401],
    ['a minute too late', { exp: -60 }, 401],
    ['five seconds too late', { exp: -5 }, 200],
    ['two minutes too early', { iat: 120 }, 401],
    ['one second too early', { iat: 1 }, 200],
    ['not before in two minutes', { nbf: 120 }, 401],
    ['no expiry', { exp: undefined }, 401],
  ])('%s', async (_, claims: Record<string, unknown>, status) => {
    const now = gateway.now()
    const timed = Object.fromEntries(
      Object.entries(claims).map(([name, value]) => [name, typeof value === 'number' ? now + value : value]),
    )
    const { status: answered } = await present(timed)
    expect(answered).toBe(status)
  })

  it('is one principal however the issuer is spelled', async () => {
    const first = await present({})
    const second = await present({ iss: 'accounts.google.com' })
    expect(second.body['userId']).toBe(first.body['userId'])
    expect(first.body).toMatchObject({
      username: TRAINER.email,
      credential: { kind: 'provider_token', form: 'bearer' },
    })
  })

  it.each([
    ['alg HS256', { alg: 'HS256' }],
    ['alg none', { alg: 'none' }],
    ['alg RS512', { alg: 'RS512' }],
    ['an unknown key', { kid: 'x' }],
    ['another type', { typ: 'session+jwt' }],
    ['a critical header', { crit: ['x'], x: 1 }],
  ])('signed by Google, but the header says %s', async (_, header) => {
    expect((await present({}, header)).status).toBe(401)
  })

  it('a signature of somebody else', async () => {
    const token = await google.signJwt({ aud: 'https://mlflow.example.org', ...TRAINER })
    const { status } = await gateway.who({ authorization: `Bearer ${token.slice(0, -6)}AAAAAA` })
    expect(status).toBe(401)
  })
})
