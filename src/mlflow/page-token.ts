import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { GatewayError } from '../errors.ts'

/** A place in a list: MLflow's own token of a page (empty for the first), and how many of its rows are used up. */
export type Position = { readonly token: string; readonly skip: number }

export type PageTokens = {
  /** @param context What the token is good for: caller, operation and filter. */
  seal(position: Position, context: string): string
  /** @throws {GatewayError} `ERR_INVALID_PARAMETER` if it was not made here for this very context. */
  open(token: string, context: string): Position
}

const ALGORITHM = 'aes-256-gcm'
const IV_LENGTH = 12
const TAG_LENGTH = 16

/**
 * Page tokens that only we can read. MLflow's are plain base64 of an offset: they tell how many rows were hidden, and
 * anybody can make one.
 *
 * @param secret `GATEWAY_SECRET`; every replica has the same, so a token is good at each.
 */
export function createPageTokens(secret: string): PageTokens {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'mlflow-auth-gateway page token', 32))
  return {
    seal: ({ token, skip }, context) => {
      const iv = randomBytes(IV_LENGTH)
      const cipher = createCipheriv(ALGORITHM, key, iv).setAAD(Buffer.from(context))
      const sealed = Buffer.concat([cipher.update(`${skip}:${token}`), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')
    },
    open: (token, context) => {
      try {
        return parse(decrypt(key, Buffer.from(token, 'base64url'), context))
      } catch (cause) {
        throw new GatewayError(
          'ERR_INVALID_PARAMETER',
          'Invalid page_token: start again from the first page',
          { cause },
        )
      }
    },
  }
}

function decrypt(key: Buffer, sealed: Buffer, context: string): string {
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, IV_LENGTH), {
    authTagLength: TAG_LENGTH,
  })
  decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(IV_LENGTH, IV_LENGTH + TAG_LENGTH))
  return Buffer.concat([decipher.update(sealed.subarray(IV_LENGTH + TAG_LENGTH)), decipher.final()]).toString(
    'utf8',
  )
}

function parse(text: string): Position {
  const colon = text.indexOf(':')
  return { skip: Number(text.slice(0, colon)), token: text.slice(colon + 1) }
}
