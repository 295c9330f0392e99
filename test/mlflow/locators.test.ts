import { describe, expect, it } from 'vitest'
import { GatewayError, isGatewayError } from '../../src/errors.ts'
import { operationNamed } from '../../src/mlflow/catalogue.ts'
import { locate, resourcesOf } from '../../src/mlflow/locators.ts'
import type { Need } from '../../src/mlflow/operation.ts'
import {
  artifactPath,
  experiment,
  experimentName,
  loggedModel,
  modelSource,
  read,
  registeredModel,
  registeredModelName,
  registeredModelNewName,
  row,
  run,
} from '../../src/mlflow/row.ts'
import { type CallParts, callFor, callOf, lookupIn, type World } from './examples.ts'

const WORLD: World = {
  experiments: {
    '0': { name: 'Default' },
    '1': { name: 'alpha/one' },
    '2': { name: 'beta/secret', artifactRoot: 'workspaces/team/2' },
    '3': { name: 'elsewhere', artifactRoot: undefined },
    '4': { name: 'moved', artifactRoot: '1' },
    '5': { name: 'rootless', artifactRoot: '' },
  },
  runs: { ra: '1', rb: '2', rx: '99' },
  models: { 'm-a1': '1', 'm-b2': '2' },
  registry: {
    model: 'registered_model',
    prompt: 'prompt',
    'm-a1': 'registered_model',
    'a@b': 'registered_model',
  },
}

/** What one need leads to, or the code of the refusal; and what had to be looked up for it. */
async function located(need: Need, parts: CallParts, needsName = false) {
  const lookup = lookupIn(WORLD)
  const operation = row('test.row', 'POST', '/test', need)
  if (need.kind !== 'resource') throw new Error('no resource')
  try {
    const found = await resourcesOf(callOf(operation, parts), need.locator, {
      lookup,
      access: { needsName: () => needsName },
    })
    return { found, asked: lookup.asked }
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return { found: fault.code, asked: lookup.asked }
  }
}

const SERVER = { type: 'server', key: undefined }
const NOWHERE = { type: 'experiment', key: undefined }
const exp = (key: string, name?: string) =>
  name === undefined ? { type: 'experiment', key } : { type: 'experiment', key, name }
const inside = (tier: string, key: string | undefined, name?: string) => ({
  ...(key === undefined ? NOWHERE : exp(key, name)),
  tier,
})
const reg = (type: string, key: string) => ({ type, key, name: key })
const NO_MODEL = { type: 'registered_model', key: undefined }
const INVALID = 'ERR_INVALID_PARAMETER'
const AMBIGUOUS = 'ERR_AMBIGUOUS_REQUEST'

describe('an experiment id', () => {
  const at = (id: unknown, needsName = false) => located(read(experiment('id')), { body: { id } }, needsName)

  it.each(['0', '1', '12', '18446744073709551615'])('is taken as it is: %s', async (id) => {
    expect(await at(id)).toEqual({ found: [exp(id)], asked: [] })
  })

  // Python's int() takes all of these.
  it.each([
    '01',
    '00',
    ' 1',
    '1 ',
    '1\n',
    '\t1',
    '+1',
    '-0',
    '-1',
    '1_0',
    '１',
    '٢',
    '1\u00a0',
    '1.0',
    '1e0',
    '0x1',
    '²',
    '1\0',
    '',
    '1/../2',
    '9'.repeat(21),
  ])('is one number in one spelling, not %j', async (id) => {
    expect((await at(id)).found).toBe(INVALID)
  })

  it('is looked up only if some grant speaks of names', async () => {
    expect(await at('1', true)).toEqual({ found: [exp('1', 'alpha/one')], asked: ['experiment 1'] })
    expect(await at('99', true)).toEqual({ found: [NOWHERE], asked: ['experiment 99'] })
  })

  it('of a list are as many resources, in order', async () => {
    const { found } = await located(read(experiment('ids[]')), { body: { ids: ['2', '1', '2'] } })
    expect(found).toEqual([exp('2'), exp('1')])
  })
})

