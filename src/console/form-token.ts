import { createHmac, timingSafeEqual } from 'node:crypto'
import { deriveKey } from '../identity/sealing.ts'

/** Ties a form to the browser session it was made for, so that no other site can have it sent (CSRF). */
export type FormTokens = {
  /** @param sessionId `sid` of the session. */
  readonly issue: (sessionId: string) => string
  readonly check: (sessionId: string, token: string | undefined) => boolean
}

/**
 * Form tokens are an HMAC of the session's id under a key of their own: nothing is kept, any replica can check them, and
 * they end with the session.
 *
 * @param secret `GATEWAY_SECRET`.
 */
export function createFormTokens(secret: string): FormTokens {
  const key = deriveKey(secret, 'form-token')
  const issue = (sessionId: string) => createHmac('sha256', key).update(sessionId).digest('base64url')
  return {
    issue,
    check: (sessionId, token) => {
      const expected = Buffer.from(issue(sessionId))
      const given = Buffer.from(token ?? '')
      return given.length === expected.length && timingSafeEqual(given, expected)
    },
  }
}
