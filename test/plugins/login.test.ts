import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, type BrowserResponse, signInAs, submitName } from '../support/browserless-sign-in.ts'
import { type IdentityApp, startIdentityApp } from '../support/identity-app.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { rawRequest } from '../support/raw-request.ts'

let issuer: Issuer
let gateway: IdentityApp

beforeAll(async () => {
  issuer = await startIssuer()
  gateway = await startIdentityApp({ issuer })
})
afterAll(async () => {
  await gateway.stop()
  await issuer.stop()
})

const location = (response: BrowserResponse) => String(response.headers['location'])

async function whoIs(browser: Browser, publicUrl = gateway.publicUrl) {
  const { status, body } = await browser.send(`${publicUrl}/api/2.0/who`)
  return { status, ...JSON.parse(body) }
}

describe('signing in', () => {
  it('ends where one wanted to go, as the person the provider names', async () => {
    const browser = gateway.browser()
    const last = await signInAs(browser, { ...gateway, returnTo: '/#/experiments/1' }, 'editor')
    expect(last.status).toBe(302)
    expect(location(last)).toBe('https://mlflow.example.org/#/experiments/1')
    expect(await whoIs(browser)).toMatchObject({
      username: 'editor',
      subject: 'editor',
      issuer: issuer.url,
      provider: 'oidc',
      groups: ['alpha-editors'],
      isAdmin: false,
      credential: { kind: 'session', form: 'cookie' },
    })
    expect(gateway.events.at(-1)).toMatchObject({
      event: 'sign_in',
      effect: 'allow',
      username: 'editor',
      status: 302,
    })
  })

  it('asks the provider for what protects the way back', async () => {
    const response = await gateway.browser().send(`${gateway.publicUrl}/auth/login?provider=oidc`)
    const query = new URL(location(response)).searchParams
    expect(Object.fromEntries(query)).toEqual({
      client_id: issuer.clientId,
      redirect_uri: 'https://mlflow.example.org/auth/callback/oidc',
      response_type: 'code',
      scope: 'openid profile email',
      code_challenge_method: 'S256',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{22}$/),
      nonce: expect.stringMatching(/^[\w-]{22}$/),
    })
    expect(response.headers['cache-control']).toBe('no-store')
  })

  it('stores nothing before it is complete', async () => {
    gateway.statements.length = 0
    const browser = gateway.browser()
    await browser.send(`${gateway.publicUrl}/auth/login`)
    await browser.navigate(`${gateway.publicUrl}/auth/login?provider=oidc`)
    await browser.send(`${gateway.publicUrl}/auth/callback/oidc?code=x&state=y`)
    await browser.send(`${gateway.publicUrl}/auth/signed-out`)
    expect(gateway.statements.filter((sql) => !sql.includes('"changes"'))).toEqual([])
  })

  it('field report 53: works on whatever replica each request reaches', async () => {
    const replica = await startIdentityApp({ issuer, database: gateway.database })
    try {
      const browser = gateway.browser()
      const page = await browser.navigate(`${gateway.publicUrl}/auth/login?provider=oidc`)
      const callback = await browser.navigate(
        new URL(/action="([^"]+)"/.exec(page.body)?.[1] ?? '', page.url).href,
        {
          ...{ method: 'POST', form: { login: 'reader' } },
          stop: (url) => url.pathname === '/auth/callback/oidc',
        },
      )
      const target = new URL(location(callback))
      const last = await rawRequest(
        replica.port,
        `GET ${target.pathname}${target.search} HTTP/1.1\r\nHost: mlflow.example.org\r\nCookie: ${browser.cookieHeader(gateway.publicUrl)}\r\n\r\n`,
      )
      expect(last.status).toBe(302)
      for (const line of last.headers['set-cookie'] ?? []) browser.setCookie(gateway.publicUrl, line)
      expect(await whoIs(browser)).toMatchObject({ status: 200, username: 'reader' })
    } finally {
      await replica.stop()
    }
  })
})