describe('an experiment name', () => {
  const at = (name: unknown) => located(read(experimentName('name')), { body: { name } })
  it.each([
    ['alpha/one', exp('1', 'alpha/one')],
    ['Alpha/one', { type: 'experiment', key: undefined, name: 'Alpha/one' }],
    ['new', { type: 'experiment', key: undefined, name: 'new' }],
    ['*', { type: 'experiment', key: undefined, name: '*' }],
  ])('%s', async (name, resource) => {
    expect(await at(name)).toEqual({ found: [resource], asked: [`name ${name}`] })
  })
})

describe('a run, a logged model', () => {
  it.each([
    ['ra', [inside('run', '1')]],
    ['rx', [inside('run', '99')]],
    ['RA', [inside('run', undefined)]],
    ['none', [inside('run', undefined)]],
    ['../ra', INVALID],
    ['ra/x', INVALID],
    ['ra?x', INVALID],
    ['%72a', INVALID],
    ['ra ', INVALID],
    ['ra\n', INVALID],
    ['rá', INVALID],
    ['-ra', INVALID],
    ['a'.repeat(257), INVALID],
  ])('run %s', async (id, found) => {
    expect((await located(read(run('id')), { body: { id } })).found).toEqual(found)
  })

  it.each([
    ['m-a1', [inside('logged_model', '1')]],
    ['m-none', [inside('logged_model', undefined)]],
    ['m-a1/../m-b2', INVALID],
  ])('logged model %s', async (id, found) => {
    expect((await located(read(loggedModel('id')), { body: { id } })).found).toEqual(found)
  })

  it('is of a name only if that is needed; an experiment that is gone is none', async () => {
    const at = (id: string) => located(read(run('id')), { body: { id } }, true)
    expect(await at('ra')).toEqual({
      found: [inside('run', '1', 'alpha/one')],
      asked: ['run ra', 'experiment 1'],
    })
    expect(await at('rx')).toEqual({ found: [inside('run', undefined)], asked: ['run rx', 'experiment 99'] })
  })
})

describe('a path in the artifact store', () => {
  const at = (path: unknown) => located(read(artifactPath('path?')), { body: { path } })
  it.each([
    ['1/ra/artifacts/model.pkl', inside('run', '1', 'alpha/one')],
    ['1/models/m-a1/artifacts/MLmodel', inside('logged_model', '1', 'alpha/one')],
    ['1/traces/tr-1/artifacts/traces.json', inside('trace', '1', 'alpha/one')],
    ['1/a b/100%/ü?x', inside('run', '1', 'alpha/one')],
    // Field report 20: what counts is where the experiment really stores.
    ['workspaces/team/2/rb/artifacts/x', inside('run', '2', 'beta/secret')],
    ['2/rb/artifacts/x', SERVER],
    ['workspaces/other/2/rb/artifacts/x', SERVER],
    ['workspaces/team/1/ra/artifacts/x', SERVER],
    ['workspaces/team', SERVER],
    ['workspaces', SERVER],
    ['Workspaces/team/2/x', SERVER],
    // An admin may have aimed an experiment elsewhere; its number then says nothing of a path.
    ['3/r/artifacts/x', SERVER],
    ['4/r/artifacts/x', SERVER],
    ['5/r/artifacts/x', SERVER],
    ['99/r/artifacts/x', SERVER],
    ['zzz/free.txt', SERVER],
    ['01/ra/artifacts/x', SERVER],
    ['１/ra/artifacts/x', SERVER],
    ['1 /ra', SERVER],
    ['+1/ra', SERVER],
    ['ra/artifacts/x', SERVER],
  ])('%s', async (path, resource) => {
    expect((await at(path)).found).toEqual([resource])
  })

  it('above runs, models and traces is that of all three', async () => {
    expect((await at('1')).found).toEqual(
      ['run', 'logged_model', 'trace'].map((tier) => inside(tier, '1', 'alpha/one')),
    )
  })

  it.each([
    '/1/x',
    './1/x',
    '1/./x',
    '1/../2/x',
    '..',
    '.',
    '1//x',
    '1/',
    '//1',
    '1/..',
    '1\\..\\2',
    '1/x\0',
    '1/x\n',
    '1/x#y',
    '%31/x',
    '1/%2e%2e/2',
    '1%2fx',
    '1/%252e',
    'file:1/x',
    'file:///1/x',
    'C:/x',
    's3://b/1',
    'mlflow-artifacts:/2/x',
    '1/x?',
    '1/..?',
    '1/x;',
    '1/x;?',
    '1/x;?y',
    ' 1/x',
  ])('is refused when it could be another: %j', async (path) => {
    expect((await at(path)).found).toBe(AMBIGUOUS)
  })

  it('that is not given is the root, which lists every experiment', async () => {
    expect((await at(undefined)).found).toEqual([SERVER])
    expect((await at(null)).found).toEqual([SERVER])
    expect((await at('')).found).toBe(INVALID)
  })
})

