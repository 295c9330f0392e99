import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readJsonObject, scanJsonObject } from '../../src/mlflow/json.ts'
import { plainObject } from '../../src/mlflow/json-plain.ts'
import { expectOneReading, outcome } from './one-reading.ts'

const glance = (text: string) => plainObject(Buffer.from(text), text)

const deep = (levels: number, inner = '0') =>
  `{"a":${'['.repeat(levels - 1)}${inner}${']'.repeat(levels - 1)}}`

describe('a glance is enough', () => {
  it.each([
    ['nothing', '{}'],
    [
      'a batch',
      '{"run_id":"a","metrics":[{"key":"m","value":1.5,"step":1},{"key":"m","value":-0,"step":2}]}',
    ],
    ['objects with other keys', '{"x":[{"a_b":1},{"d":1},{"a_b":1,"c":2},{"c":2,"a_b":1},{},{"a_b":1}]}'],
    ['the same keys on another level', '{"a_b":{"a_b":[{"a_b":{"c":1}}]},"c":{"a_b":1}}'],
    ['white space', '\t{ "a"\r\n: [ 1 , "b" ] }\n'],
    ['escapes in texts', '{"a":"\\"b\\": \\\\","c":["\\\\\\"",{"d":"\\u005f"}],"e":"\\n"}'],
    ['a text that looks like a member', '{"a":"\\"b\\":1","b":2}'],
    ['letters beyond ASCII', '{"é_a":"\u{1f600}","ç":["ü"]}'],
    ['__proto__', '{"__proto__":{"a":1},"constructor":2,"toString":"x"}'],
    ['names that are numbers', '{"b":1,"1":"x","0":{"1":2,"0":3}}'],
    ['numbers up to the limit, near one another', `{"a":[${Array(50).fill('1'.repeat(30)).join()}]}`],
    ['64 levels', deep(63)],
  ])('for %s', (_, text) => {
    expect(glance(text)).toStrictEqual(JSON.parse(text))
    expectOneReading(Buffer.from(text))
  })

  it('wherever in memory the text begins', () => {
    const text = '{"a":"b","c":["d","e",{"f":"g"}],"é":"\u{1f600}"}'
    const twice = '{"a":"b","c":["d","e",{"f":"g"}],"a":"\u{1f600}"}'
    for (let offset = 0; offset < 9; offset++) {
      const padded = (padding: string) => Buffer.from(padding.repeat(offset) + text + '"'.repeat(9 - offset))
      const bytes = padded('"').subarray(offset, offset + Buffer.byteLength(text))
      expect(plainObject(bytes, text)).toStrictEqual(JSON.parse(text))
      const hostile = Buffer.from('x'.repeat(offset) + twice).subarray(offset)
      expect(plainObject(hostile, twice)).toBeUndefined()
    }
  })
})

