import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { readJsonTexts } from '../../src/mlflow/json-text.ts'

function codeOf(given: readonly unknown[]): string {
  try {
    readJsonTexts(given, 'field')
    return 'read'
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return fault.code
  }
}

describe('JSON in texts', () => {
  it('is read, each text for itself, with the place of its parts', () => {
    const texts = readJsonTexts([' {"a_b":1,"aB":[2]} ', '[]', '"x"'], 'field')
    expect(texts.map(({ value }) => value)).toEqual([{ a_b: 1, aB: [2] }, [], 'x'])
    expect(texts.map(({ source, node }) => source.slice(node.start, node.end))).toEqual([
      '{"a_b":1,"aB":[2]}',
      '[]',
      '"x"',
    ])
  })

  it.each<[string, readonly unknown[]]>([
    ['none', ['']],
    ['no text', [{}]],
    ['null', [null]],
    ['a key twice', ['{"a":1,"a":2}']],
    ['a key twice, once escaped', ['{"a":1,"\\u0061":2}']],
    ['two values', ['1,2']],
    ['a value and a member', ['[1],"x":[2]']],
    ['what closes all around it', ['1]},{"json":[2']],
    ['one value in two texts', ['[1', '2]']],
    ['as many values as texts, elsewhere', ['[1', '2],3']],
    ['NaN', ['NaN']],
    ['a comment', ['/**/1']],
    ['a byte order mark', ['\ufeff1']],
    ['half a surrogate', ['"\ud800"']],
    ['too deep', [`${'['.repeat(70)}${']'.repeat(70)}`]],
    ['too much in all', Array.from({ length: 4 }, () => `[${'1,'.repeat(60_000)}1]`)],
  ])('is refused: %s', (_, given) => {
    expect(codeOf(given)).toBe('ERR_INVALID_PARAMETER')
  })

  it('of nothing is nothing', () => {
    expect(readJsonTexts([], 'field')).toEqual([])
  })
})
