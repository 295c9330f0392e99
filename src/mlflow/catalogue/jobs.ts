import { ADMIN, type Operation, row } from '../operation.ts'

/**
 * Scorers, what workers run with them, and the demo.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const JOBS: readonly Operation[] = [
  // job
  row(
    'jobs.cancel_prompt_optimization',
    'POST',
    '3.0/mlflow/prompt-optimization/jobs/<job_id>/cancel',
    ADMIN,
  ),
  row('jobs.search_prompt_optimization', 'GET|POST', '3.0/mlflow/prompt-optimization/jobs/search', ADMIN),
  row('jobs.invoke_genai_evaluate', 'POST', 'ajax:3.0/mlflow/genai/evaluate/invoke', ADMIN),
  row('jobs.create_prompt_optimization', 'POST', '3.0/mlflow/prompt-optimization/jobs', ADMIN),
  row('jobs.delete_prompt_optimization', 'DELETE', '3.0/mlflow/prompt-optimization/jobs/<job_id>', ADMIN),
  row('jobs.get_prompt_optimization', 'GET', '3.0/mlflow/prompt-optimization/jobs/<job_id>', ADMIN),
  row('jobs.cancel', 'PATCH', 'ajax:3.0/mlflow/jobs/cancel/<job_id>', ADMIN),
  row('jobs.invoke_issue_detection', 'POST', 'ajax:3.0/mlflow/issues/invoke', ADMIN),
  row('jobs.invoke_scorer', 'POST', 'ajax:3.0/mlflow/scorer/invoke', ADMIN),
  row('jobs.get', 'GET', 'ajax:3.0/mlflow/jobs/<job_id>', ADMIN),
  row('jobs.cancel_job', 'PATCH', 'ajax:3.0/jobs/cancel/<job_id>', ADMIN),
  row('jobs.search', 'POST', 'ajax:3.0/jobs/search', ADMIN),
  row('jobs.submit', 'POST', 'ajax:3.0/jobs/', ADMIN),
  row('jobs.get_job', 'GET', 'ajax:3.0/jobs/<job_id>', ADMIN),
  // demo
  row('demo.delete', 'POST', 'ajax:3.0/mlflow/demo/delete', ADMIN),
  row('demo.generate', 'POST', 'ajax:3.0/mlflow/demo/generate', ADMIN),
  // scorer
  row('scorers.delete', 'DELETE', '3.0/mlflow/scorers/delete', ADMIN),
  row('scorers.get', 'GET', '3.0/mlflow/scorers/get', ADMIN),
  row('scorers.list_versions', 'GET', '3.0/mlflow/scorers/versions', ADMIN),
  row('scorers.list', 'GET', '3.0/mlflow/scorers/list', ADMIN, { repeated: ['experiment_ids'] }),
  row('scorers.register', 'POST', '3.0/mlflow/scorers/register', ADMIN),
  row('scorers.get_online_scoring_configs', 'GET', '3.0/mlflow/scorers/online-configs', ADMIN, {
    repeated: ['scorer_ids'],
  }),
  row('scorers.upsert_online_scoring_config', 'PUT', '3.0/mlflow/scorers/online-config', ADMIN),
]
