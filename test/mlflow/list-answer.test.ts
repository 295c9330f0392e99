/** An answer is read quickly only where that gives what the careful reading gives; all else is left to that one. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { KeptRows } from '../../src/mlflow/kept-rows.ts'
import { type ListAnswer, readList, readListCarefully } from '../../src/mlflow/list-answer.ts'
import { scanList } from '../../src/mlflow/list-scan.ts'

const FIELD = 'experiments'
const NAMES = ['experiment_id', 'name', 'tags']

const told = ({ bytes, list, rows, row, next }: ListAnswer) => ({
  list: list && bytes.toString('utf8', list.start, list.end),
  rows: rows.map(({ start, end }) => bytes.toString('utf8', start, end)),
  seen: rows.map((_, index) => row(index)),
  next,
})

/** What a reading gives, or with which code it ends. */
function outcome(read: typeof readList, bytes: Buffer): unknown {
  try {
    return told(read(bytes, FIELD, NAMES))
  } catch (fault) {
    if (isGatewayError(fault)) return fault.code
    throw fault
  }
}

function expectSame(bytes: Buffer): void {
  expect(outcome(readList, bytes)).toEqual(outcome(readListCarefully, bytes))
}

const isQuick = (text: string | Buffer) => scanList(Buffer.from(text), FIELD, NAMES) !== undefined

const ROW = '{"experiment_id": "1", "name": "alpha/one", "tags": [{"key": "k", "value": "v"}]}'
const listing = (...rows: readonly string[]) => `{"experiments": [${rows.join(', ')}]}`

/** Strings that look like structure, and how they are written. */
const hostile = fc.string({
  unit: fc.constantFrom(
    ...[
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      ' ',
      '/',
      'a',
      'é',
      '\u{1f600}',
      '\u2028',
      '\ufeff',
      '\u007f',
    ],
    ...[
      '\n',
      '\0',
      '\u001f',
      '","name":"alpha/x',
      '\\"',
      '"}],"experiments":[{',
      'next_page_token',
      '!',
      '#',
    ],
  ),
  maxLength: 12,
})
const escapedWhole = (text: string) =>
  `"${[...text].map((char) => (char.length > 1 ? char : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)).join('')}"`
const stringText = fc.oneof(
  { weight: 5, arbitrary: hostile.map((text) => JSON.stringify(text)) },
  { weight: 1, arbitrary: hostile.map(escapedWhole) },
  { weight: 1, arbitrary: fc.constantFrom('"\\ud800"', '"\\/"', '""', '"alpha/one"') },
)
const numberText = fc.constantFrom(
  '0',
  '-0',
  '12',
  '-3.5',
  '1e5',
  '1E-2',
  '9007199254740993',
  '0.10',
  '1'.repeat(401),
)
/** A few keys, so that some are there twice, and some that look like others. */
const keyText = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('"experiment_id"', '"name"', '"tags"', '"a"', '"b"', '"c"') },
  { weight: 1, arbitrary: fc.constantFrom('"nam\\u0065"', '""', '"__proto__"', '"Name"', '"naMe"', '"é"') },
)

type Spacing = { readonly comma: string; readonly colon: string; readonly open: string }
const SPACINGS: readonly Spacing[] = [
  { comma: ',', colon: ':', open: '' },
  { comma: ', ', colon: ': ', open: '' },
  { comma: ',\n      ', colon: ': ', open: '\n      ' },
  { comma: ' ,\r\n\t', colon: ' : ', open: '\t' },
]