describe('a name in the registry', () => {
  it.each([
    ['model', reg('registered_model', 'model')],
    ['prompt', reg('prompt', 'prompt')],
    ['Model', NO_MODEL],
    ['none', NO_MODEL],
  ])('%s is what it is there', async (name, resource) => {
    expect((await located(read(registeredModel('name')), { body: { name } })).found).toEqual([resource])
  })

  it.each([
    ['model', 'x', reg('registered_model', 'x')],
    ['prompt', 'x', reg('prompt', 'x')],
    ['prompt', 'model', reg('prompt', 'model')],
    ['none', 'x', NO_MODEL],
  ])('%s becomes %s', async (name, new_name, resource) => {
    const need = read(registeredModelNewName('new_name'))
    expect((await located(need, { body: { name, new_name } })).found).toEqual([resource])
  })
})

describe('what a new name in the registry will be', () => {
  const MARK = { key: 'mlflow.prompt.is_prompt', value: 'true' }
  const OTHER = { key: 'k', value: 'v' }
  const at = (tags: unknown) => located(read(registeredModelName('name')), { body: { name: 'n', tags } })

  it.each([
    ['registered_model', undefined],
    ['registered_model', null],
    ['registered_model', []],
    ['registered_model', [OTHER]],
    ['registered_model', [OTHER, 'broken', 5]],
    ['registered_model', [{ ...MARK, value: 'false' }]],
    ['registered_model', [{ key: MARK.key }]],
    ['registered_model', { 0: MARK }],
    ['registered_model', 'x'],
    ['prompt', [MARK]],
    ['prompt', [OTHER, { ...MARK, value: 'TRUE' }, OTHER]],
  ])('is a %s: %j', async (type, tags) => {
    expect((await at(tags)).found).toEqual([reg(type, 'n')])
  })

  // A tag that MLflow cannot convert hides the mark behind it.
  it.each([
    [[MARK, MARK]],
    [[MARK, { ...MARK, value: 'false' }]],
    [['broken', MARK]],
    [[null, MARK]],
    [[{ key: 5 }, MARK]],
    [[{ key: 'k', value: '\ud800' }, MARK]],
    [[{ key: 'k', '[a.b]': 'v' }, MARK]],
    [[{ ...MARK, value: true }]],
    [[{ ...MARK, value: null }]],
  ])('is refused: %j', async (tags) => {
    expect((await at(tags)).found).toBe(AMBIGUOUS)
  })
})