describe('the sign-in page', () => {
  it('works without its script, and its script has nothing inline', async () => {
    const response = await gateway.browser().send(`${gateway.publicUrl}/auth/login?return_to=/x?a=1`)
    expect(response.status).toBe(200)
    expect(response.body).toContain(
      'href="https://mlflow.example.org/auth/login?provider=oidc&amp;return_to=%2Fx%3Fa%3D1"',
    )
    expect(response.body).toContain('<script src="/auth/assets/sign-in.js" defer></script>')
    expect(String(response.headers['content-security-policy'])).toContain("script-src 'self'")
    const script = await gateway.browser().send(`${gateway.publicUrl}/auth/assets/sign-in.js`)
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8')
    expect(script.body).toContain('location.hash')
  })

  it('says nothing it was told as markup', async () => {
    const response = await gateway
      .browser()
      .send(`${gateway.publicUrl}/auth/login?return_to=/"><script>alert(1)</script>`)
    expect(response.body).not.toContain('<script>alert')
  })

  it('takes `next` as what other software calls it', async () => {
    const response = await gateway.browser().send(`${gateway.publicUrl}/auth/login?next=/x`)
    expect(response.body).toContain('return_to=%2Fx')
  })

  it.each([
    ['/auth/login?return_to=/a&return_to=/b', 400],
    ['/auth/login?provider=oidc&provider=oidc', 400],
    ['/auth/login?provider=nobody', 400],
  ])('%s is refused', async (target, status) => {
    expect((await gateway.browser().send(gateway.publicUrl + target)).status).toBe(status)
  })
})

describe('field report 52: TLS ends in front', () => {
  it.each([
    [{}],
    [{ 'x-forwarded-proto': 'http' }],
    [{ 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example', 'x-forwarded-port': '81' }],
    [{ forwarded: 'host=evil.example;proto=http' }],
    [{ 'x-forwarded-prefix': '/evil', 'x-original-host': 'evil.example' }],
  ])('%j decides nothing', async (headers: Record<string, string>) => {
    const browser = gateway.browser()
    const start = await browser.send(`${gateway.publicUrl}/auth/login?provider=oidc`, { headers })
    expect(new URL(location(start)).searchParams.get('redirect_uri')).toBe(
      'https://mlflow.example.org/auth/callback/oidc',
    )
    expect(start.setCookies.every((line) => line.startsWith('__Host-') && line.includes('; Secure'))).toBe(
      true,
    )
    const page = await browser.navigate(location(start))
    const last = await submitName(browser, gateway, page, 'editor')
    expect(location(last)).toBe('https://mlflow.example.org/')
    expect(last.setCookies.map((line) => line.split('=')[0])).toEqual(
      expect.arrayContaining(['__Host-gateway_session', '__Host-gateway_token']),
    )
    for (const line of last.setCookies) {
      expect(line).toContain('; Secure')
      expect(line).toContain('; HttpOnly')
      expect(line).toContain('; SameSite=Lax')
      expect(line).toContain('; Path=/;')
    }
  })
})

describe('field report 49: under a path', () => {
  it('callback, cookies and links carry the prefix, which never reaches the gateway', async () => {
    const under = await startIdentityApp({ issuer, publicUrl: 'https://example.org/ml' })
    try {
      const browser = under.browser()
      const page = await browser.send('https://example.org/ml/auth/login?return_to=/ml/x')
      expect(page.body).toContain('https://example.org/ml/auth/login?provider=oidc')
      expect(page.body).toContain('/ml/auth/assets/sign-in.js')
      const last = await signInAs(
        browser,
        { publicUrl: 'https://example.org/ml', returnTo: '/ml/#/experiments/1' },
        'editor',
      )
      expect(location(last)).toBe('https://example.org/ml/#/experiments/1')
      for (const line of last.setCookies.filter((line) => !line.includes('Max-Age=0'))) {
        expect(line).toMatch(/^__Secure-gateway_/)
        expect(line).toContain('; Path=/ml/;')
      }
      expect(await whoIs(browser, 'https://example.org/ml')).toMatchObject({
        status: 200,
        username: 'editor',
      })
      const out = await browser.send('https://example.org/ml/auth/logout', {
        ...{ method: 'POST', form: {}, headers: { origin: 'https://example.org' } },
      })
      expect(new URL(location(out)).searchParams.get('post_logout_redirect_uri')).toBe(
        'https://example.org/ml/auth/signed-out',
      )
    } finally {
      await under.stop()
    }
  })
})

describe('field report 62: small cookies', () => {
  it('500 groups of 80 characters make no cookie larger', async () => {
    issuer.setGroups(
      'reader',
      Array.from({ length: 500 }, (_, index) => `${index}-`.padEnd(80, 'x')),
    )
    try {
      const browser = gateway.browser()
      const last = await signInAs(browser, gateway, 'reader')
      const kept = last.setCookies.filter((line) => !line.includes('Max-Age=0'))
      expect(kept.join('\r\n').length).toBeLessThan(1500)
      expect((await whoIs(browser)).groups).toHaveLength(500)
      const token = browser.cookies()['__Host-gateway_token'] ?? ''
      expect(token.length).toBeLessThanOrEqual(600)
    } finally {
      issuer.setGroups('reader', ['alpha-readers'])
    }
  })
})

describe('field report 65: ten tabs restored in the morning', () => {
  it('all end where they wanted to go, in whatever order, with one session', async () => {
    const browser = gateway.browser()
    const tabs = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        browser.send(
          `${gateway.publicUrl}/auth/login?provider=oidc&return_to=${encodeURIComponent(`/#/experiments/${index}`)}`,
        ),
      ),
    )
    await signInAs(browser, gateway, 'outsider') // the provider knows the browser from now on
    const { userId } = await whoIs(browser)
    for (const [index, tab] of [...tabs.entries()].reverse()) {
      const last = await browser.navigate(location(tab), {
        stop: (url) => url.origin === gateway.publicUrl && url.pathname !== '/auth/callback/oidc',
      })
      expect(location(last)).toBe(`https://mlflow.example.org/#/experiments/${index}`)
    }
    expect(await whoIs(browser)).toMatchObject({ status: 200, username: 'outsider' })
    expect(await gateway.store.sessions.list(userId)).toHaveLength(1)
    expect(Object.keys(browser.cookies('mlflow.example.org')).sort()).toEqual([
      '__Host-gateway_session',
      '__Host-gateway_token',
    ])
  })
})

