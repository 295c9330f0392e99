/** Set-ups that are broken in one way each: what is found is that, and nothing else. */
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { startIssuer } from '../support/issuer.ts'
import { freePort } from '../support/mlflow.ts'
import type { ScriptedAnswer } from '../support/upstream.ts'
import { type Changes, type SoundSetUp, startSoundSetUp, WELL } from './sound-set-up.ts'

let sound: SoundSetUp
beforeAll(async () => {
  sound = await startSoundSetUp()
}, 60_000)
afterAll(() => sound.stop())
afterEach(() => {
  sound.gateway.script(WELL)
  sound.issuer.breakPath(DISCOVERY, undefined)
  sound.issuer.breakPath('/jwks', undefined)
  sound.issuer.breakPath('/auth', undefined)
})

const DISCOVERY = '/.well-known/openid-configuration'

/** A server on loopback until the test ends. @returns Its address. */
async function serve(handler: RequestListener): Promise<string> {
  const server: Server = createServer(handler).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('finds nothing where nothing is wrong, and asks MLflow for nothing but to read', async () => {
  sound.gateway.upstream.forget()
  expect(await sound.news()).toEqual([])
  const levels = [...(await sound.diagnose()).values()].map(({ level }) => level)
  expect(levels.filter((level) => level === 'ok').length).toBeGreaterThan(20)
  expect(new Set(sound.gateway.upstream.requests.map(({ method }) => method))).toEqual(new Set(['GET']))
})

describe('a provider', () => {
  it('that is not there', async () => {
    const port = await freePort()
    expect(await sound.news({ env: { OIDC_ISSUER: `http://127.0.0.1:${port}` } })).toEqual([
      'fault provider oidc: discovery: oidc cannot be reached: nothing listens there',
    ])
  })

  it('whose discovery document is missing', async () => {
    sound.issuer.breakPath(DISCOVERY, { status: 404, body: {} })
    expect(await sound.news()).toEqual([
      'fault provider oidc: discovery: oidc has no discovery document: it answered 404',
    ])
  })

  /** The provider's own document, with one thing changed. */
  async function announce(changes: Readonly<Record<string, unknown>>): Promise<void> {
    sound.issuer.breakPath(DISCOVERY, undefined)
    const document = (await (await fetch(sound.issuer.url + DISCOVERY)).json()) as object
    sound.issuer.breakPath(DISCOVERY, { status: 200, body: { ...document, ...changes } })
  }

  it.each<[Readonly<Record<string, unknown>>, string]>([
    [
      { issuer: 'https://elsewhere.example' },
      'fault provider oidc: discovery: oidc says that its issuer is https://elsewhere.example',
    ],
    [{ issuer: undefined }, 'fault provider oidc: discovery: oidc says that its issuer is no text'],
    [
      { token_endpoint: 'https://tokens.elsewhere.example/token' },
      'fault provider oidc: endpoints: token_endpoint of oidc: at tokens.elsewhere.example, where the gateway does not go',
    ],
    [
      { userinfo_endpoint: 'http://169.254.169.254/latest' },
      'fault provider oidc: endpoints: userinfo_endpoint of oidc: at 169.254.169.254, where the gateway does not go',
    ],
    [
      { id_token_signing_alg_values_supported: ['HS256', 'none'] },
      'fault provider oidc: signatures: oidc signs ID tokens with HS256, none only',
    ],
    [
      { id_token_signing_alg_values_supported: ['ES512'] },
      'warning provider oidc: signatures: oidc signs with ES512, and none of these is accepted in bearer tokens',
    ],
    [
      { code_challenge_methods_supported: ['plain'] },
      'warning provider oidc: PKCE: oidc supports PKCE with plain only',
    ],
    [
      { scopes_supported: ['openid', 'email'] },
      'warning provider oidc: scopes: oidc does not list profile among its scopes',
    ],
  ])('that announces %j', async (changes, finding) => {
    await announce(changes)
    expect(await sound.news()).toEqual([finding])
  })

  it('without PKCE is one to warn of if nothing else protects the code', async () => {
    await announce({ code_challenge_methods_supported: undefined })
    expect(await sound.news()).toEqual([])
    expect(await sound.news({ env: { OIDC_CLIENT_SECRET: '' } })).toContain(
      'warning provider oidc: PKCE: oidc does not say that it supports PKCE',
    )
  })

  it('without keys', async () => {
    sound.issuer.breakPath('/jwks', { status: 500, body: {} })
    expect(await sound.news()).toEqual([
      'fault provider oidc: signatures: oidc gives no keys: its jwks_uri answered 500',
    ])
  })

  it('at which the redirect URI is not registered', async () => {
    const other = await startIssuer()
    onTestFinished(other.stop)
    expect(await sound.news({ env: { OIDC_ISSUER: other.url } })).toEqual([
      `fault provider oidc: redirect URI: oidc does not take the redirect URI ${sound.gateway.url}/auth/callback/oidc`,
    ])
  })

  it.each<[string, { status: number; body: unknown }, string | undefined]>([
    [
      'Entra',
      { status: 200, body: 'AADSTS50011: The redirect URI specified ...' },
      'oidc does not take the redirect URI',
    ],
    [
      'Keycloak',
      { status: 400, body: 'Invalid parameter: redirect_uri' },
      'oidc does not take the redirect URI',
    ],
    [
      'Entra',
      { status: 400, body: 'AADSTS700016: Application ... was not found' },
      'oidc does not know the client',
    ],
    ['anybody', { status: 500, body: 'oops' }, 'oidc answered 500 to the beginning of a sign-in'],
    ['a page for people', { status: 200, body: 'Please sign in' }, undefined],
  ])('is understood in the words of %s: %j', async (_who, answer, what) => {
    sound.issuer.breakPath('/auth', answer)
    const { name, ...finding } = (await sound.diagnose()).get('provider oidc: redirect URI') ?? { name: '' }
    if (what === undefined)
      expect(finding).toMatchObject({ level: 'ok', what: expect.stringContaining('must be registered at') })
    else expect(finding).toMatchObject({ what: expect.stringContaining(what) })
    expect(name).toBe('provider oidc: redirect URI')
  })

  it('that does not know the client, or its secret', async () => {
    expect(await sound.news({ env: { OIDC_CLIENT_SECRET: 'not-the-secret-of-this-client' } })).toEqual([
      'fault provider oidc: client: oidc refuses the client: invalid_client',
    ])
    expect(await sound.news({ env: { OIDC_CLIENT_ID: 'somebody-else' } })).toEqual([
      'fault provider oidc: redirect URI: oidc does not know the client',
      'fault provider oidc: client: oidc refuses the client: invalid_client',
    ])
  })
})

describe('an issuer of machines', () => {
  const announced = {
    authorization_endpoint: undefined,
    token_endpoint: undefined,
    scopes_supported: undefined,
    code_challenge_methods_supported: undefined,
  }

  it('is not asked for what a sign-in needs', async () => {
    const document = (await (await fetch(sound.issuer.url + DISCOVERY)).json()) as object
    sound.issuer.breakPath(DISCOVERY, { status: 200, body: { ...document, ...announced } })
    expect((await sound.news()).length).toBeGreaterThan(0)
    expect(await sound.news({ env: { OIDC_SIGN_IN: 'false', OIDC_CLIENT_SECRET: '' } })).toEqual([])
  })

  it('whose keys are in a file is not asked for anything', async () => {
    const port = await freePort()
    const file = join(sound.folder, 'keys.json')
    writeFileSync(file, JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: 'A' }] }), { mode: 0o600 })
    const env = {
      ...{ OIDC_SIGN_IN: 'false', OIDC_CLIENT_SECRET: '', OIDC_JWKS_FILE: file },
      OIDC_ISSUER: `http://127.0.0.1:${port}`,
    }
    expect(await sound.news({ env })).toEqual([])
  })
})