describe('the source of a model version', () => {
  const at = (source: unknown, more = {}) =>
    located(read(modelSource('source?')), { body: { name: 'prompt', source, ...more } })

  it.each([
    ['runs:/ra/model', inside('run', '1')],
    ['runs:/ra', inside('run', '1')],
    ['runs:/ra/', inside('run', '1')],
    ['runs:/rb/a/b', inside('run', '2')],
    ['runs:/none/model', inside('run', undefined)],
    ['models:/model/1', reg('registered_model', 'model')],
    ['models:/model/1/', reg('registered_model', 'model')],
    ['models:/model/Production', reg('registered_model', 'model')],
    ['models:/model@champion', reg('registered_model', 'model')],
    ['models:/a@b@champion', reg('registered_model', 'a@b')],
    ['models:/a@b/1', reg('registered_model', 'a@b')],
    ['models:/prompt/1', reg('prompt', 'prompt')],
    ['models:/none/1', NO_MODEL],
    ['models:/m-a1', inside('logged_model', '1')],
    ['models:/m-b2', inside('logged_model', '2')],
    ['models:/m-none', inside('logged_model', undefined)],
    // With a version behind it MLflow reads the name of a registered model, without one the id of a logged model.
    ['models:/m-a1/1', reg('registered_model', 'm-a1')],
    ['models:/m-a1@x', reg('registered_model', 'm-a1')],
    ['models:/model', inside('logged_model', undefined)],
    ['mlflow-artifacts:/1/ra/artifacts/model', inside('run', '1', 'alpha/one')],
    ['mlflow-artifacts:/1/models/m-a1/artifacts/', inside('logged_model', '1', 'alpha/one')],
    ['mlflow-artifacts:/workspaces/team/2/rb/artifacts/m', inside('run', '2', 'beta/secret')],
    ['mlflow-artifacts:/zzz', SERVER],
  ])('%s', async (source, resource) => {
    expect((await at(source)).found).toEqual([resource])
  })

  it.each([
    's3://bucket/1',
    'gs://b',
    'wasbs://x',
    'hdfs://x',
    'ftp://x/y',
    'dbfs:/x',
    'http://x.oast.pro/',
    'https://mlflow/api/2.0/mlflow-artifacts/artifacts/1/x',
    'file:///proc/self/environ',
    'file:/etc',
    '/etc/passwd',
    'etc',
    '.',
    './x',
    '../x',
    'C:\\x',
    ' runs:/ra/m',
    'runs:/ra/m\n',
    '\truns:/ra',
    'RUNS:/ra/m',
    'Models:/model/1',
    'runs://ra/m',
    'runs:///ra/m',
    'runs:ra/m',
    'models://host/model/1',
    'models:///m-a1',
    'mlflow-artifacts://host/1/ra',
    'mlflow-artifacts:1/ra',
    'mlflow-artifacts:/',
    'runs:/',
    'models:/',
    'models:',
    'runs:/ra/../rb/m',
    'runs:/ra/..',
    'runs:/../rb',
    'runs:/./ra',
    'mlflow-artifacts:/1/../2',
    'mlflow-artifacts:/./1',
    'runs:/%72b/m',
    'models:/m%6fdel/1',
    'mlflow-artifacts:/1%2f..%2f2',
    'runs:/ra?x=/rb',
    'runs:/ra#/rb',
    'runs:/ra;x',
    'runs:/ra\\..\\rb',
    'runs:/ra\0',
    'dummy-source',
    'prompt-template',
  ])('is for admins, since it is another place or might be one: %j', async (source) => {
    expect((await at(source)).found).toEqual([SERVER])
  })

  it.each(['runs:/r a/m', 'runs:/rä/m', 'models:/a b', 'models:/ '])(
    'is refused if it holds no id: %j',
    async (source) => {
      expect((await at(source)).found).toBe(INVALID)
    },
  )

  it('of a prompt is nowhere, so the prompt itself is asked about', async () => {
    const tags = [{ key: 'mlflow.prompt.is_prompt', value: 'true' }]
    expect((await at('dummy-source', { tags })).found).toEqual([reg('prompt', 'prompt')])
    expect((await at('prompt-template', { tags })).found).toEqual([reg('prompt', 'prompt')])
    expect((await at('dummy-source/../x', { tags })).found).toEqual([SERVER])
    expect((await at('dummy-source', { tags: [...tags, ...tags] })).found).toBe(AMBIGUOUS)
  })

  it('is not asked about when there is none', async () => {
    expect((await at(undefined)).found).toEqual([])
    expect((await at('')).found).toBe(INVALID)
  })
})

