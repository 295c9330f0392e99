/**
 * The attack: a model version of one's own whose files are somebody else's. What it is made from becomes readable under
 * its name (field report 8, CVE-2026-69148), is fetched with the server's own credentials, or lies on the server's own
 * disk (34: servers found in the open, with models whose source was the attacker's URL). All it comes from must be
 * readable by who makes it; other places are for administrators.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_A, MODEL_B, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const TARGET = '/api/2.0/mlflow/model-versions/create'
const create = (json: object, as: 'editor' | 'reader' | 'admin' = 'editor') =>
  gateway.ask({ method: 'POST', target: TARGET, json, as })

describe("field report 8: a version anchored in somebody else's", () => {
  it.each([
    ['run', { source: `runs:/${RUN_B}/model` }],
    ['run, with one of ours beside', { source: `runs:/${RUN_B}/model`, run_id: RUN_A }],
    ['run beside a source of ours', { source: `runs:/${RUN_A}/model`, run_id: RUN_B }],
    ['run beside an empty one', { source: `runs:/${RUN_B}/model`, run_id: '' }],
    ['run, camel case', { source: `runs:/${RUN_A}/model`, runId: RUN_B }],
    ['run that is none', { source: `runs:/${'c'.repeat(32)}/model` }],
    ['model', { source: 'models:/beta-model/1' }],
    ['model by stage', { source: 'models:/beta-model/Production' }],
    ['model, latest', { source: 'models:/beta-model/latest' }],
    ['model by alias', { source: 'models:/beta-model@champion' }],
    ['prompt', { source: 'models:/beta-prompt/1' }],
    ['model that is none', { source: 'models:/nobody/1' }],
    ['logged model', { source: `models:/${MODEL_B}` }],
    ['logged model beside', { source: `runs:/${RUN_A}/model`, model_id: MODEL_B }],
    ['logged model beside, camel case', { source: `models:/${MODEL_A}`, modelId: MODEL_B }],
    ['files', { source: `mlflow-artifacts:/2/${RUN_B}/artifacts/model` }],
    ['files of a model', { source: `mlflow-artifacts:/2/models/${MODEL_B}/artifacts` }],
    ['files, whole', { source: 'mlflow-artifacts:/2' }],
  ])('%s', async (_, more) => {
    const { status, code, event, reached } = await create({ name: 'alpha-model', ...more })
    expect([status, code, event?.reason, reached]).toEqual([403, 'PERMISSION_DENIED', 'no_grant', []])
  })

  it.each([
    ['run', { source: `runs:/${RUN_A}/model`, run_id: RUN_A }],
    ['logged model', { source: `models:/${MODEL_A}`, model_id: MODEL_A }],
    ['model', { source: 'models:/alpha-model/1' }],
    // Clients send it so for a copy of a version that comes from no run.
    ['model, of no run', { source: 'models:/alpha-model/1', run_id: '', model_id: '' }],
    ['files', { source: `mlflow-artifacts:/1/${RUN_A}/artifacts/model`, run_id: RUN_A }],
  ])("%s of one's own: allowed, as it was sent", async (_, more) => {
    const json = { name: 'alpha-model', ...more }
    const { line, forwarded } = await create(json)
    expect([line, forwarded.map(({ body }) => JSON.parse(body.toString()))]).toEqual(['200 allow', [json]])
  })

  it.each([
    ['beta-model', 'no_grant'],
    ['nobody', 'no_grant'],
  ])("of a model that is not one's own: %s", async (name, reason) => {
    const { line, reached } = await create({ name, source: `runs:/${RUN_A}/model`, run_id: RUN_A })
    expect([line, reached]).toEqual([`403 PERMISSION_DENIED ${reason}`, []])
  })

  it('by somebody who may only read', async () => {
    const { line, reached } = await create({ name: 'alpha-model', source: `runs:/${RUN_A}/model` }, 'reader')
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED level_too_low', []])
  })
})

describe("field report 34: a source that is no place of MLflow's", () => {
  it.each([
    ...[
      'http://x.oast.example/',
      'https://x.oast.example/model',
      'HTTP://x.oast.example/',
      'ftp://x/y',
      'sftp://x/y',
    ],
    ...[
      'file:///proc/self/environ',
      'file:/etc/passwd',
      'file://localhost/etc',
      '/etc/passwd',
      'etc/passwd',
      '.',
      '..',
    ],
    ...[
      'dbfs:/x',
      'hdfs://x/y',
      's3://bucket/key',
      'gs://bucket/key',
      'wasbs://x@y/z',
      'abfss://x@y/z',
      'r2://x/y',
    ],
    ...[
      'mlflow-artifacts://evil.example/1/x',
      'mlflow-artifacts://evil.example:80/1/x',
      'mlflow-artifacts:1/x',
    ],
    ...['mlflow-artifacts:///1/x', 'mlflow-artifacts:', 'mlflow-artifacts:/', 'mlflow-artifacts:/zzz/x'],
    ...[
      'mlflow-artifacts:/4/x',
      'mlflow-artifacts:/5/x',
      'mlflow-artifacts:/6/x',
      'mlflow-artifacts:/workspaces/x/1/y',
    ],
    ...[`runs://evil.example/${RUN_A}/model`, `runs:///${RUN_A}/model`, `runs:${RUN_A}/model`, 'runs:/'],
    ...['models://alpha-model/1', 'models:///alpha-model/1', 'models:alpha-model/1', 'models:/'],
    ...[
      'RUNS:/x',
      `Runs:/${RUN_A}/model`,
      ` runs:/${RUN_A}/model`,
      `\truns:/${RUN_A}/model`,
      `runs:/${RUN_A}/model\n`,
    ],
    ...[
      `runs:/${RUN_A}/../${RUN_B}/model`,
      `runs:/${RUN_A}/..`,
      `runs:/${RUN_A}/./x`,
      `runs:/${RUN_A}/%2e%2e/x`,
    ],
    ...[
      `mlflow-artifacts:/1/../2/x`,
      `mlflow-artifacts:/1/%2e%2e/2/x`,
      'mlflow-artifacts:/1/..%2f2/x',
      'mlflow-artifacts:/1?/../2',
    ],
    ...[
      `runs:/${RUN_A}/model#/../x`,
      `runs:/${RUN_A}/model?x=1`,
      `runs:/${RUN_A};x/model`,
      `runs:/${RUN_A}\\..\\x`,
    ],
    ...[
      'models:/alpha-model/../beta-model/1',
      'models:/alpha-model%2F..%2Fbeta-model/1',
      'models:/alpha-model/1/../../beta-model',
    ],
    ...[
      'mlflow-artifacts:/1/..',
      'mlflow-artifacts:/./2/x',
      'data:,x',
      'javascript:alert(1)',
      'sqlite:///x',
      '\\\\host\\share',
    ],
  ])('%j', async (source) => {
    const { status, event, reached } = await create({ name: 'alpha-model', source })
    expect([status >= 400 && status < 500, event?.effect, reached]).toEqual([true, 'deny', []])
    expect([400, 403]).toContain(status)
  })

  it.each([1, null, ['runs:/x'], {}, ''])('%j', async (source) => {
    const { reached } = await create({ name: 'alpha-model', source: source as string })
    const isUnset = source === null
    expect(reached.length).toBe(isUnset ? 1 : 0)
  })

  it("is an administrator's to use", async () => {
    expect((await create({ name: 'alpha-model', source: 's3://bucket/key' }, 'admin')).line).toBe('200 allow')
  })
})

describe('where a new experiment keeps its files', () => {
  const create = (json: object, as: 'editor' | 'admin' = 'editor') =>
    gateway.ask({ method: 'POST', target: '/api/2.0/mlflow/experiments/create', json, as })

  it.each([
    ...[
      's3://bucket',
      'mlflow-artifacts:/2',
      'mlflow-artifacts:/',
      '/tmp/x',
      'file:///',
      'mlflow-artifacts:/1',
      'x',
    ],
  ])("%s is an administrator's to say", async (location) => {
    for (const field of ['artifact_location', 'artifactLocation']) {
      const { line, reached } = await create({ name: 'alpha/new', [field]: location })
      expect([line, reached]).toEqual(['403 PERMISSION_DENIED admin_only', []])
    }
    expect((await create({ name: 'alpha/new', artifact_location: location }, 'admin')).line).toBe('200 allow')
  })

  it.each([[''], [1], [['x']], [{}]])('%j is no way to say it', async (location) => {
    const { line, reached } = await create({ name: 'alpha/new', artifact_location: location })
    expect([line, reached]).toEqual(['400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', []])
  })

  it('is left to MLflow where it is not said', async () => {
    expect((await create({ name: 'alpha/new', artifact_location: null })).line).toBe('200 allow')
  })
})

describe("a logged model or run in somebody else's", () => {
  it.each([
    ['logged-models', { experiment_id: '1', source_run_id: RUN_B }],
    ['logged-models', { experiment_id: '2' }],
    ['runs/log-metric', { run_id: RUN_A, key: 'k', value: 1, timestamp: 1, model_id: MODEL_B }],
    ['runs/log-batch', { run_id: RUN_A, metrics: [{ key: 'k', value: 1, timestamp: 1, model_id: MODEL_B }] }],
    ['runs/log-inputs', { run_id: RUN_A, models: [{ model_id: MODEL_B }] }],
    ['runs/outputs', { run_id: RUN_A, models: [{ model_id: MODEL_A }, { model_id: MODEL_B, step: 1 }] }],
    ['runs/create', { experiment_id: '2' }],
  ])('%s %j', async (path, json) => {
    const { line, reached } = await gateway.ask({
      method: 'POST',
      target: `/api/2.0/mlflow/${path}`,
      json,
      as: 'editor',
    })
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })
})