describe('field report 74: open redirects', () => {
  it.each([
    '//evil.example',
    '/\\evil.example',
    'https:evil.example',
    '/..//evil.example',
    '\\/\\/evil.example',
    '/%09/evil.example',
    '/%5cevil.example',
    '/x#//evil.example',
    'https://evil.example/',
    `/${'x'.repeat(10_000)}`,
    '/\u0000',
    '///evil.example',
  ])('return_to=%j stays here', async (returnTo) => {
    const browser = gateway.browser()
    const last = await signInAs(browser, { ...gateway, returnTo }, 'editor')
    expect(new URL(location(last)).origin).toBe('https://mlflow.example.org')
    expect(location(last)).toMatch(/^https:\/\/mlflow\.example\.org\/(?![/\\])/)
  })
})

describe('field report 54: what went wrong is not hidden', () => {
  const failed = async (browser: Browser, page: BrowserResponse) => {
    gateway.log.length = 0
    const answer = await submitName(browser, gateway, page, 'editor')
    const line = gateway.log.map((text) => JSON.parse(text)).find((entry) => entry.msg === 'sign-in failed')
    return { answer, fault: line?.err?.message as string, line: JSON.stringify(line) }
  }
  const start = async (browser: Browser) => browser.navigate(`${gateway.publicUrl}/auth/login?provider=oidc`)

  it('the provider refuses the client: one exchange, its words in the log, none of them on the page', async () => {
    issuer.breakPath('/token', {
      status: 401,
      body: { error: 'invalid_client', error_description: 'wrong secret' },
    })
    try {
      const browser = gateway.browser()
      const page = await start(browser)
      const before = issuer.requests.filter((line) => line.startsWith('POST /token')).length
      const { answer, fault } = await failed(browser, page)
      expect(answer.status).toBe(400)
      expect(answer.headers['content-type']).toContain('text/html')
      expect(answer.body).toContain('did not confirm the sign-in')
      expect(answer.body).not.toContain('invalid_client')
      expect(fault).toContain('invalid_client "wrong secret"')
      expect(issuer.requests.filter((line) => line.startsWith('POST /token'))).toHaveLength(before + 1)
      expect(gateway.events.at(-1)).toMatchObject({
        event: 'sign_in',
        effect: 'deny',
        reason: 'invalid_client',
        provider: 'oidc',
      })
    } finally {
      issuer.breakPath('/token', undefined)
    }
  })

  it('the ID Token is signed with a key nobody published', async () => {
    const other = await startIssuer({ clientId: issuer.clientId })
    const nonce = { value: '' }
    try {
      const browser = gateway.browser()
      const begun = await browser.send(`${gateway.publicUrl}/auth/login?provider=oidc`)
      nonce.value = new URL(location(begun)).searchParams.get('nonce') ?? ''
      const now = Math.floor(Date.now() / 1000)
      const idToken = await other.signJwt(
        { iss: issuer.url, aud: issuer.clientId, sub: 'admin', nonce: nonce.value, iat: now, exp: now + 60 },
        { kid: 'unpublished' },
      )
      issuer.breakPath('/token', {
        status: 200,
        body: { access_token: 'x', token_type: 'Bearer', id_token: idToken },
      })
      const { answer, fault } = await failed(browser, await browser.navigate(location(begun)))
      expect(answer.status).toBe(400)
      expect(fault).toContain('OAUTH_KEY_SELECTION')
    } finally {
      issuer.breakPath('/token', undefined)
      await other.stop()
    }
  })

  it('the provider is away at the exchange: 503, and the log says so', async () => {
    issuer.breakPath('/token', { status: 502, body: {} })
    try {
      const browser = gateway.browser()
      const { answer } = await failed(browser, await start(browser))
      expect(answer.status).toBe(503)
      expect(gateway.events.at(-1)).toMatchObject({
        event: 'sign_in',
        effect: 'error',
        reason: 'provider_unreachable',
      })
    } finally {
      issuer.breakPath('/token', undefined)
    }
  })

  it('no code, state, verifier or token gets into the log', async () => {
    issuer.breakPath('/token', { status: 400, body: { error: 'invalid_grant', error_description: 'no' } })
    try {
      const browser = gateway.browser()
      const begun = await browser.send(`${gateway.publicUrl}/auth/login?provider=oidc`)
      const { line } = await failed(browser, await browser.navigate(location(begun)))
      const query = new URL(location(begun)).searchParams
      for (const secret of [query.get('state'), query.get('nonce'), issuer.clientSecret]) {
        expect(line).not.toContain(secret)
      }
      expect(line).not.toMatch(/code=/)
    } finally {
      issuer.breakPath('/token', undefined)
    }
  })

  it('somebody who says no is told so', async () => {
    const browser = gateway.browser()
    const begun = await browser.send(`${gateway.publicUrl}/auth/login?provider=oidc`)
    const state = new URL(location(begun)).searchParams.get('state')
    const query = new URLSearchParams({ error: 'access_denied', state: state ?? '', iss: issuer.url })
    const answer = await browser.navigate(`${gateway.publicUrl}/auth/callback/oidc?${query}`)
    expect(answer.status).toBe(400)
    expect(answer.body).toContain('says you cancelled')
  })

  it.each([
    ['login_required', 'login_required'],
    ['no_grant ', 'other_error'],
    ['eyJhbGciOiJub25lIn0.e30.', 'other_error'],
    ['<script>alert(1)</script>', 'other_error'],
    ['x'.repeat(3000), 'other_error'],
  ])('what somebody calls an error themselves is not the reason on record: %s', async (error, reason) => {
    const browser = gateway.browser()
    const begun = await browser.send(`${gateway.publicUrl}/auth/login?provider=oidc`)
    const state = new URL(location(begun)).searchParams.get('state')
    const query = new URLSearchParams({ error, state: state ?? '', iss: issuer.url })
    await browser.navigate(`${gateway.publicUrl}/auth/callback/oidc?${query}`)
    expect(gateway.events.at(-1)).toMatchObject({ event: 'sign_in', effect: 'deny', reason })
  })

  it('begun at 127.0.0.1 while the public URL says localhost: the page explains', async () => {
    const local = await startIdentityApp({ issuer, publicUrl: 'http://localhost:8080' })
    try {
      const response = await fetch(`http://127.0.0.1:${local.port}/auth/callback/oidc?code=x&state=y`, {
        headers: { accept: 'text/html' },
      })
      expect(response.status).toBe(400)
      const page = await response.text()
      expect(page).toContain('127.0.0.1 for localhost')
      expect(page).toContain('go to http://localhost:8080/ instead')
      const begun = await (await fetch(`http://127.0.0.1:${local.port}/auth/login`)).text()
      expect(begun).toContain('href="http://localhost:8080/auth/login?provider=oidc')
    } finally {
      await local.stop()
    }
  })

  it.each([
    ['another state', (query: URLSearchParams) => query.set('state', 'x'.repeat(43))],
    ['no state', (query: URLSearchParams) => query.delete('state')],
    ['two states', (query: URLSearchParams) => query.append('state', 'x')],
    ['two codes', (query: URLSearchParams) => query.append('code', 'x')],
    ['another issuer (RFC 9207)', (query: URLSearchParams) => query.set('iss', 'https://evil.example')],
    ['no issuer', (query: URLSearchParams) => query.delete('iss')],
    ['another code', (query: URLSearchParams) => query.set('code', 'x')],
  ])('%s signs nobody in', async (_, change) => {
    const browser = gateway.browser()
    const page = await start(browser)
    const callback = await browser.navigate(
      new URL(/action="([^"]+)"/.exec(page.body)?.[1] ?? '', page.url).href,
      {
        ...{ method: 'POST', form: { login: 'admin' } },
        stop: (url) => url.pathname === '/auth/callback/oidc',
      },
    )
    const target = new URL(location(callback))
    change(target.searchParams)
    const answer = await browser.navigate(target.href)
    expect(answer.status).toBe(400)
    expect((await whoIs(browser)).status).toBe(401)
  })

  it('a callback that is loaded again does no harm', async () => {
    const browser = gateway.browser()
    const page = await start(browser)
    const callback = await browser.navigate(
      new URL(/action="([^"]+)"/.exec(page.body)?.[1] ?? '', page.url).href,
      {
        ...{ method: 'POST', form: { login: 'editor' } },
        stop: (url) => url.pathname === '/auth/callback/oidc',
      },
    )
    expect((await browser.send(location(callback))).status).toBe(302)
    const again = await browser.send(location(callback))
    expect(again.status).toBe(302)
    expect(location(again)).toBe('https://mlflow.example.org/')
    expect(await whoIs(browser)).toMatchObject({ status: 200, username: 'editor' })
  })
})

