import { describe, expect, it } from 'vitest'
import { qualifyName } from '../../src/config/qualified-name.ts'
import { readConfig } from '../../src/config.ts'
import { faultsOf, files, MINIMAL, problemsOf } from './environment.ts'

const SINGLE_AWAY = { OIDC_ISSUER: undefined, OIDC_CLIENT_ID: undefined, ADMIN_USERS: undefined }
const TWO = {
  ...SINGLE_AWAY,
  OIDC_PROVIDERS: 'corp, partner',
  OIDC_CORP_ISSUER: 'https://sso.example.org/realms/My%20Realm',
  OIDC_CORP_CLIENT_ID: 'mlflow',
  OIDC_CORP_LABEL: 'Company account',
  OIDC_PARTNER_ISSUER: 'https://partner.example.net/',
  OIDC_PARTNER_CLIENT_ID: 'gateway',
  OIDC_PARTNER_AUDIENCES: 'gateway,mlflow',
  OIDC_PARTNER_BEARER_ALGORITHMS: 'ES256',
  OIDC_PARTNER_ACCEPT_BEARER: 'false',
  OIDC_PARTNER_GROUPS_CLAIM: 'resource_access.my\\.app.roles',
}
const GOOGLE = { GOOGLE_CLIENT_ID: 'x.apps.googleusercontent.com', GOOGLE_CLIENT_SECRET: 'GOCSPX-x' }

const providersOf = (changes: Record<string, string | undefined>) =>
  readConfig({ ...MINIMAL, ...changes }, files()).providers

describe('which providers there are', () => {
  it('one without OIDC_PROVIDERS, called oidc', () => {
    expect(providersOf({})).toEqual([
      {
        id: 'oidc',
        kind: 'oidc',
        label: 'oidc',
        issuer: 'https://sso.example.org/realms/main',
        clientId: 'mlflow',
        clientSecret: undefined,
        scopes: 'openid profile email',
        groupsClaim: undefined,
        usernameClaim: 'preferred_username',
        audiences: ['mlflow'],
        bearerAlgorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
        acceptBearer: true,
        bearerSubjects: [],
        signIn: true,
        jwks: undefined,
        hostedDomain: undefined,
        serviceAccounts: [],
        allowHttpIssuer: false,
        allowedHosts: [],
        authorities: undefined,
      },
    ])
  })

  it('several, each with its own variables', () => {
    expect(providersOf(TWO)).toMatchObject([
      {
        id: 'corp',
        label: 'Company account',
        issuer: 'https://sso.example.org/realms/My%20Realm',
        audiences: ['mlflow'],
        acceptBearer: true,
      },
      {
        id: 'partner',
        label: 'partner',
        issuer: 'https://partner.example.net/',
        audiences: ['gateway', 'mlflow'],
        bearerAlgorithms: ['ES256'],
        acceptBearer: false,
        groupsClaim: 'resource_access.my\\.app.roles',
      },
    ])
  })

  it('Google beside them', () => {
    expect(providersOf({ ...GOOGLE, ADMIN_USERS: undefined }).map(({ id }) => id)).toEqual(['oidc', 'google'])
  })

  it('Google alone', () => {
    const changes = { ...SINGLE_AWAY, ...GOOGLE, GOOGLE_HOSTED_DOMAIN: 'example.org' }
    expect(providersOf({ ...changes, GOOGLE_SERVICE_ACCOUNTS: 'a@p.iam.gserviceaccount.com,1071' })).toEqual([
      expect.objectContaining({
        id: 'google',
        kind: 'google',
        label: 'Google',
        issuer: 'https://accounts.google.com',
        hostedDomain: 'example.org',
        serviceAccounts: ['a@p.iam.gserviceaccount.com', '1071'],
        audiences: ['x.apps.googleusercontent.com'],
        bearerAlgorithms: ['RS256'],
        acceptBearer: true,
        allowHttpIssuer: false,
      }),
    ])
  })

  it('warns that all of Google may come in', () => {
    expect(
      readConfig({ ...MINIMAL, ...SINGLE_AWAY, ...GOOGLE, ADMIN_GROUPS: 'a' }, files()).warnings,
    ).toEqual(['GOOGLE_HOSTED_DOMAIN is not set: everyone with a Google account can sign in'])
  })
})

