/**
 * The other way round: rules that closed the door on everybody. After a default was flipped people without a grant
 * could not open the interface (field report 18), and lists answered 500 instead of nothing (25). What must be allowed
 * is held as strictly as what must be denied.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_A, RUN_A } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const API = '/api/2.0/mlflow'
const AJAX = '/ajax-api/2.0/mlflow'

describe('field report 18: the shell of the interface', () => {
  const shell: readonly Ask[] = [
    { target: '/' },
    { target: '/static-files/static/js/main.abc.js' },
    { target: '/static-files/favicon.ico' },
    { target: '/version' },
    { target: '/health' },
    { target: '/ajax-api/3.0/mlflow/server-info' },
    { target: '/api/3.0/mlflow/server-info' },
    { target: '/ajax-api/3.0/mlflow/ui-telemetry' },
    { method: 'POST', target: '/ajax-api/3.0/mlflow/ui-telemetry', json: { events: [] } },
    { target: '/ajax-api/3.0/mlflow/assistant/config' },
    { target: '/ajax-api/3.0/mlflow/assistant/providers' },
    { target: '/ajax-api/2.0/mlflow/users/current' },
    { target: '/ajax-api/3.0/mlflow/gateway/secrets/config' },
    { target: '/ajax-api/3.0/mlflow/gateway/supported-models' },
    { target: '/ajax-api/3.0/mlflow/gateway/supported-providers' },
    { target: '/ajax-api/3.0/mlflow/gateway/provider-config' },
  ]

  it.each(shell)('$method $target is open to whoever is signed in', async (ask) => {
    for (const as of ['outsider', 'reader', 'readonly', 'admin'] as const) {
      const { status, event } = await gateway.ask({ ...ask, as })
      expect([as, status, event?.effect ?? 'allow']).toEqual([as, 200, 'allow'])
    }
    const headers = [`Cookie: ${gateway.members.outsider.cookie}`, `Origin: ${gateway.url}`]
    expect((await gateway.ask({ ...ask, headers })).status).toBe(200)
  })
})

describe('field report 25: lists of somebody without a grant', () => {
  it.each([
    { target: `${AJAX}/experiments/search?max_results=25` },
    {
      target: `${AJAX}/experiments/search?max_results=25&order_by=last_update_time+DESC&filter=tags.%60mlflow.experiment.isGateway%60+IS+NULL`,
    },
    { method: 'POST', target: `${API}/experiments/search`, json: { max_results: 1000, view_type: 'ALL' } },
    { target: `${AJAX}/registered-models/search` },
    { target: `${AJAX}/registered-models/search?filter=&max_results=25&order_by=name+ASC` },
    { target: `${AJAX}/model-versions/search?filter=name%3D'alpha-model'` },
    { method: 'POST', target: `${AJAX}/runs/search`, json: { experiment_ids: ['1'], max_results: 50 } },
    { method: 'POST', target: `${AJAX}/runs/search`, json: {} },
    { method: 'POST', target: `${AJAX}/logged-models/search`, json: { experiment_ids: ['1'] } },
    { method: 'POST', target: `${AJAX}/experiments/search-datasets`, json: { experiment_ids: ['1', '2'] } },
  ] satisfies Ask[])('$target: 200, no rows, no page token', async (ask) => {
    const { line, text, headers } = await gateway.ask({ ...ask, as: 'outsider' })
    expect([line, text, headers['content-type']]).toEqual(['200 allow', '{}', ['application/json']])
  })
})

/** What the Python client and the interface send for a person with these rights, in SURFACE's words. */
const READS: readonly Ask[] = [
  { target: `${API}/experiments/get?experiment_id=1` },
  { target: `${API}/experiments/get-by-name?experiment_name=alpha%2Fone` },
  { target: `${API}/runs/get?run_uuid=${RUN_A}&run_id=${RUN_A}` },
  {
    method: 'POST',
    target: `${API}/runs/search`,
    json: {
      experiment_ids: ['1'],
      filter: '',
      run_view_type: 'ACTIVE_ONLY',
      max_results: 1000,
      order_by: [],
    },
  },
  {
    target: `${API}/metrics/get-history?run_uuid=${RUN_A}&metric_key=loss&run_id=${RUN_A}&max_results=25000`,
  },
  { target: `${AJAX}/metrics/get-history-bulk-interval?run_ids=${RUN_A}&metric_key=acc&max_results=320` },
  { target: `${AJAX}/metrics/get-history-bulk?run_id=${RUN_A}&metric_key=acc` },
  { target: `${AJAX}/artifacts/list?run_uuid=${RUN_A}` },
  { target: `${AJAX}/artifacts/list?run_uuid=${RUN_A}&path=plots` },
  { target: `/get-artifact?path=note.txt&run_uuid=${RUN_A}` },
  { target: `/api/2.0/mlflow-artifacts/artifacts?path=1%2F${RUN_A}%2Fartifacts` },
  { target: `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/model/MLmodel` },
  { target: `${API}/logged-models/${MODEL_A}` },
  { target: `${API}/logged-models/${MODEL_A}/artifacts/directories` },
  { target: `${AJAX}/logged-models/${MODEL_A}/artifacts/files?artifact_file_path=MLmodel` },
  { target: `${API}/registered-models/get?name=alpha-model` },
  { target: `${API}/registered-models/alias?name=alpha-model&alias=champion` },
  {
    method: 'POST',
    target: `${API}/registered-models/get-latest-versions`,
    json: { name: 'alpha-model', stages: [] },
  },
  { target: `${API}/registered-models/get-latest-versions?name=alpha-model` },
  { target: `${API}/model-versions/get?name=alpha-model&version=1` },
  { target: `${API}/model-versions/get-download-uri?name=alpha-model&version=1` },
  { target: '/model-versions/get-artifact?path=MLmodel&name=alpha-model&version=1' },
  { target: `${AJAX}/registered-models/get?name=alpha-prompt` },
  {
    method: 'POST',
    target: '/ajax-api/3.0/mlflow/traces/metrics',
    json: { experiment_ids: ['1'], view_type: 'TRACES', metric_name: 'latency', aggregations: [] },
  },
  {
    method: 'POST',
    target: '/graphql',
    json: {
      operationName: 'MlflowGetExperimentQuery',
      variables: { input: { experimentId: '1' } },
      query:
        'query MlflowGetExperimentQuery($input: MlflowGetExperimentInput!) @component(name: "MLflow.ExperimentRunTracking") { mlflowGetExperiment(input: $input) { __typename apiError { __typename code message } experiment { __typename experimentId name tags { __typename key value } } } }',
    },
  },
]

