import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { type JsonNode, jsonName, readJsonObject, splice } from '../../src/mlflow/json.ts'

function read(body: string | Uint8Array) {
  return readJsonObject(typeof body === 'string' ? Buffer.from(body, 'utf8') : body)
}

function refusal(body: string | Uint8Array): string | undefined {
  try {
    read(body)
    return undefined
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return `${fault.code}: ${fault.message}`
  }
}

const TWICE = /^ERR_AMBIGUOUS_REQUEST: The field ".*" is given more than once/s
const NOT_JSON = 'ERR_AMBIGUOUS_REQUEST: The body is not valid JSON'
const NOT_UTF8 = 'ERR_AMBIGUOUS_REQUEST: The body is not valid UTF-8'
const NOT_OBJECT = 'ERR_AMBIGUOUS_REQUEST: The body must be a JSON object'

describe('field report 1: one field under two spellings', () => {
  it.each([
    ['both spellings', '{"experiment_id":"1","experimentId":"2"}'],
    ['the other order', '{"experimentId":"2","experiment_id":"1"}'],
    ['equal values too', '{"experiment_id":"1","experimentId":"1"}'],
    ['apart', '{"experiment_id":"1","x":[{"y":{}}],"experimentId":"2"}'],
    ['the same key', '{"experiment_id":"1","experiment_id":"2"}'],
    ['the same key, escaped', '{"experiment_id":"1","experiment\\u005fid":"2"}'],
    ['the same key, escaped in upper case', '{"experiment_id":"1","experiment\\u005Fid":"2"}'],
    ['camel case, escaped', '{"experiment_id":"1","experiment\\u0049d":"2"}'],
    ['a slash, escaped', '{"a/b":1,"a\\/b":2}'],
    ['nested', '{"trace":{"trace_info":{"trace_id":"a","traceId":"b"}}}'],
    ['in a list', '{"metrics":[{"model_id":"a"},{"model_id":"a","modelId":"b"}]}'],
    ['in a list of lists', '{"x":[[[{"a_b":1,"aB":2}]]]}'],
    ['in the last of many', `{"x":[${'{"a_b":1},'.repeat(500)}{"a_b":1,"aB":2}]}`],
    ['several underscores', '{"a_b_c":1,"aBC":2}'],
    ['one of two underscores', '{"a_b_c":1,"a_bC":2}'],
    ['doubled underscores', '{"a__b":1,"aB":2}'],
    ['a trailing underscore', '{"run_id":1,"run_id_":2}'],
    ['__proto__', '{"__proto__":{},"__proto__":{}}'],
    ['the empty key', '{"":1,"":2}'],
  ])('is refused: %s', (_, body) => {
    expect(refusal(body)).toMatch(TWICE)
  })

  it.each([
    ['the same key in two objects of a list', '{"metrics":[{"model_id":"a"},{"model_id":"b"}]}'],
    ['mixed spellings, one in each object', '{"metrics":[{"model_id":"a"},{"modelId":"b"}]}'],
    ['a key of the object around it', '{"a":{"a":{"a":1}}}'],
    ['a key that is another’s value', '{"run_id":"runId","runName":"run_id"}'],
    ['other case', '{"runId":1,"runid":2,"RunId":3,"RUN_ID":4}'],
    ['__proto__ and constructor', '{"__proto__":{"a":1},"constructor":2,"hasOwnProperty":3}'],
  ])('is not seen where there is none: %s', (_, body) => {
    expect(refusal(body)).toBeUndefined()
  })

  it('names the field, but no more of it than fits a line', () => {
    const long = 'k'.repeat(5000)
    expect(refusal(`{"${long}":1,"${long}":2}`)?.length).toBeLessThan(250)
  })
})