describe('a glance is not enough', () => {
  it.each([
    ['a key twice', '{"a":1,"a":2}'],
    ['a key twice, once with a text', '{"a":"x","a":2}'],
    ['a key twice, and what it hides holds texts', '{"a":["x",{"y":"z"}],"a":["x",{"y":"z"}]}'],
    ['a key twice in the last of many', `{"x":[${'{"a":1},'.repeat(300)}{"a":1,"a":1}]}`],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    ['a number twice', '{"1":1,"1":2}'],
    ['both spellings', '{"run_id":1,"runId":2}'],
    ['both spellings in the last of many', `{"x":[${'{"a_b":1},'.repeat(300)}{"a_b":1,"aB":1}]}`],
    ['both spellings, as many members as before', '{"x":[{"a_b":1,"c":2},{"a_b":1,"aB":2}]}'],
    ['both spellings after a shorter one', '{"x":[{"a_b":1},{"a_b":1,"aB":2}]}'],
    ['both spellings in a list in a list', '{"x":[{"y":[{"a_b":1,"c":2}]},{"y":[{"c":1,"c_":2}]}]}'],
    ['both spellings, in one object each', '{"x":[{"a_b":1},{"aB":2}]}'],
    ['both spellings, one inside of the other', '{"a_b":{"aB":1}}'],
    ['underscores more or fewer', '{"a_b":1,"a__b":2}'],
    ['a key with an escape', '{"run\\u005fid":1}'],
    ['a key with an escape, and space behind it', '{"x":"y","a\\/b" \t\n:1}'],
    ['a name with a NUL character', '{"a\\u0000b":1}'],
    ['a number of 401 digits', `{"a":${'1'.repeat(401)}}`],
    ['5000 decimals', `{"a":[0,1.${'0'.repeat(5000)}e5]}`],
    ['65 levels', deep(65)],
    ['65 levels of objects', `${'{"a":'.repeat(65)}0${'}'.repeat(65)}`],
    ['66 levels', deep(66, '')],
    ['a list', '["a"]'],
    ['a text', '"a"'],
    ['null', 'null'],
    ['no JSON', '{"a":1'],
    ['a byte order mark', '\ufeff{"a":1}'],
  ])('for %s', (_, text) => {
    expect(glance(text)).toBeUndefined()
    expectOneReading(Buffer.from(text))
  })

  it('where every object has a key more than it was given', () => {
    const polluted = Object.prototype as { leaked?: number }
    polluted.leaked = 1
    try {
      expect(glance('{"a":1,"a":2}')).toBeUndefined()
    } finally {
      delete polluted.leaked
    }
  })

  it('for a number of 401 characters, wherever it begins', () => {
    for (let before = 0; before < 400; before++) {
      expect(glance(`{"a":"${' '.repeat(before)}","b":[-${'1'.repeat(400)}]}`)).toBeUndefined()
    }
  })
})

const escapes: Readonly<Record<string, string>> = { '/': '\\/', '"': '\\"', '\\': '\\\\', '\n': '\\n' }
const hex = (char: string) =>
  [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')

/** A text as it may be written: mostly plain, at times with an escape, where one must be or not. */
const written = (text: string) =>
  fc.array(fc.nat({ max: 40 }), { minLength: text.length, maxLength: text.length }).map((dice) => {
    const chars = [...text].map((char, at) =>
      dice[at] === 0 ? hex(char) : JSON.stringify(char).slice(1, -1),
    )
    return `"${chars.join('')}"`
  })

const NAMES = [
  'a',
  'b',
  'a_b',
  'aB',
  'a__b',
  'a_b_',
  '_',
  '',
  '__proto__',
  'constructor',
  '0',
  '1',
  '10',
  'é',
]
const HOSTILE_NAMES = [
  'a\0',
  'a"',
  'a\\',
  'a/b',
  '"',
  ':',
  '\u{1f600}_x',
  '\ud800',
  'x'.repeat(450),
  '1'.repeat(450),
]
const key = fc
  .oneof(
    { weight: 12, arbitrary: fc.constantFrom(...NAMES) },
    { weight: 1, arbitrary: fc.constantFrom(...HOSTILE_NAMES) },
  )
  .chain(written)

const string = fc
  .oneof(
    fc.constantFrom(
      '',
      'x',
      '":',
      '","a":"',
      '\\',
      '\\"',
      '\\\\',
      '{"a":1}',
      '\u{1f600}',
      '\ud800',
      '\n',
      '\0',
    ),
    fc.constantFrom('1'.repeat(500), ' '.repeat(300)),
    fc.string({ unit: fc.constantFrom(...Object.keys(escapes), ':', ',', 'a', '1'), maxLength: 12 }),
  )
  .chain(written)

const number = fc.oneof(
  fc.constantFrom('0', '-0', '-0.0', '1e400', '-1E+2', '9223372036854775807', '0.1e-7', '1.50'),
  fc.constantFrom(199, 200, 201, 399, 400, 401, 402, 900).map((digits) => '1'.repeat(digits)),
  fc.constantFrom(399, 401, 5000).map((digits) => `-1.${'0'.repeat(digits - 5)}e5`),
)
const scalar = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('true', 'false', 'null', '1', '-2.5', '17') },
  { weight: 3, arbitrary: string },
  { weight: 1, arbitrary: number },
)
const space = fc.oneof(
  { weight: 8, arbitrary: fc.constant('') },
  { weight: 2, arbitrary: fc.constantFrom(' ', '\n', '\t\r', ' '.repeat(450)) },
)

