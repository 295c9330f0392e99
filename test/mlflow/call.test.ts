import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { checkFraming, memberOf, readTarget, select, upstreamTarget } from '../../src/mlflow/call.ts'
import { operationNamed } from '../../src/mlflow/catalogue.ts'
import { compileTemplate } from '../../src/mlflow/path.ts'
import { row, SIGNED_IN } from '../../src/mlflow/row.ts'
import { parseSelector } from '../../src/mlflow/selector.ts'
import { attempt, type CallParts, callFor, callOf } from './examples.ts'

const POST = row('test.post', 'POST', '/test', SIGNED_IN)
const GET = row('test.get', 'GET', '/test', SIGNED_IN, { repeated: ['run_ids'] })

function picked(selector: string, parts: CallParts, operation = POST): readonly string[] | string {
  return attempt(() => select(callOf(operation, parts), parseSelector(selector)))
}

const missing = (text: string) => `ERR_INVALID_PARAMETER: Missing value for required parameter '${text}'`
const wrong = (text: string) =>
  `ERR_INVALID_PARAMETER: Invalid value for parameter '${text}': a non-empty string is expected`
const differ = (text: string) => `ERR_AMBIGUOUS_REQUEST: '${text}' names two different things`

describe('the notation of selectors', () => {
  it.each([
    ['run_id', { in: 'args', names: [['run_id']], optional: false, text: 'run_id' }],
    [
      'run_id|run_uuid',
      { in: 'args', names: [['run_id'], ['run_uuid']], optional: false, text: 'run_id|run_uuid' },
    ],
    [
      'metrics[].model_id?',
      { in: 'args', names: [['metrics[]', 'model_id']], optional: true, text: 'metrics[].model_id' },
    ],
    ['query:run_uuid', { in: 'query', names: [['run_uuid']], optional: false, text: 'run_uuid' }],
    [
      'path:artifact_path',
      { in: 'path', names: [['artifact_path']], optional: false, text: 'artifact_path' },
    ],
    [
      'header:x-mlflow-run-id?',
      { in: 'header', names: [['x-mlflow-run-id']], optional: true, text: 'x-mlflow-run-id' },
    ],
  ])('%s', (text, expected) => {
    expect(parseSelector(text)).toEqual(expected)
  })

  it('is a mistake in the catalogue if the place is none', () => {
    expect(() => parseSelector('cookie:run_id')).toThrow('No such place')
  })
})

