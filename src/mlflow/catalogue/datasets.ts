import type { Operation } from '../operation.ts'
import {
  adminTag,
  dataset,
  datasetHome,
  datasetLeftAlone,
  experiment,
  NOBODY,
  read,
  readableOnly,
  remove,
  row,
  trace,
  update,
} from '../row.ts'
import { parseSelector } from '../selector.ts'

const IT = dataset('path:dataset_id')
const datasets = '3.0/mlflow/datasets'

/** The experiments it is in are another answer from now on. */
const moves = {
  effects: [{ kind: 'forget_answer', about: 'dataset', selector: parseSelector('path:dataset_id') } as const],
}

/**
 * Evaluation datasets and their records: judged by every experiment they are in.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const DATASETS: readonly Operation[] = [
  // dataset
  row(
    'datasets.add_to_experiments',
    'POST',
    `${datasets}/<dataset_id>/add-experiments`,
    [update(IT), update(experiment('experiment_ids[]'))],
    moves,
  ),
  row(
    'datasets.create',
    'POST',
    `${datasets}/create`,
    [update(experiment('experiment_ids[]?')), update(datasetHome('name'))],
    { authorTags: 'tags!' },
  ),
  row('datasets.delete_records', 'DELETE', `${datasets}/<dataset_id>/records`, update(IT)),
  row('datasets.delete_tag', 'DELETE', `${datasets}/<dataset_id>/tags/<key>`, update(IT)),
  row('datasets.get_experiment_ids', 'GET', `${datasets}/<dataset_id>/experiment-ids`, read(IT)),
  row('datasets.get_records', 'GET', `${datasets}/<dataset_id>/records`, read(IT)),
  row(
    'datasets.remove_from_experiments',
    'POST',
    `${datasets}/<dataset_id>/remove-experiments`,
    [update(IT), update(experiment('experiment_ids[]')), remove(datasetLeftAlone('path:dataset_id'))],
    moves,
  ),
  row(
    'datasets.search_evaluation_datasets',
    'GET|POST',
    `${datasets}/search`,
    readableOnly('experiment_ids[]'),
    {
      repeated: ['experiment_ids', 'order_by'],
      // Only one experiment of several may be the caller's to read.
      list: { field: 'datasets', rows: 'dataset', pages: 'token', defaultSize: 1000, cap: 50_000 },
    },
  ),
  row('datasets.set_tags', 'PATCH', `${datasets}/<dataset_id>/tags`, update(IT), {
    rules: [adminTag('tags!{}?', 'mlflow.user')],
  }),
  row(
    'datasets.upsert_records',
    'POST',
    `${datasets}/<dataset_id>/records`,
    [update(IT), read(trace('records![].source.source_data.trace_id?'))],
    { authorTags: 'records![].tags' },
  ),
  row('datasets.delete', 'DELETE', `${datasets}/<dataset_id>`, remove(IT), moves),
  row('datasets.get', 'GET', `${datasets}/<dataset_id>`, read(IT)),
  row('datasets.search_stub', 'POST', '2.0mlflow/experiments/search-datasets', NOBODY, { since: '2.22.5' }),
]
