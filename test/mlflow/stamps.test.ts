// A bare MLflow server takes the client's word for who did it: whoever can write could sign as somebody else.

import { describe, expect, it } from 'vitest'
import { type Call, memberOf } from '../../src/mlflow/call.ts'
import { judgedFirst } from '../../src/mlflow/rewrite.ts'
import { parseStamp, stamped } from '../../src/mlflow/stamps.ts'
import { callFor } from './examples.ts'

const textOf = (call: Call): string => Buffer.from(call.bytes ?? []).toString('utf8')
const stamp = (body: string | undefined, ...stamps: readonly string[]): Call =>
  stamped(callFor('runs.log_batch', body === undefined ? {} : { body }), stamps.map(parseStamp), 'ada')

function asAuthor(body: string): Call {
  const call = callFor('runs.create', { body })
  return stamped(call, call.operation.stamps, 'ada')
}

describe('parseStamp', () => {
  it.each([
    ['created_by', { path: [], field: 'created_by', tag: undefined }],
    [
      'completed_by unless status=PENDING',
      { path: [], field: 'completed_by', tag: undefined, unless: { field: 'status', is: 'PENDING' } },
    ],
    ['request.user_id', { path: ['request'], field: 'user_id', tag: undefined }],
    ['items[].completed_by', { path: ['items[]'], field: 'completed_by', tag: undefined }],
    ['tags{mlflow.user}', { path: [], field: 'tags', tag: 'mlflow.user' }],
  ])('%s', (text, parsed) => {
    expect(parseStamp(text)).toEqual(parsed)
  })

  it.each(['', 'items[]', 'a b', 'created_by?', 'query:user', 'a.', 'a unless b'])('refuses %j', (text) => {
    expect(() => parseStamp(text)).toThrow('Not a field that can be stamped')
  })
})

describe('stamped', () => {
  it.each([
    ['added where it was left out', '{"run_id":"1"}', ['created_by'], '{"created_by":"ada","run_id":"1"}'],
    [
      'set where it was sent',
      '{"created_by" : "root" ,"run_id":"1"}',
      ['created_by'],
      '{"created_by" : "ada" ,"run_id":"1"}',
    ],
    ['under the spelling that was sent', '{"createdBy":"root"}', ['created_by'], '{"createdBy":"ada"}'],
    ['under an escaped one', '{"created\\u005fby":"root"}', ['created_by'], '{"created\\u005fby":"ada"}'],
    ['whatever it was', '{"created_by":{"a":[1]}}', ['created_by'], '{"created_by":"ada"}'],
    ['for null, too', '{"created_by":null}', ['created_by'], '{"created_by":"ada"}'],
    [
      'several of them, in an empty body',
      '{}',
      ['created_by', 'updated_by'],
      '{"updated_by":"ada","created_by":"ada"}',
    ],
    [
      'in an object that was sent',
      '{"request":{"user_id":"root","n":1}}',
      ['request.user_id'],
      '{"request":{"user_id":"ada","n":1}}',
    ],
    [
      'not where another field says so',
      '{"status":"PENDING","by":"root"}',
      ['by unless status=PENDING'],
      '{"status":"PENDING","by":"root"}',
    ],
    [
      'but where that is another value',
      '{"status":0,"by":"root"}',
      ['by unless status=PENDING'],
      '{"status":0,"by":"ada"}',
    ],
    ['not in one that was not', '{"n":1}', ['request.user_id'], '{"n":1}'],
    ['not in what is no object', '{"request":[1]}', ['request.user_id'], '{"request":[1]}'],
    [
      'in each of a list',
      '{"items":[{"by":"root"},{},1]}',
      ['items[].by'],
      '{"items":[{"by":"ada"},{"by":"ada"},1]}',
    ],
    [
      'with every other byte as it was',
      '{ "n":1e400, "t":9223372036854775807 , "x":"\\u00e9" }',
      ['created_by'],
      '{"created_by":"ada", "n":1e400, "t":9223372036854775807 , "x":"\\u00e9" }',
    ],
  ])('%s', (_, body, stamps, forwarded) => {
    expect(textOf(stamp(body, ...stamps))).toBe(forwarded)
  })

  it('makes a body where none was sent', () => {
    expect(textOf(stamp(undefined, 'created_by'))).toBe('{"created_by":"ada"}')
  })

  it('quotes the name', () => {
    const call = stamped(callFor('runs.log_batch', { body: '{}' }), [parseStamp('by')], 'a","by":"root')
    expect(call.body && memberOf(call.body.value, 'by')).toBe('a","by":"root')
  })

  // MLflow ends its reading at the first field that it cannot convert, so that a stamp behind it would be lost.
  it('stands in front of what MLflow may not be able to read', () => {
    const body = '{"experiment_id":"1","start_time":"x","user_id":"root","tags":[]}'
    const text = textOf(judgedFirst(asAuthor(body)))
    expect(text.indexOf('user_id')).toBeLessThan(text.indexOf('start_time'))
    expect(text.indexOf('tags')).toBeLessThan(text.indexOf('start_time'))
  })
})