/** Texts of values that are spaced like that. */
function textsOf({ comma, colon, open }: Spacing) {
  const inside = (parts: readonly string[]) => (parts.length === 0 ? '' : open + parts.join(comma) + open)
  const objectOf = (members: readonly (readonly [string, string])[]) =>
    `{${inside(members.map(([key, value]) => key + colon + value))}}`
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      stringText,
      numberText,
      fc.constantFrom('true', 'false', 'null', '[]', '{}'),
      fc.array(tie('value'), { maxLength: 3 }).map((items) => `[${inside(items)}]`),
      fc.array(fc.tuple(keyText, tie('value')), { maxLength: 3 }).map(objectOf),
    ),
  }))
  const plain = fc.oneof(stringText, numberText, fc.constantFrom('null', 'true'))
  const oddRow = fc.array(fc.tuple(keyText, value), { maxLength: 5 }).map(objectOf)
  /** As MLflow's rows are: the same members in the same order, save for one now and then. */
  const rowLikeOthers = fc
    .tuple(plain, plain, plain, plain, fc.constantFrom('', '', '', 'a', 'name'))
    .map(([id, name, a, tag, left]) =>
      objectOf(
        (
          [
            ['"experiment_id"', id],
            ['"name"', name],
            ['"a"', a],
            ['"tags"', `[${objectOf([['"key"', tag]])}]`],
          ] as const
        ).filter(([key]) => key !== `"${left}"`),
      ),
    )
  const row = fc.oneof(
    { weight: 30, arbitrary: rowLikeOthers },
    { weight: 3, arbitrary: oddRow },
    { weight: 1, arbitrary: value },
  )
  const list = fc.oneof(
    { weight: 12, arbitrary: fc.array(row, { maxLength: 8 }).map((rows) => `[${inside(rows)}]`) },
    { weight: 1, arbitrary: value },
  )
  const member = fc.oneof(
    { weight: 8, arbitrary: list.map((text) => [`"${FIELD}"`, text] as const) },
    { weight: 3, arbitrary: fc.oneof(stringText, value).map((text) => ['"next_page_token"', text] as const) },
    { weight: 2, arbitrary: fc.tuple(keyText, value) },
  )
  const root = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.uniqueArray(member, { maxLength: 4, selector: ([key]) => key }).map(objectOf),
    },
    { weight: 2, arbitrary: fc.array(member, { maxLength: 4 }).map(objectOf) },
    { weight: 1, arbitrary: value },
  )
  return root.map((text) => open + text + open)
}

const answers = fc.constantFrom(...SPACINGS).chain(textsOf)

describe('a list that is read quickly', () => {
  it('is read as it is carefully, whatever is in it', () => {
    let quick = 0
    const numRuns = 4000
    fc.assert(
      fc.property(answers, (text) => {
        if (isQuick(text)) quick += 1
        expectSame(Buffer.from(text))
      }),
      { numRuns },
    )
    // It means something only if most are.
    expect(quick / numRuns).toBeGreaterThan(0.3)
  })

  it('is read as it is carefully, with any byte of it changed, left out or put in', () => {
    const change = fc.record({
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      taken: fc.integer({ min: 0, max: 2 }),
      put: fc.oneof(
        fc
          .constantFrom('', '"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', '.', 'e', 'u', ' ', '\n', '\0')
          .map((c) => Buffer.from(c)),
        fc.integer({ min: 0, max: 255 }).map((byte) => Buffer.from([byte])),
      ),
    })
    fc.assert(
      fc.property(answers, change, (text, { at, taken, put }) => {
        const bytes = Buffer.from(text)
        const place = Math.floor(at * bytes.length)
        expectSame(Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place + taken)]))
      }),
      { numRuns: 6000 },
    )
  })

  it('is read as it is carefully, whichever byte of a row is another one than in the row before', () => {
    const whole = Buffer.from(listing(ROW, ROW))
    for (let place = listing(ROW).length - 2; place < whole.length; place++) {
      expectSame(whole.subarray(0, place))
      for (const other of ['x', '"', '\\', '1', '{', ',', ' ', '\0']) {
        const bytes = Buffer.from(whole)
        bytes.write(other, place)
        expectSame(bytes)
      }
    }
  })

  it('gives rows that are kept byte for byte, in any choice of them', () => {
    fc.assert(
      fc.property(answers, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), (text, chosen) => {
        const bytes = Buffer.from(text)
        fc.pre(isQuick(bytes))
        const answer = readList(bytes, FIELD, NAMES)
        const [kept, texts] = [new KeptRows(), [] as string[]]
        for (const [index, { start, end }] of answer.rows.entries()) {
          if (chosen[index] !== true) continue
          kept.add(answer, index)
          texts.push(bytes.toString('utf8', start, end))
        }
        const written = kept.between(Buffer.from('{"é":['), Buffer.from(']}')).toString()
        expect(JSON.parse(written)).toEqual({ é: texts.map((row) => JSON.parse(row)) })
        let at = 0
        for (const row of texts) {
          const found = written.indexOf(row, at)
          expect(found).toBeGreaterThanOrEqual(at)
          at = found + row.length
        }
      }),
      { numRuns: 1000 },
    )
  })
})

