import type { Operation } from '../operation.ts'
import {
  adminField,
  create,
  experiment,
  experimentName,
  GRAPHQL,
  loggedModel,
  notDenied,
  plainPath,
  read,
  readableOnly,
  remove,
  row,
  run,
  SIGNED_IN,
  update,
  withAll,
} from '../row.ts'
import { parseSelector } from '../selector.ts'
import { withheld } from '../withhold.ts'
import { modelsOfRun, runsOfModel } from './siblings.ts'

const ONE_RUN = 'run_id|run_uuid'

/** What MLflow shows as the author of a run. */
const AUTHOR = ['user_id', 'tags{mlflow.user}']

/** What goes with an experiment (`_EXPERIMENT_CASCADE_TIERS`, mlflow/server/auth, 3.17.2). */
const EVERYTHING_IN_IT = [
  'run',
  'trace',
  'logged_model',
  'assessment',
  'review_queue',
  'scorer',
  'scorer_version',
] as const
const removesAll = withAll(remove(experiment('experiment_id')), ...EVERYTHING_IN_IT)

/** MLflow takes the id from the body where it finalizes (`_finalize_logged_model`, 3.17.2), elsewhere from the path. */
const changesModel = [update(loggedModel('path:model_id')), update(loggedModel('model_id?'))]