describe('faults of providers', () => {
  it.each([
    ['none', SINGLE_AWAY, ['OIDC_ISSUER is not set, and neither is any other way to sign in']],
    ['half of one', { OIDC_ISSUER: undefined }, ['OIDC_ISSUER is not set']],
    [
      'listed, nothing set',
      { ...SINGLE_AWAY, OIDC_PROVIDERS: 'corp' },
      ['OIDC_CORP_ISSUER is not set', 'OIDC_CORP_CLIENT_ID is not set'],
    ],
    [
      'half of Google',
      { GOOGLE_CLIENT_ID: 'x', ADMIN_USERS: undefined },
      ['GOOGLE_CLIENT_SECRET is not set'],
    ],
    [
      'the reserved id',
      {
        ...TWO,
        OIDC_PROVIDERS: 'corp,partner,google',
        OIDC_GOOGLE_ISSUER: 'https://accounts.google.com',
        OIDC_GOOGLE_CLIENT_ID: 'x',
      },
      ['OIDC_PROVIDERS holds google'],
    ],
    [
      'one issuer twice',
      { ...TWO, OIDC_PARTNER_ISSUER: TWO.OIDC_CORP_ISSUER },
      ['OIDC_PARTNER_ISSUER is the issuer of the provider corp too'],
    ],
    [
      'Google configured twice',
      { ...GOOGLE, OIDC_ISSUER: 'https://accounts.google.com', ADMIN_USERS: undefined },
      ['GOOGLE_CLIENT_ID is the issuer of the provider oidc too'],
    ],
    [
      'an issuer with a query',
      { OIDC_ISSUER: 'https://sso.example.org?realm=x' },
      ['OIDC_ISSUER is not an https URL without user, query or fragment'],
    ],
    [
      'an unlisted provider',
      { ...TWO, OIDC_CORE_CLIENT_SECRET_FILE: '/x' },
      ['OIDC_CORE_CLIENT_SECRET_FILE belongs to the provider core, which OIDC_PROVIDERS does not list'],
    ],
    [
      'a provider without a list',
      { OIDC_CORP_ISSUER: 'https://x.example.org' },
      ['OIDC_CORP_ISSUER belongs to the provider corp, which OIDC_PROVIDERS does not list'],
    ],
    [
      'the single one beside a list',
      { ...TWO, OIDC_ISSUER: 'https://x.example.org' },
      ['OIDC_ISSUER is not read while OIDC_PROVIDERS is set'],
    ],
    [
      'a stand-in for Google in production',
      { ...GOOGLE, ADMIN_USERS: undefined, GOOGLE_ISSUER_FOR_TESTS_ONLY: 'http://127.0.0.1:9000' },
      ['GOOGLE_ISSUER_FOR_TESTS_ONLY is set in production'],
    ],
    [
      'a stand-in for Google elsewhere',
      {
        ...GOOGLE,
        ADMIN_USERS: undefined,
        NODE_ENV: 'test',
        GOOGLE_ISSUER_FOR_TESTS_ONLY: 'https://evil.example.org',
      },
      ['GOOGLE_ISSUER_FOR_TESTS_ONLY is not the URL of a loopback address'],
    ],
  ] as const)('%s', (_, changes, problems) => {
    expect(problemsOf(changes)).toEqual(problems)
  })

  it('takes a loopback stand-in for Google outside production', () => {
    const [, google] = providersOf({
      ...GOOGLE,
      ADMIN_USERS: undefined,
      NODE_ENV: 'test',
      GOOGLE_ISSUER_FOR_TESTS_ONLY: 'http://127.0.0.1:9000',
    })
    expect(google).toMatchObject({ issuer: 'http://127.0.0.1:9000', allowHttpIssuer: true })
  })
})

describe('a name at one provider is not a name at another', () => {
  it('qualifies bare names where there is one provider', () => {
    const config = readConfig(
      { ...MINIMAL, ADMIN_USERS: 'alice,oidc:bob', ADMIN_GROUPS: '/mlflow/admins' },
      files(),
    )
    expect(config.adminUsers).toEqual(['oidc:alice', 'oidc:bob'])
    expect(config.adminGroups).toEqual(['oidc:/mlflow/admins'])
  })

  it.each([
    [['corp'], 'alice', { name: 'corp:alice' }],
    [['corp'], 'corp:urn:mace:alice', { name: 'corp:urn:mace:alice' }],
    [['corp', 'google'], 'google:alice@example.org', { name: 'google:alice@example.org' }],
    [['corp', 'google'], 'alice', { problem: 'does not say which provider it is of' }],
    [['corp'], 'urn:mace:alice', { problem: 'begins with no configured provider' }],
    [['corp'], 'gogle:alice', { problem: 'begins with no configured provider' }],
    [['corp'], 'corp:', { problem: 'names nobody' }],
    [[], 'alice', { problem: 'does not say which provider it is of' }],
  ])('%j: %s', (ids, entry, expected) => {
    expect(qualifyName(entry, ids)).toEqual(expected)
  })

  it('is a fault that says which entry and how to write it', () => {
    expect(faultsOf({ ...TWO, ADMIN_USERS: 'corp:alice,bob' })).toEqual([
      {
        name: 'ADMIN_USERS',
        problem: 'has an entry (number 2) that does not say which provider it is of',
        remedy: 'Write it as corp:name; providers are corp, partner.',
      },
    ])
  })
})
