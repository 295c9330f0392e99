import { describe, expect, it } from 'vitest'
import { cookieSettings, readCredentialHeaders, serializeCookie } from '../../src/identity/cookies.ts'

const PLAIN = cookieSettings(new URL('http://127.0.0.1:8080'))

describe('names and attributes come from the public URL', () => {
  it.each([
    ['https://mlflow.example.org', '__Host-gateway_session', '/', true],
    ['https://example.org/ml', '__Secure-gateway_session', '/ml/', true],
    ['http://127.0.0.1:8080', 'gateway_session', '/', false],
    ['http://127.0.0.1:8080/ml', 'gateway_session', '/ml/', false],
  ])('%s', (publicUrl, session, path, secure) => {
    const settings = cookieSettings(new URL(publicUrl))
    expect(settings.session).toBe(session)
    expect(settings.attributes).toEqual({ path, secure, httpOnly: true, sameSite: 'lax' })
  })

  it('writes every attribute', () => {
    const { attributes, token } = cookieSettings(new URL('https://mlflow.example.org'))
    expect(serializeCookie(token, 'a.b.c', attributes, 300)).toBe(
      '__Host-gateway_token=a.b.c; Max-Age=300; Path=/; HttpOnly; Secure; SameSite=Lax',
    )
  })
})

describe('reading credentials from raw headers', () => {
  it.each([
    [[], {}],
    [['Cookie', 'gateway_token=t'], { tokenCookie: 't' }],
    [['COOKIE', 'a=1; gateway_session=s.x; gateway_token=t'], { sessionCookie: 's.x', tokenCookie: 't' }],
    [['cookie', 'xgateway_token=no;  gateway_token=t ;b=2'], { tokenCookie: 't' }],
    [['cookie', 'a=gateway_token=no; gateway_token2=no'], {}],
    [['cookie', 'gateway_token='], { tokenCookie: '' }],
    [['cookie', 'a=1', 'cookie', 'gateway_token=t'], { tokenCookie: 't' }],
    [
      ['Authorization', 'Bearer x', 'cookie', 'gateway_token=t'],
      { authorization: 'Bearer x', tokenCookie: 't' },
    ],
  ])('%j', (rawHeaders, expected) => {
    const none = { authorization: undefined, tokenCookie: undefined, sessionCookie: undefined }
    expect(readCredentialHeaders(rawHeaders, PLAIN)).toEqual({ ...none, ...expected })
  })

  it.each([
    [['Authorization', 'Bearer x', 'authorization', 'Bearer x']],
    [['cookie', 'gateway_token=a; gateway_token=b']],
    [['cookie', 'gateway_token=a; gateway_token=a']],
    [['cookie', 'gateway_session=a', 'cookie', 'gateway_session=b']],
    [['cookie', 'gateway_token=; gateway_token=b']],
  ])('%j is ambiguous', (rawHeaders) => {
    expect(() => readCredentialHeaders(rawHeaders, PLAIN)).toThrow(
      expect.objectContaining({ code: 'ERR_AMBIGUOUS_REQUEST' }),
    )
  })
})
