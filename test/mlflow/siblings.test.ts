import { describe, expect, it } from 'vitest'
import { operationNamed } from '../../src/mlflow/catalogue.ts'
import { mayWithhold, withhold } from '../../src/mlflow/withhold.ts'
import type { GrantType } from '../../src/policy/grants.ts'
import { accessWith, grant, lookupIn } from './examples.ts'

const METADATA = { 'mlflow.sourceRun': 'r1', 'mlflow.modelId': 'm-1', other: 'x' }
const TRACE = { trace_id: 'tr-1', assessments: [{ assessment_name: 'good' }], trace_metadata: METADATA }
const OLD_TRACE = {
  request_id: 'tr-1',
  request_metadata: Object.entries(METADATA).map(([key, value]) => ({ key, value })),
}
const VERSION = {
  name: 'm',
  version: '1',
  run_id: 'r1',
  run_link: 'l',
  model_id: 'm-1',
  model_params: [],
  model_metrics: [],
}
const MODEL = { name: 'm', latest_versions: [VERSION] }
const PROMPT = {
  name: 'p',
  tags: [{ key: 'mlflow.prompt.is_prompt', value: 'true' }],
  latest_versions: [VERSION],
}
const RUN = {
  info: { run_id: 'r1' },
  data: { metrics: [{ key: 'loss', model_id: 'm-1' }] },
  inputs: { dataset_inputs: [], model_inputs: [{ model_id: 'm-1' }] },
  outputs: { model_outputs: [{ model_id: 'm-1' }] },
}
const LOGGED = {
  info: { model_id: 'm-1', source_run_id: 'r1' },
  data: { metrics: [{ key: 'loss', run_id: 'r1' }] },
}

/** What each operation answers, the tier that is denied, and what the answer then holds nothing of. */
const CASES: readonly (readonly [string, object, GrantType, readonly string[]])[] = [
  ['traces.get', { trace: { trace_info: TRACE } }, 'assessment', ['good']],
  ['traces.get_info_v3', { trace: { trace_info: TRACE } }, 'run', ['r1']],
  ['traces.batch_get', { traces: [{ trace_info: TRACE, spans: [] }] }, 'logged_model', ['m-1']],
  ['traces.batch_get_infos', { trace_infos: [TRACE] }, 'assessment', ['good']],
  ['traces.search_v3', { traces: [TRACE, TRACE] }, 'run', ['r1']],
  ['traces.start_v3', { trace: { trace_info: TRACE } }, 'assessment', ['good']],
  ['traces.search', { traces: [OLD_TRACE] }, 'run', ['r1']],
  ['traces.get_info', { trace_info: OLD_TRACE }, 'logged_model', ['m-1']],
  ['traces.end', { trace_info: OLD_TRACE }, 'run', ['r1']],
  ['traces.start', { trace_info: OLD_TRACE }, 'run', ['r1']],
  ['runs.get', { run: RUN }, 'logged_model', ['m-1']],
  ['runs.search', { runs: [RUN, RUN] }, 'logged_model', ['m-1']],
  ['metrics.get_history', { metrics: [{ key: 'loss', model_id: 'm-1' }] }, 'logged_model', ['m-1']],
  ['logged_models.get', { model: LOGGED }, 'run', ['r1']],
  ['logged_models.search', { models: [LOGGED] }, 'run', ['r1']],
  ['logged_models.create', { model: LOGGED }, 'run', ['r1']],
  ['logged_models.finalize', { model: LOGGED }, 'run', ['r1']],
  ['logged_models.set_tags', { model: LOGGED }, 'run', ['r1']],
  ['registered_models.get', { registered_model: MODEL }, 'registered_model_version', ['latest_versions']],
  ['registered_models.get', { registered_model: PROMPT }, 'prompt_version', ['latest_versions']],
  ['registered_models.get', { registered_model: MODEL }, 'run', ['r1', 'run_link']],
  ['registered_models.update', { registered_model: MODEL }, 'registered_model_version', ['latest_versions']],
  ['registered_models.rename', { registered_model: MODEL }, 'run', ['r1']],
  [
    'registered_models.search',
    { registered_models: [MODEL] },
    'registered_model_version',
    ['latest_versions'],
  ],
  ['registered_models.get_latest_versions', { model_versions: [VERSION] }, 'run', ['r1']],
  ['registered_models.get_alias', { model_version: VERSION }, 'logged_model', ['m-1', 'model_params']],
  ['model_versions.get', { model_version: VERSION }, 'run', ['r1']],
  ['model_versions.create', { model_version: VERSION }, 'run', ['r1']],
  ['model_versions.update', { model_version: VERSION }, 'logged_model', ['model_metrics']],
  ['model_versions.transition_stage', { model_version: VERSION }, 'run', ['run_link']],
  ['model_versions.search', { model_versions: [VERSION] }, 'run', ['r1']],
]

const MODELS = ['registered_model', 'prompt'].map((type) => grant(type as GrantType, 'name', '*', 'READ'))
const answerOf = (body: object) => ({ status: 200, headers: {}, bytes: Buffer.from(JSON.stringify(body)) })
const lookup = lookupIn({})

describe('what an answer tells of sub-resources of another type', () => {
  it.each(CASES)('%s %j: is left out for whom %s is denied to', async (name, body, tier, gone) => {
    const rules = operationNamed(name).withhold
    const access = accessWith([...MODELS, grant(tier, 'any', '*', 'DENY')])
    const shown = (await withhold(answerOf(body), rules, { access, lookup })).bytes.toString()
    expect(JSON.stringify(body)).toContain(gone[0])
    expect(gone.filter((each) => shown.includes(each))).toEqual([])
    // The thing itself is still there.
    expect(Object.keys(JSON.parse(shown))).toEqual(Object.keys(body))
  })

  it.each(CASES)('%s passes unread for everybody else', (name, _body, tier) => {
    const rules = operationNamed(name).withhold
    expect(mayWithhold(rules, accessWith(MODELS))).toBe(false)
    expect(mayWithhold(rules, accessWith([...MODELS, grant(tier, 'any', '*', 'READ')]))).toBe(false)
  })

  it('of a prompt stays when the versions of models are denied, and the other way round', async () => {
    const rules = operationNamed('registered_models.get').withhold
    const shown = async (model: object, tier: GrantType) => {
      const access = accessWith([...MODELS, grant(tier, 'any', '*', 'DENY')])
      return (
        await withhold(answerOf({ registered_model: model }), rules, { access, lookup })
      ).bytes.toString()
    }
    expect(await shown(PROMPT, 'registered_model_version')).toContain('latest_versions')
    expect(await shown(MODEL, 'prompt_version')).toContain('latest_versions')
  })
})