describe('a clock', () => {
  it.each([
    [-60_000, 'fault', '60 s ahead of'],
    [60_000, 'fault', '60 s behind'],
    [-10_000, 'warning', '10 s ahead of'],
  ])('that is %i ms off here', async (offMs, level, how) => {
    const found = await sound.news({ setup: { nowMs: () => Date.now() + offMs } })
    const roughly = found.map((line) =>
      line.replace(/\b(?:9|10|11) s/, '10 s').replace(/\b(?:59|60|61) s/, '60 s'),
    )
    expect(roughly).toEqual([
      `${level} provider oidc: clock: the clock of oidc is ${how} this machine's`,
      `${level} public URL: clock: the clock of the gateway is ${how} this machine's`,
    ])
  })
})

describe('MLflow', () => {
  it('whose artifact server is not there', async () => {
    const env = { UPSTREAM_ARTIFACTS_URL: `http://127.0.0.1:${await freePort()}` }
    expect(await sound.news({ env })).toEqual([
      'fault MLflow: artifacts: the artifact server cannot be reached: nothing listens there',
    ])
    expect(await sound.news({ env: { UPSTREAM_ARTIFACTS_URL: sound.gateway.upstream.url } })).toEqual([])
  })

  const search = (answer: ScriptedAnswer) => ({ ...WELL, 'GET /api/2.0/mlflow/experiments/search': answer })

  it.each<[string, Parameters<SoundSetUp['gateway']['script']>[0], string]>([
    [
      'that is not well',
      { ...WELL, 'GET /health': { status: 500 } },
      'fault MLflow: answers: the tracking server answered 500 to /health',
    ],
    [
      'that says no version',
      { ...WELL, 'GET /version': { status: 404 } },
      'warning MLflow: version: the tracking server does not say its version (status 404)',
    ],
    [
      'that is newer',
      { ...WELL, 'GET /version': { body: '4.0.0' } },
      'warning MLflow: version: MLflow 4.0.0 is newer than the versions the catalogue knows',
    ],
    [
      'that is older',
      { ...WELL, 'GET /version': { body: '2.10.0' } },
      'warning MLflow: version: MLflow 2.10.0 is older than the versions the catalogue knows',
    ],
    [
      'that refuses the name',
      search({ status: 403, body: 'Invalid Host header - possible DNS rebinding attack detected' }),
      'fault MLflow: host check: the tracking server refuses requests for the host localhost',
    ],
    [
      'that has a door of its own',
      search({ status: 401, body: 'You are not authenticated' }),
      'fault MLflow: host check: the tracking server wants credentials of its own (status 401)',
    ],
    [
      'whose database is away',
      search({ status: 500, body: {} }),
      'fault MLflow: host check: the tracking server answered 500 to a search for experiments',
    ],
  ])('%s', async (_what, script, finding) => {
    sound.gateway.script(script)
    expect(await sound.news()).toEqual([finding])
  })

  it('that is not there', async () => {
    const port = await freePort()
    expect(await sound.news({ env: { UPSTREAM_URL: `http://127.0.0.1:${port}` } })).toEqual([
      'fault MLflow: answers: the tracking server cannot be reached: nothing listens there',
    ])
  })

  it('that listens on another address of this machine too', async () => {
    const { url, port } = sound.gateway.upstream
    expect(await sound.news({ setup: { ownAddresses: ['127.0.0.1', '127.0.0.9'] } })).toEqual([
      `fault MLflow: not on other addresses of this machine: MLflow answers everybody at ${url}`,
    ])
    expect(url).toBe(`http://127.0.0.1:${port}`)
  })

  it('that answers at the host of PUBLIC_URL', async () => {
    const { port } = sound.gateway.upstream
    const found = await sound.news(calledPublicly())
    expect(found).toContain(
      `fault MLflow: not beside the gateway: MLflow answers without a sign-in at http://mlflow.example.org:${port}`,
    )
  })

  it('that is at an address of the internet', async () => {
    const env = { UPSTREAM_URL: 'http://203.0.113.9:5000' }
    expect(await sound.news({ env })).toContain(
      'warning MLflow: way to it: the tracking server is at 203.0.113.9, an address of the internet, by plain http',
    )
  })
})

