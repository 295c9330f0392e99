import type { Effect, Operation } from '../operation.ts'
import {
  experiment,
  experimentOrAll,
  issue,
  labelSchema,
  manage,
  notAUsername,
  notDenied,
  read,
  reviewQueue,
  reviewQueueBeside,
  reviewQueueName,
  reviewQueueUser,
  row,
  run,
  trace,
  update,
} from '../row.ts'
import { parseSelector } from '../selector.ts'
import { withheld } from '../withhold.ts'

const IN = experiment('experiment_id')
const QUEUE = reviewQueue('queue_id')

/** Who sees what is in a queue: those it is assigned to, whoever made it, and managers (`validate_can_view_review_queue`). */
const VIEWERS = { member: 'read', owner: 'update' } as const

/**
 * MLflow takes the owner of a queue from its own accounts only, so that a queue made on a bare server is nobody's
 * (`_create_review_queue`, 3.17.2); but it can be given to somebody.
 */
const ownedByCreator: Effect = {
  kind: 'give_to_creator',
  path: '3.0/mlflow/review-queues/update',
  where: { at: ['review_queue', 'queue_type'], is: 'CUSTOM' },
  key: { field: 'queue_id', at: ['review_queue', 'queue_id'] },
  owner: 'new_owner',
}
/** An issue names the run it was found in. */
const withholdsRun = [withheld('issue', ['source_run_id'], { tier: 'run' })]

const forgetQueue: Effect = {
  kind: 'forget_answer',
  about: 'review_queue',
  selector: parseSelector('queue_id'),
}

/**
 * Issues, label schemas and review queues: all in one experiment each.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const REVIEWS: readonly Operation[] = [
  // issue
  row(
    'issues.search',
    'POST',
    '3.0/mlflow/issues/search',
    [read(experimentOrAll('experiment_id?')), read(run('filter:filter_string#source_run_id?'))],
    { withhold: [withheld('issues[]', ['source_run_id'], { tier: 'run' })] },
  ),
  row('issues.create', 'POST', '3.0/mlflow/issues', [update(IN), read(run('source_run_id?'))], {
    stamps: ['created_by'],
    withhold: withholdsRun,
  }),
  row('issues.get', 'GET', '3.0/mlflow/issues/<issue_id>', read(issue('path:issue_id')), {
    withhold: withholdsRun,
  }),
  row(
    'issues.update',
    'PATCH',
    '3.0/mlflow/issues/<issue_id>',
    [update(issue('path:issue_id')), update(issue('issue_id?'))],
    { withhold: withholdsRun },
  ),
  // label schema
  row('label_schemas.create', 'POST', '3.0/mlflow/label-schemas/create', manage(IN)),
  row('label_schemas.delete', 'DELETE', '3.0/mlflow/label-schemas/delete', manage(labelSchema('schema_id'))),
  row('label_schemas.get', 'GET', '3.0/mlflow/label-schemas/get', read(labelSchema('schema_id'))),
  row('label_schemas.get_by_name', 'GET', '3.0/mlflow/label-schemas/get-by-name', read(IN)),
  row('label_schemas.list', 'GET', '3.0/mlflow/label-schemas/list', read(IN)),
  row('label_schemas.update', 'PATCH', '3.0/mlflow/label-schemas/update', manage(labelSchema('schema_id'))),
  // review queue
  row('review_queues.add_items_to', 'POST', '3.0/mlflow/review-queues/items/add', [
    update(QUEUE),
    read(trace('item_ids[]')),
  ]),
  row(
    'review_queues.list_items',
    'GET',
    '3.0/mlflow/review-queues/items/list',
    manage(QUEUE, { relaxed: VIEWERS }),
  ),
  row(
    'review_queues.remove_items_from',
    'POST',
    '3.0/mlflow/review-queues/items/remove',
    manage(QUEUE, { relaxed: { custom_owner: 'update' } }),
  ),
  row(
    'review_queues.set_item_status',
    'POST',
    '3.0/mlflow/review-queues/items/set-status',
    update(QUEUE, { only: 'member' }),
    { stamps: ['completed_by unless status=PENDING'] },
  ),
  row(
    'review_queues.create',
    'POST',
    '3.0/mlflow/review-queues/create',
    [update(IN), notDenied(IN, 'review_queue')],
    { rules: [notAUsername('name')], stamps: ['created_by'], effects: [ownedByCreator] },
  ),
  row(
    'review_queues.delete',
    'POST',
    '3.0/mlflow/review-queues/delete',
    manage(QUEUE, { relaxed: { custom_owner: 'update' } }),
    { effects: [forgetQueue] },
  ),
  row(
    'review_queues.get_or_create_user',
    'POST',
    '3.0/mlflow/review-queues/get-or-create-user',
    [update(IN), notDenied(IN, 'review_queue'), manage(reviewQueueUser('user'))],
    { stamps: ['created_by'] },
  ),
  row('review_queues.get', 'GET', '3.0/mlflow/review-queues/get', manage(QUEUE, { relaxed: VIEWERS })),
  row('review_queues.get_by_name', 'GET', '3.0/mlflow/review-queues/get-by-name', [
    read(IN, { tier: 'review_queue' }),
    manage(reviewQueueName('name'), { relaxed: VIEWERS }),
  ]),
  row('review_queues.list', 'GET', '3.0/mlflow/review-queues/list', read(IN, { tier: 'review_queue' }), {
    list: { field: 'review_queues', rows: 'review_queue', pages: 'token', defaultSize: 1000, cap: 50_000 },
  }),
  row(
    'review_queues.update',
    'POST',
    '3.0/mlflow/review-queues/update',
    [manage(QUEUE, { relaxed: { owner: 'update' } }), manage(reviewQueueBeside('new_owner?'))],
    { rules: [notAUsername('name?')], effects: [forgetQueue] },
  ),
]
