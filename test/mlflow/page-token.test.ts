import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPageTokens } from '../../src/mlflow/page-token.ts'

const SECRET = 'a secret of at least thirty-two characters'
const tokens = createPageTokens(SECRET)
const INVALID = {
  code: 'ERR_INVALID_PARAMETER',
  message: 'Invalid page_token: start again from the first page',
}

function opened(token: string, context = 'c', made = tokens): unknown {
  try {
    return made.open(token, context)
  } catch (fault) {
    return fault
  }
}

describe('a page token', () => {
  it('holds a position for whoever asks the same question', () => {
    const position = fc.record({
      token: fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()),
      skip: fc.nat(),
    })
    fc.assert(
      fc.property(position, fc.string(), (at, context) => {
        expect(opened(tokens.seal(at, context), context)).toEqual(at)
      }),
    )
  })

  it('is another one each time, and tells nothing but its length', () => {
    const position = { token: 'eyJvZmZzZXQiOiAxfQ==', skip: 12 }
    expect(tokens.seal(position, 'c')).not.toBe(tokens.seal(position, 'c'))
    expect(tokens.seal(position, 'c')).toMatch(/^[\w-]+$/)
  })

  it('is good at another replica, and nowhere with another secret', () => {
    const sealed = tokens.seal({ token: 't', skip: 1 }, 'c')
    expect(opened(sealed, 'c', createPageTokens(SECRET))).toEqual({ token: 't', skip: 1 })
    expect(opened(sealed, 'c', createPageTokens(`${SECRET}.`))).toMatchObject(INVALID)
  })

  it('is refused in another context', () => {
    const sealed = tokens.seal({ token: 't', skip: 1 }, 'c')
    for (const context of ['', 'C', 'c ', 'cc']) expect(opened(sealed, context)).toMatchObject(INVALID)
  })

  it('is refused when a bit of it is changed', () => {
    const sealed = Buffer.from(tokens.seal({ token: 't', skip: 1 }, 'c'), 'base64url')
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(opened(changed.toString('base64url'))).toMatchObject(INVALID)
    }
  })

  it('is refused when cut, at any place', () => {
    const sealed = Buffer.from(tokens.seal({ token: 'token', skip: 1 }, 'c'), 'base64url')
    for (let length = 0; length < sealed.length; length++) {
      expect(opened(sealed.subarray(0, length).toString('base64url'))).toMatchObject(INVALID)
    }
  })

  it.each(['', ' ', 'x', '!!!', Buffer.from('{"offset": 1}').toString('base64'), '\0', '\u{1f600}'])(
    'is not %j',
    (token) => {
      expect(opened(token)).toMatchObject(INVALID)
    },
  )
})
