import { ADMIN, type Operation, row } from '../operation.ts'

/**
 * Issues, label schemas and review queues: all in one experiment each.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const REVIEWS: readonly Operation[] = [
  // issue
  row('issues.search', 'POST', '3.0/mlflow/issues/search', ADMIN),
  row('issues.create', 'POST', '3.0/mlflow/issues', ADMIN),
  row('issues.get', 'GET', '3.0/mlflow/issues/<issue_id>', ADMIN),
  row('issues.update', 'PATCH', '3.0/mlflow/issues/<issue_id>', ADMIN),
  // label schema
  row('label_schemas.create', 'POST', '3.0/mlflow/label-schemas/create', ADMIN),
  row('label_schemas.delete', 'DELETE', '3.0/mlflow/label-schemas/delete', ADMIN),
  row('label_schemas.get', 'GET', '3.0/mlflow/label-schemas/get', ADMIN),
  row('label_schemas.get_by_name', 'GET', '3.0/mlflow/label-schemas/get-by-name', ADMIN),
  row('label_schemas.list', 'GET', '3.0/mlflow/label-schemas/list', ADMIN),
  row('label_schemas.update', 'PATCH', '3.0/mlflow/label-schemas/update', ADMIN),
  // review queue
  row('review_queues.add_items_to', 'POST', '3.0/mlflow/review-queues/items/add', ADMIN),
  row('review_queues.list_items', 'GET', '3.0/mlflow/review-queues/items/list', ADMIN),
  row('review_queues.remove_items_from', 'POST', '3.0/mlflow/review-queues/items/remove', ADMIN),
  row('review_queues.set_item_status', 'POST', '3.0/mlflow/review-queues/items/set-status', ADMIN),
  row('review_queues.create', 'POST', '3.0/mlflow/review-queues/create', ADMIN),
  row('review_queues.delete', 'POST', '3.0/mlflow/review-queues/delete', ADMIN),
  row('review_queues.get_or_create_user', 'POST', '3.0/mlflow/review-queues/get-or-create-user', ADMIN),
  row('review_queues.get', 'GET', '3.0/mlflow/review-queues/get', ADMIN),
  row('review_queues.get_by_name', 'GET', '3.0/mlflow/review-queues/get-by-name', ADMIN),
  row('review_queues.list', 'GET', '3.0/mlflow/review-queues/list', ADMIN),
  row('review_queues.update', 'POST', '3.0/mlflow/review-queues/update', ADMIN),
]
