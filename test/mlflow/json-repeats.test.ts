import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Call, select } from '../../src/mlflow/call.ts'
import { readJsonObject, scanJsonObject } from '../../src/mlflow/json.ts'
import { withoutRepeats } from '../../src/mlflow/json-repeats.ts'
import { judgedFirst } from '../../src/mlflow/rewrite.ts'
import { loggedModel, readableOnly, row, run, update } from '../../src/mlflow/row.ts'
import { parseSelector } from '../../src/mlflow/selector.ts'
import { attempt, callOf, textOf } from './examples.ts'
import { expectOneReading } from './one-reading.ts'

function sampleOf(text: string) {
  const repetitive = withoutRepeats(Buffer.from(text))
  return repetitive && { sample: Buffer.from(repetitive.sample).toString(), lists: repetitive.lists }
}

const times = (count: number, rowText: string) => Array(count).fill(rowText).join(',')

describe('rows are left out', () => {
  it.each([
    [
      'that differ in their values',
      '{"run_id":"a","metrics":[{"key":"m","value":1.5},{"key":"long","value":-2e5},{"key":"","value":null},{"key":"\\"","value":"x"}],"x":1}',
      { sample: '{"run_id":"a","metrics":[{"key":"m","value":1.5}],"x":1}', lists: ['metrics'] },
    ],
    [
      'but one of every shape',
      `{"m":[{"a":1},{"a":2},{"b":1},{"a":3},{"b":2},{"a":{"c":1}},${times(5, '{"b":3}')}]}`,
      { sample: '{"m":[{"a":1},{"b":1},{"a":{"c":1}}]}', lists: ['m'] },
    ],
    [
      'of each list on its own',
      `{"m":[${times(9, '{"a":1}')}],"n":[${times(9, '{"a":1}')}],"o":[{"a":1}]}`,
      { sample: '{"m":[{"a":1}],"n":[{"a":1}],"o":[{"a":1}]}', lists: ['m', 'n'] },
    ],
    [
      'with what they hold',
      `{"m":[${times(4, '{"a":[1,{"b":"c"}]}')},{"a":[1]},{"a":[{"b":"c"},1]}]}`,
      { sample: '{"m":[{"a":[1,{"b":"c"}]},{"a":[1]},{"a":[{"b":"c"},1]}]}', lists: ['m'] },
    ],
    [
      'spaced alike',
      `{"m": [ ${Array(6).fill('{"a": 1, "b": 2}').join(',\n  ')} ] }`,
      { sample: '{"m": [ {"a": 1, "b": 2} ] }', lists: ['m'] },
    ],
    [
      'under any name',
      `{"__proto__":[${times(9, '{"é":1}')}]}`,
      { sample: '{"__proto__":[{"é":1}]}', lists: ['__proto__'] },
    ],
  ])('%s', (_, text, expected) => {
    expect(sampleOf(text)).toEqual(expected)
  })

  it.each([
    ['few', `{"a":"${'x'.repeat(50)}","m":[{"a":1},{"a":2}]}`],
    ['rows of many shapes', `{"m":[${[...'abcdefghij'].map((key) => times(20, `{"${key}":1}`)).join()}]}`],
    ['rows that are no objects', `{"m":[${times(20, '{"a":1}')},1]}`],
    ['an object beside them', `{"m":[${times(20, '{"a":1}')}],"x":{}}`],
    ['a list of other things beside them', `{"x":["a"],"m":[${times(20, '{"a":1}')}]}`],
    ['a list further down', `{"x":{"m":[${times(20, '{"a":1}')}]}}`],
    ['a key with an escape', `{"m":[${times(20, '{"\\u0061":1}')}]}`],
    ['a key twice', `{"m":[${times(20, '{"a":1,"a":2}')}]}`],
    ['a number that is none', `{"m":[${times(20, '{"a":1}')},{"a":01}]}`],
    ['a number of 401 digits', `{"m":[${times(20, '{"a":1}')},{"a":${'1'.repeat(401)}}]}`],
    ['a text that ends early', `{"m":[${times(20, '{"a":1}')},{"a":"`],
    ['something behind', `{"m":[${times(20, '{"a":1}')}]}}`],
    ['a comma too many', `{"m":[${times(20, '{"a":1}')},]}`],
    ['a comma too few', `{"m":[${times(20, '{"a":1}')}{"a":1}]}`],
    ['a control character', `{"m":[${times(20, '{"a":"b"}')},{"a":"\u0001"}]}`],
  ])('not with %s', (_, text) => {
    expect(sampleOf(text)).toBeUndefined()
  })

  it.each([...'/:;<=>?@ p\xb1'])('not with a number that has %j among its digits', (char) => {
    for (let at = 1; at < 8; at++) {
      const number = '12345678'.slice(0, at) + char + '12345678'.slice(at)
      expect(sampleOf(`{"m":[${times(20, '{"a":1}')},{"a":${number}}]}`)).toBeUndefined()
    }
  })
})

const plain = fc.oneof(
  fc.constantFrom(
    '"x"',
    '"\\u0022\\\\"',
    '"é"',
    '""',
    '"],}{"',
    '"{\\"a\\":1}"',
    '1',
    '-0.5',
    '1e9',
    'null',
    'true',
  ),
  fc.string({ maxLength: 9 }).map((text) => JSON.stringify(text)),
)
const texts = fc.constantFrom('"x"', '"run"', '"0"')
const keys = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom('"id"', '"a_b"', '"model_id"', '"t"', '"0"') },
  { weight: 1, arbitrary: fc.constantFrom('"aB"', '"modelId"', '"__proto__"', '"i\\u0064"') },
)