describe('a provider that is down when the gateway starts', () => {
  it('stops nobody else, and is found once it is there', async () => {
    const port = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo
        server.close(() => resolve(port))
      })
    })
    const other = await startIdentityApp({
      issuer,
      env: {
        OIDC_PROVIDERS: 'corp,late',
        OIDC_CORP_ISSUER: issuer.url,
        OIDC_CORP_CLIENT_ID: issuer.clientId,
        OIDC_LATE_ISSUER: `http://127.0.0.1:${port}`,
        OIDC_LATE_CLIENT_ID: issuer.clientId,
        OIDC_LATE_CLIENT_SECRET: issuer.clientSecret,
        ADMIN_USERS: 'late:admin',
      },
    })
    try {
      const page = await other.browser().send(`${other.publicUrl}/auth/login`)
      expect(page.body).toContain('Choose where you have an account')
      const browser = other.browser()
      const away = await browser.navigate(`${other.publicUrl}/auth/login?provider=late`)
      expect(away.status).toBe(503)
      const late = await startIssuer({ port, providerId: 'late', publicUrls: [other.publicUrl] })
      try {
        other.clock.offset += 3
        await signInAs(browser, { ...other, provider: 'late' }, 'editor')
        expect(await whoIs(browser, other.publicUrl)).toMatchObject({ provider: 'late', issuer: late.url })
      } finally {
        await late.stop()
      }
    } finally {
      await other.stop()
    }
  })
})

