import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { signInAs } from '../support/browserless-sign-in.ts'
import { type IdentityApp, startIdentityApp } from '../support/identity-app.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'

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

describe('signing in', () => {
  it('ends where one wanted to go, as the person the provider names', async () => {
    const browser = gateway.browser()
    const last = await signInAs(browser, { ...gateway, returnTo: '/#/experiments/1' }, 'editor')
    expect(last.headers['location']).toBe('https://mlflow.example.org/#/experiments/1')
    const who = await browser.send(`${gateway.publicUrl}/api/2.0/who`)
    expect(JSON.parse(who.body)).toMatchObject({
      username: 'editor',
      subject: 'editor',
      issuer: issuer.url,
      provider: 'oidc',
      groups: ['alpha-editors'],
      isAdmin: false,
      credential: { kind: 'session', form: 'cookie' },
    })
  })
})