/** Experiments, runs with everything logged to them, and logged models: all judged by their experiment. GraphQL reads the same. */
export const TRACKING: readonly Operation[] = [
  // experiment
  row('experiments.create', 'POST', '2.0/mlflow/experiments/create', create(experimentName('name')), {
    // It would aim the runs of a new experiment at any place of the store, or at a path of the server.
    rules: [adminField('artifact_location?')],
    effects: [{ kind: 'grant_creator', type: 'experiment', at: ['experiment_id'] }],
  }),
  row('experiments.search', 'GET|POST', '2.0/mlflow/experiments/search', SIGNED_IN, {
    repeated: ['order_by'],
    list: { field: 'experiments', rows: 'experiment', pages: 'token', defaultSize: undefined, cap: 50_000 },
  }),
  row('experiments.get', 'GET', '2.0/mlflow/experiments/get', read(experiment('experiment_id'))),
  row(
    'experiments.get_by_name',
    'GET',
    '2.0/mlflow/experiments/get-by-name',
    read(experimentName('experiment_name')),
    {
      hidden: (name) => `Could not find experiment with name '${name}'`,
    },
  ),
  row('experiments.delete', 'POST', '2.0/mlflow/experiments/delete', removesAll),
  row('experiments.restore', 'POST', '2.0/mlflow/experiments/restore', removesAll),
  row(
    'experiments.update',
    'POST',
    '2.0/mlflow/experiments/update',
    // A new name can be inside somebody's name pattern: it is judged like creating there.
    [update(experiment('experiment_id')), create(experimentName('new_name?'))],
    { effects: [{ kind: 'forget_experiment', selector: parseSelector('experiment_id') }] },
  ),
  row(
    'experiments.set_tag',
    'POST',
    '2.0/mlflow/experiments/set-experiment-tag',
    update(experiment('experiment_id')),
  ),
  row(
    'experiments.delete_tag',
    'POST',
    '2.0/mlflow/experiments/delete-experiment-tag',
    update(experiment('experiment_id')),
    { since: '3.10.1' },
  ),

  // run
  row(
    'runs.create',
    'POST',
    '2.0/mlflow/runs/create',
    [update(experiment('experiment_id')), notDenied(experiment('experiment_id'), 'run')],
    { stamps: AUTHOR },
  ),
  row('runs.get', 'GET', '2.0/mlflow/runs/get', read(run(ONE_RUN)), { withhold: modelsOfRun('run') }),
  row('runs.search', 'POST', '2.0/mlflow/runs/search', readableOnly('experiment_ids[]?', 'run'), {
    withhold: modelsOfRun('runs[]'),
  }),
  row('runs.update', 'POST', '2.0/mlflow/runs/update', update(run(ONE_RUN))),
  row('runs.delete', 'POST', '2.0/mlflow/runs/delete', remove(run('run_id'))),
  row('runs.restore', 'POST', '2.0/mlflow/runs/restore', remove(run('run_id'))),
  row('runs.log_metric', 'POST', '2.0/mlflow/runs/log-metric', [
    update(run(ONE_RUN)),
    update(loggedModel('model_id?')),
  ]),
  row('runs.log_param', 'POST', '2.0/mlflow/runs/log-parameter', update(run(ONE_RUN))),
  row('runs.log_batch', 'POST', '2.0/mlflow/runs/log-batch', [
    update(run('run_id')),
    update(loggedModel('metrics[].model_id?')),
  ]),
  row('runs.log_model', 'POST', '2.0/mlflow/runs/log-model', update(run('run_id'))),
  row('runs.log_inputs', 'POST', '2.0/mlflow/runs/log-inputs', [
    update(run('run_id')),
    update(loggedModel('models[].model_id?')),
  ]),
  row(
    'runs.log_outputs',
    'POST',
    '2.0/mlflow/runs/outputs',
    [update(run('run_id')), update(loggedModel('models[].model_id?'))],
    { since: '3.1.4' },
  ),
  row('runs.set_tag', 'POST', '2.0/mlflow/runs/set-tag', update(run(ONE_RUN))),
  row('runs.delete_tag', 'POST', '2.0/mlflow/runs/delete-tag', update(run('run_id'))),
  row('runs.list_artifacts', 'GET', '2.0/mlflow/artifacts/list', read(run(ONE_RUN)), {
    rules: [plainPath('path')],
  }),
  row(
    'runs.create_promptlab',
    'POST',
    'ajax:2.0/mlflow/runs/create-promptlab-run',
    [update(experiment('experiment_id')), notDenied(experiment('experiment_id'), 'run')],
    // MLflow answers 500 to any tag here (3.17.2).
    { stamps: ['user_id'] },
  ),
  row('metrics.get_history', 'GET', '2.0/mlflow/metrics/get-history', read(run(ONE_RUN)), {
    withhold: [withheld('metrics[]', ['model_id'], { tier: 'logged_model' })],
  }),
  row('metrics.get_history_bulk', 'GET', 'ajax:2.0/mlflow/metrics/get-history-bulk', read(run('run_id')), {
    repeated: ['run_id'],
  }),
  row(
    'metrics.get_history_bulk_interval',
    'GET',
    '2.0/mlflow/metrics/get-history-bulk-interval',
    read(run('run_ids[]')),
    {
      repeated: ['run_ids'],
    },
  ),
  row(
    'datasets.search_of_runs',
    'POST',
    'ajax:2.0/mlflow/experiments/search-datasets',
    readableOnly('experiment_ids[]?', 'run'),
  ),

  row('graphql.query', 'GET|POST', '/graphql', GRAPHQL),

  // logged model
  row(
    'logged_models.create',
    'POST',
    '2.0/mlflow/logged-models',
    [
      update(experiment('experiment_id')),
      notDenied(experiment('experiment_id'), 'logged_model'),
      read(run('source_run_id?')),
    ],
    { since: '3.1.4', withhold: runsOfModel('model') },
  ),
  row(
    'logged_models.search',
    'POST',
    '2.0/mlflow/logged-models/search',
    [
      readableOnly('experiment_ids[]?', 'logged_model'),
      read(run('filter:filter|order_by[].field_name#source_run_id?')),
    ],
    { since: '3.1.4', withhold: runsOfModel('models[]') },
  ),
  row('logged_models.get', 'GET', '2.0/mlflow/logged-models/<model_id>', read(loggedModel('path:model_id')), {
    since: '3.1.4',
    withhold: runsOfModel('model'),
  }),
  row('logged_models.finalize', 'PATCH', '2.0/mlflow/logged-models/<model_id>', changesModel, {
    since: '3.1.4',
    withhold: runsOfModel('model'),
  }),
  row(
    'logged_models.delete',
    'DELETE',
    '2.0/mlflow/logged-models/<model_id>',
    remove(loggedModel('path:model_id')),
    { since: '3.1.4' },
  ),
  row('logged_models.set_tags', 'PATCH', '2.0/mlflow/logged-models/<model_id>/tags', changesModel, {
    since: '3.1.4',
    withhold: runsOfModel('model'),
  }),
  row(
    'logged_models.delete_tag',
    'DELETE',
    '2.0/mlflow/logged-models/<model_id>/tags/<tag_key>',
    remove(loggedModel('path:model_id')),
    { since: '3.1.4' },
  ),
  row('logged_models.log_params', 'POST', '2.0/mlflow/logged-models/<model_id>/params', changesModel, {
    since: '3.1.4',
  }),
  row(
    'logged_models.list_artifacts',
    'GET',
    '2.0/mlflow/logged-models/<model_id>/artifacts/directories',
    read(loggedModel('path:model_id')),
    { since: '3.1.4', rules: [plainPath('artifact_directory_path')] },
  ),
  row(
    'logged_models.get_artifact',
    'GET',
    'ajax:2.0/mlflow/logged-models/<model_id>/artifacts/files',
    read(loggedModel('path:model_id')),
    { since: '3.1.4', untrusted: true, rules: [plainPath('artifact_file_path')] },
  ),
]
