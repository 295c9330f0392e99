import { API, type Attacks, COUNT, locationOf, spansOf, traceOf } from './attack.ts'

export const REACHING_ACROSS: Attacks = {
  of: '§4, things that reach across',
  attacks: [
    [
      'take a trace away by its id',
      ({ A, B }) => ({
        method: 'POST',
        target: `/api/3.0/mlflow/traces`,
        json: traceOf(B.trace, A.experiment),
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 seen changed',
    ],
    [
      'add spans to a trace',
      ({ A, B }) => ({
        method: 'POST',
        target: '/v1/traces',
        headers: [`X-MLflow-Experiment-Id: ${A.experiment}`],
        json: spansOf(B.trace),
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      'new spans into an experiment',
      ({ B }) => ({
        method: 'POST',
        target: '/v1/traces',
        headers: [`X-MLflow-Experiment-Id: ${B.experiment}`],
        json: spansOf(`tr-${'c'.repeat(32)}`),
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      'new spans, the header twice',
      ({ A, B }) => ({
        method: 'POST',
        target: '/v1/traces',
        headers: [`X-MLflow-Experiment-Id: ${B.experiment}`, `X-MLflow-Experiment-Id: ${A.experiment}`],
        json: spansOf(`tr-${'c'.repeat(32)}`),
      }),
      '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
      '200 changed',
    ],
    [
      "new spans of somebody else's run",
      ({ A, B }) => ({
        method: 'POST',
        target: '/v1/traces',
        headers: [`X-MLflow-Experiment-Id: ${A.experiment}`, `X-MLflow-Run-Id: ${B.run}`],
        json: spansOf(`tr-${'c'.repeat(32)}`),
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      "another trace's files under one's own",
      ({ A, B }) => ({
        method: 'PATCH',
        target: `/api/3.0/mlflow/traces/${A.trace}/tags`,
        json: { key: 'mlflow.artifactLocation', value: `mlflow-artifacts:/${B.experiment}` },
      }),
      '403 PERMISSION_DENIED admin_only',
      '200',
    ],
    [
      "a version of another run's files",
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/model-versions/create`,
        json: { name: A.registered_model, source: `runs:/${B.run}/x`, run_id: B.run },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      'a version of files by their path',
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/model-versions/create`,
        json: { name: A.registered_model, source: `mlflow-artifacts:/${B.artifact_folder}`, run_id: B.run },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      "a version of another model's version",
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/model-versions/create`,
        json: { name: A.registered_model, source: `models:/${B.registered_model}/1` },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      'a version of a logged model',
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/model-versions/create`,
        json: { name: A.registered_model, source: `models:/${B.logged_model}`, model_id: B.logged_model },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      'a version of what the server can read',
      ({ A }) => ({
        method: 'POST',
        target: `${API}/model-versions/create`,
        json: { name: A.registered_model, source: 's3://bucket/x' },
      }),
      '403 PERMISSION_DENIED admin_only',
      '200',
    ],
    [
      "a metric of another's logged model",
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/runs/log-metric`,
        json: { run_id: A.run, key: 'k', value: 1, timestamp: 1, model_id: B.logged_model },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      'a batch with one',
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/runs/log-batch`,
        json: { run_id: A.run, metrics: [{ key: 'k', value: 1, timestamp: 1, model_id: B.logged_model }] },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      'inputs with one',
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/runs/log-inputs`,
        json: { run_id: A.run, models: [{ model_id: B.logged_model }] },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      'outputs with one',
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/runs/outputs`,
        json: { run_id: A.run, models: [{ model_id: B.logged_model, step: 1 }] },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      "another's trace linked to one's own run",
      ({ A, B }) => ({
        method: 'POST',
        target: `/api/2.0/mlflow/traces/link-to-run`,
        json: { run_id: A.run, trace_ids: [B.trace] },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 changed',
    ],
    [
      'a model turned into a prompt',
      ({ A }) => ({
        method: 'POST',
        target: `${API}/registered-models/set-tag`,
        json: { name: A.registered_model, key: 'mlflow.prompt.is_prompt', value: 'true' },
      }),
      '403 PERMISSION_DENIED admin_only',
      '200',
    ],
    [
      "a data set of nobody's",
      () => ({ method: 'POST', target: `/api/3.0/mlflow/datasets/create`, json: { name: 'd' } }),
      '403 PERMISSION_DENIED admin_only',
      '200 changed',
    ],
    [
      'every data set',
      () => ({ method: 'POST', target: `/api/3.0/mlflow/datasets/search`, json: {} }),
      '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER',
      '200',
    ],
    [
      'every issue',
      () => ({ method: 'POST', target: `/api/3.0/mlflow/issues/search`, json: {} }),
      '403 PERMISSION_DENIED admin_only',
      '200',
    ],
    [
      'histories of several runs',
      ({ A, B }) => ({
        target: `/ajax-api/2.0/mlflow/metrics/get-history-bulk?run_id=${A.run}&run_id=${B.run}&metric_key=seeded`,
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 seen',
    ],
    [
      'histories in intervals',
      ({ A, B }) => ({
        target: `${API}/metrics/get-history-bulk-interval?run_ids=${A.run}&run_ids=${B.run}&metric_key=seeded&max_results=10`,
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 seen',
    ],
    [
      'several traces',
      ({ A, B }) => ({
        target: `/api/3.0/mlflow/traces/batchGet?trace_ids=${A.trace}&trace_ids=${B.trace}`,
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 seen',
    ],
    [
      'infos of several traces',
      ({ A, B }) => ({
        method: 'POST',
        target: `/api/3.0/mlflow/traces/batchGetInfos`,
        json: { trace_ids: [A.trace, B.trace] },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 seen',
    ],
    [
      'counts over several experiments',
      ({ A, B }) => ({
        method: 'POST',
        target: `/api/3.0/mlflow/traces/metrics`,
        json: { experiment_ids: [A.experiment, B.experiment], ...COUNT },
      }),
      '403 PERMISSION_DENIED no_grant',
      '200 seen',
    ],
    [
      'a search of runs',
      ({ B }) => ({
        method: 'POST',
        target: `${API}/runs/search`,
        json: { experiment_ids: [B.experiment] },
      }),
      '200 allow',
      '200 seen',
    ],
    [
      'a search of logged models',
      ({ B }) => ({
        method: 'POST',
        target: `${API}/logged-models/search`,
        json: { experiment_ids: [B.experiment] },
      }),
      '200 allow',
      '200 seen',
    ],
    [
      'a search of traces',
      ({ B }) => ({
        method: 'POST',
        target: `/api/3.0/mlflow/traces/search`,
        json: { locations: [locationOf(B.experiment)] },
      }),
      '200 allow',
      '200 seen',
    ],
    [
      "a search of runs in one's own too",
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/runs/search`,
        json: { experiment_ids: [A.experiment, B.experiment] },
      }),
      '200 allow',
      '200 seen',
    ],
    [
      "traces deleted by another experiment's right",
      ({ A, B }) => ({
        method: 'POST',
        target: `${API}/traces/delete-traces`,
        json: { experiment_id: A.experiment, request_ids: [B.trace] },
      }),
      '200 allow',
      '200',
    ],
  ],
}
