import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { faultsOf, files, MINIMAL, problemsOf, SECRET } from './environment.ts'

describe('GATEWAY_SECRET', () => {
  it.each([
    ['', 'is not set'],
    ['short', 'is shorter than 32 characters'],
    ['changeme', 'still holds a placeholder'],
    ['change-me-to-the-output-of-openssl-rand-base64-48', 'still holds a placeholder'],
    ['please-replace-this-with-something-long-enough', 'is a placeholder'],
    ['my-very-long-password-that-nobody-will-guess-2026', 'is a placeholder'],
    ['a'.repeat(64), 'repeats itself'],
    ['0123456789abcdef'.repeat(3), 'repeats itself'],
    ['abcdefghijklmnopqrstuvwxyz0123456789', 'is not random'],
    [`${'ab'.repeat(20)}c`, 'is not random'],
  ])('%j %s', (value, problem) => {
    expect(problemsOf({ GATEWAY_SECRET: value })).toEqual([`GATEWAY_SECRET ${problem}`])
  })

  it.each([
    ['32 hexadecimal digits', 'd131dd02c5e6eec4693d9a0698aff95c'],
    ['64 hexadecimal digits', '4e07408562bedb8b60ce05c1decfe3ad16b72230967de01f640b7e4729b49fce'],
    ['base64', 'Vq3J9nQ2mX7pL0sRt8WzYb4NcH6fGdA1eUoIi5kKp+/R2w=='],
    ['a UUID pair', '3f2504e0-4f89-41d3-9a0c-0305e82c3301b5d1c1de-6f1b-4f7c-8e5d-1d2f3a4b5c6d'],
  ])('%s passes', (_, value) => {
    expect(problemsOf({ GATEWAY_SECRET: value })).toEqual([])
  })

  it('accepts what the remedy recommends, however the dice fall', () => {
    for (let round = 0; round < 500; round++) {
      const random = Buffer.from(crypto.getRandomValues(new Uint8Array(48))).toString('base64')
      expect(problemsOf({ GATEWAY_SECRET: random }), random).toEqual([])
    }
  })
})

describe('secrets from files', () => {
  const read = (changes: Record<string, string | undefined>, contents: Record<string, string>) =>
    readConfig({ ...MINIMAL, ...changes }, files(contents))

  it('takes the value without the newline that ends the file', () => {
    const changes = {
      GATEWAY_SECRET: undefined,
      GATEWAY_SECRET_FILE: '/run/a',
      OIDC_CLIENT_SECRET_FILE: '/run/b',
    }
    const config = read(changes, { '/run/a': `${SECRET}\n`, '/run/b': 's3cret \r\n' })
    expect(config.gatewaySecret).toBe(SECRET)
    expect(config.providers[0]?.clientSecret).toBe('s3cret ')
  })

  it('reads a file for providers of their own and Google too', () => {
    const { providers } = read(
      {
        OIDC_ISSUER: undefined,
        OIDC_CLIENT_ID: undefined,
        ADMIN_USERS: undefined,
        OIDC_PROVIDERS: 'corp',
        OIDC_CORP_ISSUER: 'https://sso.example.org',
        OIDC_CORP_CLIENT_ID: 'mlflow',
        OIDC_CORP_CLIENT_SECRET_FILE: '/run/corp',
        GOOGLE_CLIENT_ID: 'x.apps.googleusercontent.com',
        GOOGLE_CLIENT_SECRET_FILE: '/run/google',
      },
      { '/run/corp': 'one', '/run/google': 'two' },
    )
    expect(providers.map(({ id, clientSecret }) => [id, clientSecret])).toEqual([
      ['corp', 'one'],
      ['google', 'two'],
    ])
  })

  it.each([
    ['both set', { GATEWAY_SECRET_FILE: '/run/a' }, 'GATEWAY_SECRET and GATEWAY_SECRET_FILE are both set'],
    [
      'unreadable',
      { GATEWAY_SECRET: undefined, GATEWAY_SECRET_FILE: '/none' },
      'GATEWAY_SECRET_FILE names a file that cannot be read',
    ],
    [
      'empty: no public client by accident',
      { OIDC_CLIENT_SECRET_FILE: '/run/empty' },
      'OIDC_CLIENT_SECRET_FILE names a file that is empty',
    ],
    [
      'two lines',
      { OIDC_CLIENT_SECRET_FILE: '/run/two' },
      'OIDC_CLIENT_SECRET holds a line break or another control character',
    ],
    [
      'no file for what is no secret',
      { OIDC_CLIENT_ID_FILE: '/run/a' },
      'OIDC_CLIENT_ID_FILE is not a variable of the gateway',
    ],
  ])('%s', (_, changes, problem) => {
    expect(problemsOf(changes, { '/run/a': SECRET, '/run/empty': '\n', '/run/two': 'a\nb\n' })).toEqual([
      problem,
    ])
  })
})

describe('field report 31: shipped default password', () => {
  const example = parseEnv(readFileSync(new URL('../../.env.example', import.meta.url), 'utf8'))

  it.each(['production', 'development'])('.env.example unchanged does not start in %s', (environment) => {
    const nothing = Object.fromEntries(Object.keys(MINIMAL).map((name) => [name, undefined]))
    const faults = faultsOf({ ...nothing, ...example, NODE_ENV: environment })
    expect(faults.map(({ name, problem }) => `${name} ${problem}`).toSorted()).toEqual([
      'GATEWAY_SECRET still holds a placeholder',
      'OIDC_CLIENT_ID still holds a placeholder',
      'OIDC_CLIENT_SECRET still holds a placeholder',
      'OIDC_ISSUER still holds a placeholder',
      'PUBLIC_URL still holds a placeholder',
    ])
  })

  it.each([
    ['OIDC_CLIENT_SECRET', 'changeme'],
    ['OIDC_CLIENT_SECRET', 'Change_Me!'],
    ['GOOGLE_CLIENT_SECRET', 'change it'],
  ])('%s=%s is no secret', (name, value) => {
    expect(problemsOf({ [name]: value, GOOGLE_CLIENT_ID: 'x' })).toContain(
      `${name} still holds a placeholder`,
    )
  })
})