const WRITES: readonly Ask[] = [
  { method: 'POST', target: `${API}/experiments/create`, json: { name: 'alpha/new', tags: [] } },
  {
    method: 'POST',
    target: `${API}/experiments/set-experiment-tag`,
    json: { experiment_id: '1', key: 'k', value: 'v' },
  },
  {
    method: 'POST',
    target: `${API}/experiments/update`,
    json: { experiment_id: '1', new_name: 'alpha/other' },
  },
  {
    method: 'POST',
    target: `${API}/runs/create`,
    json: { experiment_id: '1', start_time: 1, tags: [{ key: 'mlflow.user', value: 'x' }] },
  },
  {
    method: 'POST',
    target: `${API}/runs/log-metric`,
    json: { run_uuid: RUN_A, run_id: RUN_A, key: 'k', value: 1, timestamp: 1, step: 0 },
  },
  {
    method: 'POST',
    target: `${API}/runs/log-batch`,
    json: {
      run_id: RUN_A,
      metrics: [{ key: 'k', value: 1, timestamp: 1, step: 0, model_id: MODEL_A }],
      params: [],
      tags: [],
    },
  },
  {
    method: 'POST',
    target: `${API}/runs/log-parameter`,
    json: { run_uuid: RUN_A, run_id: RUN_A, key: 'k', value: 'v' },
  },
  {
    method: 'POST',
    target: `${API}/runs/set-tag`,
    json: { run_uuid: RUN_A, run_id: RUN_A, key: 'k', value: 'v' },
  },
  { method: 'POST', target: `${API}/runs/delete-tag`, json: { run_id: RUN_A, key: 'k' } },
  {
    method: 'POST',
    target: `${API}/runs/update`,
    json: { run_uuid: RUN_A, run_id: RUN_A, status: 'FINISHED', end_time: 1 },
  },
  {
    method: 'POST',
    target: `${API}/runs/log-inputs`,
    json: {
      run_id: RUN_A,
      datasets: [{ dataset: { name: 'd', digest: 'x', source_type: 'local', source: '{}' } }],
    },
  },
  {
    method: 'POST',
    target: `${API}/runs/outputs`,
    json: { run_id: RUN_A, models: [{ model_id: MODEL_A, step: 0 }] },
  },
  { method: 'POST', target: `${API}/runs/log-model`, json: { run_id: RUN_A, model_json: '{}' } },
  {
    method: 'POST',
    target: `${API}/logged-models`,
    json: { experiment_id: '1', name: 'm', source_run_id: RUN_A },
  },
  {
    method: 'PATCH',
    target: `${API}/logged-models/${MODEL_A}`,
    json: { model_id: MODEL_A, status: 'LOGGED_MODEL_READY' },
  },
  { method: 'PATCH', target: `${API}/logged-models/${MODEL_A}/tags`, json: { tags: [] } },
  { method: 'POST', target: `${API}/logged-models/${MODEL_A}/params`, json: { params: [] } },
  { method: 'PUT', target: `/api/2.0/mlflow-artifacts/artifacts/1/${RUN_A}/artifacts/x`, body: 'x' },
  { method: 'POST', target: `${API}/registered-models/create`, json: { name: 'alpha-new' } },
  {
    method: 'PATCH',
    target: `${API}/registered-models/update`,
    json: { name: 'alpha-model', description: 'x' },
  },
  {
    method: 'POST',
    target: `${API}/registered-models/set-tag`,
    json: { name: 'alpha-model', key: 'k', value: 'v' },
  },
  {
    method: 'DELETE',
    target: `${API}/registered-models/delete-tag`,
    json: { name: 'alpha-model', key: 'k' },
  },
  {
    method: 'POST',
    target: `${API}/registered-models/alias`,
    json: { name: 'alpha-model', alias: 'champion', version: '1' },
  },
  {
    method: 'POST',
    target: `${API}/model-versions/create`,
    json: { name: 'alpha-model', source: `models:/${MODEL_A}`, run_id: RUN_A, model_id: MODEL_A, tags: [] },
  },
  {
    method: 'PATCH',
    target: `${API}/model-versions/update`,
    json: { name: 'alpha-model', version: '1', description: 'x' },
  },
  {
    method: 'POST',
    target: `${API}/model-versions/transition-stage`,
    json: { name: 'alpha-model', version: '1', stage: 'Staging' },
  },
  {
    method: 'POST',
    target: `${API}/model-versions/set-tag`,
    json: { name: 'alpha-model', version: '1', key: 'k', value: 'v' },
  },
]

