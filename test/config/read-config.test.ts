import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Config, ConfigError, readConfig } from '../../src/config.ts'
import { files, MINIMAL, problemsOf, SECRET } from './environment.ts'

const read = (changes: Record<string, string | undefined> = {}): Config =>
  readConfig({ ...MINIMAL, ...changes }, files())

describe('defaults', () => {
  it('is closed, in production and without warnings', () => {
    expect(read()).toMatchObject({
      environment: 'production',
      host: '127.0.0.1',
      port: 8080,
      allowedHosts: ['mlflow.example.org'],
      databaseUrl: 'sqlite:./gateway.db',
      defaultPermission: 'NO_PERMISSIONS',
      sessionIdleTtl: 28_800,
      sessionAbsoluteTtl: 86_400,
      sessionTokenTtl: 300,
      accessTokenMaxTtl: 7_776_000,
      jsonBodyLimit: 10_485_760,
      trustAuthorship: true,
      workspaces: false,
      presignedUrls: false,
      auditStdout: true,
      auditFile: undefined,
      metricsPort: undefined,
      warnings: [],
    })
  })

  it('takes a blank variable as not set', () => {
    expect(read({ PORT: '', DEFAULT_PERMISSION: ' ', OIDC_CLIENT_SECRET: '', METRICS_PORT: '' })).toEqual(
      read(),
    )
  })
})

describe('every fault at once', () => {
  it('names each variable with what is wrong and what to do', () => {
    const problems = problemsOf({
      PUBLIC_URL: undefined,
      PORT: '80a',
      DEFAULT_PERMISSION: 'MANAGE',
      AUDIT_STDOUT: 'yes',
      OIDC_ISSUER: 'http://sso.example.org',
      GATEWAY_SECRET: 'short',
    })
    expect(problems).toEqual(
      [
        'PORT is not a whole number from 0 to 65535',
        'DEFAULT_PERMISSION is not one of NO_PERMISSIONS, READ, USE, EDIT',
        'AUDIT_STDOUT is not true or false',
        'PUBLIC_URL is not set',
        'OIDC_ISSUER is plain http, so that anyone on the way could sign in as anybody',
        'GATEWAY_SECRET is shorter than 32 characters',
      ].toSorted(byOrderOf(problems)),
    )
  })

  it('prints them one below the other', () => {
    const error = new ConfigError([{ name: 'PORT', problem: 'is not a number', remedy: 'Set it to one.' }])
    expect(error.message).toBe('The configuration has 1 fault:\n  PORT is not a number\n    Set it to one.')
  })
})

/** The set counts, not the order. */
function byOrderOf(order: readonly string[]): (a: string, b: string) => number {
  return (a, b) => order.indexOf(a) - order.indexOf(b)
}

describe('one spelling of each value', () => {
  it.each([
    ['PORT', '0x50'],
    ['PORT', '8080.0'],
    ['PORT', '-1'],
    ['PORT', '65536'],
    ['PORT', '1e3'],
    ['SESSION_IDLE_TTL', '8h'],
    ['SESSION_TOKEN_TTL', '0'],
    ['TRUSTED_AUTHORSHIP', 'True'],
    ['ALLOW_HTTP_ISSUER', '1'],
    ['NODE_ENV', 'prod'],
    ['LOG_LEVEL', 'silent'],
    ['DATABASE_URL', 'mysql://gateway@db/gateway'],
    ['DATABASE_URL', 'postgres://gateway@db/gateway?sslmode=prefer'],
    ['DATABASE_URL', 'postgres://gateway@db/gateway?sslmode=disable'],
    ['DATABASE_CA_FILE', '/nowhere'],
    ['OIDC_SCOPES', 'profile email'],
    ['OIDC_SCOPES', 'openid  email'],
    ['OIDC_BEARER_ALGORITHMS', 'RS256,HS256'],
    ['OIDC_BEARER_ALGORITHMS', 'none'],
    ['OIDC_BEARER_ALGORITHMS', ','],
    ['OIDC_CLIENT_ID', 'a\nb'],
    ['OIDC_PROVIDERS', 'corp,corp'],
    ['OIDC_PROVIDERS', 'Corp'],
    ['ALLOWED_HOSTS', '*.example.org'],
    ['ALLOWED_HOSTS', 'https://example.org'],
    ['ALLOWED_HOSTS', 'a b'],
  ])('%s=%j is refused', (name, value) => {
    expect(problemsOf({ [name]: value }).filter((problem) => problem.startsWith(`${name} `))).toHaveLength(1)
  })
})

