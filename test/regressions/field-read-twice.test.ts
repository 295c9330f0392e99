/**
 * The attack: a body in which the gateway and MLflow each find another value. A key twice, one protobuf field under
 * both spellings (field report 1), JSON inside a JSON string (89), bytes that only one of them decodes, a type that one
 * of them converts, an id that Python's int() takes for another, a name that one of them ends at a NUL. Nothing that can be read two ways is forwarded.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_A, MODEL_B, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'

function post(
  path: string,
  body: string | Buffer,
  type = 'application/json',
  as: 'editor' | 'admin' = 'editor',
) {
  const target = `/api/2.0/mlflow/${path}`
  return gateway.ask({ method: 'POST', target, body, as, headers: [`Content-Type: ${type}`] })
}

describe('field report 1: one field twice', () => {
  it.each([
    ['update', 'experiments/update', '{"experiment_id":"1","experimentId":"2","new_name":"alpha/x"}'],
    [
      'the other order',
      'experiments/update',
      '{"experimentId":"2","experiment_id":"1","new_name":"alpha/x"}',
    ],
    [
      'with equal values',
      'experiments/update',
      '{"experimentId":"1","experiment_id":"1","new_name":"alpha/x"}',
    ],
    ['the new name', 'experiments/update', '{"experiment_id":"1","new_name":"alpha/x","newName":"beta/x"}'],
    ['the same key', 'experiments/update', '{"experiment_id":"1","experiment_id":"2","new_name":"alpha/x"}'],
    [
      'the same key, written with an escape',
      'experiments/update',
      '{"experiment_id":"1","experiment\\u005fid":"2"}',
    ],
    ['letters with escapes', 'experiments/update', '{"\\u0065xperiment_id":"1","experiment_id":"2"}'],
    ['two underscores', 'experiments/update', '{"experiment_id":"1","experiment__id":"2"}'],
    ['a field nobody judges', 'experiments/update', '{"experiment_id":"1","x_y":"1","xY":"2"}'],
    ['a list', 'runs/search', '{"experiment_ids":["1"],"experimentIds":["2"]}'],
    ['a list, other order', 'runs/search', '{"experimentIds":["2"],"experiment_ids":["1"]}'],
    ['deletion', 'experiments/delete', '{"experiment_id":"1","experimentId":"2"}'],
    ['run and run', 'runs/delete', `{"run_id":"${RUN_A}","runId":"${RUN_B}"}`],
    [
      'nested',
      'runs/log-batch',
      `{"run_id":"${RUN_A}","metrics":[{"key":"k","model_id":"${MODEL_A}","modelId":"${MODEL_B}"}]}`,
    ],
    [
      'nested, second element',
      'runs/log-inputs',
      `{"run_id":"${RUN_A}","models":[{"model_id":"${MODEL_A}"},{"modelId":"${MODEL_B}","model_id":"${MODEL_A}"}]}`,
    ],
    [
      'nested, in an object nobody judges',
      'runs/log-inputs',
      `{"run_id":"${RUN_A}","datasets":[{"dataset":{"source_type":"a","sourceType":"b"}}]}`,
    ],
    [
      'nested deeper, same key',
      'runs/log-inputs',
      `{"run_id":"${RUN_A}","datasets":[{"dataset":{"name":"a","name":"b"}}]}`,
    ],
  ])('%s', async (_, path, body) => {
    for (const as of ['editor', 'admin'] as const) {
      const { line, reached } = await post(path, body, 'application/json', as)
      expect([line, reached]).toEqual([AMBIGUOUS, []])
    }
  })

  it.each([
    ['camel case alone', 'experiments/update', '{"experimentId":"2","newName":"alpha/x"}'],
    [
      'mixed per element',
      'runs/log-inputs',
      `{"run_id":"${RUN_A}","models":[{"model_id":"${MODEL_A}"},{"modelId":"${MODEL_B}"}]}`,
    ],
    [
      'one of two in a list',
      'runs/log-outputs',
      `{"run_id":"${RUN_A}","models":[{"model_id":"${MODEL_A}"},{"model_id":"${MODEL_B}"}]}`,
    ],
    [
      "a metric's model",
      'runs/log-metric',
      `{"run_id":"${RUN_A}","key":"k","value":1,"timestamp":1,"model_id":"${MODEL_B}"}`,
    ],
    ['a source run', 'logged-models', `{"experiment_id":"1","source_run_id":"${RUN_B}"}`],
    ['a source run, camel case', 'logged-models', `{"experiment_id":"1","sourceRunId":"${RUN_B}"}`],
  ])('%s: judged', async (_, path, body) => {
    const { line, reached } = await post(path.replace('log-outputs', 'outputs'), body)
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })

  it('two names of one field must say the same', async () => {
    const differing = await post('runs/update', `{"run_id":"${RUN_A}","run_uuid":"${RUN_B}"}`)
    expect([differing.line, differing.reached]).toEqual([AMBIGUOUS, []])
    const swapped = await post('runs/update', `{"run_uuid":"${RUN_B}","run_id":"${RUN_A}"}`)
    expect([swapped.line, swapped.reached]).toEqual([AMBIGUOUS, []])
    const empty = await post('runs/update', `{"run_id":"","run_uuid":"${RUN_A}"}`)
    expect([empty.line, empty.reached]).toEqual([INVALID, []])
    const equal = await post('runs/update', `{"run_id":"${RUN_A}","run_uuid":"${RUN_A}"}`)
    expect(equal.line).toBe('200 allow')
    const alone = await post('runs/update', `{"run_uuid":"${RUN_B}"}`)
    expect([alone.line, alone.reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })
})

describe('a name that MLflow ends at a NUL character', () => {
  it.each([
    ['alone', 'experiments/update', '{"experiment_id\\u0000":"2","new_name":"alpha/x"}'],
    ['with more behind it', 'experiments/update', '{"experiment_id\\u0000x":"2","new_name":"alpha/x"}'],
    ['after the field', 'experiments/update', '{"experiment_id":"1","experiment_id\\u0000":"2"}'],
    ['before the field', 'experiments/update', '{"experiment_id\\u0000":"2","experiment_id":"1"}'],
    [
      'written with an escape',
      'experiments/update',
      '{"experiment_id":"1","experiment\\u005fid\\u0000":"2"}',
    ],
    ['a source run', 'logged-models', `{"experiment_id":"1","source_run_id\\u0000":"${RUN_B}"}`],
    [
      'nested',
      'runs/log-batch',
      `{"run_id":"${RUN_A}","metrics":[{"key":"k","model_id\\u0000":"${MODEL_B}"}]}`,
    ],
    ['a list', 'runs/search', '{"experiment_ids":["1"],"experiment_ids\\u0000x":["2"]}'],
  ])('%s', async (_, path, body) => {
    for (const as of ['editor', 'admin'] as const) {
      const { line, reached } = await post(path, body, 'application/json', as)
      expect([line, reached]).toEqual([AMBIGUOUS, []])
    }
  })
})

describe('a name that the engine takes for one of an earlier body', () => {
  /** What the first letters of an escaped name look like to JSON.parse of Node 24 to 26, once a body had that for a name. */
  const lookAlike = (name: string) =>
    `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`.slice(0, name.length)
  const escaped = (name: string) => `\\u00${name.charCodeAt(0).toString(16)}${name.slice(1)}`

  it.each([
    ['a source run', 'logged-models', '"experiment_id":"1"', 'source_run_id', `"${RUN_B}"`],
    ['a list of runs', 'runs/search', '"filter":""', 'experiment_ids', '["2"]'],
    ['the id', 'experiments/update', '"new_name":"alpha/x"', 'experiment_id', '"2"'],
  ])('%s', async (_, path, first, name, value) => {
    for (let times = 0; times < 3; times++)
      await post(path, `{${first},${JSON.stringify(lookAlike(name))}:"x"}`)
    const plain = await post(path, `{${first},"${name}":${value}}`)
    const disguised = await post(path, `{${first},"${escaped(name)}":${value}}`)
    expect([disguised.line, disguised.reached]).toEqual([plain.line, plain.reached])
    expect(disguised.reached).toEqual([])
  })
})

