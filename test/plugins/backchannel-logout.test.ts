/**
 * Field report 69: a session that ends at the provider ends here, at every replica, and by nobody else's word. The
 * provider is a real one; what it would never send is signed with its key.
 */

import { createHmac } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { type CryptoKey, exportSPKI, importJWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sessionStoreId } from '../../src/store/sessions.ts'
import { type Browser, signInAs } from '../support/browserless-sign-in.ts'
import { type IdentityApp, startIdentityApp } from '../support/identity-app.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { freePort } from '../support/mlflow.ts'

const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} }

let issuer: Issuer
let partner: Issuer
let replicas: IdentityApp[]
const here = () => replicas[0] as IdentityApp

beforeAll(async () => {
  const port = await freePort()
  const backchannelLogoutUri = `http://127.0.0.1:${port}/auth/backchannel-logout/corp`
  issuer = await startIssuer({ providerId: 'corp', backchannelLogoutUri })
  partner = await startIssuer({ providerId: 'partner' })
  const env = {
    OIDC_PROVIDERS: 'corp,partner',
    ADMIN_USERS: '',
    ...variables('CORP', issuer),
    ...variables('PARTNER', partner),
  }
  const first = await startIdentityApp({ issuer, port, env })
  partner.allow(first.publicUrl)
  const more = { issuer, env, database: first.database }
  replicas = [first, await startIdentityApp(more), await startIdentityApp(more)]
})
afterAll(async () => {
  for (const replica of replicas.toReversed()) await replica.stop()
  await issuer.stop()
  await partner.stop()
})

function variables(id: string, { url, clientId, clientSecret }: Issuer) {
  return {
    [`OIDC_${id}_ISSUER`]: url,
    [`OIDC_${id}_CLIENT_ID`]: clientId,
    [`OIDC_${id}_CLIENT_SECRET`]: clientSecret,
  }
}

const second = () => Math.floor(Date.now() / 1000)

/** When the last logout token was taken: who signs in within that second was on the way. */
let lastTaken = 0

/** Signs in, and is known at every replica. */
async function signIn(name: string, provider = 'corp'): Promise<Browser> {
  while (second() <= lastTaken) await delay(20)
  const browser = here().browser()
  await signInAs(browser, { ...here(), provider }, name)
  expect(await statuses(browser)).toEqual([200, 200, 200])
  return browser
}

function statuses(browser: Browser): Promise<number[]> {
  const cookie = browser.cookieHeader(here().publicUrl)
  return Promise.all(replicas.map(async (replica) => (await replica.who({ cookie })).status))
}

async function sidOf(browser: Browser): Promise<string> {
  const cookie = browser.cookieHeader(here().publicUrl)
  const { body } = await here().who({ cookie })
  const { id } = body['credential'] as { id: string }
  const { idToken = '' } = (await here().identity.sessions.read(id)) ?? {}
  return JSON.parse(Buffer.from(idToken.split('.')[1] ?? '', 'base64url').toString()).sid
}

let tokens = 0
const claims = () => ({ jti: `jti-${tokens++}`, events: EVENTS, sub: 'editor' })

async function send(
  token: string | undefined,
  provider = 'corp',
  type = 'application/x-www-form-urlencoded',
) {
  const body = token === undefined ? '' : new URLSearchParams({ logout_token: token }).toString()
  const response = await fetch(`http://127.0.0.1:${here().port}/auth/backchannel-logout/${provider}`, {
    ...{ method: 'POST', body, headers: { 'content-type': type } },
  })
  if (response.status === 200) lastTaken = second()
  return { status: response.status, body: await response.text(), headers: response.headers }
}

const lastEvent = () => here().events.at(-1)