/** A shape, as the texts between its values. */
const shape = fc
  .tuple(
    fc.uniqueArray(keys, { maxLength: 4 }),
    fc.constantFrom(':', ' : '),
    fc.constantFrom('', '[', '{"t":'),
  )
  .map(([names, colon, opening]) => {
    const closing = opening === '' ? '' : opening === '[' ? ']' : '}'
    const members = names.map((name, at) =>
      at === 0 ? `${name}${colon}${opening}#${closing}` : `${name}${colon}#`,
    )
    return `{${members.join(',')}}`.split('#')
  })
const rowsOf = (most: number, values: fc.Arbitrary<string>) =>
  fc
    .tuple(
      fc.array(shape, { minLength: 1, maxLength: most }),
      fc.array(fc.tuple(fc.nat(), fc.array(values, { minLength: 4, maxLength: 4 })), {
        minLength: 60,
        maxLength: 90,
      }),
    )
    .map(([shapes, picks]) =>
      picks.map(([pick, given]) => {
        const parts = shapes[pick % shapes.length] ?? []
        return parts.map((part, at) => (at === 0 ? part : `${given[at - 1]}${part}`)).join('')
      }),
    )
const listText = fc.oneof(
  { weight: 6, arbitrary: rowsOf(2, texts).map((rows) => `[${rows.join(',')}]`) },
  { weight: 2, arbitrary: rowsOf(3, fc.oneof(texts, plain)).map((rows) => `[ ${rows.join(' ,\n')} ]`) },
  { weight: 1, arbitrary: rowsOf(1, plain).map((rows) => `[${[...rows, '1'].join(',')}]`) },
  { weight: 1, arbitrary: plain },
)
const NAMES = ['"metrics"', '"id"', '"c_d"', '"cD"', '"x"', '"__proto__"']
/** Bodies as of a batch, sometimes with what has to be refused. Long enough for most to be looked through. */
const bodyText = fc
  .tuple(
    fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 }),
    fc.array(listText, { minLength: 4, maxLength: 4 }),
  )
  .map(([names, lists]) => `{${names.map((name, at) => `${name}:${lists[at]}`).join(', ')}}`)

const isShortened = (bytes: Uint8Array) => {
  const document = attempt(() => readJsonObject(bytes))
  return typeof document !== 'string' && document.shortened.size > 0
}

describe('a body with rows left out', () => {
  it('is read as it is carefully', () => {
    let shortened = 0
    fc.assert(
      fc.property(bodyText, (text) => {
        const bytes = Buffer.from(text)
        if (isShortened(bytes)) shortened++
        expectOneReading(bytes)
      }),
      { numRuns: 800 },
    )
    expect(shortened).toBeGreaterThan(200)
  })

  it('is read as it is carefully with any byte of it changed, left out or put in', () => {
    let [shortened, refused] = [0, 0]
    fc.assert(
      fc.property(
        bodyText,
        fc.nat(),
        fc.constantFrom(...'"\\{}[],:0e-. ', '\n', '\x00', '\xff'),
        fc.nat(2),
        (text, place, char, kind) => {
          const bytes = [...Buffer.from(text)]
          bytes.splice(place % bytes.length, kind === 2 ? 0 : 1, ...(kind === 1 ? [] : [char.charCodeAt(0)]))
          const changed = Buffer.from(bytes)
          if (isShortened(changed)) shortened++
          else if (typeof attempt(() => readJsonObject(changed)) === 'string') refused++
          expectOneReading(changed)
        },
      ),
      { numRuns: 1500 },
    )
    expect(shortened).toBeGreaterThan(50)
    expect(refused).toBeGreaterThan(300)
  })

  const SELECTORS = [
    ...[
      'id?',
      'metrics[].model_id?',
      'metrics[].model_id',
      'metrics[].a_b?',
      'metrics[].id.t?',
      'metrics[].id[]?',
    ],
    ...[
      'metrics{}',
      'metrics[].t??',
      'metrics[]!.a?',
      'metrics[].id!{}?',
      'c_d[].id|metrics[].id',
      'c_d.id?',
      'x[].__proto__?',
    ],
  ].map(parseSelector)
  const needs = [update(run('id?')), update(loggedModel('metrics[].model_id?')), readableOnly('c_d[].id.t?')]
  const operation = row('test.row', 'POST', '/test', needs)

  it('is judged, and forwarded, as the whole of it would be', () => {
    let [selected, moved] = [0, 0]
    fc.assert(
      fc.property(bodyText, (text) => {
        const bytes = Buffer.from(text)
        if (!isShortened(bytes)) return
        const quick = callOf(operation, { body: text })
        const careful: Call = { ...quick, body: scanJsonObject(bytes) }
        for (const selector of SELECTORS) {
          const values = attempt(() => select(quick, selector))
          expect(values).toEqual(attempt(() => select(careful, selector)))
          if (values.length > 0 && typeof values !== 'string') selected++
        }
        const forwarded = textOf(judgedFirst(quick))
        expect(forwarded).toBe(textOf(judgedFirst(careful)))
        if (forwarded !== text) moved++
      }),
      { numRuns: 800 },
    )
    expect(selected).toBeGreaterThan(100)
    expect(moved).toBeGreaterThan(20)
  })

  it('is not made objects of to be judged', () => {
    const text = `{"run_id":"a","metrics":[${times(100, '{"key":"k","value":1.5,"step":1}')}]}`
    const call = callOf(operation, { body: text })
    const body = call.body ?? expect.fail('no body')
    const blind: Call = { ...call, body: { ...body } }
    Object.defineProperty(blind.body, 'value', { get: () => expect.fail('the whole was read') })
    expect(select(blind, parseSelector('run_id'))).toEqual(['a'])
    expect(select(blind, parseSelector('metrics[].model_id?'))).toEqual([])
    expect(() => select(blind, parseSelector('metrics[].key'))).toThrow('the whole was read')
  })
})