const utf16 = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le')
const GOOD = '{"experiment_id":"1","new_name":"alpha/x"}'
const EVIL = '{"experiment_id":"2","new_name":"alpha/x"}'

describe('field report 89: a body that is not one JSON object in UTF-8', () => {
  it.each([
    ['JSON in a string', JSON.stringify(EVIL)],
    ['JSON in a string in a string', JSON.stringify(JSON.stringify(EVIL))],
    ['array', `[${GOOD}]`],
    ['number', '1'],
    ['null', 'null'],
    ['true', 'true'],
    ['trailing garbage', `${GOOD}x`],
    ['a second object', `${GOOD}${EVIL}`],
    ['a second object on a line of its own', `${GOOD}\n${EVIL}`],
    ['NUL at the end', `${GOOD}\0`],
    ['trailing comma', '{"experiment_id":"1",}'],
    ['NaN', '{"experiment_id":"1","value":NaN}'],
    ['Infinity', '{"experiment_id":"1","value":-Infinity}'],
    ['single quotes', "{'experiment_id':'1'}"],
    ['comment', '{"experiment_id":"1"/*,"experiment_id":"2"*/}'],
    ['key without quotes', '{experiment_id:"1"}'],
    ['form', 'experiment_id=2&new_name=alpha/x'],
    ['blanks only', '   '],
    ['byte order mark', `\uFEFF${GOOD}`],
    ['UTF-16', utf16(EVIL)],
    ['UTF-16 without a mark', utf16(EVIL).subarray(2)],
    ['UTF-16, big endian', utf16(EVIL).swap16()],
    ['UTF-32', Buffer.from([...EVIL].flatMap((char) => [char.charCodeAt(0), 0, 0, 0]))],
    ['UTF-7', '+AHs-"experiment_id":"2"+AH0-'],
    ['latin1', Buffer.from('{"experiment_id":"1","new_name":"alpha/é"}', 'latin1')],
    [
      'half a character',
      Buffer.concat([
        Buffer.from('{"experiment_id":"1","new_name":"alpha/'),
        Buffer.from([0xc3]),
        Buffer.from('"}'),
      ]),
    ],
    [
      'overlong',
      Buffer.concat([
        Buffer.from('{"experiment_id":"1","x":"'),
        Buffer.from([0xc0, 0xaf]),
        Buffer.from('"}'),
      ]),
    ],
    [
      'surrogate in UTF-8',
      Buffer.concat([
        Buffer.from('{"experiment_id":"1","x":"'),
        Buffer.from([0xed, 0xa0, 0x80]),
        Buffer.from('"}'),
      ]),
    ],
    ['line separator outside a string', '{"experiment_id":"1"}\u2028'],
    ['no-break space', '{\u00a0"experiment_id":"1"}'],
    ['vertical tab', '{\v"experiment_id":"1"}'],
    ['a number of 5,000 digits', `{"experiment_id":"1","x":${'9'.repeat(5000)}}`],
  ])('%s', async (_, body) => {
    for (const as of ['editor', 'admin'] as const) {
      const { line, reached } = await post('experiments/update', body, 'application/json', as)
      expect([line, reached]).toEqual([AMBIGUOUS, []])
    }
  })

  it.each(['{}', '', '{"experiment_id":null}', '{"__proto__":{"experiment_id":"1"}}', '{"constructor":{}}'])(
    'nothing said: %s',
    async (body) => {
      const { line, reached } = await post('experiments/update', body)
      expect([line, reached]).toEqual([INVALID, []])
    },
  )
})