describe('the author of a run', () => {
  const author = (body: string) => JSON.parse(textOf(asAuthor(body)))
  const OURS = { key: 'mlflow.user', value: 'ada' }

  it.each([
    ['no tags, no user_id', '{"experiment_id":"1"}', [OURS]],
    ['tags: null', '{"experiment_id":"1","tags":null}', [OURS]],
    ['no tag at all', '{"experiment_id":"1","tags":[]}', [OURS]],
    [
      'another user',
      '{"experiment_id":"1","user_id":"root","tags":[{"key":"mlflow.user","value":"root"}]}',
      [OURS],
    ],
    ['another user in camel case', '{"experiment_id":"1","userId":"root"}', [OURS]],
    [
      'another user, escaped',
      '{"experiment_id":"1","user\\u005fid":"root","tags":[{"key":"mlflow\\u002euser","value":"root"}]}',
      [OURS],
    ],
    [
      'another user, several times',
      '{"experiment_id":"1","tags":[{"key":"mlflow.user","value":"a"},{"key":"k","value":"v"},{"value":"b","key":"mlflow.user"}]}',
      [OURS, { key: 'k', value: 'v' }],
    ],
  ])('is the caller: %s', (_, body, tags) => {
    const { userId, user_id, ...rest } = author(body)
    expect(user_id ?? userId).toBe('ada')
    expect([user_id, userId]).toContain(undefined)
    expect(rest.tags).toHaveLength(tags.length)
    expect(rest.tags).toEqual(expect.arrayContaining(tags))
  })

  // A tag that MLflow cannot convert ends its reading: ours has to be there by then.
  it('puts its tag before the client’s', () => {
    expect(author('{"experiment_id":"1","tags":["broken"]}').tags).toEqual([OURS, 'broken'])
  })

  it.each([
    '{"experiment_id":"1","user_id_":"x"}',
    '{"experiment_id":"1","user__id":"x"}',
    '{"experiment_id":"1","tags_":[]}',
  ])('does not mistake a field that only looks like one of MLflow’s: %s', (body) => {
    expect(() => author(body)).toThrow(expect.objectContaining({ code: 'ERR_AMBIGUOUS_REQUEST' }))
  })

  it.each(['"x"', '{"key":"k"}', '1', 'true'])('refuses tags that are no list: %s', (tags) => {
    expect(() => author(`{"experiment_id":"1","tags":${tags}}`)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_PARAMETER' }),
    )
  })

  it('changes no byte of anything else: int64, spacing and escapes stay', () => {
    const body =
      '{ "start_time" : 9223372036854775807, "run_name":"\\u00e9\\/é", "experiment_id":"1","tags": [ {"key":"a" , "value":"1e400"} ] }'
    const text = textOf(asAuthor(body))
    expect(text).toContain(
      '"start_time" : 9223372036854775807, "run_name":"\\u00e9\\/é", "experiment_id":"1"',
    )
    expect(text).toContain('{"key":"a" , "value":"1e400"}')
  })
})
