import type { Browser } from '../support/browserless-sign-in.ts'
import { createFact, type Fact } from './fact.ts'
import type { Level } from './requests.ts'

/** What a person is known by in one request. */
export type Credential = {
  readonly kind: 'session' | 'access token' | 'provider’s token'
  readonly isValid: Fact<boolean>
  readonly headers: () => Promise<Readonly<{ [name: string]: string }>>
  /** Keeps what came back, as a browser does. */
  readonly receive: (setCookies: readonly string[]) => void
}

export type Person = {
  readonly name: string
  /** On the shared experiment. */
  readonly level: Fact<Level>
  /** A run of their own in it. */
  readonly runId: string
  credential: Credential
}

/** @param publicUrl Where the browser signed in. */
export function sessionCredential(browser: Browser, publicUrl: string): Credential {
  return {
    kind: 'session',
    isValid: createFact(true),
    headers: async () => ({ cookie: browser.cookieHeader(`${publicUrl}/`), origin: publicUrl }),
    receive: (setCookies) => {
      for (const line of setCookies) browser.setCookie(`${publicUrl}/`, line)
    },
  }
}

export function tokenCredential(token: string): Credential {
  return bearer('access token', async () => token)
}

/** How long one of the provider's tokens is used, of the five minutes it is good for. */
const FRESH_FOR_MS = 120_000

/** Asks the provider for another in time. */
export function providerCredential(request: () => Promise<string>): Credential {
  let token: Promise<string> | undefined
  let asked = 0
  return bearer('provider’s token', () => {
    if (token === undefined || performance.now() - asked > FRESH_FOR_MS) {
      asked = performance.now()
      token = request()
    }
    return token
  })
}

function bearer(kind: Credential['kind'], token: () => Promise<string>): Credential {
  return {
    kind,
    isValid: createFact(true),
    headers: async () => ({ authorization: `Bearer ${await token()}` }),
    receive: () => undefined,
  }
}
