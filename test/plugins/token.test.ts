import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type SignedInApp, startSignedInApp } from '../console/signed-in.ts'
import { rawRequest } from '../support/raw-request.ts'

let app: SignedInApp
let ada: { cookie: string; userId: string }
let bob: { cookie: string; userId: string }

beforeAll(async () => {
  app = await startSignedInApp({ ACCESS_TOKEN_MAX_TTL: '604800' })
  ada = await app.signIn('ada')
  bob = await app.signIn('bob')
})

afterAll(() => app.close())

type Request = { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string }

async function send(path: string, { method = 'GET', headers = {}, body = '' }: Request = {}) {
  const all = {
    host: 'localhost:8080',
    connection: 'close',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  }
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  const response = await rawRequest(app.port, `${method} ${path} HTTP/1.1\r\n${head.join('')}\r\n${body}`)
  const text = response.body.toString()
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) }
}

const FORM = 'application/x-www-form-urlencoded'

/** What a browser sends with a form of our page. */
function form(fields: Record<string, string>, cookie = ada.cookie): Request {
  return {
    method: 'POST',
    headers: {
      cookie,
      origin: app.origin,
      'content-type': FORM,
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    },
    body: new URLSearchParams(fields).toString(),
  }
}

async function formToken(cookie = ada.cookie): Promise<string> {
  const { text } = await send('/auth/tokens', { headers: { cookie } })
  return /name="form_token" value="([^"]+)"/.exec(text)?.[1] ?? ''
}

function api(method: string, cookie: string, value?: unknown): Request {
  return {
    method,
    headers: {
      cookie,
      origin: app.origin,
      ...(value === undefined ? {} : { 'content-type': 'application/json' }),
    },
    body: value === undefined ? '' : JSON.stringify(value),
  }
}

async function works(token: string): Promise<number> {
  return (await send('/auth/api/v1/me', { headers: { authorization: `Bearer ${token}` } })).status
}