/** PUBLIC_URL is a name that leads to this machine. */
function calledPublicly(more: Readonly<Record<string, string>> = {}): Changes {
  const toHere: typeof fetch = (input, init) =>
    fetch(String(input).replace('//mlflow.example.org', '//127.0.0.1'), init)
  const env = {
    PUBLIC_URL: `http://mlflow.example.org:${sound.gateway.port}`,
    ALLOW_HTTP_PUBLIC_URL: 'true',
    ...more,
  }
  return { env, setup: { fetch: toHere } }
}

describe('PUBLIC_URL', () => {
  it('that is plain http, in development', async () => {
    expect(await sound.news(calledPublicly())).toEqual(
      expect.arrayContaining([
        'warning environment: mode: NODE_ENV is not production',
        'warning public URL: cookies: PUBLIC_URL is plain http, so cookies are not Secure',
      ]),
    )
  })

  it('that nothing listens at', async () => {
    const env = { PUBLIC_URL: `http://127.0.0.1:${await freePort()}` }
    expect(await found(env)).toBe('fault: PUBLIC_URL does not answer from here: nothing listens there')
  })

  it('that leads to MLflow itself', async () => {
    sound.gateway.script({ ...WELL, '*': { body: 'a page of MLflow' } })
    const server = await serve((_request, response) => void response.end('a page of MLflow'))
    expect(await found({ PUBLIC_URL: server })).toBe(
      'fault: something else than the gateway answers at PUBLIC_URL (status 200)',
    )
  })

  it.each<[number, Readonly<Record<string, string>>, string]>([
    [
      301,
      { location: 'https://mlflow.example.org/x' },
      'fault: PUBLIC_URL answers with a redirect to https://mlflow.example.org',
    ],
    [503, {}, 'fault: what stands in front of the gateway answered 503'],
    [421, {}, 'fault: PUBLIC_URL leads to a gateway that is not called so: it answered 421'],
  ])('at which a proxy answers %i', async (status, headers, finding) => {
    const server = await serve((_request, response) => void response.writeHead(status, headers).end())
    expect(await found({ PUBLIC_URL: server })).toBe(finding)
  })

  it('that leads to a gateway with another secret; and nobody can pretend to have it', async () => {
    const other = { GATEWAY_SECRET: 'Zk2vJ7nQ1mX5pL8sTt3WzYb6NcH9fGdA4eUoIi0k' }
    expect(await sound.news({ env: other })).toEqual([
      'fault store: secret: the store was made with another GATEWAY_SECRET',
      'fault public URL: leads to this gateway: PUBLIC_URL leads to a gateway that does not know this GATEWAY_SECRET',
    ])
    const replay = await serve((request, response) => {
      response.setHeader(
        'x-gateway-doctor',
        String(request.headers['x-gateway-doctor']).split('.').at(-1) ?? '',
      )
      response.end(JSON.stringify({ instance: 'x', peer: '127.0.0.1', client: '127.0.0.1', at: 0 }))
    })
    expect(await found({ PUBLIC_URL: replay })).toMatch(/^fault: something else than the gateway/)
  })

  async function found(env: Readonly<Record<string, string>>): Promise<string> {
    const result = (await sound.diagnose({ env })).get('public URL: leads to this gateway')
    return `${result?.level}: ${result?.what}`
  }
})