describe('everything a call touches', () => {
  const demands = (name: string, parts: CallParts) =>
    locate(callFor(name, parts), {
      lookup: lookupIn(WORLD),
      access: { needsName: () => false },
      operationNamed,
    })

  it('is asked for with what is done there', async () => {
    const body = { name: 'model', source: 'runs:/rb/m', run_id: 'ra', model_id: 'm-a1' }
    expect(await demands('model_versions.create', { body })).toEqual([
      { action: 'update', resource: reg('registered_model', 'model') },
      {
        action: 'not_denied',
        resource: { ...reg('registered_model', 'model'), tier: 'registered_model_version' },
      },
      { action: 'read', resource: inside('run', '2') },
      { action: 'read', resource: inside('run', '1') },
      { action: 'read', resource: inside('logged_model', '1') },
    ])
  })

  it.each<[string, CallParts]>([
    ['runs.get', {}],
    ['runs.get', { query: 'run_id=' }],
    ['experiments.delete', {}],
    ['experiments.delete', { body: '{}' }],
    ['artifacts.create_presigned_upload', { body: '{}' }],
    ['metrics.get_history_bulk_interval', {}],
  ])('is never nothing: %s %j', async (name, parts) => {
    await expect((async () => demands(name, parts))()).rejects.toMatchObject({ code: INVALID })
  })

  it('is unknown when MLflow does not answer: a fault is a refusal', async () => {
    const fault = new GatewayError('ERR_UPSTREAM_UNREACHABLE', 'down')
    const lookup = { ...lookupIn(WORLD), experimentOfRun: () => Promise.reject(fault) }
    const asking = { lookup, access: { needsName: () => false }, operationNamed }
    await expect(locate(callFor('runs.get', { query: 'run_id=ra' }), asking)).rejects.toBe(fault)
  })

  describe('of a GraphQL query', () => {
    const query = (text: string, variables?: object) =>
      demands('graphql.query', { body: { query: text, variables } })

    it('is what the REST twins of its fields touch', async () => {
      const found = await query(
        'query($i:MlflowGetExperimentInput){a:mlflowGetExperiment(input:$i){experiment{name}} b:mlflowGetRun(input:{runId:"rb"}){run{info{runName}}}}',
        { i: { experimentId: '1' } },
      )
      expect(found).toEqual([
        { action: 'read', resource: exp('1') },
        { action: 'read', resource: inside('run', '2') },
      ])
    })

    it.each([
      ['a number', '{mlflowGetExperiment(input:{experimentId:1}){experiment{name}}}', INVALID],
      ['no id', '{mlflowGetRun(input:{}){run{info{runName}}}}', INVALID],
      ['two ids', '{mlflowGetRun(input:{runId:"ra",runUuid:"rb"}){run{info{runName}}}}', AMBIGUOUS],
      ['an empty list', '{mlflowSearchRuns(input:{experimentIds:[]}){runs{info{runName}}}}', INVALID],
      ['no list', '{mlflowSearchRuns(input:{}){runs{info{runName}}}}', INVALID],
      ['an odd id', '{mlflowGetExperiment(input:{experimentId:"01"}){experiment{name}}}', INVALID],
    ])('is refused: %s', async (_, text, code) => {
      await expect(query(text)).rejects.toMatchObject({ code })
    })
  })
})
