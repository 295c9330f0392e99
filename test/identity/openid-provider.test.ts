import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ProviderConfig } from '../../src/config.ts'
import { createOpenidProvider } from '../../src/identity/openid-provider.ts'
import { describeFault, type Provider } from '../../src/identity/provider.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'

let issuer: Issuer

beforeAll(async () => {
  issuer = await startIssuer()
})
afterAll(() => issuer.stop())

function provider(more: Partial<ProviderConfig> = {}, sent: Request[] = []): Provider {
  const config: ProviderConfig = {
    id: 'oidc',
    kind: 'oidc',
    label: 'Example',
    issuer: issuer.url,
    clientId: issuer.clientId,
    clientSecret: issuer.clientSecret,
    scopes: 'openid profile email',
    groupsClaim: 'groups',
    usernameClaim: 'preferred_username',
    audiences: [issuer.clientId],
    bearerAlgorithms: ['RS256'],
    acceptBearer: true,
    ...{ bearerSubjects: [], signIn: true, jwks: undefined },
    hostedDomain: undefined,
    serviceAccounts: [],
    allowHttpIssuer: true,
    allowedHosts: [],
    authorities: undefined,
    ...more,
  }
  const recording: typeof fetch = (input, init) => {
    sent.push(new Request(input, init))
    return fetch(input, init)
  }
  return createOpenidProvider({ config, fetch: recording, now: () => Math.floor(Date.now() / 1000) })
}

const EXPECTED = {
  redirectUri: 'https://g.example/auth/callback/oidc',
  state: 's',
  nonce: 'n',
  codeVerifier: 'v'.repeat(43),
}

/** Answers the exchange with these claims in ID Token, UserInfo and access token, as different providers spread them. */
async function answerWith(idToken: object, userInfo: object, accessToken?: object) {
  issuer.breakPath('/token', {
    status: 200,
    body: {
      token_type: 'Bearer',
      id_token: await issuer.signJwt({ sub: 'u', nonce: 'n', ...idToken }),
      access_token:
        accessToken === undefined
          ? 'opaque'
          : await issuer.signJwt({ sub: 'u', aud: 'account', ...accessToken }),
    },
  })
  issuer.breakPath('/me', { status: 200, body: { sub: 'u', ...userInfo } })
}

const finish = (each: Provider) =>
  each.finish(new URLSearchParams({ code: 'c', state: 's', iss: issuer.url }), EXPECTED).finally(() => {
    issuer.breakPath('/token', undefined)
    issuer.breakPath('/me', undefined)
  })

describe('where providers put groups', () => {
  it.each([
    ['in the ID Token', 'groups', { groups: ['a'] }, { groups: ['b'] }, undefined, ['a']],
    ['in the ID Token, empty', 'groups', { groups: [] }, { groups: ['b'] }, undefined, []],
    ['at the UserInfo endpoint', 'groups', {}, { groups: 'b' }, undefined, ['b']],
    [
      'in the access token, as Keycloak does',
      'realm_access.roles',
      {},
      {},
      { realm_access: { roles: ['c'] } },
      ['c'],
    ],
    [
      'in the access token, for one client',
      'resource_access.ml\\.flow.roles',
      { realm_access: { roles: ['x'] } },
      {},
      { resource_access: { 'ml.flow': { roles: ['c'] } } },
      ['c'],
    ],
    ['nowhere', 'groups', {}, {}, undefined, []],
    ['in the access token of somebody else', 'groups', {}, {}, { groups: ['c'], sub: 'other' }, []],
    [
      'in an access token of another issuer',
      'groups',
      {},
      {},
      { groups: ['c'], iss: 'https://evil.example' },
      [],
    ],
  ])('%s', async (_, groupsClaim, idToken, userInfo, accessToken, groups) => {
    await answerWith(idToken, userInfo, accessToken)
    expect(await finish(provider({ groupsClaim }))).toMatchObject({ subject: 'u', groups })
  })

  it('an access token that is not signed by the issuer says nothing', async () => {
    await answerWith({}, {})
    const [header = '', , signature = ''] = (await issuer.signJwt({})).split('.')
    const claims = Buffer.from(JSON.stringify({ iss: issuer.url, sub: 'u', exp: 9e9, groups: ['admins'] }))
    issuer.breakPath('/token', {
      status: 200,
      body: {
        token_type: 'Bearer',
        id_token: await issuer.signJwt({ sub: 'u', nonce: 'n' }),
        access_token: `${header}.${claims.toString('base64url')}.${signature}`,
      },
    })
    expect(await finish(provider())).toMatchObject({ groups: [] })
  })

  it('UserInfo of somebody else is refused (OIDC Core 1.0 §5.3.2)', async () => {
    await answerWith({}, { sub: 'other', groups: ['admins'] })
    await expect(finish(provider())).rejects.toMatchObject({ code: 'ERR_SIGN_IN_FAILED' })
  })

  it('nothing more is asked when the ID Token says all', async () => {
    const sent: Request[] = []
    await answerWith({ preferred_username: 'u', groups: [] }, {})
    await finish(provider({}, sent))
    expect(sent.filter(({ url }) => url.endsWith('/me'))).toEqual([])
  })
})

