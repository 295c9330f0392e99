import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { buildQuery, parseQuery } from '../../src/mlflow/query.ts'

function parse(raw: string, repeated: readonly string[] = []): Record<string, readonly string[]> | string {
  try {
    return Object.fromEntries(parseQuery(raw, new Set(repeated)))
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return fault.code
  }
}

const REFUSED = 'ERR_AMBIGUOUS_REQUEST'

describe('a query', () => {
  it.each([
    ['', {}],
    ['&', {}],
    ['&&a=1&', { a: ['1'] }],
    ['a', { a: [''] }],
    ['a=', { a: [''] }],
    ['=1', { '': ['1'] }],
    ['a=1=2', { a: ['1=2'] }],
    ['a=b+c%20d%2Be', { a: ['b c d+e'] }],
    ['a%5Fb=1', { a_b: ['1'] }],
    ['a=1;b=2', { a: ['1;b=2'] }],
    ['a=%26%3D%3F%23', { a: ['&=?#'] }],
    ['a=1#b', { a: ['1#b'] }],
    ['a=1?b=2', { a: ['1?b=2'] }],
    ['a=%C3%A9', { a: ['é'] }],
    ['a=%00%0A', { a: ['\0\n'] }],
    ['a=%2541', { a: ['%41'] }],
    ['__proto__=1', { ['__proto__']: ['1'] }],
  ])('%j is %j', (raw, expected) => {
    expect(parse(raw)).toEqual(expected)
  })

  it.each([
    ['twice, where MLflow takes the first', 'experiment_id=1&experiment_id=2'],
    ['twice the same', 'experiment_id=1&experiment_id=1'],
    ['under both spellings', 'experiment_id=1&experimentId=2'],
    ['the other way around', 'experimentId=2&experiment_id=1'],
    ['once escaped', 'experiment_id=1&experiment%5fid=2'],
    ['once without a value', 'experiment_id&experiment_id=2'],
    ['apart', 'experiment_id=1&x=y&experiment_id=2'],
    ['with a plus in its name', 'a+b=1&a%20b=2'],
  ])('is refused when a field is there %s', (_, raw) => {
    expect(parse(raw)).toBe(REFUSED)
  })

  it.each([
    ['a broken escape', 'a=%zz'],
    ['a cut escape', 'a=%2'],
    ['a broken escape in a name', '%=1'],
    ['no UTF-8', 'a=%ff'],
    ['a surrogate in three bytes', 'a=%ed%a0%80'],
  ])('is refused with %s', (_, raw) => {
    expect(parse(raw)).toBe(REFUSED)
  })

  it.each([
    ['order_by=a&order_by=b', { order_by: ['a', 'b'] }],
    ['order_by=a&x=1&order_by=a', { order_by: ['a', 'a'], x: ['1'] }],
    ['order_by=a&orderBy=b', REFUSED],
    ['orderBy=b&order_by=a', REFUSED],
    ['orderBy=a&orderBy=b', REFUSED],
    ['max_results=1&max_results=2', REFUSED],
  ])('may repeat only what the operation takes a list of: %s', (raw, expected) => {
    expect(parse(raw, ['order_by'])).toEqual(expected)
  })

  it('takes time in proportion to its length', () => {
    const start = performance.now()
    parse('a_b&'.repeat(1))
    parse(Array.from({ length: 20_000 }, (_, i) => `k_${i}=1`).join('&'))
    expect(performance.now() - start).toBeLessThan(1000)
  })
})

describe('the query that is forwarded', () => {
  it('has every character escaped that could end a field', () => {
    const query = parseQuery('filter=a%3D1%26x%3D2%23%3F%00+é&page_token=', new Set())
    expect(buildQuery(query)).toBe('?filter=a%3D1%26x%3D2%23%3F%00%20%C3%A9&page_token=')
  })

  it('is nothing when nothing was given', () => {
    expect(buildQuery(parseQuery('&&', new Set()))).toBe('')
  })

  it('is read again as the same fields', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => value.isWellFormed())
    const fields = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,8}$/),
      fc.array(text, { minLength: 1, maxLength: 3 }),
    )
    fc.assert(
      fc.property(fields, (given) => {
        const query = new Map(Object.entries(given))
        const raw = buildQuery(query).slice(1)
        expect(raw).toMatch(/^[\x21-\x7e]*$/)
        expect(parse(raw, Object.keys(given))).toEqual(given)
      }),
    )
  })
})