describe('a body that parsers read differently', () => {
  const utf16le = Buffer.from('{"experiment_id":"1"}', 'utf16le')
  it.each([
    ['a byte order mark', '\ufeff{"a":1}', 'ERR_AMBIGUOUS_REQUEST: The body starts with a byte order mark'],
    ['UTF-16 little-endian', utf16le, NOT_JSON],
    ['UTF-16 big-endian', Buffer.from(utf16le).swap16(), NOT_JSON],
    ['UTF-16 with its mark', Buffer.concat([Buffer.from([0xff, 0xfe]), utf16le]), NOT_UTF8],
    ['Latin-1', Buffer.from('{"a":"\xe9"}', 'latin1'), NOT_UTF8],
    ['an overlong slash', Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]), NOT_UTF8],
    [
      'a surrogate in three bytes (Python takes it)',
      Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
      NOT_UTF8,
    ],
    ['a cut sequence', Buffer.from([0x7b, 0x22, 0xe2, 0x82]), NOT_UTF8],
    ['no bytes', '', NOT_JSON],
    ['white space only', ' \n', NOT_JSON],
    ['NaN (Python takes it)', '{"value":NaN}', NOT_JSON],
    ['Infinity', '{"value":-Infinity}', NOT_JSON],
    ['a comment', '{"a":1}//', NOT_JSON],
    ['a trailing comma', '{"a":1,}', NOT_JSON],
    ['single quotes', "{'a':1}", NOT_JSON],
    ['an unquoted key', '{a:1}', NOT_JSON],
    ['a control character in a string', '{"a":"\n"}', NOT_JSON],
    ['a vertical tab between', '{\v"a":1}', NOT_JSON],
    ['a no-break space between', '{\u00a0"a":1}', NOT_JSON],
    ['a leading zero', '{"a":01}', NOT_JSON],
    ['a plus sign', '{"a":+1}', NOT_JSON],
    ['trailing garbage', '{"a":1}x', NOT_JSON],
    ['a trailing NUL', '{"a":1}\0', NOT_JSON],
    ['a second object', '{"a":1}{"a":2}', NOT_JSON],
    ['a second line', '{"a":1}\n{"a":2}', NOT_JSON],
    ['an unfinished object', '{"a":1', NOT_JSON],
    ['a list', '[{"a":1}]', NOT_OBJECT],
    ['null', 'null', NOT_OBJECT],
    ['a number', '1', NOT_OBJECT],
  ])('is refused: %s', (_, body, expected) => {
    expect(refusal(body)).toBe(expected)
  })

  it.each(['"{\\"experiment_id\\":\\"B\\"}"', '  "{\\"experiment_id\\":\\"B\\"}"  ', '"\\u007b\\u007d"'])(
    'field report 89: a JSON string that contains JSON is refused: %s',
    (body) => {
      expect(refusal(body)).toBe(NOT_OBJECT)
    },
  )

  it.each([
    [64, undefined],
    [65, 'ERR_AMBIGUOUS_REQUEST: The body is nested deeper than 64 levels'],
    [100_000, 'ERR_AMBIGUOUS_REQUEST: The body is nested deeper than 64 levels'],
  ])('has %i levels: %s', (levels, expected) => {
    expect(refusal(`{"a":${'['.repeat(levels - 1)}0${']'.repeat(levels - 1)}}`)).toBe(expected)
    expect(refusal(`${'{"a":'.repeat(levels)}0${'}'.repeat(levels)}`)).toBe(expected)
  })

  // Python reads no integer of more than 4300 digits, and MLflow takes what Python cannot read for `{}`.
  it.each([
    ['4301 digits', '1'.repeat(4301), true],
    ['4301 digits below zero', `-${'1'.repeat(4301)}`, true],
    ['401 digits', '1'.repeat(401), true],
    ['400 digits', '1'.repeat(400), false],
    ['5000 decimals', `1.${'0'.repeat(5000)}e5`, true],
    ['5000 digits in a string', `"${'1'.repeat(5000)}"`, false],
  ])('a number of %s', (_, number, refused) => {
    expect(refusal(`{"a":[${number}]}`) !== undefined).toBe(refused)
  })
})

