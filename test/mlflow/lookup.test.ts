import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { createLookup, hasPromptTag } from '../../src/mlflow/lookup.ts'
import type { Soon } from '../../src/soon.ts'

type Answer = { readonly status: number; readonly body: unknown }

const EXPERIMENT = {
  experiment: { experiment_id: '1', name: 'alpha/one', artifact_location: 'mlflow-artifacts:/1' },
}
const ok = (body: unknown): Answer => ({ status: 200, body })
const NOT_FOUND: Answer = { status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST' } }

/** A look-up over a tracking server that answers every question with what `answer` says at that time. */
function lookupOver(answer: (target: string) => Answer | Promise<Answer>) {
  const targets: string[] = []
  const getJson = async (target: string) => {
    targets.push(target)
    return answer(target)
  }
  return { targets, lookup: createLookup({ upstream: { getJson }, nameTtl: 60 }) }
}

async function outcome(question: Soon<unknown>): Promise<unknown> {
  try {
    return await question
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return fault.code
  }
}

const INVALID = 'ERR_UPSTREAM_INVALID'

describe('an experiment', () => {
  it.each<[string, Answer, unknown]>([
    ['is what MLflow says', ok(EXPERIMENT), { id: '1', name: 'alpha/one', artifactRoot: '1' }],
    ['is none when there is none', NOT_FOUND, undefined],
    [
      'is a fault when MLflow answers about another',
      ok({ experiment: { ...EXPERIMENT.experiment, experiment_id: '2' } }),
      INVALID,
    ],
    ['is a fault when the answer lacks the name', ok({ experiment: { experiment_id: '1' } }), INVALID],
    ['is a fault when the id is a number', ok({ experiment: { experiment_id: 1, name: 'x' } }), INVALID],
    ['is a fault when the answer is empty', ok({}), INVALID],
    ['is a fault when MLflow has one', { status: 500, body: EXPERIMENT }, INVALID],
    ['is a fault when MLflow refuses', { status: 403, body: EXPERIMENT }, INVALID],
    ['is a fault when MLflow redirects', { status: 308, body: undefined }, INVALID],
    ['is a fault when the answer is not JSON', { status: 200, body: undefined }, INVALID],
    ['is a fault when the answer is a list', ok([EXPERIMENT]), INVALID],
    ['is a fault when the answer is a string', ok('x'), INVALID],
  ])('%s', async (_, answer, expected) => {
    expect(await outcome(lookupOver(() => answer).lookup.experiment('1'))).toEqual(expected)
  })

  it.each([
    ['mlflow-artifacts:/1', '1'],
    ['mlflow-artifacts:/workspaces/default/1', 'workspaces/default/1'],
    ['mlflow-artifacts://host:5000/1', '1'],
    ['mlflow-artifacts:///1', '1'],
    ['mlflow-artifacts:/1/', '1'],
    ['mlflow-artifacts:/', ''],
    ['mlflow-artifacts:/a/../1', 'a/../1'],
    ['MLFLOW-ARTIFACTS:/1', undefined],
    ['x-mlflow-artifacts:/1', undefined],
    ['s3://bucket/1', undefined],
    ['/tmp/x', undefined],
    ['file:///1', undefined],
    [undefined, undefined],
    [1, undefined],
  ])('stored at %s lies at %s', async (artifact_location, artifactRoot) => {
    const answer = ok({ experiment: { experiment_id: '1', name: 'x', artifact_location } })
    expect(await lookupOver(() => answer).lookup.experiment('1')).toEqual({
      id: '1',
      name: 'x',
      artifactRoot,
    })
  })

  it('by its name is the one that MLflow takes it for (a database may not tell cases apart)', async () => {
    expect(await lookupOver(() => ok(EXPERIMENT)).lookup.experimentByName('alpha/one')).toMatchObject({
      id: '1',
    })
    expect(await lookupOver(() => ok(EXPERIMENT)).lookup.experimentByName('Alpha/One')).toMatchObject({
      id: '1',
      name: 'alpha/one',
    })
    expect(await outcome(lookupOver(() => ({ status: 500, body: {} })).lookup.experimentByName('x'))).toBe(
      INVALID,
    )
  })
})

describe('the owner of a run, of a logged model', () => {
  const run = (info: object) => ok({ run: { info } })
  it.each<[string, Answer, unknown]>([
    ['is its experiment', run({ run_id: 'r', experiment_id: '2' }), '2'],
    ['is none when there is no run', NOT_FOUND, undefined],
    ['is its experiment, in whichever case', run({ run_id: 'R', experiment_id: '2' }), '2'],
    ['is a fault when the answer is about another run', run({ run_id: 's', experiment_id: '2' }), INVALID],
    ['is a fault when the answer is about no run', run({ run_uuid: 'r', experiment_id: '2' }), INVALID],
    ['is a fault when it has no experiment', run({ run_id: 'r' }), INVALID],
    ['is a fault when its experiment is a number', run({ run_id: 'r', experiment_id: 2 }), INVALID],
    ['is a fault when there is a hole in the answer', ok({ run: null }), INVALID],
    ['is a fault when MLflow has one', { status: 503, body: undefined }, INVALID],
    ['is a fault when the answer is garbage', { status: 200, body: '<html>' }, INVALID],
  ])('%s', async (_, answer, expected) => {
    expect(await outcome(lookupOver(() => answer).lookup.experimentOfRun('r'))).toBe(expected)
  })

  it('is asked for by an escaped id', async () => {
    const { lookup, targets } = lookupOver(() => NOT_FOUND)
    await lookup.experimentOfRun('a&run_uuid=b')
    await lookup.experimentOfModel('../x?y')
    await lookup.registryKind('a/b&c')
    await lookup.experiment('1#')
    expect(targets).toEqual([
      '/api/2.0/mlflow/runs/get?run_id=a%26run_uuid%3Db',
      '/api/2.0/mlflow/logged-models/..%2Fx%3Fy',
      '/api/2.0/mlflow/registered-models/get?name=a%2Fb%26c',
      '/api/2.0/mlflow/experiments/get?experiment_id=1%23',
    ])
  })

  it.each<[Answer, unknown]>([
    [ok({ model: { info: { model_id: 'm-1', experiment_id: '2' } } }), '2'],
    [ok({ model: { info: { model_id: 'm-2', experiment_id: '2' } } }), INVALID],
    [NOT_FOUND, undefined],
    [{ status: 500, body: {} }, INVALID],
    [ok(null), INVALID],
  ])('of a logged model: %j is %s', async (answer, expected) => {
    expect(await outcome(lookupOver(() => answer).lookup.experimentOfModel('m-1'))).toBe(expected)
  })
})

describe('what kind of thing a name in the registry is', () => {
  const PROMPT = { key: 'mlflow.prompt.is_prompt', value: 'true' }
  it.each<[string, Answer, unknown]>([
    ['a model', ok({ registered_model: { name: 'n' } }), 'registered_model'],
    ['a prompt', ok({ registered_model: { name: 'n', tags: [PROMPT] } }), 'prompt'],
    [
      'a model with other tags',
      ok({ registered_model: { name: 'n', tags: [{ key: 'k', value: 'true' }] } }),
      'registered_model',
    ],
    [
      'a model whose mark says no',
      ok({ registered_model: { name: 'n', tags: [{ ...PROMPT, value: 'false' }] } }),
      'registered_model',
    ],
    ['what MLflow takes it for', ok({ registered_model: { name: 'N', tags: [PROMPT] } }), 'prompt'],
    ['unknown, when it has no name', ok({ registered_model: { tags: [PROMPT] } }), INVALID],
    ['nothing', NOT_FOUND, undefined],
    ['unknown', { status: 502, body: {} }, INVALID],
  ])('%s', async (_, answer, expected) => {
    expect(await outcome(lookupOver(() => answer).lookup.registryKind('n'))).toBe(expected)
  })

  it.each([
    [{}, false],
    [{ tags: null }, false],
    [{ tags: {} }, false],
    [{ tags: [null, 'x', []] }, false],
    [{ tags: [{ ...PROMPT, value: 'True' }] }, true],
    [{ tags: [{ ...PROMPT, value: true }] }, true],
    [{ tags: [{ key: 'MLFLOW.PROMPT.IS_PROMPT', value: 'true' }] }, false],
  ])('hasPromptTag of %j is %s', (row, expected) => {
    expect(hasPromptTag(row)).toBe(expected)
  })
})

describe('what is remembered', () => {
  it('is asked once, however many ask at once', async () => {
    const { lookup, targets } = lookupOver(() => ok({ run: { info: { run_id: 'r', experiment_id: '2' } } }))
    const answers = await Promise.all(Array.from({ length: 50 }, () => lookup.experimentOfRun('r')))
    expect(new Set(answers)).toEqual(new Set(['2']))
    await lookup.experimentOfRun('r')
    expect(targets).toHaveLength(1)
    expect(lookup.sizes()).toMatchObject({
      experiments: 0,
      experimentNames: 0,
      runs: 1,
      models: 0,
      traces: 0,
      kinds: 0,
    })
  })

  it('is neither that something is missing nor a fault', async () => {
    const answers = [NOT_FOUND, { status: 500, body: {} }, ok(EXPERIMENT)]
    const { lookup } = lookupOver(() => answers.shift() ?? NOT_FOUND)
    expect(await outcome(lookup.experiment('1'))).toBeUndefined()
    expect(await outcome(lookup.experiment('1'))).toBe(INVALID)
    expect(await outcome(lookup.experiment('1'))).toMatchObject({ name: 'alpha/one' })
    expect(await outcome(lookup.experiment('1'))).toMatchObject({ name: 'alpha/one' })
  })

  it('is a fault for all who asked together', async () => {
    const { lookup, targets } = lookupOver(() => ({ status: 500, body: {} }))
    expect(await Promise.all([1, 2, 3].map(() => outcome(lookup.experiment('1'))))).toEqual([
      INVALID,
      INVALID,
      INVALID,
    ])
    expect(targets).toHaveLength(1)
  })

  it('is forgotten by key', async () => {
    let name = 'before'
    const { lookup, targets } = lookupOver((target) => {
      if (target.includes('registered-models')) return ok({ registered_model: { name: 'n' } })
      return ok({ experiment: { experiment_id: target.slice(-1), name } })
    })
    await lookup.experiment('1')
    await lookup.experiment('2')
    await lookup.registryKind('n')
    name = 'after'
    lookup.forget('experiment', '1')
    lookup.forget('model', 'other')
    expect(await lookup.experiment('1')).toMatchObject({ name: 'after' })
    expect(await lookup.experiment('2')).toMatchObject({ name: 'before' })
    await lookup.registryKind('n')
    expect(targets).toHaveLength(4)
    lookup.forget('model', 'n')
    await lookup.registryKind('n')
    expect(targets).toHaveLength(5)
    lookup.clear()
    await lookup.experiment('2')
    expect(targets).toHaveLength(6)
  })

  it('is, of questions, forgotten by kind and key, or by kind', async () => {
    const { lookup, targets } = lookupOver(() => ok({ experiment_ids: ['1'] }))
    const ask = async () => {
      for (const id of ['d-1', 'd-2']) await lookup.about('dataset', id)
      return targets.length
    }
    expect(await ask()).toBe(2)
    lookup.forget('resource', 'dataset/d-1')
    lookup.forget('resource', 'version_files/d-2')
    expect(await ask()).toBe(3)
    lookup.forget('resource', 'dataset/')
    expect(await ask()).toBe(5)
  })

  it('is, of names, forgotten with any experiment: another one may have the name now', async () => {
    const { lookup, targets } = lookupOver(() => ok(EXPERIMENT))
    await lookup.experimentByName('alpha/one')
    lookup.forget('experiment', '7')
    await lookup.experimentByName('alpha/one')
    expect(targets).toHaveLength(2)
  })

  it('is believed of names for a minute, and of owners for good', async () => {
    let now = 1000
    const targets: string[] = []
    const getJson = async (target: string) => {
      targets.push(target)
      return target.includes('runs/get')
        ? ok({ run: { info: { run_id: 'r', experiment_id: '1' } } })
        : ok(EXPERIMENT)
    }
    const lookup = createLookup({ upstream: { getJson }, nameTtl: 60, now: () => now })
    const asked = async (at: number) => {
      now = 1000 + at
      targets.length = 0
      await Promise.all([
        lookup.experiment('1'),
        lookup.experimentByName('alpha/one'),
        lookup.experimentOfRun('r'),
      ])
      return targets.length
    }
    expect([await asked(0), await asked(60), await asked(61), await asked(86_400)]).toEqual([3, 0, 2, 2])
  })

  it('is bounded', async () => {
    const getJson = async (target: string) =>
      ok({ run: { info: { run_id: target.split('=')[1], experiment_id: '1' } } })
    const lookup = createLookup({ upstream: { getJson }, size: 10 })
    for (let i = 0; i < 50; i++) await lookup.experimentOfRun(`r${i}`)
    expect(lookup.sizes()['runs']).toBe(10)
  })
})

describe('what changes while it is asked for', () => {
  /** Answers only when told to, in order. */
  function paused() {
    const waiting: ((answer: Answer) => void)[] = []
    const { lookup, targets } = lookupOver(() => new Promise((resolve) => waiting.push(resolve)))
    return { lookup, targets, answer: (each: Answer) => waiting.shift()?.(each) }
  }
  const named = (name: string) => ok({ experiment: { experiment_id: '1', name } })

  // A rename passes through while somebody asks: "there is no such thing" would be a guess, and the name "before" stale.
  it('is not said to be missing, and what was known before is not kept', async () => {
    const { lookup, answer } = paused()
    const first = lookup.experiment('1')
    lookup.forget('experiment', '1')
    answer(named('before'))
    expect(await first).toMatchObject({ name: 'before' })
    const second = lookup.experiment('1')
    answer(named('after'))
    expect(await second).toMatchObject({ name: 'after' })
    expect(await lookup.experiment('1')).toMatchObject({ name: 'after' })
  })

  it('is asked anew by those who ask after the change', async () => {
    const { lookup, answer, targets } = paused()
    const first = lookup.experiment('1')
    lookup.forget('experiment', '1')
    const second = lookup.experiment('1')
    expect(targets).toHaveLength(2)
    answer(named('before'))
    answer(named('after'))
    expect(await first).toMatchObject({ name: 'before' })
    expect(await second).toMatchObject({ name: 'after' })
    expect(await lookup.experiment('1')).toMatchObject({ name: 'after' })
  })

  it('holds for names, kinds and a cleared memory too', async () => {
    const { lookup, answer } = paused()
    const byName = lookup.experimentByName('x')
    const kind = lookup.registryKind('n')
    const run = lookup.experimentOfRun('r')
    lookup.forget('experiment', '9')
    lookup.forget('model', 'n')
    lookup.clear()
    answer(ok({ experiment: { experiment_id: '1', name: 'x' } }))
    answer(ok({ registered_model: { name: 'n' } }))
    answer(ok({ run: { info: { run_id: 'r', experiment_id: '1' } } }))
    expect(await byName).toMatchObject({ id: '1' })
    expect(await kind).toBe('registered_model')
    expect(await run).toBe('1')
    expect(lookup.sizes()).toMatchObject({ experimentNames: 0, kinds: 0, runs: 0 })
  })

  it('is answered though more is asked at once than is kept', async () => {
    const getJson = async (target: string) =>
      ok({ run: { info: { run_id: target.split('=')[1], experiment_id: '1' } } })
    const lookup = createLookup({ upstream: { getJson }, size: 10 })
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => lookup.experimentOfRun(`r${i}`)))
    expect(new Set(answers)).toEqual(new Set(['1']))
  })
})