describe('what a selector picks from a JSON body', () => {
  it.each([
    ['run_id', '{"run_id":"a"}', ['a']],
    ['run_id', '{"runId":"a"}', ['a']],
    ['run_id', '{"run\\u005fid":"\\u0061"}', ['a']],
    ['run_id', '{"run_id":" a "}', [' a ']],
    ['run_id', '{"RUN_ID":"a","runid":"b"}', missing('run_id')],
    ['run_id', '{"run_id_":"a"}', missing('run_id')],
    ['run_id', '{"x":{"run_id":"a"}}', missing('run_id')],
    ['run_id', '{"run_id":null}', missing('run_id')],
    ['run_id', '{}', missing('run_id')],
    ['run_id', undefined, missing('run_id')],
    ['run_id', '{"run_id":""}', wrong('run_id')],
    ['run_id', '{"run_id":1}', wrong('run_id')],
    ['run_id', '{"run_id":true}', wrong('run_id')],
    ['run_id', '{"run_id":["a"]}', wrong('run_id')],
    ['run_id', '{"run_id":{"value":"a"}}', wrong('run_id')],
    ['run_id', '{"run_id":"\\ud800"}', wrong('run_id')],
    ['run_id', '{"__proto__":{"run_id":"a"}}', missing('run_id')],
    ['constructor', '{"x":1}', missing('constructor')],
    ['run_id?', '{}', []],
    ['run_id?', '{"run_id":null}', []],
    ['run_id?', undefined, []],
    ['run_id?', '{"run_id":""}', wrong('run_id')],
    ['run_id|run_uuid', '{"run_id":"a","run_uuid":"a"}', ['a']],
    ['run_id|run_uuid', '{"run_id":"a","run_uuid":"b"}', differ('run_id|run_uuid')],
    ['run_id|run_uuid', '{"runId":"a","runUuid":"b"}', differ('run_id|run_uuid')],
    ['run_id|run_uuid', '{"run_uuid":"a"}', ['a']],
    ['run_id|run_uuid', '{"run_id":null,"run_uuid":"a"}', ['a']],
    ['run_id|run_uuid', '{"run_id":"","run_uuid":"a"}', wrong('run_id|run_uuid')],
    ['run_id|run_uuid', '{"run_id":"a","run_uuid":""}', wrong('run_id|run_uuid')],
    ['run_id|run_uuid', '{"run_id":"a","run_uuid":1}', wrong('run_id|run_uuid')],
    ['ids[]', '{"ids":["a","b","a"]}', ['a', 'b']],
    ['ids[]', '{"ids":[]}', []],
    ['ids[]', '{"ids":null}', missing('ids[]')],
    ['ids[]', '{"ids":"a"}', wrong('ids[]')],
    ['ids[]', '{"ids":{"0":"a"}}', wrong('ids[]')],
    ['ids[]', '{"ids":[2]}', wrong('ids[]')],
    ['ids[]', '{"ids":["a",null]}', wrong('ids[]')],
    ['ids[]', '{"ids":["a",["b"]]}', wrong('ids[]')],
    [
      'metrics[].model_id?',
      '{"metrics":[{"model_id":"a"},{},{"modelId":"b"},{"model_id":null}]}',
      ['a', 'b'],
    ],
    ['metrics[].model_id?', '{"metrics":[]}', []],
    ['metrics[].model_id?', '{}', []],
    ['metrics[].model_id?', '{"metrics":{"model_id":"a"}}', wrong('metrics[].model_id')],
    ['metrics[].model_id?', '{"metrics":[null]}', wrong('metrics[].model_id')],
    ['metrics[].model_id?', '{"metrics":["a"]}', wrong('metrics[].model_id')],
    ['metrics[].model_id?', '{"metrics":[[{"model_id":"a"}]]}', wrong('metrics[].model_id')],
    ['metrics[].model_id?', '{"metrics":[{"model_id":1}]}', wrong('metrics[].model_id')],
    ['trace.info.id', '{"trace":{"info":{"id":"a"}}}', ['a']],
    ['trace.info.id', '{"trace":{"info":null}}', missing('trace.info.id')],
    ['trace.info.id', '{"trace":[{"info":{"id":"a"}}]}', wrong('trace.info.id')],
  ])('%s of %s', (selector, body, expected) => {
    expect(picked(selector, { body })).toEqual(expected)
  })

  it('is not taken from the query, which MLflow does not read either', () => {
    expect(picked('run_id', { query: 'run_id=a' })).toBe(missing('run_id'))
    expect(picked('run_id', { query: 'run_id=a', body: '{"run_id":"b"}' })).toEqual(['b'])
    expect(picked('run_id', { method: 'DELETE', query: 'run_id=a', body: '{"run_id":"b"}' })).toEqual(['b'])
    expect(picked('run_id', { method: 'PATCH', query: 'run_id=a' })).toBe(missing('run_id'))
  })

  it('is a thousand things at most', () => {
    const ids = (count: number) => ({ ids: Array.from({ length: count }, (_, i) => String(i)) })
    expect(picked('ids[]', { body: ids(1000) })).toHaveLength(1000)
    expect(picked('ids[]', { body: ids(1001) })).toBe(
      "ERR_INVALID_PARAMETER: 'ids[]' names more than 1000 things",
    )
    expect(picked('ids[]', { body: { ids: Array(5000).fill('a') } })).toEqual(['a'])
  })
})

describe('what a selector picks from the request line', () => {
  it.each([
    ['run_id', 'run_id=a', ['a']],
    ['run_id', 'runId=a', missing('run_id')],
    ['run_id', 'run_id=', wrong('run_id')],
    ['run_id', 'run_id', wrong('run_id')],
    ['run_id', '', missing('run_id')],
    ['run_id|run_uuid', 'run_id=a&run_uuid=a', ['a']],
    ['run_id|run_uuid', 'run_id=a&run_uuid=b', differ('run_id|run_uuid')],
    ['run_id|run_uuid', 'run_uuid=a', ['a']],
    // To `/get-artifact` an empty run_id means run_uuid, to JSON routes it is an error: so it is refused.
    ['run_id|run_uuid', 'run_id=&run_uuid=a', wrong('run_id|run_uuid')],
    ['run_ids', 'run_ids=a&run_ids=b', ['a', 'b']],
    ['run_ids', 'run_ids=a&run_ids=', wrong('run_ids')],
    ['ids[]?', 'ids=a', ['a']],
    ['query:run_uuid', 'run_uuid=a', ['a']],
  ])('%s of ?%s', (selector, query, expected) => {
    expect(picked(selector, { query }, GET)).toEqual(expected)
    expect(picked(selector, { query, method: 'HEAD' }, GET)).toEqual(expected)
  })

  it('of alternatives that are lists is equal only item by item', () => {
    const lists = row('test.lists', 'GET', '/test', SIGNED_IN, { repeated: ['a', 'b'] })
    expect(picked('a|b', { query: 'a=1&a=2&b=1&b=2' }, lists)).toEqual(['1', '2'])
    expect(picked('a|b', { query: 'a=1&a=2&b=1' }, lists)).toBe(differ('a|b'))
    expect(picked('a|b', { query: 'a=1&a=2&b=1%002' }, lists)).toBe(differ('a|b'))
  })

  it('is read of a query where a row says so, whatever the method', () => {
    expect(picked('query:run_uuid', { query: 'run_uuid=a', body: '{"run_uuid":"b"}' })).toEqual(['a'])
    expect(picked('query:run_uuid', { body: '{"run_uuid":"b"}' })).toBe(missing('run_uuid'))
  })

  it('is read of the path, over a body that names another', () => {
    const call = callFor('logged_models.set_tags', { path: { model_id: 'm-1' }, body: '{"model_id":"m-2"}' })
    expect(select(call, parseSelector('path:model_id'))).toEqual(['m-1'])
  })

  it('is read of a header', () => {
    expect(picked('header:x-mlflow-run-id?', { headers: { 'x-mlflow-run-id': 'a' } })).toEqual(['a'])
    expect(picked('header:x-mlflow-run-id?', {})).toEqual([])
    expect(picked('header:x-mlflow-run-id?', { headers: { 'x-mlflow-run-id': '' } })).toBe(
      wrong('x-mlflow-run-id'),
    )
  })
})