describe('what is read', () => {
  it.each([
    ['a lone surrogate stays what it is', '{"a":"\\ud800"}', { a: '\ud800' }],
    ['line separators', '{"a":"\u2028\u2029"}', { a: '\u2028\u2029' }],
    ['DEL and beyond', '{"a":"\u007f\u{1f600}"}', { a: '\u007f\u{1f600}' }],
    ['white space of all four kinds', '\t\r\n {\t"a"\r:\n1 } \n', { a: 1 }],
    ['quotes and backslashes', '{"\\"":"\\\\","\\\\":"\\\\\\""}', { '"': '\\', '\\': '\\"' }],
    ['brackets in strings', '{"a":"}],{","]":["[","}"]}', { a: '}],{', ']': ['[', '}'] }],
  ])('%s', (_, body, value) => {
    expect(read(body).value).toEqual(value)
  })

  it('keeps a key called __proto__ an ordinary member', () => {
    const { value } = read('{"__proto__":{"run_id":"x"}}')
    expect(Object.hasOwn(value, '__proto__')).toBe(true)
    expect(value['run_id']).toBeUndefined()
  })

  it('says where each member begins and ends', () => {
    const { text, root } = read('{ "a_b" : [1, {"c":"d"}] , "e\\u005ff":null }')
    const [first, second] = [...(root.members ?? [])]
    expect(first?.[0]).toBe('aB')
    expect(second?.[0]).toBe('eF')
    expect([first, second].map((each) => text.slice(each?.[1].keyStart, each?.[1].end))).toEqual([
      '"a_b" : [1, {"c":"d"}]',
      '"e\\u005ff":null',
    ])
  })
})

describe('jsonName is the protobuf JSON name (ToJsonName of the protobuf library)', () => {
  it.each([
    ['run_id', 'runId'],
    ['runId', 'runId'],
    ['run__id', 'runId'],
    ['_run', 'Run'],
    ['run_', 'run'],
    ['sha_256_sum', 'sha256Sum'],
    ['', ''],
    ['_', ''],
    ['a_\n', 'a\n'],
    ['a_\u{1f600}', 'a\u{1f600}'],
  ])('%j → %j', (key, name) => {
    expect(jsonName(key)).toBe(name)
  })

  it('is the same for a name and for its JSON name', () => {
    const field = fc.stringMatching(/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/)
    fc.assert(fc.property(field, (name) => jsonName(jsonName(name)) === jsonName(name)))
  })
})

describe('splice', () => {
  it('replaces spans, in whatever order they are given, and touches nothing else', () => {
    const text = '{"step":9223372036854775807,"value":1e400,"a":"x"}'
    const { members } = read(text).root
    const [step, a] = [members?.get('step'), members?.get('a')]
    if (!step || !a) throw new Error('not found')
    const changes = [
      { start: a.start, end: a.end, text: '"longer than before"' },
      { start: 1, end: 1, text: '"new":1,' },
    ]
    expect(splice(text, changes)).toBe(
      '{"new":1,"step":9223372036854775807,"value":1e400,"a":"longer than before"}',
    )
    expect(text.slice(step.start, step.end)).toBe('9223372036854775807')
  })
})

/** A JSON value with a text it could be written as: random spacing, random escapes. */
type Written = { readonly value: unknown; readonly text: string }

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/)
const character = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...'abcxyz_ 09/{}[],:') },
  { weight: 2, arbitrary: fc.constantFrom('"', '\\', '\n', '\u0000', '\u2028', '\u{1f600}', 'é') },
  { weight: 1, arbitrary: fc.constantFrom('\ud800', '\udc00') },
)
const escaped = (char: string) =>
  [...Array(char.length).keys()].map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')
const string: fc.Arbitrary<Written & { readonly value: string }> = fc
  .array(fc.tuple(character, fc.boolean()), { maxLength: 8 })
  .map((chars) => ({
    value: chars.map(([char]) => char).join(''),
    text: `"${chars.map(([char, asEscape]) => (asEscape ? escaped(char) : JSON.stringify(char).slice(1, -1))).join('')}"`,
  }))
/** A name that is not refused for what it is. */
const keyText = string.filter(({ value }) => !value.includes('\0'))
const number: fc.Arbitrary<Written> = fc
  .constantFrom('0', '-0', '-12', '9223372036854775807', '1e3', '1E+2', '-1.5e-7', '0.10')
  .map((text) => ({ value: Number(text), text }))
const literal = fc.constantFrom<Written>(
  { value: true, text: 'true' },
  { value: false, text: 'false' },
  { value: null, text: 'null' },
)

const { value: anyValue, object: anyObject } = fc.letrec<{ value: Written; array: Written; object: Written }>(
  (tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      literal,
      number,
      string,
      tie('array'),
      tie('object'),
    ),
    array: fc
      .tuple(space, fc.array(fc.tuple(tie('value'), space, space), { maxLength: 4 }))
      .map(([empty, items]) => ({
        value: items.map(([item]) => item.value),
        text: `[${items.length === 0 ? empty : items.map(([item, before, after]) => before + item.text + after).join(',')}]`,
      })),
    object: fc
      .tuple(
        space,
        fc.uniqueArray(fc.tuple(keyText, tie('value'), space, space), {
          maxLength: 4,
          selector: ([key]) => jsonName(key.value),
        }),
      )
      .map(([empty, members]) => ({
        value: Object.fromEntries(members.map(([key, member]) => [key.value, member.value])),
        text: `{${members.length === 0 ? empty : members.map(([key, member, a, b]) => `${a}${key.text}${b}:${a}${member.text}${b}`).join(',')}}`,
      })),
  }),
)