describe('field report 72: signing out', () => {
  const post = (browser: Browser, headers: Record<string, string>) =>
    browser.send(`${gateway.publicUrl}/auth/logout`, { method: 'POST', form: {}, headers })

  it('ends the session here and at the provider, and the next sign-in asks', async () => {
    const browser = gateway.browser()
    await signInAs(browser, gateway, 'editor')
    const cookie = browser.cookieHeader(gateway.publicUrl)
    const confirm = await browser.navigate(`${gateway.publicUrl}/auth/logout`)
    expect(confirm.body).toContain('<strong>editor</strong>')
    expect(String(confirm.headers['content-security-policy'])).toContain(`form-action 'self' ${issuer.url}`)
    const out = await post(browser, { origin: gateway.publicUrl })
    expect(out.status).toBe(303)
    expect(out.headers['clear-site-data']).toBe('"cache"')
    const target = new URL(location(out))
    expect(target.origin).toBe(issuer.url)
    expect(target.searchParams.get('id_token_hint')).toBeTruthy()
    expect(target.searchParams.get('post_logout_redirect_uri')).toBe(
      'https://mlflow.example.org/auth/signed-out',
    )
    expect((await gateway.who({ cookie })).status).toBe(401) // what was kept counts for nothing
    const atProvider = await browser.navigate(target.href)
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(atProvider.body)?.[1] ?? ''
    const signedOut = await browser.navigate(`${issuer.url}/session/end/confirm`, {
      ...{ method: 'POST', form: { xsrf, logout: 'yes' } },
    })
    expect(signedOut.url).toBe('https://mlflow.example.org/auth/signed-out')
    expect(signedOut.body).toContain('You are signed out')
    const next = await browser.navigate(`${gateway.publicUrl}/auth/login?provider=oidc`)
    expect(next.body).toContain('Example identity provider')
    expect(gateway.events.some(({ event, username }) => event === 'sign_out' && username === 'editor')).toBe(
      true,
    )
  })

  it.each([
    ['another site', { origin: 'https://evil.example' }],
    ['a page without origin', { origin: 'null' }],
    ['nobody says from where', {}],
    ['a sibling site', { 'sec-fetch-site': 'same-site' }],
  ])('cannot be forced: %s', async (_, headers: Record<string, string>) => {
    const browser = gateway.browser()
    await signInAs(browser, gateway, 'editor')
    expect((await post(browser, headers)).status).toBe(403)
    expect((await browser.send(`${gateway.publicUrl}/auth/logout`)).status).toBe(200) // a GET only asks
    expect(await whoIs(browser)).toMatchObject({ status: 200 })
  })

  it('works with the session token alone, and with nothing', async () => {
    const browser = gateway.browser()
    await signInAs(browser, gateway, 'editor')
    const token = browser.cookies()['__Host-gateway_token'] ?? ''
    const other = gateway.browser()
    other.setCookie(gateway.publicUrl, `__Host-gateway_token=${token}; Path=/; Secure`)
    expect((await post(other, { origin: gateway.publicUrl })).status).toBe(303)
    expect((await whoIs(browser)).status).toBe(401)
    const stranger = await post(gateway.browser(), { origin: gateway.publicUrl })
    expect(location(stranger)).toBe('https://mlflow.example.org/auth/signed-out')
  })

  it('asks again where the provider was not told', async () => {
    const page = await gateway.browser().send(`${gateway.publicUrl}/auth/signed-out`)
    expect(page.body).toContain('/auth/login?prompt=login')
    const login = await gateway.browser().send(`${gateway.publicUrl}/auth/login?provider=oidc&prompt=login`)
    expect(new URL(location(login)).searchParams.get('prompt')).toBe('login')
  })
})