describe('what the ID Token must hold', () => {
  it.each([
    ['another audience', { aud: 'other' }],
    ['two audiences, authorized party another', { aud: ['mlflow-gateway', 'x'], azp: 'x' }],
    ['another nonce', { nonce: 'x' }],
    ['no nonce', { nonce: undefined }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['expired', { exp: 1 }],
    ['no subject', { sub: undefined }],
  ])('%s', async (_, claims) => {
    await answerWith(claims, {})
    await expect(finish(provider())).rejects.toMatchObject({ code: 'ERR_SIGN_IN_FAILED' })
  })
})

describe('the client', () => {
  it.each([
    ['Basic by default', {}, { authorization: /^Basic / }],
    ['none for a public client', { clientSecret: undefined }, {}],
  ])('authenticates: %s', async (_, more, headers: Record<string, RegExp>) => {
    const sent: Request[] = []
    await answerWith({ preferred_username: 'u', groups: [] }, {})
    await finish(provider(more, sent))
    const exchange = sent.find(({ url }) => url.endsWith('/token'))
    expect(exchange?.headers.get('authorization') ?? '').toMatch(headers['authorization'] ?? /^$/)
    const form = new URLSearchParams(await exchange?.text())
    expect(form.get('code_verifier')).toBe(EXPECTED.codeVerifier)
    expect(form.has('client_secret')).toBe(false)
  })

  it('asks for consent where offline access depends on it (OIDC Core 1.0 §11)', async () => {
    const request = { ...EXPECTED, askAgain: false }
    const prompt = async (scopes: string, askAgain: boolean) =>
      (await provider({ scopes }).authorizationUrl({ ...request, askAgain })).searchParams.get('prompt')
    expect(await prompt('openid', false)).toBeNull()
    expect(await prompt('openid offline_access', false)).toBe('consent')
    expect(await prompt('openid', true)).toBe('login')
    expect(await prompt('openid offline_access', true)).toBe('login consent')
  })

  it('hints whom to sign out only if the hint fits into a URL', async () => {
    const each = provider()
    const back = 'https://g.example/auth/signed-out'
    const short = await each.endSessionUrl('a.b.c', back)
    expect(short?.searchParams.get('id_token_hint')).toBe('a.b.c')
    const long = await each.endSessionUrl('x'.repeat(5000), back)
    expect(long?.searchParams.has('id_token_hint')).toBe(false)
    expect(long?.searchParams.get('client_id')).toBe(issuer.clientId)
  })

  it('finds out at the first use, once for many, and tries again after a fault', async () => {
    const sent: Request[] = []
    const each = provider({}, sent)
    expect(sent).toEqual([])
    await Promise.all(
      Array.from({ length: 5 }, () => each.authorizationUrl({ ...EXPECTED, askAgain: false })),
    )
    expect(sent).toHaveLength(1)
  })

  it('refuses metadata of another issuer, and plain http unless it is permitted', async () => {
    const ask = (each: Provider) => each.authorizationUrl({ ...EXPECTED, askAgain: false })
    await expect(ask(provider({ issuer: `${issuer.url}/other` }))).rejects.toMatchObject({
      code: 'ERR_PROVIDER_UNREACHABLE',
    })
    await expect(ask(provider({ allowHttpIssuer: false }))).rejects.toMatchObject({
      code: 'ERR_PROVIDER_UNREACHABLE',
      cause: expect.objectContaining({ message: expect.stringContaining('OAUTH_HTTP_REQUEST_FORBIDDEN') }),
    })
  })
})

describe('the slash at the end of an issuer', () => {
  it('is what the provider announces, however the variable spells it', async () => {
    const each = provider({ issuer: `${issuer.url}/` })
    await answerWith({ preferred_username: 'u', groups: [] }, {})
    expect((await finish(each)).issuer).toBe(issuer.url)
    expect(each.bearerIssuers).toContain(issuer.url)
    expect((await each.verifyBearer(await issuer.signJwt({ sub: 'u' }))).issuer).toBe(issuer.url)
    const other = await issuer.signJwt({ sub: 'u', iss: `${issuer.url}/` })
    await expect(each.verifyBearer(other)).rejects.toMatchObject({ code: 'ERR_INVALID_TOKEN' })
  })
})

describe('what may be logged of a fault', () => {
  it('is names the protocol defines, in one line, short', () => {
    const secret = 'c0de-and-t0ken'
    const fault = Object.assign(
      new Error(`failed for ${secret}`, { cause: { error: 'invalid_grant', body: secret } }),
      {
        code: 'OAUTH_RESPONSE_BODY_ERROR',
        status: 400,
        error_description: `a\nb${'x'.repeat(500)}`,
        response: { headers: { authorization: secret } },
      },
    )
    const { message } = describeFault(fault)
    expect(message).not.toContain(secret)
    expect(message).toContain('OAUTH_RESPONSE_BODY_ERROR status 400')
    expect(message).toContain('invalid_grant')
    expect(message).not.toContain('\n')
    expect(message.length).toBeLessThan(320)
  })
})