describe('an id of another type or spelling', () => {
  it.each([
    ['number', '2'],
    ['number, one of ours', '1'],
    ['float', '1.0'],
    ['boolean', 'true'],
    ['list', '["1"]'],
    ['list of two', '["1","2"]'],
    ['object', '{"experiment_id":"1"}'],
    ['empty', '""'],
    ['leading zero', '"01"'],
    ['leading zero of another', '"02"'],
    ['blank before', '" 2"'],
    ['blank after', '"2 "'],
    ['line feed', '"2\\n"'],
    ['tab', '"\\t2"'],
    ['plus', '"+2"'],
    ['minus zero', '"-0"'],
    ['minus', '"-2"'],
    ['underscore', '"0_2"'],
    ['underscore inside', '"1_0"'],
    ['fullwidth digit', '"２"'],
    ['Arabic digit', '"٢"'],
    ['Devanagari digit', '"२"'],
    ['mathematical digit', '"𝟐"'],
    ['superscript', '"²"'],
    ['no-break space', '"2\\u00a0"'],
    ['zero-width space', '"2\\u200b"'],
    ['NUL', '"2\\u0000"'],
    ['float in a string', '"2.0"'],
    ['exponent', '"2e0"'],
    ['hexadecimal', '"0x2"'],
    ['path', '"1/../2"'],
    ['list in a string', '"1,2"'],
    ['lone surrogate', '"\\ud800"'],
  ])('%s', async (_, id) => {
    for (const as of ['editor', 'admin'] as const) {
      const update = await post(
        'experiments/update',
        `{"experiment_id":${id},"new_name":"alpha/x"}`,
        'application/json',
        as,
      )
      expect([update.line, update.reached]).toEqual([INVALID, []])
    }
    const search = await post('runs/search', `{"experiment_ids":["1",${id === '"1"' ? '"01"' : id}]}`)
    expect([search.line, search.reached]).toEqual([INVALID, []])
  })

  it.each([
    ['runs/delete', 'run_id', `"${RUN_A.toUpperCase()}"`, 403],
    ['runs/delete', 'run_id', `" ${RUN_A}"`, 400],
    ['runs/delete', 'run_id', `"${RUN_A}/../${RUN_B}"`, 400],
    ['runs/delete', 'run_id', `"${RUN_A}?x=1"`, 400],
    ['runs/delete', 'run_id', `"${RUN_A}&run_id=${RUN_B}"`, 400],
    ['runs/delete', 'run_id', `["${RUN_A}"]`, 400],
    ['runs/delete', 'run_id', `{"run_id":"${RUN_A}"}`, 400],
    ['runs/log-batch', 'metrics', '{}', 400],
    ['runs/log-batch', 'metrics', '[["x"]]', 400],
    ['runs/log-batch', 'metrics', '[null]', 400],
    ['runs/log-batch', 'metrics', `[{"model_id":["${MODEL_B}"]}]`, 400],
    ['runs/search', 'experiment_ids', '"1"', 400],
    ['runs/search', 'experiment_ids', '{"0":"1"}', 400],
    ['runs/search', 'experiment_ids', '[null]', 400],
    ['runs/search', 'experiment_ids', '[["1"]]', 400],
  ])('%s %s: %s', async (path, field, value, status) => {
    const more = path === 'runs/log-batch' ? `"run_id":"${RUN_A}",` : ''
    const refused = await post(path, `{${more}"${field}":${value}}`)
    expect([refused.status, refused.reached]).toEqual([status, []])
  })
})