describe('a session that ends at the provider', () => {
  it('ends at all replicas within a second, and no other one does', async () => {
    const [gone, otherPerson] = [await signIn('editor'), await signIn('reader')]
    const elsewhere = await signIn('editor', 'partner')
    const form = await gone.navigate(`${issuer.url}/session/end`)
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(form.body)?.[1] ?? ''
    const confirm = { method: 'POST', form: { xsrf, logout: 'yes' } }
    const since = performance.now()
    await gone.navigate(`${issuer.url}/session/end/confirm`, confirm)
    await expect.poll(() => statuses(gone), { interval: 10, timeout: 5000 }).toEqual([401, 401, 401])
    expect(performance.now() - since).toBeLessThan(1000)
    expect(await statuses(otherPerson)).toEqual([200, 200, 200])
    expect(await statuses(elsewhere)).toEqual([200, 200, 200])
    await expect.poll(lastEvent).toMatchObject({
      ...{ event: 'session_ended', effect: 'allow', status: 200, provider: 'corp', username: 'editor' },
      resources: [{ type: 'session' }],
    })
  })

  it.each([
    ['sid alone', { sub: undefined }, [401, 200]],
    ['sid and sub', {}, [401, 200]],
    ['sub alone', { sid: undefined }, [401, 401]],
    ['a sid of nobody', { sid: 'of-nobody' }, [200, 200]],
    ['a sub of nobody', { sub: 'nobody', sid: undefined }, [200, 200]],
    ["another's sub", { sub: 'reader' }, [200, 200]],
  ])('is named by %s', async (_, named: object, expected) => {
    const browsers = [await signIn('editor'), await signIn('editor')] as const
    const sid = await sidOf(browsers[0])
    const answer = await send(await issuer.signJwt({ ...claims(), sid, ...named }, { typ: 'logout+jwt' }))
    expect({ status: answer.status, body: answer.body }).toEqual({ status: 200, body: '' })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const after = await Promise.all(browsers.map(statuses))
    expect(after.map(([first]) => first)).toEqual(expected)
  })

  it('ends nothing that the person began under another identity', async () => {
    const browser = await signIn('editor')
    const { sessions } = here().identity
    const { body } = await here().who({ cookie: browser.cookieHeader(here().publicUrl) })
    const began = { userId: String(body['userId']), groupsReadAt: 0, absoluteExpiresAt: here().now() + 60 }
    const others = [
      { provider: 'partner', subject: 'editor' },
      { provider: 'corp', subject: 'somebody-else' },
    ]
    const sids = others.map(({ provider, subject }) => sessionStoreId(`${provider} ${subject}`))
    for (const [index, sid] of sids.entries())
      await sessions.write(sid, { ...began, provider: '', subject: '', ...others[index] })
    expect((await send(await issuer.signJwt(claims()))).status).toBe(200)
    await expect.poll(() => statuses(browser), { timeout: 5000 }).toEqual([401, 401, 401])
    for (const sid of sids) expect(await sessions.read(sid)).toBeDefined()
  })

  it('takes no access token with it', async () => {
    const browser = await signIn('editor')
    const { body } = await here().who({ cookie: browser.cookieHeader(here().publicUrl) })
    const wanted = { userId: String(body['userId']), name: 'ci', scope: [], ttl: 60 }
    const { token } = await here().identity.accessTokens.create(wanted)
    expect((await send(await issuer.signJwt(claims()))).status).toBe(200)
    await expect.poll(() => statuses(browser), { timeout: 5000 }).toEqual([401, 401, 401])
    expect((await here().who({ authorization: `Bearer ${token}` })).status).toBe(200)
  })
})

describe('a sign-in that the provider ends while it is on its way', () => {
  const sessionIds = async () => (await here().store.sessions.list()).map(({ id }) => id)

  it.each([
    ['by sub', async () => ({ sub: 'reader' })],
    ['by sid', async (browser: Browser) => ({ sub: 'reader', sid: await sidOf(browser) })],
  ])('%s: does not begin, and the next one does', async (_, named) => {
    const browser = await signIn('reader')
    const toCome = { ...claims(), ...(await named(browser)), iat: second() + 3 }
    expect((await send(await issuer.signJwt(toCome, { typ: 'logout+jwt' }))).status).toBe(200)
    const others = await sessionIds()
    // The provider still knows the browser: its ID Token is older than the logout token.
    const answer = await signInAs(browser, { ...here(), provider: 'corp' }, 'reader')
    expect(answer.status).toBe(400)
    expect(answer.body).toContain('You were signed out meanwhile')
    await expect.poll(() => statuses(browser), { timeout: 5000 }).toEqual([401, 401, 401])
    expect(lastEvent()).toMatchObject({ event: 'sign_in', effect: 'deny', reason: 'signed_out_meanwhile' })
    expect(await sessionIds()).toEqual(others)
    while (second() <= toCome.iat) await delay(50)
    expect((await signInAs(browser, { ...here(), provider: 'corp' }, 'reader')).status).toBe(302)
    expect(await statuses(browser)).toEqual([200, 200, 200])
  })

  it('goes on if another session was meant', async () => {
    const named = { sub: 'reader', sid: 'of-another', iat: second() + 3 }
    expect((await send(await issuer.signJwt({ ...claims(), ...named }))).status).toBe(200)
    await signIn('reader')
  })
})

