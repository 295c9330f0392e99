import { createHmac, timingSafeEqual } from 'node:crypto'
import { sessionStoreId } from '../store/sessions.ts'
import { deriveKey } from './sealing.ts'

/** Signs session ids, so that a made-up one is recognised without asking the store. The shape @fastify/session takes. */
export type SessionCookies = {
  sign(sessionId: string): string
  unsign(cookie: string): { valid: boolean; renew: boolean; value: string | null }
  /** @returns What the store knows the session by; `undefined` if the cookie was not signed by us. */
  storeId(cookie: string): string | undefined
}

export function createSessionCookies(secret: string): SessionCookies {
  const key = deriveKey(secret, 'session-cookie')
  const sign = (sessionId: string) =>
    `${sessionId}.${createHmac('sha256', key).update(sessionId).digest('base64url')}`
  const unsign = (cookie: string) => {
    const dot = cookie.lastIndexOf('.')
    const value = dot > 0 ? cookie.slice(0, dot) : ''
    const expected = Buffer.from(sign(value))
    const actual = Buffer.from(cookie)
    const valid = dot > 0 && expected.length === actual.length && timingSafeEqual(expected, actual)
    return { valid, renew: false, value: valid ? value : null }
  }
  return {
    sign,
    unsign,
    storeId(cookie) {
      const { value } = unsign(cookie)
      return value === null ? undefined : sessionStoreId(value)
    },
  }
}
