import { describe, expect, it } from 'vitest'
import { CATALOGUE, operationNamed } from '../../src/mlflow/catalogue.ts'
import { refusalFor } from '../../src/mlflow/denial.ts'
import { locate } from '../../src/mlflow/locators.ts'
import { decide } from '../../src/policy/decide.ts'
import type { Grant, Level } from '../../src/policy/grants.ts'
import { accessWith, type CallParts, callFor, grant, lookupIn } from './examples.ts'

const WORLD = {
  experiments: { '1': { name: 'alpha/one' }, '2': { name: 'beta/secret' } },
  runs: { ra: '1', rb: '2' },
  models: { 'm-a': '1', 'm-b': '2' },
  registry: { mymod: 'registered_model', myprm: 'prompt' },
} as const

async function refusal(
  name: string,
  parts: CallParts,
  grants: readonly Grant[] = [],
  byDefault: Level = 'NO_PERMISSIONS',
) {
  const access = accessWith(grants, byDefault)
  const call = callFor(name, parts)
  const demands = await locate(call, { lookup: lookupIn(WORLD), access, operationNamed })
  const decision = decide(demands, access)
  if (decision.effect === 'allow') throw new Error('allowed')
  return refusalFor(decision, call, access)
}

const body = (value: object): CallParts => ({ body: value })
const file = (artifact_path: string): CallParts => ({ path: { artifact_path } })

describe('field report 28: a thing that exists and one that does not are refused in the same words', () => {
  it.each<[string, (id: string) => CallParts, string, string]>([
    ['runs.get', (id) => ({ query: `run_id=${id}` }), 'rb', 'zz'],
    ['runs.delete', (run_id) => body({ run_id }), 'rb', 'zz'],
    ['runs.log_batch', (run_id) => body({ run_id }), 'rb', 'zz'],
    ['metrics.get_history_bulk', (id) => ({ query: `run_id=${id}` }), 'rb', 'zz'],
    ['experiments.get', (id) => ({ query: `experiment_id=${id}` }), '2', '99'],
    ['experiments.delete', (experiment_id) => body({ experiment_id }), '2', '99'],
    [
      'experiments.get_by_name',
      (name) => ({ query: `experiment_name=${encodeURIComponent(name)}` }),
      'beta/secret',
      'beta/sekret',
    ],
    ['experiments.create', (name) => body({ name }), 'beta/secret', 'beta/sekret'],
    ['logged_models.get', (model_id) => ({ path: { model_id } }), 'm-b', 'm-z'],
    ['artifacts.download', (id) => file(`${id}/r/artifacts/x`), '2', '9'],
    ['artifacts.upload', (id) => file(`${id}/r/artifacts/x`), '2', 'zzz'],
    ['artifacts.delete', (id) => file(`${id}/r/artifacts/x`), '2', '9'],
    ['artifacts.list', (id) => ({ query: `path=${id}` }), '2', '9'],
    ['artifacts.get_of_run', (id) => ({ query: `run_uuid=${id}&path=model.pkl` }), 'rb', 'zz'],
    ['artifacts.get_of_version', (name) => ({ query: `name=${name}&version=1&path=x` }), 'mymod', 'zzzzz'],
    ['artifacts.get_of_version', (name) => ({ query: `name=${name}&version=1&path=x` }), 'myprm', 'zzzzz'],
    ['registered_models.get', (name) => ({ query: `name=${name}` }), 'mymod', 'zzzzz'],
    ['registered_models.get', (name) => ({ query: `name=${name}` }), 'myprm', 'zzzzz'],
    ['registered_models.update', (name) => body({ name }), 'myprm', 'zzzzz'],
    ['registered_models.delete', (name) => body({ name }), 'mymod', 'zzzzz'],
    ['registered_models.rename', (name) => body({ name, new_name: 'x' }), 'myprm', 'zzzzz'],
    ['model_versions.get', (name) => ({ query: `name=${name}&version=1` }), 'mymod', 'zzzzz'],
    ['model_versions.get', (name) => ({ query: `name=${name}&version=1` }), 'myprm', 'zzzzz'],
  ])('%s', async (name, parts, existing, missing) => {
    const [one, other] = [await refusal(name, parts(existing)), await refusal(name, parts(missing))]
    const neutral = ({ message }: Error, value: string) => message.replaceAll(value, 'X')
    expect(neutral(one, existing)).toBe(neutral(other, missing))
    expect(one.code).toBe(other.code)
    expect(one.refusal).toEqual(other.refusal)
    const asked = ({ missing }: typeof one, value: string) =>
      missing && { ...missing, key: missing.key?.replace(value, 'X') }
    expect(asked(one, existing)).toEqual(asked(other, missing))
  })

  it('also to somebody who may do it to others', async () => {
    const grants = [
      grant('experiment', 'exact', '1', 'MANAGE'),
      grant('experiment', 'name', 'alpha/*', 'MANAGE'),
    ]
    const [one, other] = [
      await refusal('runs.get', { query: 'run_id=rb' }, grants),
      await refusal('runs.get', { query: 'run_id=zz' }, grants),
    ]
    expect(one.message).toBe(other.message)
  })

  it('also to somebody who is denied it by name', async () => {
    const denied = [grant('experiment', 'exact', '2', 'DENY')]
    const [one, other] = [
      await refusal('runs.get', { query: 'run_id=rb' }, denied),
      await refusal('runs.get', { query: 'run_id=zz' }, denied),
    ]
    expect(one.message).toBe(other.message)
    expect(one.missing).toEqual({ ...other.missing, key: 'rb' })
    expect([one.reason, other.reason]).toEqual(['explicit_deny', 'no_grant'])
  })
})

