import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { deriveKey } from '../identity/sealing.ts'

/** The header of a question, and of its answer. */
export const MARK_HEADER = 'x-gateway-doctor'

/** Where a gateway answers, below PUBLIC_URL. */
export const MARK_PATH = '/auth/doctor'

/** A question counts this long, seconds to either side: whoever asks may want to know that the clocks differ. */
const VALID = 600

/** What a gateway says of how it was asked. */
export type MarkAnswer = {
  /** Which process answered; another one after each start. */
  readonly instance: string
  /** Seconds since the epoch, by its clock. */
  readonly at: number
  /** The other end of the connection. */
  readonly peer: string
  /** Whether TRUSTED_PROXIES holds it. */
  readonly isTrusted: boolean
  /** Whether the header of CLIENT_ADDRESS_HEADER was there. */
  readonly isForwarded: boolean
  /** Whom the request counts as. */
  readonly client: string
  /** False if a trusted proxy spoke for somebody who cannot be made out. */
  readonly isCertain: boolean
}

export type Question = { readonly value: string; readonly nonce: string }

/**
 * How `doctor` and a gateway know each other: each shows that it has the same GATEWAY_SECRET without telling it. To
 * everybody else there is nothing at the address.
 */
export type Mark = {
  /** @param now Seconds since the epoch. */
  ask(now: number): Question
  /** @returns The nonce of the question, if it is one of ours and of now. */
  read(value: string | undefined, now: number): string | undefined
  sign(nonce: string, body: string): string
  /** Whether the body is an answer to that question by a gateway with the same secret. */
  verify(nonce: string, body: string, signature: string): boolean
}

export function createMark(secret: string): Mark {
  const key = deriveKey(secret, 'doctor')
  const mac = (parts: readonly string[]) =>
    createHmac('sha256', key).update(JSON.stringify(parts)).digest('base64url')
  const sign = (nonce: string, body: string) => mac(['answer', nonce, body])
  return {
    ask(now) {
      const nonce = randomBytes(16).toString('base64url')
      return { nonce, value: `${now}.${nonce}.${mac(['question', `${now}`, nonce])}` }
    },
    read(value, now) {
      const [, at, nonce, given] = /^(\d{1,12})\.([\w-]{22})\.([\w-]{43})$/.exec(value ?? '') ?? []
      if (at === undefined || nonce === undefined || given === undefined) return undefined
      const isOurs = isSame(given, mac(['question', at, nonce]))
      return isOurs && Math.abs(now - Number(at)) <= VALID ? nonce : undefined
    },
    sign,
    verify: (nonce, body, signature) => isSame(signature, sign(nonce, body)),
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}
