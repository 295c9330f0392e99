import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Call } from '../../src/mlflow/call.ts'
import { readJsonObject } from '../../src/mlflow/json.ts'
import {
  asSource,
  judgedFirst,
  objectsAt,
  objectsIn,
  setField,
  withChanges,
} from '../../src/mlflow/rewrite.ts'
import { experiment, loggedModel, read, readableOnly, row, run } from '../../src/mlflow/row.ts'
import { stamped } from '../../src/mlflow/stamps.ts'
import { callFor, callOf, textOf } from './examples.ts'

describe('an id behind a field that MLflow cannot convert', () => {
  // MLflow converts field by field, stops at the first fault and goes on with what it has: `experiment_id` would be
  // empty, and an empty id means the default experiment.
  it.each([
    [
      'experiments.update',
      '{"new_name":"x","[a.b]":1,"experiment_id":"1"}',
      '{"new_name":"x","experiment_id":"1","[a.b]":1}',
    ],
    ['experiments.delete', '{"[a.b]":1,"experiment_id":"1"}', '{"experiment_id":"1","[a.b]":1}'],
    ['experiments.delete', '{ "x" : 1 , "experimentId" : "1" }', '{"experimentId" : "1","x" : 1}'],
    ['experiments.delete', '{"x":1,"experiment\\u005fid":"1"}', '{"experiment\\u005fid":"1","x":1}'],
    [
      'experiments.set_tag',
      '{"key":"\\ud800","value":"v","experiment_id":"1"}',
      '{"experiment_id":"1","key":"\\ud800","value":"v"}',
    ],
    [
      'runs.update',
      '{"status":5,"run_uuid":"a","end_time":9007199254740993,"run_id":"a"}',
      '{"run_uuid":"a","run_id":"a","status":5,"end_time":9007199254740993}',
    ],
    [
      'runs.search',
      '{"max_results":"x","experiment_ids":["1","2"]}',
      '{"experiment_ids":["1","2"],"max_results":"x"}',
    ],
    ['registered_models.create', '{"x":1,"tags":[],"name":"n"}', '{"name":"n","tags":[],"x":1}'],
    [
      'gateway_endpoints.create',
      '{"model_configs":[{"weight":"x","model_definition_id":"d"}],"fallback_config":0,"usageTracking":false,"name":"n","experiment_id":"1"}',
      '{"usageTracking":false,"name":"n","experiment_id":"1","model_configs":[{"model_definition_id":"d","weight":"x"}],"fallback_config":0}',
    ],
    [
      'model_versions.create',
      '{"tags":0,"source":"runs:/a/m","name":"n"}',
      '{"source":"runs:/a/m","name":"n","tags":0}',
    ],
  ])('%s is forwarded with what was judged in front: %s', (name, sent, forwarded) => {
    const call = judgedFirst(callFor(name, { body: sent }))
    expect(textOf(call)).toBe(forwarded)
    expect(call.body?.text).toBe(forwarded)
  })

  it.each([
    ['experiments.update', '{"experiment_id":"1","new_name":"x"}'],
    ['experiments.update', ' { "new_name" : "x" , "experiment_id" : "1" } '],
    ['runs.log_batch', '{"run_id":"a","metrics":[{"key":"k","model_id":"m-1"}]}'],
    ['experiments.delete', '{"experiment_id":"1"}'],
    ['ui.post_telemetry', '{"b":1,"a":2}'],
  ])('%s keeps its bytes when nothing stands in the way: %s', (name, sent) => {
    expect(textOf(judgedFirst(callFor(name, { body: sent })))).toBe(sent)
  })

  const place = 'trace.info.location.experiment_id'
  it.each([
    [
      [read(experiment(place)), read(run('trace.info.id'))],
      '{"x":1,"trace":{"[a.b]":1,"info":{"t":"x","location":{"type":5,"experiment_id":"1"},"id":"r"}}}',
      '{"trace":{"info":{"id":"r","location":{"experiment_id":"1","type":5},"t":"x"},"[a.b]":1},"x":1}',
    ],
    [
      [readableOnly('locations[].in.experiment_id?')],
      '{"locations":[{"type":5,"in":{"x":1,"experimentId":"1"}},{"in":{"experiment_id":"2"}}, 5],"y":2}',
      '{"locations":[{"in":{"experimentId":"1","x":1},"type":5},{"in":{"experiment_id":"2"}},5],"y":2}',
    ],
    [
      [read(run('id')), read(loggedModel('metrics[].model_id?'))],
      '{"metrics":[{"key":"k","model_id":"m"}],"id":"r"}',
      '{"id":"r","metrics":[{"key":"k","model_id":"m"}]}',
    ],
    [[read(experiment('a.b'))], '{"a":{"b":"1","c":2},"d":3}', '{"a":{"b":"1","c":2},"d":3}'],
    [[read(experiment('a.b'))], '{"a":null,"d":3}', '{"a":null,"d":3}'],
    [[read(experiment('query:a')), read(run('path:b'))], '{"c":1,"a":2,"b":3}', '{"c":1,"a":2,"b":3}'],
  ])('is put in front on every level: %#', (needs, sent, forwarded) => {
    const call = callOf(row('test.row', 'POST', '/test', needs), { body: sent })
    expect(textOf(judgedFirst(call))).toBe(forwarded)
  })

  it('leaves a call without a body as it is', () => {
    const call = callFor('experiments.get', { query: 'experiment_id=1' })
    expect(judgedFirst(call)).toBe(call)
  })

  it('puts the ids before what the gateway itself adds', () => {
    const call = callFor('runs.create', { body: '{"start_time":1,"experiment_id":"1"}' })
    expect(JSON.parse(textOf(judgedFirst(stamped(call, call.operation.stamps, '\ud800'))))).toEqual({
      experiment_id: '1',
      user_id: '\ud800',
      tags: [{ key: 'mlflow.user', value: '\ud800' }],
      start_time: 1,
    })
    expect(textOf(judgedFirst(stamped(call, call.operation.stamps, '\ud800')))).toMatch(/^\{"experiment_id":/)
  })
})

describe('what is told from the value alone to be in front', () => {
  const needs = [read(experiment('a.b')), read(run('id')), readableOnly('c_d[].e.b?')]
  const operation = row('test.row', 'POST', '/test', needs)

  /** The call with another field in front in the value, but not in the text: only the places in the text tell then. */
  function doubted(call: Call): Call {
    const body = call.body ?? expect.fail('no body')
    const { text, root, shortened } = body
    const value = { other: 0, ...body.value }
    return { ...call, body: { text, root, shortened, value, sample: value } }
  }

  const names = fc.uniqueArray(
    fc.constantFrom('a', 'b', 'id', 'c_d', 'e', 'x', '0', '7', '__proto__', 'i\\u0064'),
    {
      maxLength: 5,
      selector: (name) => (name.startsWith('i') ? 'id' : name),
    },
  )
  const { value } = fc.letrec<{ value: string; object: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom('1', 'null', '"x"', '[]', '{}'),
      tie('object'),
      fc.array(tie('object'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
    ),
    object: fc
      .tuple(names, fc.array(tie('value'), { minLength: 5, maxLength: 5 }))
      .map(([keys, values]) => `{ ${keys.map((key, at) => `"${key}" :${values[at]}`).join(' ,')}}`),
  }))

  it('is so in the text', () => {
    let kept = 0
    fc.assert(
      fc.property(names, fc.array(value, { minLength: 5, maxLength: 5 }), (keys, values) => {
        const call = callOf(operation, {
          body: `{${keys.map((key, at) => `"${key}":${values[at]}`).join(', ')}}`,
        })
        const forwarded = judgedFirst(call)
        expect(textOf(forwarded)).toBe(textOf(judgedFirst(doubted(call))))
        if (forwarded === call) kept++
      }),
      { numRuns: 2000 },
    )
    expect(kept).toBeGreaterThan(200)
    expect(kept).toBeLessThan(1800)
  })
})