describe('what a refusal says can be asked for', () => {
  const query = (text: string) => ({ query: text })
  const document = (text: string) => body({ query: text })
  const EDIT_1 = grant('experiment', 'exact', '1', 'EDIT')

  it.each<[string, CallParts, Grant[], object | undefined]>([
    ['experiments.get', query('experiment_id=2'), [], { type: 'experiment', key: '2', level: 'READ' }],
    ['runs.get', query('run_id=rb'), [], { type: 'run', key: 'rb', level: 'READ' }],
    ['runs.delete', body({ run_id: 'ra' }), [EDIT_1], { type: 'experiment', key: '1', level: 'MANAGE' }],
    [
      'registered_models.update',
      body({ name: 'myprm' }),
      [grant('prompt', 'any', '*', 'READ')],
      { type: 'prompt', key: 'myprm', level: 'EDIT' },
    ],
    [
      'registered_models.update',
      body({ name: 'myprm' }),
      [],
      { type: 'registered_model', key: 'myprm', level: 'EDIT' },
    ],
    [
      'registered_models.get',
      query('name=mymod'),
      [],
      { type: 'registered_model', key: 'mymod', level: 'READ' },
    ],
    // The id was looked up.
    [
      'experiments.get_by_name',
      query('experiment_name=beta%2Fsecret'),
      [],
      { type: 'experiment', level: 'READ' },
    ],
    ['artifacts.download', file('2/r/artifacts/x'), [], { type: 'experiment', level: 'READ' }],
    ['artifacts.get_of_run', query('run_uuid=rb&path=x'), [], { type: 'run', key: 'rb', level: 'READ' }],
    [
      'graphql.query',
      document('{a:mlflowGetExperiment(input:{experimentId:"2"}){experiment{name}}}'),
      [],
      { type: 'experiment', key: '2', level: 'READ' },
    ],
    // Of several it is not said which one.
    [
      'graphql.query',
      document(
        '{a:mlflowGetRun(input:{runId:"ra"}){run{info{runName}}} b:mlflowGetRun(input:{runId:"rb"}){run{info{runName}}}}',
      ),
      [EDIT_1],
      { type: 'experiment', level: 'READ' },
    ],
    // No grant on one thing would help.
    ['experiments.create', body({ name: 'beta/new' }), [], undefined],
    ['runs.get', query('run_id=ra'), [EDIT_1, grant('run', 'any', '*', 'DENY')], undefined],
    ['experiments.update', body({ experiment_id: '1', new_name: 'beta/x' }), [EDIT_1], undefined],
  ])('%s %j with %j', async (name, parts, grants, missing) => {
    expect((await refusal(name, parts, grants)).missing).toEqual(missing)
  })

  it('is nothing for what is hidden where MLflow would say itself that it is not there', async () => {
    const denied = [grant('registered_model', 'exact', 'mymod', 'DENY')]
    const { missing } = await refusal('registered_models.get', query('name=mymod'), denied, 'READ')
    expect(missing).toBeUndefined()
  })
})

describe('what a refusal says', () => {
  it.each<[string, CallParts, Grant[], string]>([
    [
      'runs.get',
      { query: 'run_id=rb' },
      [],
      'Permission denied: runs.get asks for READ on the experiment; ask an administrator, or somebody with MANAGE on it, to grant it',
    ],
    [
      'runs.delete',
      body({ run_id: 'ra' }),
      [grant('experiment', 'exact', '1', 'EDIT')],
      'Permission denied: runs.delete asks for MANAGE on experiment "1", you have EDIT; ask an administrator, or somebody with MANAGE on it, to grant it',
    ],
    [
      'registered_models.update',
      body({ name: 'myprm' }),
      [grant('prompt', 'any', '*', 'READ')],
      'Permission denied: registered_models.update asks for EDIT on prompt "myprm", you have READ; ask an administrator, or somebody with MANAGE on it, to grant it',
    ],
    // Field report 98: a typo in a name creates nothing outside one's own prefix, and the answer helps.
    [
      'experiments.create',
      body({ name: 'alhpa/new' }),
      [grant('experiment', 'name', 'alpha/*', 'EDIT'), grant('experiment', 'name', 'alpha-*', 'EDIT')],
      'Permission denied: experiments.create asks for EDIT on the name "alhpa/new"; you may create experiments under these names only: alpha/*, alpha-*',
    ],
    [
      'registered_models.create',
      body({ name: 'x' }),
      [],
      'Permission denied: registered_models.create asks for EDIT on the name "x"; you may create registered models under no name at all',
    ],
    [
      'experiments.get_by_name',
      { query: 'experiment_name=beta%2Fsecret' },
      [],
      "Could not find experiment with name 'beta/secret'",
    ],
    ['registered_models.get', { query: 'name=mymod' }, [], 'Registered Model with name=mymod not found'],
  ])('%s %j', async (name, parts, grants, message) => {
    expect((await refusal(name, parts, grants)).message).toBe(message)
  })

  it('names no id or name that was looked up', async () => {
    const { message } = await refusal('runs.get', { query: 'run_id=rb' }, [
      grant('experiment', 'name', 'alpha/*', 'READ'),
    ])
    expect(message).not.toMatch(/beta|secret|"2"|rb/)
  })

  it('hides only what reads', () => {
    const hidden = CATALOGUE.filter((operation) => operation.hidden !== undefined)
    expect(hidden.every(({ readOnly }) => readOnly)).toBe(true)
    expect(hidden.length).toBeGreaterThan(0)
  })
})
