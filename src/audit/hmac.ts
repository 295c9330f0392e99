import { createHmac, hash } from 'node:crypto'

const BLOCK_BYTES = 64
const DIGEST_BYTES = 32

/** Texts whose UTF-8 is surely no longer are hashed in place; most are a tenth of it. */
const BYTES_IN_PLACE = 16 * 1024

/**
 * HMAC-SHA-256 (RFC 2104), base64url, of a text's UTF-8: what `createHmac` gives. That makes an object of OpenSSL's for
 * each text, and the garbage collector's, which takes longer than the hashing; two hashes of known bytes need none.
 *
 * @param key 32 bytes.
 */
export function createHmacSha256(key: Buffer): (text: string) => string {
  if (key.length !== DIGEST_BYTES) throw new Error('the key is not of 32 bytes')
  const inner = Buffer.alloc(BLOCK_BYTES + BYTES_IN_PLACE)
  const outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES)
  for (let index = 0; index < BLOCK_BYTES; index += 1) {
    const byte = key[index] ?? 0
    inner[index] = byte ^ 0x36
    outer[index] = byte ^ 0x5c
  }
  return (text) => {
    if (text.length * 3 > BYTES_IN_PLACE) return createHmac('sha256', key).update(text).digest('base64url')
    const end = BLOCK_BYTES + inner.write(text, BLOCK_BYTES)
    outer.write(hash('sha256', inner.subarray(0, end), 'binary'), BLOCK_BYTES, 'latin1')
    return hash('sha256', outer, 'base64url')
  }
}