const { object } = fc.letrec<{ value: string; array: string; alike: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    tie('array'),
    tie('alike'),
    tie('object'),
  ),
  array: fc
    .array(fc.tuple(space, tie('value'), space), { maxLength: 4 })
    .map((items) => `[${items.map((parts) => parts.join('')).join(',')}]`),
  /** A list of objects that have the same keys, but for one at times. */
  alike: fc
    .tuple(
      fc.uniqueArray(key, { maxLength: 4 }),
      fc.array(scalar, { minLength: 1, maxLength: 5 }),
      tie('object'),
    )
    .chain(([keys, values, other]) => {
      const items = values.map((value) => `{${keys.map((each) => `${each}:${value}`).join(',')}}`)
      return fc.constantFrom(
        `[${items.join(',')}]`,
        `[${[...items, other].join(',')}]`,
        `[${[other, ...items].join(',')}]`,
      )
    }),
  object: fc
    .array(fc.tuple(space, key, space, fc.constant(':'), space, tie('value'), space), { maxLength: 4 })
    .map((members) => `{${members.map((parts) => parts.join('')).join(',')}}`),
}))

const nested = fc
  .tuple(object, fc.constantFrom('[]', '{}'), fc.constantFrom(0, 0, 0, 0, 59, 60, 61, 62, 63, 64, 65, 66))
  .map(([inner, kind, levels]) => {
    const [open, close] = kind === '[]' ? ['[', ']'] : ['{"a":', '}']
    return levels === 0 ? inner : `{"a":${open.repeat(levels - 1)}${inner}${close.repeat(levels - 1)}}`
  })

/** One character taken out, put in, or put in the place of another. */
const spoilt = fc
  .tuple(
    nested,
    fc.nat(),
    fc.constantFrom('', '"', '\\', ':', ',', '{', '}', '[', '1', '\0', '\ufeff'),
    fc.boolean(),
  )
  .map(([text, seed, char, replaces]) => {
    const at = seed % (text.length + 1)
    return text.slice(0, at) + char + text.slice(replaces || char === '' ? at + 1 : at)
  })

describe('a glance and a scan', () => {
  const runs = { numRuns: 1500 }

  it('read every object alike, or refuse it alike', () => {
    fc.assert(
      fc.property(nested, (text) => expectOneReading(Buffer.from(text))),
      runs,
    )
  })

  it('read every text alike that is hardly JSON any more', () => {
    fc.assert(
      fc.property(spoilt, (text) => expectOneReading(Buffer.from(text))),
      runs,
    )
  })

  it('read any bytes alike', () => {
    const bytes = fc.tuple(object, fc.nat(), fc.nat({ max: 255 })).map(([text, at, byte]) => {
      const spoiltBytes = Buffer.from(text)
      spoiltBytes[at % spoiltBytes.length] = byte
      return spoiltBytes
    })
    fc.assert(fc.property(bytes, expectOneReading), runs)
  })

  it('meet objects of both sorts here', () => {
    const samples = fc.sample(object, { numRuns: 1000, seed: 1 })
    const plain = samples.filter((text) => glance(text) !== undefined)
    expect(plain.length).toBeGreaterThan(200)
    expect(plain.length).toBeLessThan(800)
  })

  it.each([
    ['values', `{"a":[${'1,'.repeat(30)}1]}`],
    ['objects', `{"a":[${'{},'.repeat(30)}{}]}`],
    ['depth', deep(80)],
  ])('count alike where few values are allowed: %s', (_, text) => {
    const bytes = Buffer.from(text)
    for (let most = 1; most < 200; most++) {
      expect(outcome(() => readJsonObject(bytes, most))).toStrictEqual(
        outcome(() => scanJsonObject(bytes, most)),
      )
    }
  })
})
