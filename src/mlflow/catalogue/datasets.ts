import {
  ADMIN,
  dataset,
  experiment,
  NOBODY,
  type Operation,
  read,
  remove,
  row,
  update,
} from '../operation.ts'

const IT = dataset('path:dataset_id')

/**
 * Evaluation datasets and their records: judged by every experiment they are in.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const DATASETS: readonly Operation[] = [
  // dataset
  row('datasets.add_to_experiments', 'POST', '3.0/mlflow/datasets/<dataset_id>/add-experiments', [
    update(IT),
    update(experiment('experiment_ids[]')),
  ]),
  row('datasets.create', 'POST', '3.0/mlflow/datasets/create', update(experiment('experiment_ids[]'))),
  row('datasets.delete_records', 'DELETE', '3.0/mlflow/datasets/<dataset_id>/records', update(IT)),
  row('datasets.delete_tag', 'DELETE', '3.0/mlflow/datasets/<dataset_id>/tags/<key>', update(IT)),
  row('datasets.get_experiment_ids', 'GET', '3.0/mlflow/datasets/<dataset_id>/experiment-ids', read(IT)),
  row('datasets.get_records', 'GET', '3.0/mlflow/datasets/<dataset_id>/records', read(IT)),
  row('datasets.remove_from_experiments', 'POST', '3.0/mlflow/datasets/<dataset_id>/remove-experiments', [
    update(IT),
    update(experiment('experiment_ids[]')),
  ]),
  row('datasets.search_evaluation_datasets', 'GET|POST', '3.0/mlflow/datasets/search', ADMIN, {
    repeated: ['experiment_ids'],
  }),
  row('datasets.set_tags', 'PATCH', '3.0/mlflow/datasets/<dataset_id>/tags', update(IT)),
  row('datasets.upsert_records', 'POST', '3.0/mlflow/datasets/<dataset_id>/records', update(IT)),
  row('datasets.delete', 'DELETE', '3.0/mlflow/datasets/<dataset_id>', remove(IT)),
  row('datasets.get', 'GET', '3.0/mlflow/datasets/<dataset_id>', read(IT)),
  row('datasets.search_stub', 'POST', '2.0mlflow/experiments/search-datasets', NOBODY),
]