describe('what is no word of the provider', () => {
  const now = () => Math.floor(Date.now() / 1000)
  type Make = () => Promise<string> | string
  const changed = (change: object, header?: Record<string, unknown>): Make => {
    return () => issuer.signJwt({ ...claims(), ...change }, header)
  }

  it.each<[string, Make, string]>([
    ['another client is meant', changed({ aud: 'somebody-else' }), 'foreign_audience'],
    ['another issuer', changed({ iss: 'https://evil.example' }), 'invalid_token'],
    ['a nonce', changed({ nonce: 'n' }), 'has_nonce'],
    ['a nonce of nothing', changed({ nonce: null }), 'has_nonce'],
    ['expired', changed({ iat: now() - 200, exp: now() - 100 }), 'expired'],
    ['no exp', changed({ exp: undefined }), 'invalid_token'],
    ['too old, though not expired', changed({ iat: now() - 400 }), 'too_old'],
    ['from the future', changed({ iat: now() + 300 }), 'invalid_token'],
    ['no iat', changed({ iat: undefined }), 'invalid_token'],
    ['no events', changed({ events: undefined }), 'invalid_token'],
    ['other events', changed({ events: { 'urn:other': {} } }), 'no_event'],
    ['the event as a list', changed({ events: Object.keys(EVENTS) }), 'no_event'],
    [
      'the event without its object',
      changed({ events: { [Object.keys(EVENTS)[0] ?? '']: true } }),
      'no_event',
    ],
    ['no jti', changed({ jti: undefined }), 'invalid_token'],
    ['neither sub nor sid', changed({ sub: undefined }), 'about_nobody'],
    ['a sub that is no text', changed({ sub: ['editor'] }), 'invalid_token'],
    ['a type of another kind', changed({}, { typ: 'at+jwt' }), 'invalid_token'],
    ['signed by another provider', () => partner.signJwt({ ...claims(), iss: issuer.url }), 'invalid_token'],
    ["another provider's, of its own", () => partner.signJwt(claims()), 'invalid_token'],
    ['unsigned', () => unsigned({ ...claims() }), 'invalid_token'],
    ['signed with the public key as a secret', () => withPublicKey({ ...claims() }), 'invalid_token'],
    ['an ID token', idToken, 'invalid_token'],
    ['no token at all', () => 'nonsense', 'invalid_token'],
  ])('%s: 400, and the session lives', async (_, make, reason) => {
    const browser = await signIn('editor')
    const answer = await send(await make())
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.body)).toEqual({
      ...{ error: 'invalid_request', error_description: 'The logout token is not valid here' },
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(lastEvent()).toMatchObject({ event: 'session_ended', effect: 'deny', status: 400, reason })
    expect(await statuses(browser)).toEqual([200, 200, 200])
  })

  it('counts once, at whichever replica', async () => {
    const token = await issuer.signJwt(claims())
    expect((await send(token)).status).toBe(200)
    const browser = await signIn('editor')
    for (const { port } of replicas) {
      const body = new URLSearchParams({ logout_token: token })
      const url = `http://127.0.0.1:${port}/auth/backchannel-logout/corp`
      expect((await fetch(url, { method: 'POST', body })).status).toBe(400)
    }
    expect(lastEvent()).toMatchObject({ reason: 'replayed' })
    expect(await statuses(browser)).toEqual([200, 200, 200])
  })

  it.each([
    ['to another provider', 'partner', 'invalid_token'],
    ['to a provider that is not there', 'nowhere', 'no_such_provider'],
  ])('is sent %s', async (_, provider, reason) => {
    const browser = await signIn('editor')
    expect((await send(await issuer.signJwt(claims()), provider)).status).toBe(400)
    expect(lastEvent()).toMatchObject({ effect: 'deny', reason })
    expect(await statuses(browser)).toEqual([200, 200, 200])
  })

  it.each([
    ['no token', undefined, 'application/x-www-form-urlencoded'],
    ['a JSON body', '{}', 'application/json'],
    ['more than fits', 'x'.repeat(20_000), 'application/x-www-form-urlencoded'],
  ])('has %s: 400 in the form of OAuth', async (_, token, type) => {
    const answer = await send(token, 'corp', type)
    expect([answer.status, JSON.parse(answer.body).error]).toEqual([400, 'invalid_request'])
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  it('comes too often: 429, while what is good still counts from elsewhere', async () => {
    const env = { OIDC_ISSUER: issuer.url, OIDC_CLIENT_ID: issuer.clientId, RATE_LIMIT_SIGN_IN: '3' }
    const limited = await startIdentityApp({ issuer, env })
    try {
      const url = `http://127.0.0.1:${limited.port}/auth/backchannel-logout/oidc`
      const ask = async (token: string) =>
        (await fetch(url, { method: 'POST', body: new URLSearchParams({ logout_token: token }) })).status
      for (let turn = 0; turn < 5; turn++) expect(await ask(await issuer.signJwt(claims()))).toBe(200)
      const bad = [await ask('a'), await ask('b'), await ask('c'), await ask('d')]
      expect(bad).toEqual([400, 400, 400, 429])
    } finally {
      await limited.stop()
    }
  })
})

function unsigned(payload: object): string {
  const now = Math.floor(Date.now() / 1000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const all = { iss: issuer.url, aud: issuer.clientId, iat: now, exp: now + 60, ...payload }
  return `${part({ alg: 'none', typ: 'logout+jwt' })}.${part(all)}.`
}

async function withPublicKey(payload: object): Promise<string> {
  const secret = await exportSPKI((await importJWK(issuer.publicJwk, 'RS256')) as CryptoKey)
  const [, body] = unsigned(payload).split('.')
  const head = Buffer.from(JSON.stringify({ alg: 'HS256', kid: issuer.publicJwk.kid })).toString('base64url')
  const mac = createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url')
  return `${head}.${body}.${mac}`
}

/** Of a real sign-in: the provider's own, for us, fresh. */
async function idToken(): Promise<string> {
  const { body } = await here().who({ cookie: (await signIn('editor')).cookieHeader(here().publicUrl) })
  const { id } = body['credential'] as { id: string }
  return (await here().identity.sessions.read(id))?.idToken ?? ''
}