describe('what a reader reads', () => {
  it.each(READS)('$method $target', async (ask) => {
    for (const as of ['reader', 'editor', 'readonly', 'admin', 'observer'] as const) {
      const { line, reached } = await gateway.ask({ ...ask, as })
      expect([as, line, reached.length]).toEqual([as, '200 allow', 1])
    }
    const { status, reached } = await gateway.ask({ ...ask, as: 'outsider' })
    expect([status < 500, reached]).toEqual([true, []])
  })
})

/** What MLflow asks MANAGE for (mlflow/server/auth, 3.17.2). */
const REMOVALS: readonly Ask[] = [
  { method: 'DELETE', target: `${API}/logged-models/${MODEL_A}/tags/k` },
  {
    method: 'DELETE',
    target: `${API}/registered-models/alias`,
    json: { name: 'alpha-model', alias: 'champion' },
  },
]

describe('what takes more than an editor', () => {
  it.each(REMOVALS)('$method $target', async (ask) => {
    for (const as of ['editor', 'reader', 'outsider'] as const) {
      const { status, reached } = await gateway.ask({ ...ask, as })
      expect([as, status, reached]).toEqual([as, 403, []])
    }
    expect((await gateway.ask({ ...ask, as: 'admin' })).line).toBe('200 allow')
  })
})

describe('what an editor writes', () => {
  it.each(WRITES)('$method $target', async (ask) => {
    for (const as of ['editor', 'admin'] as const) {
      const { line, reached } = await gateway.ask({ ...ask, as })
      expect([as, line, reached.length]).toEqual([as, '200 allow', 1])
    }
    for (const as of ['reader', 'outsider', 'readonly', 'observer'] as const) {
      const { status, reached } = await gateway.ask({ ...ask, as })
      expect([as, status, reached]).toEqual([as, 403, []])
    }
  })
})
