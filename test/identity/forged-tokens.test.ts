import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { exportSPKI, importJWK, type JWK } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type IdentityApp, startIdentityApp } from '../support/identity-app.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'

let issuer: Issuer
let gateway: IdentityApp
let userId: string

beforeAll(async () => {
  issuer = await startIssuer()
  gateway = await startIdentityApp({ issuer, env: { OIDC_BEARER_ALGORITHMS: 'RS256' } })
  const person = await gateway.store.people.signIn({
    ...{ provider: 'oidc', issuer: issuer.url, subject: 'editor', username: 'editor', groups: [] },
  })
  userId = person.id
})
afterAll(async () => {
  await gateway.stop()
  await issuer.stop()
})

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const OWN = 'https://mlflow.example.org'

/** Claims that would be accepted if the signature were. */
function claims(more: Record<string, unknown> = {}) {
  const now = gateway.now()
  return { iss: OWN, aud: OWN, sub: userId, jti: 'made-up', iat: now, exp: now + 600, ...more }
}

function unsigned(header: Record<string, unknown>, payload: Record<string, unknown>, signature = '') {
  return `${encode(header)}.${encode(payload)}.${signature}`
}

function hmac(header: Record<string, unknown>, payload: Record<string, unknown>, secret: string | Buffer) {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

async function refusal(token: string) {
  gateway.log.length = 0
  const { status, body, headers } = await gateway.who({ authorization: `Bearer ${token}` })
  const line = gateway.log.map((text) => JSON.parse(text)).find((entry) => entry.msg === 'request refused')
  return {
    status,
    code: body['error_code'],
    challenge: headers.get('www-authenticate'),
    fault: line?.err.message as string,
  }
}

const REFUSED = {
  status: 401,
  code: 'UNAUTHENTICATED',
  challenge: expect.stringContaining('error="invalid_token"'),
}

describe('field report 33: tokens that sign themselves, as the gateway itself', () => {
  it.each(['none', 'None', 'NONE', 'nOnE', ''])('alg %j', async (alg) => {
    const { kid } = gateway.identity.keyring.current()
    const token = unsigned({ alg, typ: 'at+jwt', kid }, claims())
    expect(await refusal(token)).toMatchObject(REFUSED)
    expect(await refusal(unsigned({ alg, typ: 'at+jwt', kid }, claims(), 'AAAA'))).toMatchObject(REFUSED)
  })

  it('HS256 with the public key as the secret: PEM, DER, JWK', async () => {
    const { kid, publicJwk, publicKey } = gateway.identity.keyring.current()
    const pem = await exportSPKI(publicKey)
    const der = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')
    for (const secret of [pem, pem.trim(), der, JSON.stringify(publicJwk), kid]) {
      const answer = await refusal(hmac({ alg: 'HS256', typ: 'at+jwt', kid }, claims(), secret))
      expect(answer).toMatchObject({ ...REFUSED, fault: expect.stringContaining('ERR_JOSE_ALG_NOT_ALLOWED') })
    }
  })

  it('a key of its own, by header: jwk, jku, x5u, x5c, and under a known or unknown kid', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = publicKey.export({ format: 'jwk' })
    const { kid } = gateway.identity.keyring.current()
    const headers = [
      { jwk },
      { jwk, kid },
      { jku: 'https://evil.example/jwks.json', kid: 'evil' },
      { x5u: 'https://evil.example/cert.pem', kid },
      { x5c: ['AAAA'], kid },
      { kid },
      { kid: 'evil' },
      {},
    ]
    for (const header of headers) {
      const input = `${encode({ alg: 'ES256', typ: 'at+jwt', ...header })}.${encode(claims())}`
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
      expect(await refusal(`${input}.${signature.toString('base64url')}`)).toMatchObject(REFUSED)
    }
  })

  it('an unknown critical header, an empty or altered signature, altered claims', async () => {
    const { token } = await gateway.identity.accessTokens.create({ userId, name: 't', scope: [], ttl: 600 })
    const [header = '', payload = '', signature = ''] = token.split('.')
    expect((await gateway.who({ authorization: `Bearer ${token}` })).status).toBe(200)
    const other = Buffer.from(signature, 'base64url')
    other[10] = (other[10] ?? 0) ^ 1
    const changed = JSON.parse(Buffer.from(payload, 'base64url').toString())
    for (const forged of [
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}.${payload}.${other.toString('base64url')}`,
      `${header}.${encode({ ...changed, exp: changed.exp + 60 })}.${signature}`,
      `${header}.${encode({ ...changed, scope: 'admin' })}.${signature}`,
      `${encode({ ...JSON.parse(Buffer.from(header, 'base64url').toString()), crit: ['exp'] })}.${payload}.${signature}`,
      `${header}.${payload}.${signature}.${signature}`,
    ]) {
      expect(await refusal(forged)).toMatchObject(REFUSED)
    }
  })

  it('a good one in another spelling, which decodes to the same bytes', async () => {
    const { token } = await gateway.identity.accessTokens.create({ userId, name: 'x', scope: [], ttl: 600 })
    const [header, payload, signature = ''] = token.split('.')
    expect((await gateway.who({ authorization: `Bearer ${token}` })).status).toBe(200)
    const plus = signature.replaceAll('-', '+').replaceAll('_', '/')
    const spellings = [`${signature}=`, `${signature}==`, `${signature}~`, `.${signature}`, `~${signature}`]
    for (const other of plus === signature ? spellings : [...spellings, plus])
      expect(await refusal(`${header}.${payload}.${other}`)).toMatchObject(REFUSED)
  })

  it('the type of a session token used as an access token, and back', async () => {
    const sid = 'x'.repeat(43)
    const absolute = gateway.now() + 600
    await gateway.identity.sessions.write(sid, {
      ...{
        userId,
        provider: 'oidc',
        subject: 'editor',
        absoluteExpiresAt: absolute,
        groupsReadAt: gateway.now(),
      },
    })
    const session = await gateway.identity.sessionTokens.issue({ userId, sid, expiresAt: absolute })
    const { token } = await gateway.identity.accessTokens.create({ userId, name: 't', scope: [], ttl: 600 })
    const cookie = (value: string) => ({ cookie: `__Host-gateway_token=${value}` })
    expect((await gateway.who(cookie(session))).status).toBe(200)
    expect((await gateway.who({ authorization: `Bearer ${token}` })).status).toBe(200)
    expect((await gateway.who(cookie(token))).status).toBe(401)
    expect(await refusal(session)).toMatchObject({ ...REFUSED, fault: expect.stringContaining('"typ"') })
    expect((await gateway.who({ authorization: session })).status).toBe(401) // not even as it stands in the cache
    const basic = Buffer.from(`x:${session}`).toString('base64')
    expect((await gateway.who({ authorization: `Basic ${basic}` })).status).toBe(401)
  })
})

describe('field report 33: tokens that sign themselves, as a provider', () => {
  const person = (more: Record<string, unknown> = {}) => ({
    sub: 'editor',
    preferred_username: 'editor',
    ...more,
  })
  const issued = (more: Record<string, unknown> = {}) => {
    const now = gateway.now()
    return { iss: issuer.url, aud: issuer.clientId, ...person(), iat: now, exp: now + 600, ...more }
  }

  it('is told from the real ones', async () => {
    expect((await gateway.who({ authorization: `Bearer ${await issuer.signJwt(person())}` })).status).toBe(
      200,
    )
  })

  it.each(['none', 'None', 'NONE'])('alg %s', async (alg) => {
    expect(await refusal(unsigned({ alg, kid: 'loopback-1' }, issued()))).toMatchObject(REFUSED)
  })

  it('HS256 with the public key as the secret', async () => {
    const key = await importJWK(issuer.publicJwk as JWK, 'RS256', { extractable: true })
    if (key instanceof Uint8Array) throw new Error('not a key')
    const pem = await exportSPKI(key)
    for (const secret of [pem, JSON.stringify(issuer.publicJwk)]) {
      expect(await refusal(hmac({ alg: 'HS256', kid: 'loopback-1' }, issued(), secret))).toMatchObject({
        ...REFUSED,
        fault: expect.stringContaining('ERR_JOSE_ALG_NOT_ALLOWED'),
      })
    }
  })

  it.each([
    ['an algorithm of another family under its kid', { alg: 'ES256' }, 'ERR_JOSE_ALG_NOT_ALLOWED'],
    ['an unlisted RSA algorithm', { alg: 'RS512' }, 'ERR_JOSE_ALG_NOT_ALLOWED'],
    ['an unknown kid', { alg: 'RS256', kid: 'evil' }, 'ERR_JWKS_NO_MATCHING_KEY'],
    ['a critical header nobody knows', { alg: 'RS256', crit: ['x'], x: 1 }, 'ERR_JOSE_NOT_SUPPORTED'],
    ['a session token by type', { alg: 'RS256', typ: 'session+jwt' }, 'typ session+jwt'],
    ['a logout token by type', { alg: 'RS256', typ: 'logout+jwt' }, 'typ logout+jwt'],
  ])('%s', async (_, header, fault) => {
    const token = unsigned({ kid: 'loopback-1', ...header }, issued(), 'A'.repeat(342))
    expect(await refusal(token)).toMatchObject({ ...REFUSED, fault: expect.stringContaining(fault) })
  })

  it('the same key naming itself the gateway, and the gateway naming itself the provider', async () => {
    expect(await refusal(await issuer.signJwt(claims(), { typ: 'at+jwt' }))).toMatchObject(REFUSED)
    const { kid } = gateway.identity.keyring.current()
    expect(await refusal(await issuer.signJwt(claims(), { typ: 'at+jwt', kid }))).toMatchObject(REFUSED)
  })

  it('an issuer nobody configured is refused without asking it anything', async () => {
    const asked = issuer.requests.length
    const answer = await refusal(await issuer.signJwt({ ...person(), iss: 'https://evil.example' }))
    expect(answer).toMatchObject({ ...REFUSED, fault: expect.stringContaining('issuer') })
    expect(await refusal(await issuer.signJwt({ ...person(), iss: `${issuer.url}/` }))).toMatchObject(REFUSED)
    expect(await refusal(await issuer.signJwt({ ...person(), iss: undefined }))).toMatchObject(REFUSED)
    expect(issuer.requests.length).toBe(asked)
  })

  it('a logout token says what it is by its events', async () => {
    const events = { 'http://schemas.openid.net/event/backchannel-logout': {} }
    expect(await refusal(await issuer.signJwt({ ...person(), events }))).toMatchObject({
      ...REFUSED,
      fault: expect.stringContaining('a logout token'),
    })
  })

  it('text that is no JWT', async () => {
    for (const token of [
      'x',
      'a.b.c',
      '..',
      `${encode([])}.${encode([])}.x`,
      `${encode({ alg: 'RS256' })}.bnVsbA.x`,
    ]) {
      expect(await refusal(token)).toMatchObject(REFUSED)
    }
  })
})

describe('a stranger', () => {
  it('costs no store access, whatever is sent', async () => {
    const { kid } = gateway.identity.keyring.current()
    gateway.statements.length = 0
    await gateway.who()
    await gateway.who({ authorization: 'Bearer x' })
    await gateway.who({ authorization: `Bearer ${unsigned({ alg: 'none', kid }, claims())}` })
    await gateway.who({ cookie: '__Host-gateway_token=a.b.c' })
    await gateway.who({ cookie: '__Host-gateway_session=made-up.signature' })
    await gateway.who({ authorization: `Bearer ${await issuer.signJwt({ sub: 'x', aud: 'other' })}` })
    expect(gateway.statements.filter((sql) => !sql.includes('"changes"'))).toEqual([])
  })

  it('is told what to do, as JSON, and never redirected', async () => {
    const { status, body, headers } = await gateway.who()
    expect(status).toBe(401)
    expect(headers.get('www-authenticate')).toMatch(/^Bearer/)
    expect(body['error_code']).toBe('UNAUTHENTICATED')
    expect(body['message']).toContain('Set MLFLOW_TRACKING_TOKEN')
    expect(body['message']).toContain('https://mlflow.example.org/auth/tokens')
  })
})