describe('the environment', () => {
  it.each<[Changes, string]>([
    [{ env: { NODE_OPTIONS: '--tls-keylog=/tmp/keys' } }, 'fault environment: Node: --tls-keylog is set'],
    [
      { env: { NODE_OPTIONS: '--insecure-http-parser' } },
      'fault environment: Node: NODE_OPTIONS holds --insecure-http-parser',
    ],
    [{ env: { NODE_DEBUG: 'http' } }, 'fault environment: Node: NODE_DEBUG is set'],
    [
      { env: { HTTPS_PROXY: 'http://proxy:3128' } },
      'warning environment: proxy: HTTPS_PROXY is set, and Node does not look at it',
    ],
    [
      { setup: { uid: 0 } },
      'warning environment: user: it runs as root, and the gateway does too if it is started as this command is',
    ],
    [
      { env: { DEFAULT_PERMISSION: 'READ' } },
      'warning configuration: warning 2: DEFAULT_PERMISSION gives everyone who can sign in READ on everything without a grant of their own',
    ],
  ])('%j', async (changes, finding) => {
    expect(await sound.news(changes)).toEqual([finding])
  })
})

describe('a further tracking server (UPSTREAMS)', () => {
  it('is looked at likewise, at its own address', async () => {
    const staging = await startSoundSetUp()
    onTestFinished(staging.stop)
    const env = {
      UPSTREAMS: 'staging',
      UPSTREAM_STAGING_URL: staging.gateway.upstream.url,
      // No gateway is told of it here: what stands at the address is the main one.
      UPSTREAM_STAGING_PUBLIC_URL: `${sound.gateway.url}/staging`,
    }
    staging.gateway.script({ ...WELL, 'GET /health': { status: 500 } })
    expect(await sound.news({ env })).toEqual([
      'fault MLflow staging: answers: the tracking server answered 500 to /health',
      'fault public URL staging: leads to this gateway: PUBLIC_URL leads to a gateway that does not know this GATEWAY_SECRET',
    ])
    const uri = (await sound.diagnose({ env })).get('provider oidc: redirect URI of staging')
    expect(uri).toMatchObject({
      level: 'ok',
      what: `oidc takes the redirect URI ${sound.gateway.url}/staging/auth/callback/oidc`,
    })
  })
})