describe('the page', () => {
  it('sends people who are not signed in to the sign-in, and back', async () => {
    const response = await send('/auth/tokens', {
      headers: { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    })
    expect(response.status).toBe(302)
    expect(response.headers['location']).toEqual(['/auth/login?return_to=%2Fauth%2Ftokens'])
  })

  it('makes a token that works, shows it once, and revokes it at once', async () => {
    const form_token = await formToken()
    const made = await send('/auth/tokens', form({ form_token, name: 'nightly <b>', expires_in: '3600' }))
    expect(made.status).toBe(201)
    expect(made.headers['cache-control']).toEqual(['no-store'])
    expect(made.headers['content-security-policy']?.[0]).toContain("default-src 'none'")
    const token = /MLFLOW_TRACKING_TOKEN=([\w.-]+)/.exec(made.text)?.[1] ?? ''
    expect(made.text).toContain('MLFLOW_TRACKING_URI=http://localhost:8080')
    expect(made.text).toContain('nightly &lt;b&gt;')
    expect(made.text).not.toContain('nightly <b>')
    expect(await works(token)).toBe(200)

    const listed = await send('/auth/tokens', { headers: { cookie: ada.cookie } })
    expect(listed.text).toContain('nightly &lt;b&gt;')
    expect(listed.text).not.toContain(token)
    const [, id = ''] = /action="\/auth\/tokens\/([^/]+)\/revoke"/.exec(listed.text) ?? []
    const revoked = await send(`/auth/tokens/${id}/revoke`, form({ form_token }))
    expect([revoked.status, revoked.headers['location']]).toEqual([303, ['/auth/tokens']])
    expect(await works(token)).toBe(401)
    expect((await send('/auth/tokens', { headers: { cookie: ada.cookie } })).text).not.toContain(
      'nightly &lt;b',
    )
  })

  it('offers no life longer than what is allowed', async () => {
    const { text } = await send('/auth/tokens', { headers: { cookie: ada.cookie } })
    const offered = [...text.matchAll(/<option value="(\d+)"/g)].map(([, seconds]) => Number(seconds))
    expect(offered).toEqual([3600, 86_400, 604_800])
  })

  it.each([
    ['an empty name', { name: ' ', expires_in: '3600' }, 'name must be a text of 1 to 100 characters'],
    [
      'a long name',
      { name: 'x'.repeat(101), expires_in: '3600' },
      'name must be a text of 1 to 100 characters',
    ],
    [
      'a control character',
      { name: 'a\u0000', expires_in: '3600' },
      'name must be a text of 1 to 100 characters',
    ],
    ['no life', { name: 'a' }, 'expires_in must be a whole number of seconds'],
    ['a short life', { name: 'a', expires_in: '59' }, 'expires_in must be a whole number of seconds'],
    ['a life in words', { name: 'a', expires_in: '1e3' }, 'expires_in must be a whole number of seconds'],
    ['too long a life', { name: 'a', expires_in: '604801' }, 'expires_in is more than the 604800 seconds'],
  ])(
    'says what is wrong with %s, and keeps what was typed',
    async (_, fields: Record<string, string>, message) => {
      const response = await send('/auth/tokens', form({ form_token: await formToken(), ...fields }))
      expect(response.status).toBe(400)
      expect(response.text).toContain(message)
      if (fields['name'] === 'a')
        expect(response.text).toContain('name="name" required maxlength="100" autocomplete="off" value="a"')
      expect(await app.store.tokens.list(ada.userId)).toEqual(
        expect.not.arrayContaining([expect.objectContaining({ name: fields['name'] })]),
      )
    },
  )
})

describe('nobody else can send the forms', () => {
  it.each([
    ['no form token', {}, undefined, 403],
    ['a made-up form token', {}, 'x'.repeat(43), 403],
    ["another session's form token", {}, 'bob', 403],
    ['another origin', { origin: 'https://evil.example' }, 'ada', 403],
    ['the origin null', { origin: 'null' }, 'ada', 403],
    ['no origin', { origin: undefined }, 'ada', 403],
    ['no origin from another site', { origin: undefined, 'sec-fetch-site': 'cross-site' }, 'ada', 403],
    ['no origin from this site', { origin: undefined, 'sec-fetch-site': 'same-origin' }, 'ada', 201],
    ['JSON', { 'content-type': 'application/json' }, 'ada', 415],
    ['plain text', { 'content-type': 'text/plain' }, 'ada', 415],
  ])('%s', async (_, headers, whose, status) => {
    const form_token =
      whose === 'ada' ? await formToken() : whose === 'bob' ? await formToken(bob.cookie) : whose
    const request = form({
      name: 'forged',
      expires_in: '60',
      ...(form_token === undefined ? {} : { form_token }),
    })
    const sent = Object.fromEntries(
      Object.entries({ ...request.headers, ...headers }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    )
    const before = (await app.store.tokens.list(ada.userId)).length
    const response = await send('/auth/tokens', { ...request, headers: sent })
    expect(response.status).toBe(status)
    expect((await app.store.tokens.list(ada.userId)).length).toBe(before + (status === 201 ? 1 : 0))
  })

  it('a field given twice is refused', async () => {
    const request = form({ form_token: await formToken(), name: 'a', expires_in: '3600' })
    const response = await send('/auth/tokens', { ...request, body: `${request.body}&expires_in=604800` })
    expect(response.status).toBe(400)
    expect(response.text).toContain('given more than once')
  })
})

describe('the JSON API', () => {
  it('makes, lists and revokes', async () => {
    const made = await send(
      '/auth/api/v1/tokens',
      api('POST', ada.cookie, { name: 'ci', expires_in: 120, scope: 'read' }),
    )
    expect(made.status).toBe(201)
    expect(made.headers['cache-control']).toEqual(['no-store'])
    const { token, id, ...rest } = made.json()
    expect(rest).toEqual({ name: 'ci', scope: 'read', expires_at: expect.any(Number) })
    expect(await works(token)).toBe(200)
    const { tokens } = (await send('/auth/api/v1/tokens', api('GET', ada.cookie))).json()
    expect(tokens).toContainEqual(expect.objectContaining({ id, name: 'ci', scope: 'read' }))
    expect(JSON.stringify(tokens)).not.toContain(token)
    expect((await send(`/auth/api/v1/tokens/${id}`, api('DELETE', ada.cookie))).status).toBe(204)
    expect(await works(token)).toBe(401)
    expect((await send(`/auth/api/v1/tokens/${id}`, api('DELETE', ada.cookie))).status).toBe(404)
  })

  it.each([
    ['no name', { expires_in: 120 }, 'name must be'],
    ['a number as text', { name: 'a', expires_in: '120' }, 'expires_in must be'],
    ['another scope', { name: 'a', expires_in: 120, scope: 'write' }, 'scope must be read'],
    [
      'an unknown field',
      { name: 'a', expires_in: 120, user: 'bob' },
      'only name, expires_in, scope can be set',
    ],
    ['a list', [], 'must be a JSON object'],
  ])('%s → 400', async (_, body, message) => {
    const response = await send('/auth/api/v1/tokens', api('POST', ada.cookie, body))
    expect(response.status).toBe(400)
    expect(response.json().message).toContain(message)
  })

  it('shows and revokes only one’s own, and does not tell another’s from none', async () => {
    const { jti } = await app.accessTokens.create({ userId: bob.userId, name: 'of bob', scope: [], ttl: 600 })
    const { tokens } = (await send('/auth/api/v1/tokens', api('GET', ada.cookie))).json()
    expect(tokens.map(({ name }: { name: string }) => name)).not.toContain('of bob')
    const others = await send(`/auth/api/v1/tokens/${jti}`, api('DELETE', ada.cookie))
    const none = await send(
      '/auth/api/v1/tokens/6e1b0d6e-0000-4000-8000-000000000000',
      api('DELETE', ada.cookie),
    )
    const shape = ({ status, text }: typeof none) => [status, text.replace(/request id \w+/, '')]
    expect(shape(others)).toEqual(shape(none))
    expect((await app.store.tokens.get(jti))?.revokedAt).toBeUndefined()
  })
})

describe('field report 85: the content type has one reading', () => {
  const body = JSON.stringify({ name: 'a', expires_in: 60 })

  it.each([
    ['application/json', 201],
    ['application/json; charset=utf-8', 201],
    ['Application/JSON', 201],
    ['application/json;', 415],
    ['application/json ;charset=utf-8', 415],
    ['application/json\t;x', 415],
    ['application/json; charset=utf-16', 415],
    ['application/jsonx', 415],
    ['text/plain', 415],
    [undefined, 415],
  ])('%j → %d', async (type, status) => {
    const headers = {
      cookie: ada.cookie,
      origin: app.origin,
      ...(type === undefined ? {} : { 'content-type': type }),
    }
    const response = await send('/auth/api/v1/tokens', { method: 'POST', headers, body })
    expect(response.status).toBe(status)
    if (status === 415) expect(response.json().error_code).toBe('INVALID_PARAMETER_VALUE')
  })
})

describe('a token that leaked', () => {
  const wanted = JSON.stringify({ name: 'offspring', expires_in: 60 })

  it.each([
    ['Bearer', (token: string) => `Bearer ${token}`],
    ['Basic', (token: string) => `Basic ${Buffer.from(`ada:${token}`).toString('base64')}`],
  ])('cannot make another (%s), nor end another, nor open the page', async (_, authorization) => {
    const leaked = await app.accessTokens.create({ userId: ada.userId, name: 'leaked', scope: [], ttl: 600 })
    const other = await app.accessTokens.create({ userId: ada.userId, name: 'other', scope: [], ttl: 600 })
    const headers = { authorization: authorization(leaked.token), 'content-type': 'application/json' }
    const made = await send('/auth/api/v1/tokens', { method: 'POST', headers, body: wanted })
    expect([made.status, made.json().error_code]).toEqual([403, 'PERMISSION_DENIED'])
    const ended = await send(`/auth/api/v1/tokens/${other.jti}`, {
      method: 'DELETE',
      headers: { authorization: headers.authorization },
    })
    expect(ended.status).toBe(403)
    expect((await send('/auth/tokens', { headers: { authorization: headers.authorization } })).status).toBe(
      403,
    )
    const posted = await send('/auth/tokens', {
      method: 'POST',
      headers: { ...headers, 'content-type': FORM },
      body: 'name=a',
    })
    expect(posted.status).toBe(403)
  })

  it('can end itself', async () => {
    const { token, jti } = await app.accessTokens.create({
      userId: ada.userId,
      name: 'job',
      scope: ['read'],
      ttl: 600,
    })
    const headers = { authorization: `Bearer ${token}` }
    expect((await send(`/auth/api/v1/tokens/${jti}`, { method: 'DELETE', headers })).status).toBe(204)
    expect(await works(token)).toBe(401)
  })
})

it('a person has at most 100 tokens that work', async () => {
  const { cookie, userId } = await app.signIn('hoarder')
  for (let count = 0; count < 100; count += 1) {
    await app.accessTokens.create({ userId, name: `t${count}`, scope: [], ttl: 600 })
  }
  const refused = await send('/auth/api/v1/tokens', api('POST', cookie, { name: 'one more', expires_in: 60 }))
  expect([refused.status, refused.json().message]).toEqual([400, expect.stringContaining('revoke one first')])
})

it('puts tokens made and revoked on record, and no token into any log', async () => {
  const made = await send(
    '/auth/api/v1/tokens',
    api('POST', ada.cookie, { name: 'recorded', expires_in: 120 }),
  )
  const { token, id } = made.json()
  await send(`/auth/api/v1/tokens/${id}`, api('DELETE', ada.cookie))
  const ofToken = async () =>
    (await app.store.audit.query({ user: 'ada', limit: 20 }))
      .filter(
        ({ resources }) =>
          JSON.stringify(resources) === JSON.stringify([{ type: 'access_token', id, name: 'recorded' }]),
      )
      .map(({ event }) => event)
  await expect.poll(ofToken).toEqual(['token_revoked', 'token_created'])
  const record = JSON.stringify(await app.store.audit.query({ limit: 500 }))
  for (const secret of [token, ada.cookie.replace('gateway_token=', ''), await formToken()]) {
    expect(record + app.log.join('')).not.toContain(secret)
  }
})
