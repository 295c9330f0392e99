import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob } from '../../src/policy/glob.ts'

describe('a name pattern', () => {
  it.each([
    ['alpha/*', 'alpha/one', true],
    ['alpha/*', 'alpha/', true],
    ['alpha/*', 'alpha/a/b/c', true],
    ['alpha/*', 'alpha', false],
    ['alpha/*', 'alphabet', false],
    ['alpha/*', 'xalpha/one', false],
    ['alpha/*', 'Alpha/one', false],
    ['alpha/*', 'alpha\\one', false],
    ['*', '', true],
    ['*', 'anything\nat/all', true],
    ['**', '', true],
    ['', '', true],
    ['', 'x', false],
    ['a', 'a', true],
    ['a', 'aa', false],
    ['*a', 'a', true],
    ['*a', 'ba', true],
    ['*a', 'ab', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['ab*ba', 'aba', false],
    ['ab*ba', 'abba', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'axxbxxc', true],
    ['a*b*c', 'acb', false],
    ['a*bc*c', 'abc', false],
    ['a*bc*c', 'abcc', true],
    ['*ab*ab*', 'abab', true],
    ['*ab*ab*', 'aba', false],
    ['a*ab*b', 'aabb', true],
    // Nothing but the star is special.
    ['a.c', 'abc', false],
    ['a?c', 'abc', false],
    ['[ab]', 'a', false],
    ['{a,b}', 'a', false],
    ['a\\*', 'a*', false],
    ['a\\*', 'a\\x', true],
    ['a+', 'aa', false],
    ['^a$', 'a', false],
    ['(a|b)*', '(a|b)x', true],
    ['*', '*', true],
    ['é*', 'é', true],
    ['é*', 'e\u0301', false],
    ['\u{1f600}*', '\u{1f600}x', true],
  ])('%j and %j: %s', (pattern, name, expected) => {
    expect(compileGlob(pattern)(name)).toBe(expected)
  })

  it('matches what the regular expression of the same meaning matches', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.'), maxLength: 12 })
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.', '*'), maxLength: 8 })
    fc.assert(
      fc.property(pattern, text, (glob, name) => {
        const escaped = glob.split('*').map((piece) => piece.replaceAll('.', '\\.').replaceAll('/', '\\/'))
        expect(compileGlob(glob)(name)).toBe(new RegExp(`^${escaped.join('[^]*')}$`).test(name))
      }),
      { numRuns: 2000 },
    )
  })

  it('matches whatever its stars are filled with', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string())), fc.string(), (parts, tail) => {
        const pattern =
          parts.map(([literal]) => `${literal.replaceAll('*', '')}*`).join('') + tail.replaceAll('*', '')
        const name =
          parts.map(([literal, filling]) => literal.replaceAll('*', '') + filling).join('') +
          tail.replaceAll('*', '')
        expect(compileGlob(pattern)(name)).toBe(true)
      }),
    )
  })

  it.each([
    ['many stars', '*a'.repeat(1000), 'a'.repeat(100_000)],
    ['many stars and no match', `${'*a'.repeat(1000)}*b`, `${'a'.repeat(100_000)}c`],
    ['pieces that almost match', `*${'a'.repeat(500)}b*`, 'a'.repeat(100_000)],
    ['a piece that differs at its start', `*b${'a'.repeat(500)}*`, 'a'.repeat(100_000)],
    ['many such pieces', `*${`${'a'.repeat(20)}b*`.repeat(100)}`, 'a'.repeat(100_000)],
    ['stars only', '*'.repeat(100_000), 'a'.repeat(100_000)],
  ])('takes no more time than it takes to read: %s', (_, pattern, name) => {
    const matches = compileGlob(pattern)
    const start = performance.now()
    for (let i = 0; i < 10; i++) matches(name)
    expect(performance.now() - start).toBeLessThan(1000)
  })
})
