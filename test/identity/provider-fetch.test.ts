/** What a provider's documents can make the gateway call, and how much of an answer it takes. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { ProviderConfig } from '../../src/config.ts'
import { createOpenidProvider } from '../../src/identity/openid-provider.ts'
import { createEgress } from '../../src/identity/provider-fetch.ts'
import { type Authority, type CertificateMaker, createCertificates } from '../support/certificates.ts'

const CONFIG = {
  issuer: 'https://sso.example.org/realms/main',
  allowedHosts: [],
  authorities: undefined,
  allowHttpIssuer: false,
}

const FULL: ProviderConfig = {
  ...CONFIG,
  ...{
    id: 'oidc',
    kind: 'oidc',
    label: 'Example',
    clientId: 'mlflow',
    clientSecret: undefined,
    scopes: 'openid',
  },
  ...{ groupsClaim: undefined, usernameClaim: 'name', audiences: ['mlflow'], bearerAlgorithms: ['RS256'] },
  ...{ acceptBearer: true, hostedDomain: undefined, serviceAccounts: [] },
  ...{ bearerSubjects: [], signIn: true, jwks: undefined },
}

const REQUEST = {
  ...{ redirectUri: 'https://g.example/auth/callback/oidc', state: 's', nonce: 'n', askAgain: false },
  codeVerifier: 'v'.repeat(43),
}

describe('the hosts that a provider’s documents may lead to', () => {
  it.each<[string, readonly string[], string, boolean]>([
    // What their discovery documents name.
    ['https://accounts.google.com', [], 'https://oauth2.googleapis.com/token', true],
    ['https://accounts.google.com', [], 'https://www.googleapis.com/oauth2/v3/certs', true],
    ['https://accounts.google.com', [], 'https://openidconnect.googleapis.com/v1/userinfo', true],
    [
      'https://login.microsoftonline.com/t/v2.0',
      [],
      'https://login.microsoftonline.com/t/oauth2/v2.0/token',
      true,
    ],
    ['https://login.microsoftonline.com/t/v2.0', [], 'https://graph.microsoft.com/oidc/userinfo', true],
    ['https://sts.windows.net/t/', [], 'https://login.microsoftonline.com/common/discovery/keys', true],
    ['https://login.microsoftonline.us/t/v2.0', [], 'https://graph.microsoft.us/oidc/userinfo', true],
    ['https://corp.okta.com/oauth2/default', [], 'https://corp.okta.com/oauth2/default/v1/keys', true],
    ['https://sso.example.org:8443/realms/main', [], 'https://sso.example.org:8443/realms/main/certs', true],
    [
      'https://cognito-idp.eu-central-1.amazonaws.com/p',
      [],
      'https://p.auth.eu-central-1.amazoncognito.com/oauth2/token',
      false,
    ],
    [
      'https://cognito-idp.eu-central-1.amazonaws.com/p',
      ['p.auth.eu-central-1.amazoncognito.com'],
      'https://p.auth.eu-central-1.amazoncognito.com/oauth2/token',
      true,
    ],
    // What a document may not lead to.
    ['https://sso.example.org', [], 'https://oauth2.googleapis.com/token', false],
    ['https://sso.example.org', [], 'https://169.254.169.254/latest/meta-data', false],
    ['https://sso.example.org', [], 'https://localhost/x', false],
    ['https://sso.example.org', [], 'https://sso.example.org.evil.example/x', false],
    ['https://sso.example.org', [], 'https://evil.example/sso.example.org', false],
    ['https://sso.example.org', [], 'https://sso.example.org@evil.example/x', false],
    ['https://sso.example.org', [], 'http://sso.example.org/x', false],
    ['https://sso.example.org', ['keys.example.org:8443'], 'https://keys.example.org/x', false],
    ['https://sso.example.org', ['keys.example.org:8443'], 'https://keys.example.org:8443/x', true],
    ['https://sso.example.org', [], 'file:///etc/passwd', false],
    ['https://sso.example.org', [], 'data:application/json,{}', false],
    ['https://sso.example.org', [], 'not a url', false],
  ])('%s %j → %s: %s', async (issuer, allowedHosts, url, expected) => {
    const asked: string[] = []
    const base: typeof fetch = async (input) => {
      asked.push(String(input))
      return new Response('{}')
    }
    const egress = createEgress({ ...CONFIG, issuer, allowedHosts }, base)
    expect(egress.permits(url)).toBe(expected)
    if (expected) await egress.fetch(url)
    else await expect(egress.fetch(url)).rejects.toThrow(TypeError)
    expect(asked).toEqual(expected ? [url] : [])
  })
})

describe('answers', () => {
  let server: Server
  let answer: (path: string) => [number, Record<string, string>, Buffer | undefined]
  const asked: string[] = []

  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url ?? '')
      const [status, headers, body] = answer(request.url ?? '')
      response.writeHead(status, headers)
      if (body === undefined) response.write('{')
      else response.end(body)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterEach(() => {
    asked.length = 0
  })

  afterAll(() => {
    server.closeAllConnections()
    server.close()
  })

  const ask = (init: RequestInit = {}) => {
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return createEgress({ ...CONFIG, issuer, allowHttpIssuer: true }, fetch).fetch(`${issuer}/keys`, init)
  }

  it('come whole, with status and headers', async () => {
    answer = () => [418, { 'content-type': 'application/json', 'x-y': 'z' }, Buffer.from('{"a":1}')]
    const response = await ask()
    expect(response.status).toBe(418)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json',
      'x-y': 'z',
    })
    expect(await response.json()).toEqual({ a: 1 })
  })

  it.each([204, 304])('without a body: %i', async (status) => {
    answer = () => [status, {}, Buffer.alloc(0)]
    expect((await ask()).status).toBe(status)
  })

  it.each(['/other', 'http://169.254.169.254/', 'https://evil.example/'])(
    'that redirect are not followed: %s',
    async (location) => {
      answer = () => [302, { location }, Buffer.alloc(0)]
      expect((await ask({ redirect: 'follow' })).status).toBe(302)
      expect(asked).toEqual(['/keys'])
    },
  )

  it.each([
    ['as they are', Buffer.alloc(1024 * 1024 + 1, 32), {}],
    ['when inflated', gzipSync(Buffer.alloc(64 * 1024 * 1024, 32)), { 'content-encoding': 'gzip' }],
  ])('that are too large are refused: %s', async (_, body, headers) => {
    answer = () => [200, headers, body]
    await expect(ask()).rejects.toThrow('the answer is too large')
  })

  it('that are as large as they may be', async () => {
    answer = () => [200, {}, Buffer.alloc(1024 * 1024, 32)]
    expect((await (await ask()).text()).length).toBe(1024 * 1024)
  })

  it('that do not end are given up with the caller’s patience', async () => {
    answer = () => [200, {}, undefined]
    await expect(ask({ signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout|aborted/)
  })
})

describe('a private authority', () => {
  let maker: CertificateMaker
  let authority: Authority
  let server: Server

  beforeAll(async () => {
    maker = createCertificates()
    authority = maker.authority('Internal CA')
    const { cert, key } = authority.issue()
    server = createTlsServer({ cert, key }, (request, response) => {
      const issuer = `https://${request.headers.host}`
      const endpoints = { authorization_endpoint: `${issuer}/authorize`, jwks_uri: `${issuer}/keys` }
      if (request.method === 'POST') request.pipe(response)
      else
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ issuer, ...endpoints }))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterAll(() => {
    server.closeAllConnections()
    server.close()
    maker.stop()
  })

  const issuerOf = () => `https://localhost:${(server.address() as AddressInfo).port}`

  const provider = (authorities: string | undefined) =>
    createOpenidProvider({ config: { ...FULL, issuer: issuerOf(), authorities }, fetch, now: () => 0 })

  const ask = (authorities: string | undefined) => {
    const issuer = issuerOf()
    const body = new URLSearchParams({ grant_type: 'x' })
    return createEgress({ ...CONFIG, issuer, authorities }, fetch).fetch(issuer, { method: 'POST', body })
  }

  it('is believed where it is named', async () => {
    expect(await (await ask(authority.cert)).text()).toBe('grant_type=x')
  })

  it('is enough to discover a provider by', async () => {
    expect(String(await provider(authority.cert).authorizationUrl(REQUEST))).toContain('/authorize?')
  })

  it.each([
    ['none', () => undefined],
    ['another', () => maker.authority('Other CA').cert],
  ])('is not believed otherwise: %s', async (_, authorities) => {
    await expect(ask(authorities())).rejects.toThrow(TypeError)
  })
})

describe('a discovery document', () => {
  const document = (changes: object) => ({
    issuer: 'https://sso.example.org',
    authorization_endpoint: 'https://login.example.net/authorize',
    token_endpoint: 'https://sso.example.org/token',
    jwks_uri: 'https://sso.example.org/keys',
    ...changes,
  })

  function discover(changes: object, allowedHosts: readonly string[] = []) {
    const asked: string[] = []
    const answer: typeof fetch = async (input) => {
      asked.push(String(input))
      return Response.json(document(changes))
    }
    const issuer = 'https://sso.example.org'
    const provider = createOpenidProvider({
      config: { ...FULL, issuer, allowedHosts },
      fetch: answer,
      now: () => 0,
    })
    return { asked, begun: provider.authorizationUrl(REQUEST) }
  }

  it.each([
    ['token_endpoint', 'https://169.254.169.254/token', '169.254.169.254'],
    ['jwks_uri', 'https://evil.example/keys', 'evil.example'],
    ['jwks_uri', 'http://sso.example.org/keys', 'sso.example.org'],
    ['userinfo_endpoint', 'https://localhost:6443/me', 'localhost:6443'],
    ['token_endpoint', 'no url', 'no host at all'],
  ])('that leads %s to %s stops the sign-in, and the log says why', async (name, url, host) => {
    const { asked, begun } = discover({ [name]: url })
    const fault = await begun.catch((reason: unknown) => reason)
    expect(fault).toMatchObject({ code: 'ERR_PROVIDER_UNREACHABLE', reason: 'host_not_allowed' })
    const { message, cause } = fault as Error & { cause: Error }
    expect(message).not.toContain(host)
    expect(cause.message).toContain(`${name} is at ${host}`)
    expect(cause.message).toContain('OIDC_ALLOWED_HOSTS')
    expect(asked).toEqual(['https://sso.example.org/.well-known/openid-configuration'])
  })

  it('may lead to hosts the operator names, and browsers anywhere', async () => {
    const { begun } = discover({ jwks_uri: 'https://keys.example.net/k' }, ['keys.example.net'])
    expect((await begun).origin).toBe('https://login.example.net')
  })
})
