import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileGlob } from '../../src/policy/glob.ts'
import { createNameIndex, type NameRule } from '../../src/policy/name-index.ts'

/** Many that match nothing here, so that there is an index. */
const FILLING = Array.from({ length: 30 }, (_, index) => rule(`none-${index}`))

function rule(pattern: string): NameRule<string> {
  return { pattern, value: pattern }
}

const found = (patterns: readonly string[], name: string) =>
  createNameIndex([...FILLING, ...patterns.map(rule)])(name)

describe('of many patterns', () => {
  it.each<[name: string, matching: readonly string[], others: readonly string[]]>([
    [
      'alpha/one',
      ['alpha/one', 'alpha/*', '*/one', '*pha/o*', '*', 'al*on*', '**'],
      ['alpha', 'one', 'beta/*'],
    ],
    ['aa', ['a*', '*a', '*a*', 'a*a', 'aa'], ['a*a*a', 'aaa*', '*aaa', 'a']],
    ['abab', ['*ab*', 'ab*ab', '*b*b'], ['*ab*ab*ab*']],
    ['', ['*', ''], ['a', '*a*']],
    ['\u{1f600}x', ['\u{1f600}*', '*\u{1f600}*', '*x'], ['\u{1f601}*']],
  ])('those are found that match %j', (name, matching, others) => {
    expect([...found([...matching, ...others], name)].sort()).toEqual([...matching].sort())
  })

  it('each is found as often as trying it says: for any of them, and any name', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', '-'), maxLength: 8 })
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '-', '*', '*'), maxLength: 8 })
    fc.assert(
      fc.property(fc.uniqueArray(pattern, { maxLength: 40 }), text, (patterns, name) => {
        const tried = patterns.filter((each) => compileGlob(each)(name))
        expect([...found(patterns, name)].sort()).toEqual(tried.sort())
      }),
      { numRuns: 500 },
    )
  })

  it('few are tried: one of 10,000, wherever they differ', () => {
    for (const form of ['team-#/*', '*/team-#', '*/team-#/*', 'team/*-#-end', '*/team/#/*']) {
      let tried = 0
      const rules = Array.from({ length: 10_000 }, (_, number) => rule(form.replace('#', `${number}`)))
      const index = createNameIndex(rules)
      const name = form.replace('#', '77').replaceAll('*', 'z')
      // How many are tried is told by who asks the name for its start.
      const asked = new Proxy(Object(name), {
        get: (text, key) => {
          if (key === 'startsWith') tried += 1
          const value = Reflect.get(text, key)
          return typeof value === 'function' ? value.bind(name) : value
        },
      }) as string
      expect(index(asked)).toEqual([form.replace('#', '77')])
      expect(tried).toBe(1)
    }
  })

  it('those whose pieces have the same hash are told apart', () => {
    // Found by search; backwards, too, so that ends have them as well.
    for (const [one, other] of [
      ['nclgthnw', 'bchuhigy'],
      ['xujlbljx', 'jyuznbsj'],
    ] as const) {
      for (const form of ['#*', '*#*', '*#']) {
        const [own, others] = [form.replace('#', one), form.replace('#', other)]
        expect(found([own, others], `${one}`)).toEqual([own])
        expect(found([own, others], `${other}`)).toEqual([others])
      }
      const reversed = (text: string) => [...text].reverse().join('')
      const [own, others] = [`*${reversed(one)}`, `*${reversed(other)}`]
      expect(found([own, others], reversed(one))).toEqual([own])
      expect(found([own, others], reversed(other))).toEqual([others])
      const both = [`*${one}*`, `*${other}*`]
      expect([...found(both, `${one}/${other}`)].sort()).toEqual([...both].sort())
    }
  })
})