describe('what is forwarded', () => {
  it('is byte for byte what was read', async () => {
    const body = `{ "run_id" : "${RUN_A}",\n"metrics":[{"key":"k","value":1e-7,"timestamp":9007199254740993,"step":-0}],"x":"\\u00e9é" }`
    const { line, forwarded } = await post('runs/log-batch', body)
    expect([line, forwarded.map((request) => request.body.toString())]).toEqual(['200 allow', [body]])
  })

  it('has what was judged before what was not, each as it was sent', async () => {
    const { forwarded } = await post(
      'experiments/set-experiment-tag',
      '{"key": "k", "value":1.50,"experiment_id" :"1"}',
    )
    expect(forwarded.map((request) => request.body.toString())).toEqual([
      '{"experiment_id" :"1","key": "k","value":1.50}',
    ])
  })

  it('has only the experiments that may be read', async () => {
    const { forwarded } = await post('runs/search', '{"experimentIds":["2","1","888"], "max_results": 10}')
    expect(forwarded.map((request) => JSON.parse(request.body.toString()))).toEqual([
      { experimentIds: ['1'], max_results: 10 },
    ])
  })

  it.each(['{"experiment_ids":["2"]}', '{"experiment_ids":[]}', '{}', ''])(
    'is nothing at all, where nothing of it may be read: %s',
    async (body) => {
      const { line, text, reached } = await post('runs/search', body)
      expect([line, text, reached]).toEqual(['200 allow', '{}', []])
    },
  )
})