describe('memberOf', () => {
  it.each([
    [{ run_id: 1 }, 1],
    [{ runId: 2 }, 2],
    [{ run_id: undefined, runId: 2 }, undefined],
    [{}, undefined],
    [Object.create({ run_id: 1 }), undefined],
  ])('of %j', (object, value) => {
    expect(memberOf(object, 'run_id')).toBe(value)
  })
})

describe('the request line', () => {
  const operation = operationNamed('experiments.get')
  const candidates = operation.paths.map((template) => ({ operation, template }))

  it.each([
    ['/api/2.0/mlflow/experiments/get?experiment_id=1', { experiment_id: ['1'] }],
    ['/ajax-api/2.0/mlflow/experiments/get?experiment_id=1', { experiment_id: ['1'] }],
    ['/api/2.0/mlflow/experiments/get', {}],
    ['/api/2.0/mlflow/experiments/get?', {}],
    ['/api/2.0/mlflow/experiments/get?a=1?b', { a: ['1?b'] }],
  ])('%s', (url, query) => {
    expect(Object.fromEntries(readTarget(url, candidates)?.query ?? [])).toEqual(query)
  })

  it.each([
    '//api/2.0/mlflow/experiments/get?experiment_id=1',
    'http://127.0.0.1/api/2.0/mlflow/experiments/get?experiment_id=1',
    '/api/2.0/mlflow/experiments/get#?experiment_id=1',
    '/api/2.0/mlflow/experiments/get%3Fexperiment_id=1',
    '/api/3.0/mlflow/experiments/get?experiment_id=1',
  ])('is of no row: %s', (url) => {
    expect(readTarget(url, candidates)).toBeUndefined()
  })

  it('is forwarded as it was read, not as it was sent', () => {
    const call = callFor('artifacts.download', {
      path: { artifact_path: '%32/r/artifacts/a%2Bb' },
      query: 'x=%41&&y',
    })
    expect(upstreamTarget(call)).toBe('/api/2.0/mlflow-artifacts/artifacts/2/r/artifacts/a%2Bb?x=A&y=')
  })

  it('loses the query where MLflow does not read it', () => {
    expect(upstreamTarget(callFor('runs.search', { query: 'experiment_ids=1', body: '{}' }))).toBe(
      '/api/2.0/mlflow/runs/search',
    )
    expect(
      upstreamTarget(callFor('registered_models.delete', { query: 'name=a', body: '{"name":"b"}' })),
    ).toBe('/api/2.0/mlflow/registered-models/delete')
    expect(upstreamTarget(callFor('artifacts.upload_to_run', { query: 'run_uuid=a&path=b' }))).toBe(
      '/ajax-api/2.0/mlflow/upload-artifact?run_uuid=a&path=b',
    )
  })

  it('goes to the first candidate that fits', () => {
    const near = row('test.near', 'GET', '/x/<a>', SIGNED_IN)
    const far = row('test.far', 'GET', '/x/<path:b>', SIGNED_IN)
    const both = [near, far].map((each) => ({
      operation: each,
      template: compileTemplate(each.paths[0]?.text ?? ''),
    }))
    expect(readTarget('/x/1', both)?.operation.name).toBe('test.near')
    expect(readTarget('/x/1/2', both)?.operation.name).toBe('test.far')
  })
})

