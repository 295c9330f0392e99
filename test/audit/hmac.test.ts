import { createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createHmacSha256 } from '../../src/audit/hmac.ts'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes))

it('gives what createHmac gives, whatever the key and the texts, one after the other', () => {
  // Halves of a pair, of which UTF-8 has none, among them.
  const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code))
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ unit }))
  fc.assert(
    fc.property(key, fc.array(text, { minLength: 1, maxLength: 4 }), (key, texts) => {
      const hmac = createHmacSha256(key)
      const expected = texts.map((text) => createHmac('sha256', key).update(text).digest('base64url'))
      expect(texts.map(hmac)).toEqual(expected)
    }),
  )
})

it.each(['a', 'ä', '語', '😀'])('gives it for texts of %s as short and as long as may be', (character) => {
  const key = randomBytes(32)
  const hmac = createHmacSha256(key)
  for (const length of [0, 1, 54, 55, 56, 63, 64, 65, 2730, 2731, 5461, 5462, 16_384, 100_000]) {
    const text = character.repeat(length)
    expect(hmac(text)).toBe(createHmac('sha256', key).update(text).digest('base64url'))
  }
})

// RFC 4231 §4.2 has a key of 20 bytes, which HMAC fills up with zeros.
it('gives what RFC 4231 says', () => {
  const key = Buffer.concat([Buffer.alloc(20, 0x0b), Buffer.alloc(12)])
  const digest = Buffer.from(createHmacSha256(key)('Hi There'), 'base64url').toString('hex')
  expect(digest).toBe('b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7')
})

it.each([0, 31, 33, 64, 65])('takes no key of %d bytes', (length) => {
  expect(() => createHmacSha256(Buffer.alloc(length))).toThrow('32 bytes')
})