it('rows out of several answers keep to their own', () => {
  const [first, second] = [listing('{"name": 1}', '{"name": 2}'), listing('{"name": 3}', '{"name": 4}')]
  const kept = new KeptRows()
  kept.add(readList(Buffer.from(first), FIELD, NAMES), 0)
  kept.add(readList(Buffer.from(second), FIELD, NAMES), 1)
  expect(kept.between(Buffer.from('['), Buffer.from(']')).toString()).toBe('[{"name": 1},{"name": 4}]')
  expect(kept.count).toBe(2)
})

describe('read quickly', () => {
  it.each([
    ['rows alike', listing(ROW, ROW.replace('"1"', '2').replace('one', '\\u00e9\\"'), ROW)],
    ['rows that differ', listing(ROW, '{"name": null}', '{}', ROW)],
    [
      'a key again in and behind what a member holds',
      listing('{"a": {"name": 1, "a": [{"a": 1}]}, "name": 2}'),
    ],
    ['no rows', '{"experiments": [ ]}'],
    ['no list', '{}'],
    ['more besides', `{"next_page_token": "e30=", "experiments": [${ROW}], "other": {"deep": [[]]}}\n`],
    ['indented', JSON.stringify(JSON.parse(listing(ROW, ROW)), null, 2)],
  ])('%s', (_, text) => {
    expect(isQuick(text)).toBe(true)
    expectSame(Buffer.from(text))
  })
})

describe('left to the careful reading', () => {
  it.each([
    ['a key twice in a row', listing('{"name": "alpha/one", "name": "beta/one"}')],
    ['a key twice below a row', listing('{"name": "a", "tags": [{"key": 1, "key": 1}]}')],
    ['a key twice beside the list', `{"experiments": [], "a": {"b": 1, "b": 1}}`],
    ['the list twice', `{"experiments": [], "experiments": [${ROW}]}`],
    ['a key with an escape', listing('{"nam\\u0065": "alpha/one"}')],
    ['a key with an escape, where the row before has none', listing(ROW, ROW.replace('name', 'nam\\u0065'))],
    ['a row with other brackets than the one before', listing(ROW, ROW.replace('}]}', ']}}'))],
    ['a row that is no object', listing(ROW, '[]')],
    ['a list that is none', '{"experiments": {}}'],
    ['a token that is no string', '{"experiments": [], "next_page_token": 1}'],
    ['a number that is none', listing('{"a": 01}')],
    ['a number that is none, where the row before has one', listing('{"a": 1}', '{"a": 01}')],
    ['a number too long', listing(`{"a": ${'1'.repeat(401)}}`)],
    ['a word that is none', listing('{"a": nul}')],
    ['NaN', listing('{"a": NaN}')],
    ['a comma too many', listing(ROW, '{"a": 1,}')],
    ['a row too few', `{"experiments": [${ROW}, ]}`],
    ['an escape that is none', listing('{"a": "\\x"}')],
    ['half an escape', listing('{"a": "\\u12g4"}')],
    ['a control character in a string', listing('{"a": "long enough\tfor a word"}')],
    ['an end too early', listing(ROW).slice(0, -1)],
    ['more behind it', `${listing(ROW)} {}`],
    ['a byte order mark', `\ufeff${listing(ROW)}`],
    ['a list at the root', `[${ROW}]`],
    ['too deep', `{"experiments": [], "a": ${'['.repeat(64)}1${']'.repeat(64)}}`],
    ['too many keys', `{"experiments": [], "a": {${Array.from({ length: 65 }, (_, key) => `"${key}": 1`)}}}`],
  ])('%s', (_, text) => {
    expect(isQuick(text)).toBe(false)
    expectSame(Buffer.from(text))
  })

  it('what is no UTF-8', () => {
    const bytes = Buffer.from(listing(ROW).replace('one', '\u00e9'))
    bytes[bytes.indexOf(0xc3)] = 0xff
    expect(isQuick(bytes)).toBe(false)
    expectSame(bytes)
  })
})

it('as deep as may be is read quickly', () => {
  expect(isQuick(`{"experiments": [], "a": ${'['.repeat(64)}${']'.repeat(64)}}`)).toBe(true)
})