describe('the experiment of a trace', () => {
  const place = (experiment_id: unknown) => ({ mlflow_experiment: { experiment_id } })
  const answer = (trace_id: unknown, trace_location: unknown) =>
    ok({ trace: { trace_info: { trace_id, trace_location } } })

  it.each<[string, Answer, unknown]>([
    ['is what MLflow says', answer('tr-1', place('2')), '2'],
    ['is none when there is no such trace', NOT_FOUND, undefined],
    // None of these may count as absent: an absent id is there for the taking.
    ['is a fault when the answer is about another', answer('TR-1', place('2')), INVALID],
    ['is a fault when the trace is in no experiment', answer('tr-1', { inference_table: {} }), INVALID],
    ['is a fault when the experiment is a number', answer('tr-1', place(2)), INVALID],
    ['is a fault when the answer is empty', ok({}), INVALID],
    ['is a fault when MLflow has one', { status: 500, body: {} }, INVALID],
  ])('%s', async (_, given, expected) => {
    expect(await outcome(lookupOver(() => given).lookup.experimentOfTrace('tr-1'))).toEqual(expected)
  })

  // MLflow before 3.2: what has no route there is 404 as a page, and a trace is a request.
  const NO_ROUTE: Answer = { status: 404, body: undefined }
  const old = (request_id: unknown, experiment_id: unknown) =>
    ok({ trace_info: { request_id, experiment_id } })

  it.each<[string, Answer, unknown]>([
    ['is what it says', old('tr-1', '2'), '2'],
    ['is none when there is no such trace', NOT_FOUND, undefined],
    ['is a fault when neither is a route of it', NO_ROUTE, INVALID],
    ['is a fault when the answer is about another', old('TR-1', '2'), INVALID],
    ['is a fault when the experiment is a number', old('tr-1', 2), INVALID],
    ['is a fault when MLflow has one', { status: 500, body: {} }, INVALID],
  ])('of an old server %s', async (_, given, expected) => {
    const { lookup, targets } = lookupOver((target) => (target.startsWith('/api/3.0/') ? NO_ROUTE : given))
    expect(await outcome(lookup.experimentOfTrace('tr-1'))).toEqual(expected)
    expect(targets).toEqual(['/api/3.0/mlflow/traces/tr-1', '/api/2.0/mlflow/traces/tr-1/info'])
  })
})
