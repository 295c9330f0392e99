import { describe, expect, it } from 'vitest'
import { readAuthorization } from '../../src/identity/authorization.ts'

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

describe('the Authorization header', () => {
  it.each([
    ['Bearer a.b.c', { form: 'bearer', token: 'a.b.c' }],
    ['bearer  a.b.c', { form: 'bearer', token: 'a.b.c' }],
    [basic('editor:a.b.c'), { form: 'basic', token: 'a.b.c' }],
    [basic(':a.b.c'), { form: 'basic', token: 'a.b.c' }],
    [basic('jürgen:a.b.c'), { form: 'basic', token: 'a.b.c' }],
  ])('%s', (header, expected) => {
    expect(readAuthorization(header)).toEqual(expected)
  })

  it.each([
    'a.b.c',
    '',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Bearer a,b',
    'Bearer a.b.c, Bearer d.e.f',
    'Digest x',
    'Basic !!!',
    basic('a.b.c'),
    basic('editor:'),
    basic('editor:pass word'),
    basic('editor:a:b'),
    'Basic',
  ])('%j is refused', (header) => {
    expect(() => readAuthorization(header)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_TOKEN', reason: 'unreadable' }),
    )
  })
})
