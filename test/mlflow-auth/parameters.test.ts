import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { readParameters } from '../../src/mlflow-auth/parameters.ts'

const JSON_TYPE = 'application/json'

function ofBody(text: string, { method = 'POST', query = '', contentType = JSON_TYPE } = {}) {
  return readParameters({ method, url: `/x${query}`, contentType, body: Buffer.from(text) })
}

const ofQuery = (query: string, method = 'GET') =>
  readParameters({ method, url: `/x?${query}`, contentType: undefined, body: undefined })

/** The code of the refusal, or what was read. */
function outcome(read: () => unknown): unknown {
  try {
    return read()
  } catch (fault) {
    if (isGatewayError(fault)) return fault.code
    throw fault
  }
}

describe('a request is read in one way', () => {
  it.each([
    ['a field twice', () => ofBody('{"username":"a","username":"b"}')],
    ['a field under two spellings', () => ofBody('{"role_id":1,"roleId":2}')],
    ['a query beside a body', () => ofBody('{}', { query: '?username=a' })],
    [
      'a query beside the body of a DELETE',
      () => ofBody('{"role_id":1}', { method: 'DELETE', query: '?role_id=2' }),
    ],
    [
      'a body beside the query of a GET',
      () => ofBody('{"role_id":1}', { method: 'GET', query: '?role_id=2' }),
    ],
    ['a field of the query twice', () => ofQuery('role_id=1&role_id=2')],
    ['no object', () => ofBody('["a"]')],
    ['JSON in a string', () => ofBody('"{}"')],
    ['no body', () => ofBody('')],
    [
      'UTF-16',
      () =>
        readParameters({
          method: 'POST',
          url: '/',
          contentType: JSON_TYPE,
          body: Buffer.from('{}', 'utf16le'),
        }),
    ],
  ])('%s is refused', (_, read) => {
    expect(outcome(read)).toBe('ERR_AMBIGUOUS_REQUEST')
  })

  it.each(['', 'text/plain', 'application/json; charset=utf-16', 'application/x-www-form-urlencoded'])(
    'a body of the type %j is refused',
    (contentType) => {
      expect(outcome(() => ofBody('{}', { contentType }))).toBe('ERR_UNSUPPORTED_MEDIA_TYPE')
    },
  )

  it('a DELETE is read by its body, or by its query if it has none', () => {
    expect(ofBody('{"role_id":7}', { method: 'DELETE' }).number('role_id')).toBe(7)
    expect(ofQuery('role_id=7', 'DELETE').number('role_id')).toBe(7)
  })
})

describe('a field', () => {
  it.each([
    ['{"a":"x"}', 'x'],
    ['{"a":""}', ''],
    ['{}', 'ERR_INVALID_PARAMETER'],
    ['{"a":null}', 'ERR_INVALID_PARAMETER'],
    ['{"a":1}', 'ERR_INVALID_PARAMETER'],
    ['{"a":["x"]}', 'ERR_INVALID_PARAMETER'],
    ['{"a":"x\\u0000"}', 'ERR_INVALID_PARAMETER'],
    ['{"a":"\\ud800"}', 'ERR_INVALID_PARAMETER'],
    ['{"__proto__":{"a":"x"}}', 'ERR_INVALID_PARAMETER'],
  ])('of %s as a text is %j', (body, expected) => {
    expect(outcome(() => ofBody(body).text('a'))).toBe(expected)
  })

  it.each<readonly [string, unknown]>([
    ['{"a":7}', 7],
    ['{"a":"7"}', 7],
    ['{"a":7.0}', 7],
    ...[
      '0',
      '-1',
      '1.5',
      '"07"',
      '" 7"',
      '"+7"',
      '"1_0"',
      '"1e3"',
      'true',
      '[7]',
      '""',
      '1e300',
      '9007199254740993',
    ].map((value): [string, unknown] => [`{"a":${value}}`, 'ERR_INVALID_PARAMETER']),
  ])('of %s as a number is %j', (body, expected) => {
    expect(outcome(() => ofBody(body).number('a'))).toBe(expected)
  })

  it.each([
    ['{"a":true}', true],
    ['{"a":false}', false],
    ['{"a":"true"}', 'ERR_INVALID_PARAMETER'],
    ['{"a":1}', 'ERR_INVALID_PARAMETER'],
    ['{}', 'ERR_INVALID_PARAMETER'],
  ])('of %s as a flag is %j', (body, expected) => {
    expect(outcome(() => ofBody(body).flag('a'))).toBe(expected)
  })

  it('may be left out, and workspaces may be several', () => {
    expect(ofBody('{"a":null}').optionalText('a')).toBeUndefined()
    expect(ofBody('{}').optionalText('toString')).toBeUndefined()
    expect(ofQuery('workspace=a&workspace=b').texts('workspace')).toEqual(['a', 'b'])
    expect(ofQuery('').texts('workspace')).toEqual([])
  })
})