describe('what the headers say of the body', () => {
  const framing = (name: string, method: string, rawHeaders: readonly string[]) => {
    const headers: Record<string, string> = {}
    for (let i = 0; i < rawHeaders.length; i += 2)
      headers[rawHeaders[i]?.toLowerCase() ?? ''] ??= rawHeaders[i + 1] ?? ''
    const request = { method, headers, rawHeaders } as unknown as IncomingMessage
    return attempt(() => checkFraming(request, operationNamed(name)))
  }
  const TYPE = 'ERR_UNSUPPORTED_MEDIA_TYPE: Send the body as Content-Type: application/json'
  const CODING = 'ERR_UNSUPPORTED_MEDIA_TYPE: Send the body without Content-Encoding: it has to be read here'

  it.each([
    ['application/json', undefined],
    ['application/json; charset=utf-8', undefined],
    ['application/json;charset=UTF-8', undefined],
    ['application/json;', TYPE],
    ['Application/JSON', TYPE],
    ['application/JSON', TYPE],
    ['application/json\t;x', TYPE],
    ['application/json ;charset=utf-8', TYPE],
    ['application/json ; charset=utf-8', TYPE],
    ['application/json; charset=utf-16', TYPE],
    ['application/json; charset=latin1', TYPE],
    ['application/json; x=y', TYPE],
    ['application/json, application/json', TYPE],
    ['application/json\t', TYPE],
    [' application/json', TYPE],
    ['application/jsonx', TYPE],
    ['application/json+x', TYPE],
    ['text/json', TYPE],
    ['text/plain', TYPE],
    ['application/x-www-form-urlencoded', TYPE],
    ['multipart/form-data; boundary=x', TYPE],
    ['', TYPE],
  ])('field report 85: Content-Type %j', (type, expected) => {
    for (const method of ['POST', 'PATCH', 'DELETE', 'PUT']) {
      expect(framing('runs.search', method, ['Content-Type', type, 'Content-Length', '2'])).toBe(expected)
    }
  })

  it('field report 85: no Content-Type, or two', () => {
    expect(framing('runs.search', 'POST', ['Content-Length', '2'])).toBe(TYPE)
    const twice = [
      'Content-Type',
      'application/json',
      'content-type',
      'application/json',
      'Content-Length',
      '2',
    ]
    expect(framing('runs.search', 'POST', twice)).toBe(TYPE)
    expect(
      framing('runs.search', 'POST', [
        'Content-Type',
        'application/json',
        'CONTENT-TYPE',
        'text/plain',
        'Content-Length',
        '2',
      ]),
    ).toBe(TYPE)
  })

  it('asks for no type where there is no body', () => {
    expect(framing('runs.search', 'POST', [])).toBeUndefined()
    expect(
      framing('runs.search', 'POST', ['Content-Length', '0', 'Content-Type', 'text/plain']),
    ).toBeUndefined()
  })

  it.each(['GET', 'HEAD'])('%s must not have a body', (method) => {
    const expected = `ERR_AMBIGUOUS_REQUEST: A ${method} request must not have a body`
    expect(
      framing('experiments.get', method, ['Content-Length', '2', 'Content-Type', 'application/json']),
    ).toBe(expected)
    expect(framing('experiments.get', method, ['Transfer-Encoding', 'chunked'])).toBe(expected)
    expect(framing('experiments.get', method, ['Content-Length', '00'])).toBe(expected)
    expect(framing('artifacts.download', method, ['Content-Length', '1'])).toBe(expected)
    expect(framing('graphql.query', method, ['Content-Length', '1'])).toBe(expected)
    expect(framing('experiments.get', method, [])).toBeUndefined()
    expect(framing('experiments.get', method, ['Content-Length', '0'])).toBeUndefined()
  })

  it.each(['gzip', 'deflate', 'br', 'zstd', 'identity', ''])('refuses the content coding %j', (coding) => {
    for (const name of ['runs.search', 'artifacts.upload', 'artifacts.upload_to_run']) {
      const { methods } = operationNamed(name)
      expect(framing(name, methods[0] ?? '', ['Content-Encoding', coding, 'Content-Length', '1'])).toBe(
        CODING,
      )
    }
  })

  it('lets a stream be of any type', () => {
    for (const type of ['application/octet-stream', 'text/html', 'application/json']) {
      expect(
        framing('artifacts.upload', 'PUT', ['Content-Type', type, 'Content-Length', '1']),
      ).toBeUndefined()
    }
    expect(framing('artifacts.upload', 'PUT', ['Transfer-Encoding', 'chunked'])).toBeUndefined()
  })
})