/** JSON.parse by itself is not enough: it takes an escaped key for another's. */
function held(text: string): unknown {
  return readJsonObject(Buffer.from(`{"x":${text}}`)).value['x']
}

/** Every span of the tree, with the value that stands there. */
function* spans(node: JsonNode, value: unknown): Generator<readonly [JsonNode, unknown]> {
  yield [node, value]
  if (node.items)
    for (const [index, item] of node.items.entries()) yield* spans(item, (value as unknown[])[index])
  for (const [name, member] of node.members ?? []) {
    const own = Object.entries(value as object).find(([key]) => jsonName(key) === name)
    if (own === undefined) throw new Error(`no member ${name}`)
    yield* spans(member, own[1])
  }
}

describe('every span', () => {
  it('of a random object holds the text of just that value', () => {
    fc.assert(
      fc.property(anyObject, space, space, (written, before, after) => {
        const { text, value, root } = read(before + written.text + after)
        expect(value).toEqual(written.value)
        let count = 0
        for (const [node, expected] of spans(root, value)) {
          expect(held(text.slice(node.start, node.end))).toEqual(expected)
          count++
        }
        expect(count).toBe(sizeOf(value))
      }),
      { numRuns: 300 },
    )
  })

  it('of a member starts with its key', () => {
    fc.assert(
      fc.property(anyObject, (written) => {
        const { text, root } = read(written.text)
        for (const { keyStart, end } of root.members?.values() ?? []) {
          expect(Object.keys(JSON.parse(`{${text.slice(keyStart, end)}}`))).toHaveLength(1)
        }
      }),
    )
  })

  it('of a repeated key, wherever it is put, is found', () => {
    fc.assert(
      fc.property(anyValue, keyText, anyValue, fc.nat({ max: 5 }), (a, key, b, depth) => {
        const twice = `{${key.text}:${a.text},${JSON.stringify(key.value)}:${b.text}}`
        const body = `{"x":${'[{"y":'.repeat(depth)}${twice}${'}]'.repeat(depth)}}`
        expect(refusal(body)).toMatch(TWICE)
      }),
      { numRuns: 300 },
    )
  })

  it('of a name with a NUL character in it, wherever it is put, is found', () => {
    fc.assert(
      fc.property(keyText, keyText, anyValue, fc.nat({ max: 5 }), (before, after, value, depth) => {
        const object = `{${JSON.stringify(`${before.value}\0${after.value}`)}:${value.text}}`
        const body = `{"x":${'[{"y":'.repeat(depth)}${object}${'}]'.repeat(depth)}}`
        expect(refusal(body)).toMatch(
          /^ERR_AMBIGUOUS_REQUEST: The name of the field ".*" holds a NUL character/s,
        )
      }),
      { numRuns: 300 },
    )
  })
})

function sizeOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce((sum: number, each) => sum + sizeOf(each), 1)
}

describe('the time a body takes', () => {
  it.each([
    ['quotes after backslashes', `{"a":"${'\\\\'.repeat(500_000)}"}`],
    ['escaped quotes', `{"a":"${'\\"'.repeat(500_000)}"}`],
    ['many members', `{${Array.from({ length: 50_000 }, (_, i) => `"k${i}":${i}`).join(',')}}`],
    ['many items', `{"a":[${'{"a_b":1},'.repeat(100_000)}0]}`],
    ['open brackets', `{"a":${'['.repeat(1_000_000)}`],
    ['nesting', `{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`],
  ])('grows no faster than the body: %s', (_, body) => {
    const bytes = Buffer.from(body)
    const start = performance.now()
    try {
      readJsonObject(bytes)
    } catch (fault) {
      expect(isGatewayError(fault)).toBe(true)
    }
    // A megabyte takes some milliseconds; a quadratic reader would take minutes.
    expect(performance.now() - start).toBeLessThan(2000)
  })
})