describe('public and upstream URL', () => {
  it.each([
    ['https://mlflow.example.org', 'https://mlflow.example.org/'],
    ['https://mlflow.example.org/', 'https://mlflow.example.org/'],
    ['https://mlflow.example.org/ml/', 'https://mlflow.example.org/ml'],
    ['https://MLFLOW.example.org:8443/a/b', 'https://mlflow.example.org:8443/a/b'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/'],
    ['http://[::1]:8080', 'http://[::1]:8080/'],
  ])('%s is read as %s', (given, href) => {
    expect(read({ PUBLIC_URL: given }).publicUrl.href).toBe(href)
  })

  it.each([
    'mlflow.example.org',
    'ftp://mlflow.example.org',
    'https://user:password@mlflow.example.org',
    'https://mlflow.example.org/?a=b',
    'https://mlflow.example.org/#a',
    'https://mlflow.example.org/a/../b',
    'https://mlflow.example.org/a%2fb',
    'https://mlflow.example.org//a',
    'https:\\\\mlflow.example.org',
    'https://',
  ])('%s is refused for both', (url) => {
    const problem = 'is not an http or https URL without user, query, fragment or special characters'
    expect(problemsOf({ PUBLIC_URL: url })).toEqual([`PUBLIC_URL ${problem}`])
    expect(problemsOf({ UPSTREAM_URL: url })).toEqual([`UPSTREAM_URL ${problem}`])
  })

  it('refuses to be its own upstream', () => {
    expect(problemsOf({ UPSTREAM_URL: 'https://mlflow.example.org/x' })).toEqual([
      'UPSTREAM_URL is the gateway itself, by PUBLIC_URL',
    ])
  })
})

describe('field report 43: host header with a port', () => {
  it('keeps listed names as requests are compared with them', () => {
    const { allowedHosts } = read({ ALLOWED_HOSTS: 'MLFLOW.internal., 10.0.0.5:8080,[::1]' })
    expect(allowedHosts).toEqual(['mlflow.example.org', 'mlflow.internal', '10.0.0.5:8080', '[::1]'])
  })

  it('lists every spelling of loopback if the public URL is one, for the page that explains the difference', () => {
    expect(read({ PUBLIC_URL: 'http://localhost:8080' }).allowedHosts).toEqual([
      'localhost',
      '127.0.0.1',
      '[::1]',
    ])
  })
})

describe('field report 48: the name the tracking server is called by', () => {
  it.each([
    [{ UPSTREAM_URL: 'http://mlflow:5000' }, 'localhost'],
    [{ UPSTREAM_URL: 'https://mlflow.internal:8443' }, 'mlflow.internal:8443'],
    [{ UPSTREAM_URL: 'http://mlflow:5000', UPSTREAM_HOST: 'MLflow.internal:5000' }, 'mlflow.internal:5000'],
  ])('%j: %s', (env, host) => {
    expect(read(env).upstreamHost).toBe(host)
  })

  it.each(['mlflow internal', 'http://mlflow', '-:x'])('is not %j', (UPSTREAM_HOST) => {
    expect(() => read({ UPSTREAM_HOST })).toThrow(/UPSTREAM_HOST is no host name/)
  })
})

describe('dangerous switches', () => {
  it.each([
    [
      { PUBLIC_URL: 'http://mlflow.example.org' },
      'PUBLIC_URL is plain http, so that cookies and tokens can be read on the way',
      { ALLOW_HTTP_PUBLIC_URL: 'true' },
      'ALLOW_HTTP_PUBLIC_URL is on: cookies and tokens cross the network readable',
    ],
    [
      { OIDC_ISSUER: 'http://sso.example.org' },
      'OIDC_ISSUER is plain http, so that anyone on the way could sign in as anybody',
      { ALLOW_HTTP_ISSUER: 'true' },
      'ALLOW_HTTP_ISSUER is on: whoever sits between the gateway and the provider oidc can sign in as anybody',
    ],
  ])('%j is refused, and warned about once permitted', (change, problem, permission, warning) => {
    expect(problemsOf(change)).toEqual([problem])
    expect(read({ ...change, ...permission }).warnings).toEqual([warning])
  })

  it.each([
    [
      { ALLOW_PRESIGNED_URLS_THAT_OUTLIVE_REVOCATION: 'true' },
      'ALLOW_PRESIGNED_URLS_THAT_OUTLIVE_REVOCATION is on: presigned artifact URLs keep working after access has been revoked',
    ],
    [
      { DEFAULT_PERMISSION: 'READ' },
      'DEFAULT_PERMISSION gives everyone who can sign in READ on everything without a grant of their own',
    ],
    [
      { TRUSTED_AUTHORSHIP: 'false' },
      'TRUSTED_AUTHORSHIP is off: anyone who may create runs can name somebody else as their author',
    ],
    [
      { ADMIN_USERS: undefined },
      'ADMIN_USERS and ADMIN_GROUPS are empty: nobody is an administrator by configuration',
    ],
    [
      { PUBLIC_URL: 'http://127.0.0.1:8080' },
      'PUBLIC_URL is a loopback address: nobody can sign in from another machine',
    ],
  ])('%j warns', (change, warning) => {
    expect(read(change).warnings).toEqual([warning])
  })

  it('permits no http issuer that is https', () => {
    expect(read({ ALLOW_HTTP_ISSUER: 'true' }).providers[0]?.allowHttpIssuer).toBe(false)
  })
})

describe('what no single variable shows', () => {
  it.each([
    [{ SESSION_IDLE_TTL: '100000' }, 'SESSION_IDLE_TTL is longer than SESSION_ABSOLUTE_TTL'],
    [
      { SESSION_TOKEN_TTL: '600', SESSION_IDLE_TTL: '300' },
      'SESSION_TOKEN_TTL is longer than SESSION_IDLE_TTL',
    ],
    [{ METRICS_PORT: '8080' }, 'METRICS_PORT is the same as PORT'],
    [
      { AUDIT_STDOUT: 'false', AUDIT_STORE_DAYS: '0' },
      'AUDIT_STDOUT is false and no other place is left for audit events',
    ],
    [{ POLICY_FILE: '/nowhere' }, 'POLICY_FILE names a file that cannot be read'],
    [
      { REDIS_URL: 'redis://:password@redis.internal:6379' },
      'REDIS_URL sends the password and the sessions in plain text to another machine',
    ],
    [{ REDIS_URL: 'redis://:pa ss@[/' }, 'REDIS_URL is no URL'],
    [
      { REDIS_URL: 'rediss://redis:6379', REDIS_CA_FILE: '/nowhere' },
      'REDIS_CA_FILE names a file that cannot be read',
    ],
  ])('%j', (change, problem) => {
    expect(problemsOf(change)).toEqual([problem])
  })
})

it.each([
  [{ REDIS_URL: 'rediss://redis.internal:6379' }],
  [{ REDIS_URL: 'redis://127.0.0.1:6379' }],
  [{ REDIS_URL: 'redis://redis.internal:6379', ALLOW_PLAINTEXT_DATABASE: 'true' }],
])('%j is a Redis to use', (change) => {
  expect(read(change).redis).toEqual({ url: change.REDIS_URL, ca: undefined })
})

describe('no fault and no warning holds a value', () => {
  const names = [
    ...Object.keys(MINIMAL),
    'PORT',
    'LOG_LEVEL',
    'OIDC_CLIENT_SECRET',
    'DATABASE_URL',
    'ALLOWED_HOSTS',
  ]
  // Letters that occur in none of our sentences, so that finding them means finding the value.
  const value = fc.stringMatching(/^[ŽŠĆ]{4,40}$/)

  it('whatever is on whichever line', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 6 }), (pairs) => {
        let printed: string
        try {
          printed = read(Object.fromEntries(pairs)).warnings.join()
        } catch (error) {
          printed = JSON.stringify([error, String(error)])
        }
        expect(printed).not.toMatch(/[ŽŠĆ]/)
      }),
    )
  })

  it('nor the secret when something else is wrong', () => {
    expect(JSON.stringify(problemsOf({ PORT: 'x', GATEWAY_SECRET: `${SECRET}\n` }))).not.toContain(SECRET)
  })
})
