/**
 * A request that does what its row is for, once the placeholders are filled in: `$run` is the id of a run of the
 * tenant's, `$new` a name that nothing has yet. In the path a placeholder is written `{run}`.
 */
export type Shape = {
  /** Row of the catalogue. */
  readonly operation: string
  readonly method: string
  /** `2.0/...`: under `/api/` or `/ajax-api/`; `ajax:...`: under the latter only; `/...`: as it stands. */
  readonly path: string
  /** The query of a GET, else the JSON body; a list in a query is a field for each item. */
  readonly args?: Readonly<Record<string, unknown>>
  /** A query beside a body that is no JSON. */
  readonly query?: Readonly<Record<string, unknown>>
  /** Lines, `Name: value`. */
  readonly headers?: readonly string[]
  /** A body that is no JSON. */
  readonly raw?: string
}

type Args = Readonly<Record<string, unknown>>

function shape(operation: string, method: string, path: string, args: Args = {}): Shape {
  return { operation, method, path, args }
}

const location = { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: '$experiment' } }
const newTraceInfo = {
  ...{ trace_id: '$fresh_trace', trace_location: location, request_time: '2026-01-01T00:00:00Z' },
  ...{ execution_duration: '1s', state: 'OK', request_preview: 'p', tags: { k: 'v' } },
}
const assessment = {
  ...{ assessment_name: 'n', trace_id: '$trace', source: { source_type: 'CODE', source_id: 's' } },
  feedback: { value: true },
}
const tag = { key: 'k', value: 'v' }
const seededTag = { key: 'seeded' }
const span = {
  ...{ traceId: '$span_trace', spanId: '1234567890abcdef', name: 's' },
  ...{ startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000001000000000' },
  attributes: [{ key: 'mlflow.spanType', value: { stringValue: '"LLM"' } }],
}
const dataset = { dataset: { name: 'd', digest: 'd', source_type: 'local', source: 's' } }

const TRACKING: readonly Shape[] = [
  shape('experiments.create', 'POST', '2.0/mlflow/experiments/create', { name: '$new', tags: [tag] }),
  shape('experiments.search', 'GET', '2.0/mlflow/experiments/search', { max_results: '10' }),
  shape('experiments.search', 'POST', '2.0/mlflow/experiments/search', { max_results: 10 }),
  shape('experiments.get', 'GET', '2.0/mlflow/experiments/get', { experiment_id: '$experiment' }),
  shape('experiments.get_by_name', 'GET', '2.0/mlflow/experiments/get-by-name', {
    experiment_name: '$experiment_name',
  }),
  shape('experiments.delete', 'POST', '2.0/mlflow/experiments/delete', { experiment_id: '$experiment' }),
  shape('experiments.restore', 'POST', '2.0/mlflow/experiments/restore', {
    experiment_id: '$deleted_experiment',
  }),
  shape('experiments.update', 'POST', '2.0/mlflow/experiments/update', {
    ...{ experiment_id: '$experiment', new_name: '$new' },
  }),
  shape('experiments.set_tag', 'POST', '2.0/mlflow/experiments/set-experiment-tag', {
    ...{ experiment_id: '$experiment', ...tag },
  }),
  shape('experiments.delete_tag', 'POST', '2.0/mlflow/experiments/delete-experiment-tag', {
    ...{ experiment_id: '$experiment', ...seededTag },
  }),
  shape('runs.create', 'POST', '2.0/mlflow/runs/create', { experiment_id: '$experiment', tags: [tag] }),
  shape('runs.get', 'GET', '2.0/mlflow/runs/get', { run_id: '$run' }),
  shape('runs.search', 'POST', '2.0/mlflow/runs/search', { experiment_ids: ['$experiment', '$other'] }),
  shape('runs.update', 'POST', '2.0/mlflow/runs/update', { run_id: '$run', run_name: 'n' }),
  shape('runs.delete', 'POST', '2.0/mlflow/runs/delete', { run_id: '$run' }),
  shape('runs.restore', 'POST', '2.0/mlflow/runs/restore', { run_id: '$deleted_run' }),
  shape('runs.log_metric', 'POST', '2.0/mlflow/runs/log-metric', {
    ...{ run_id: '$run', key: 'k', value: 1, timestamp: 1, model_id: '$logged_model' },
  }),
  shape('runs.log_param', 'POST', '2.0/mlflow/runs/log-parameter', { run_id: '$run', ...tag }),
  shape('runs.log_batch', 'POST', '2.0/mlflow/runs/log-batch', {
    ...{ run_id: '$run', tags: [tag], params: [tag] },
    metrics: [{ key: 'k', value: 1, timestamp: 1, step: 1, model_id: '$logged_model' }],
  }),
  shape('runs.log_inputs', 'POST', '2.0/mlflow/runs/log-inputs', {
    ...{ run_id: '$run', datasets: [dataset], models: [{ model_id: '$logged_model' }] },
  }),
  shape('runs.log_outputs', 'POST', '2.0/mlflow/runs/outputs', {
    ...{ run_id: '$run', models: [{ model_id: '$logged_model', step: 1 }] },
  }),
  shape('runs.set_tag', 'POST', '2.0/mlflow/runs/set-tag', { run_id: '$run', ...tag }),
  shape('runs.delete_tag', 'POST', '2.0/mlflow/runs/delete-tag', { run_id: '$run', ...seededTag }),
  shape('runs.list_artifacts', 'GET', '2.0/mlflow/artifacts/list', { run_id: '$run' }),
  shape('metrics.get_history', 'GET', '2.0/mlflow/metrics/get-history', {
    run_id: '$run',
    metric_key: 'seeded',
  }),
  shape('metrics.get_history_bulk', 'GET', 'ajax:2.0/mlflow/metrics/get-history-bulk', {
    ...{ run_id: ['$run', '$run'], metric_key: 'seeded' },
  }),
  shape('metrics.get_history_bulk_interval', 'GET', '2.0/mlflow/metrics/get-history-bulk-interval', {
    ...{ run_ids: ['$run'], metric_key: 'seeded', max_results: '10' },
  }),
  shape('datasets.search_of_runs', 'POST', 'ajax:2.0/mlflow/experiments/search-datasets', {
    experiment_ids: ['$experiment', '$other'],
  }),
  shape('logged_models.create', 'POST', '2.0/mlflow/logged-models', {
    ...{ experiment_id: '$experiment', name: 'n', source_run_id: '$run', tags: [tag] },
  }),
  shape('logged_models.search', 'POST', '2.0/mlflow/logged-models/search', {
    experiment_ids: ['$experiment', '$other'],
  }),
  shape('logged_models.get', 'GET', '2.0/mlflow/logged-models/{logged_model}'),
  shape('logged_models.finalize', 'PATCH', '2.0/mlflow/logged-models/{logged_model}', {
    ...{ model_id: '$logged_model', status: 'LOGGED_MODEL_READY' },
  }),
  shape('logged_models.delete', 'DELETE', '2.0/mlflow/logged-models/{logged_model}'),
  shape('logged_models.set_tags', 'PATCH', '2.0/mlflow/logged-models/{logged_model}/tags', { tags: [tag] }),
  shape('logged_models.delete_tag', 'DELETE', '2.0/mlflow/logged-models/{logged_model}/tags/seeded'),
  shape('logged_models.log_params', 'POST', '2.0/mlflow/logged-models/{logged_model}/params', {
    ...{ model_id: '$logged_model', params: [tag] },
  }),
  shape(
    'logged_models.list_artifacts',
    'GET',
    '2.0/mlflow/logged-models/{logged_model}/artifacts/directories',
  ),
  shape('logged_models.get_artifact', 'GET', 'ajax:2.0/mlflow/logged-models/{logged_model}/artifacts/files', {
    artifact_file_path: 'file.txt',
  }),
]

const TRACES: readonly Shape[] = [
  shape('assessments.create', 'POST', '3.0/mlflow/traces/{trace}/assessments', { assessment }),
  shape('assessments.get', 'GET', '3.0/mlflow/traces/{trace}/assessments/{assessment}'),
  shape('assessments.update', 'PATCH', '3.0/mlflow/traces/{trace}/assessments/{assessment}', {
    ...{ assessment: { assessment_name: 'm', trace_id: '$trace' }, update_mask: 'assessmentName' },
  }),
  shape('assessments.delete', 'DELETE', '3.0/mlflow/traces/{trace}/assessments/{assessment}'),
  shape('traces.batch_get_infos', 'POST', '3.0/mlflow/traces/batchGetInfos', { trace_ids: ['$trace'] }),
  shape('traces.batch_get', 'GET', '3.0/mlflow/traces/batchGet', { trace_ids: ['$trace', '$trace'] }),
  shape('traces.query_metrics', 'POST', '3.0/mlflow/traces/metrics', {
    ...{ experiment_ids: ['$experiment'], view_type: 'TRACES', metric_name: 'trace_count' },
    ...{ aggregations: [{ aggregation_type: 'COUNT' }], dimensions: ['trace_name'] },
  }),
  shape('traces.delete', 'POST', '2.0/mlflow/traces/delete-traces', {
    ...{ experiment_id: '$experiment', request_ids: ['$trace', '$trace'] },
  }),
  shape('traces.delete_v3', 'POST', '3.0/mlflow/traces/delete-traces', {
    ...{ experiment_id: '$experiment', max_timestamp_millis: 9_000_000_000_000, max_traces: 9 },
  }),
  shape('traces.link_prompts_to', 'POST', '2.0/mlflow/traces/link-prompts', {
    ...{ trace_id: '$trace', prompt_versions: [{ name: '$prompt', version: '1' }] },
  }),
  shape('traces.link_to_run', 'POST', '2.0/mlflow/traces/link-to-run', {
    run_id: '$run',
    trace_ids: ['$trace'],
  }),
  shape('traces.search_v3', 'POST', '3.0/mlflow/traces/search', { locations: [location, location] }),
  shape('traces.search', 'GET', '2.0/mlflow/traces', { experiment_ids: ['$experiment', '$other'] }),
  shape('traces.get', 'GET', '3.0/mlflow/traces/get', { trace_id: '$trace' }),
  shape('traces.get_info', 'GET', '2.0/mlflow/traces/{trace}/info'),
  shape('traces.get_info_v3', 'GET', '3.0/mlflow/traces/{trace}'),
  shape('traces.get_artifact', 'GET', 'ajax:3.0/mlflow/get-trace-artifact', { request_id: '$trace' }),
  shape('traces.set_tag', 'PATCH', '2.0/mlflow/traces/{trace}/tags', tag),
  shape('traces.set_tag_v3', 'PATCH', '3.0/mlflow/traces/{trace}/tags', tag),
  shape('traces.delete_tag', 'DELETE', '2.0/mlflow/traces/{trace}/tags', seededTag),
  shape('traces.delete_tag_v3', 'DELETE', '3.0/mlflow/traces/{trace}/tags', seededTag),
  shape('traces.end', 'PATCH', '2.0/mlflow/traces/{trace}', { timestamp_ms: 2, status: 'OK', tags: [tag] }),
  shape('traces.start', 'POST', '2.0/mlflow/traces', {
    ...{ experiment_id: '$experiment', timestamp_ms: 1, tags: [tag] },
  }),
  shape('traces.start_v3', 'POST', '3.0/mlflow/traces', { trace: { trace_info: newTraceInfo } }),
  {
    ...shape('traces.export', 'POST', '/v1/traces', { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }),
    headers: ['X-MLflow-Experiment-Id: $experiment', 'X-MLflow-Run-Id: $run'],
  },
]

const FILES = '2.0/mlflow-artifacts/artifacts'

const ARTIFACTS: readonly Shape[] = [
  shape('artifacts.download', 'GET', `${FILES}/{artifact}`),
  { operation: 'artifacts.upload', method: 'PUT', path: `${FILES}/{artifact}`, raw: 'changed' },
  {
    operation: 'artifacts.upload',
    method: 'PUT',
    path: `${FILES}/{experiment}/{run}/artifacts/new`,
    raw: 'new',
  },
  shape('artifacts.delete', 'DELETE', `${FILES}/{artifact}`),
  shape('artifacts.list', 'GET', FILES, { path: '$artifact_folder' }),
  shape('artifacts.list', 'GET', FILES, { path: '$experiment' }),
  shape('artifacts.get_of_run', 'GET', '/get-artifact', { run_id: '$run', path: 'file.txt' }),
  {
    ...{ operation: 'artifacts.upload_to_run', method: 'POST', path: 'ajax:2.0/mlflow/upload-artifact' },
    ...{ query: { run_uuid: '$run', path: 'new.txt' }, raw: 'new' },
  },
  shape('artifacts.get_of_version', 'GET', '/model-versions/get-artifact', {
    ...{ name: '$registered_model', version: '1', path: 'file.txt' },
  }),
]

const version = { name: '$registered_model', version: '1' }

const REGISTRY: readonly Shape[] = [
  shape('registered_models.create', 'POST', '2.0/mlflow/registered-models/create', {
    name: '$new',
    tags: [tag],
  }),
  shape('registered_models.get', 'GET', '2.0/mlflow/registered-models/get', { name: '$registered_model' }),
  shape('registered_models.search', 'GET', '2.0/mlflow/registered-models/search', { max_results: '10' }),
  shape('registered_models.update', 'PATCH', '2.0/mlflow/registered-models/update', {
    ...{ name: '$registered_model', description: 'd' },
  }),
  shape('registered_models.rename', 'POST', '2.0/mlflow/registered-models/rename', {
    ...{ name: '$registered_model', new_name: '$new' },
  }),
  shape('registered_models.delete', 'DELETE', '2.0/mlflow/registered-models/delete', { name: '$prompt' }),
  shape('registered_models.set_tag', 'POST', '2.0/mlflow/registered-models/set-tag', {
    name: '$prompt',
    ...tag,
  }),
  shape('registered_models.delete_tag', 'DELETE', '2.0/mlflow/registered-models/delete-tag', {
    ...{ name: '$registered_model', ...seededTag },
  }),
  ...['GET', 'POST'].map((method) =>
    shape(
      'registered_models.get_latest_versions',
      method,
      '2.0/mlflow/registered-models/get-latest-versions',
      {
        name: '$registered_model',
      },
    ),
  ),
  shape('registered_models.get_alias', 'GET', '2.0/mlflow/registered-models/alias', {
    ...{ name: '$registered_model', alias: 'seeded' },
  }),
  shape('registered_models.set_alias', 'POST', '2.0/mlflow/registered-models/alias', {
    ...version,
    alias: 'a',
  }),
  shape('registered_models.delete_alias', 'DELETE', '2.0/mlflow/registered-models/alias', {
    ...{ name: '$registered_model', alias: 'seeded' },
  }),
  shape('model_versions.create', 'POST', '2.0/mlflow/model-versions/create', {
    ...{ name: '$registered_model', source: 'runs:/$run/x', run_id: '$run', tags: [tag] },
  }),
  shape('model_versions.create', 'POST', '2.0/mlflow/model-versions/create', {
    ...{ name: '$registered_model', source: 'models:/$registered_model/2' },
  }),
  shape('model_versions.create', 'POST', '2.0/mlflow/model-versions/create', {
    ...{ name: '$registered_model', source: 'mlflow-artifacts:/$artifact', model_id: '$logged_model' },
  }),
  shape('model_versions.get', 'GET', '2.0/mlflow/model-versions/get', version),
  shape('model_versions.search', 'GET', '2.0/mlflow/model-versions/search', { max_results: '10' }),
  shape('model_versions.get_download_uri', 'GET', '2.0/mlflow/model-versions/get-download-uri', version),
  shape('model_versions.update', 'PATCH', '2.0/mlflow/model-versions/update', {
    ...version,
    description: 'd',
  }),
  shape('model_versions.transition_stage', 'POST', '2.0/mlflow/model-versions/transition-stage', {
    ...{ ...version, stage: 'Staging', archive_existing_versions: true },
  }),
  shape('model_versions.delete', 'DELETE', '2.0/mlflow/model-versions/delete', version),
  shape('model_versions.set_tag', 'POST', '2.0/mlflow/model-versions/set-tag', { ...version, ...tag }),
  shape('model_versions.delete_tag', 'DELETE', '2.0/mlflow/model-versions/delete-tag', {
    ...{ ...version, ...seededTag },
  }),
]

/** What lies in an experiment beside runs and traces. */
const REVIEWS: readonly Shape[] = [
  shape('issues.create', 'POST', '3.0/mlflow/issues', {
    ...{ experiment_id: '$experiment', name: 'n', description: 'd', source_run_id: '$run' },
  }),
  shape('scorers.register', 'POST', '3.0/mlflow/scorers/register', {
    ...{ experiment_id: '$experiment', name: 'n', serialized_scorer: '{"name":"n"}' },
  }),
  shape('review_queues.create', 'POST', '3.0/mlflow/review-queues/create', {
    ...{ experiment_id: '$experiment', name: 'n', queue_type: 'CUSTOM' },
  }),
]

const input = 'input: {runId: "$run"}'

const GRAPHQL: readonly Shape[] = [
  `{ mlflowGetExperiment(input: {experimentId: "$experiment"}) { experiment { experimentId name tags { value } } } }`,
  `{ mlflowGetRun(${input}) { run { info { runName } data { tags { value } } experiment { name tags { value } } } } }`,
  `{ a: mlflowGetRun(${input}) { run { modelVersions { name version source } } }
     b: mlflowGetRun(input: {runUuid: "$run"}) { run { info { runName } } } }`,
  `{ mlflowListArtifacts(${input}) { files { path } } }`,
  `{ mlflowSearchRuns(input: {experimentIds: ["$experiment", "$experiment"]}) { runs { info { runName } } } }`,
  `mutation { mlflowSearchRuns(input: {experimentIds: ["$experiment"]}) { runs { info { runName } } } }`,
  `{ mlflowGetMetricHistoryBulkInterval(input: {runIds: ["$run"], metricKey: "seeded"}) { metrics { runId value } } }`,
  `mutation { mlflowSearchDatasets(input: {experimentIds: ["$experiment"]}) { datasetSummaries { name } } }`,
]
  .map((query) => shape('graphql.query', 'POST', '/graphql', { query }))
  .concat(
    shape('graphql.query', 'POST', '/graphql', {
      query: `query q($data: MlflowGetRunInput!) { mlflowGetRun(input: $data) { run { info { runName } } } }`,
      ...{ variables: { data: { runId: '$run' } }, operationName: 'q' },
    }),
    shape('graphql.query', 'POST', '/graphql', {
      query: `query q($id: String = "$run") { mlflowGetRun(input: {runId: $id}) { run { info { runName } } } }`,
      variables: { id: '$run' },
    }),
  )

/** Everything that people who are no admins can ask for, as their clients ask. */
export const SHAPES: readonly Shape[] = [
  ...TRACKING,
  ...TRACES,
  ...ARTIFACTS,
  ...REGISTRY,
  ...REVIEWS,
  ...GRAPHQL,
]