describe('asSource', () => {
  const judge = '{"source_type":"LLM_JUDGE","source_id":"gpt"}'
  it.each([
    ['{"a":[]}', '{"a":[]}'],
    [`{ "a": [{"source": ${judge}}] }`, `{ "a": [{"source": ${judge}}] }`],
    [
      `{"a":[{"source":${judge}},{"source":{"source_type":"HUMAN","sourceId":"x"}},{"source":${judge}}]}`,
      `{"a":[{"source":${judge}},{"source":{"source_type":"HUMAN","sourceId":"ada"}},{"source":${judge}}]}`,
    ],
    ['{"a":[{"source":{}},{"source":null},5]}', '{"a":[{"source":{"source_id":"ada"}},{"source":null},5]}'],
  ])('makes people who they are, and leaves machines as they are: %s', (sent, forwarded) => {
    const call = callFor('experiments.search', { method: 'POST', body: sent })
    expect(textOf(asSource(call, ['a[]', 'source'], 'ada'))).toBe(forwarded)
  })
})

describe('objectsIn', () => {
  const names = fc.uniqueArray(fc.constantFrom('a_b', 'aB', 'c', 'd_', '__proto__', '0'), {
    minLength: 1,
    maxLength: 3,
    selector: (name) => (name === 'aB' ? 'a_b' : name),
  })
  const { object } = fc.letrec<{ value: string; object: string }>((tie) => ({
    value: fc.oneof(
      { weight: 1, arbitrary: fc.constantFrom('1', 'null', '"x"', '[]', '{}', '[[{"c":{}}]]') },
      { weight: 4, arbitrary: fc.array(tie('object'), { maxLength: 2 }).map((items) => `[${items.join()}]`) },
      { weight: 4, arbitrary: tie('object') },
    ),
    object: fc
      .tuple(names, fc.array(tie('value'), { minLength: 3, maxLength: 3 }))
      .map(([keys, values]) => `{${keys.map((key, at) => `"${key}":${values[at]}`).join()}}`),
  }))
  const step = fc.constantFrom('a_b', 'a_b[]', 'c', 'c[]', 'd', '__proto__', 'toString', 'length')

  it('finds the same as objectsAt', () => {
    let most = 0
    fc.assert(
      fc.property(object, fc.array(step, { maxLength: 3 }), (text, path) => {
        const { value, root } = readJsonObject(Buffer.from(text))
        const placed = objectsAt({ value, node: root }, path).map((each) => each.value)
        const found = objectsIn(value, path)
        expect(found).toHaveLength(placed.length)
        expect(found.every((each, index) => each === placed[index])).toBe(true)
        if (path.length > 0) most = Math.max(most, found.length)
      }),
      { numRuns: 2000 },
    )
    expect(most).toBeGreaterThan(1)
  })
})

describe('setField', () => {
  it.each([
    ['{}', '{"max_results":5}'],
    ['{ }', '{"max_results":5 }'],
    ['{"a":1}', '{"max_results":5,"a":1}'],
    ['{"max_results": 1 ,"a":1}', '{"max_results": 5 ,"a":1}'],
    ['{"a":[{"max_results":1}],"maxResults":[1,{}]}', '{"a":[{"max_results":1}],"maxResults":5}'],
  ])('%s becomes %s', (before, after) => {
    const call = callFor('experiments.search', { method: 'POST', body: before })
    if (call.body === undefined) throw new Error('no body')
    const changed = withChanges(call, call.body, [setField(call.body, 'max_results', '5')])
    expect(textOf(changed)).toBe(after)
    expect(changed.body?.text).toBe(after)
  })
})
