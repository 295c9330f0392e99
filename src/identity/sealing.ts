import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const IV_LENGTH = 12
const TAG_LENGTH = 16

/** Encrypts small texts for keeping: AES-256-GCM under a key of its own. */
export type Sealer = {
  /** @param context Where the text belongs, e.g. a key id; opening elsewhere fails. Authenticated, not stored. */
  seal(text: string, context: string): string
  /** @returns `undefined` if the text was sealed under another secret, for another context, or was changed. */
  open(sealed: string, context: string): string | undefined
}

/**
 * Derives a 32-byte key from `GATEWAY_SECRET` (HKDF-SHA-256, RFC 5869), so that no two purposes share one.
 *
 * @param purpose Never reused for another kind of data.
 */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'mlflow-auth-gateway', purpose, 32))
}

/** Makes a {@link Sealer} for one purpose. A sealed text is base64url of initialisation vector, tag and ciphertext. */
export function createSealer(secret: string, purpose: string): Sealer {
  const key = deriveKey(secret, purpose)
  return {
    seal(text, context) {
      const iv = randomBytes(IV_LENGTH)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(context))
      const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), ciphertext]).toString('base64url')
    },
    open(sealed, context) {
      const bytes = Buffer.from(sealed, 'base64url')
      if (bytes.length < IV_LENGTH + TAG_LENGTH) return undefined
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_LENGTH), {
        authTagLength: TAG_LENGTH,
      })
      decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(IV_LENGTH, IV_LENGTH + TAG_LENGTH))
      try {
        const text = Buffer.concat([
          decipher.update(bytes.subarray(IV_LENGTH + TAG_LENGTH)),
          decipher.final(),
        ])
        return text.toString('utf8')
      } catch {
        return undefined
      }
    },
  }
}
