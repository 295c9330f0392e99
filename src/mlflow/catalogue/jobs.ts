import type { Operation } from '../operation.ts'
import {
  ADMIN,
  adminField,
  create,
  dataset,
  demo,
  experiment,
  gatewayEndpointName,
  gatewaySecret,
  job,
  type Located,
  modelProvider,
  modelsOfScorers,
  modelUri,
  notDenied,
  onlineScoring,
  promptJob,
  promptUri,
  read,
  registeredScorer,
  remove,
  row,
  SIGNED_IN,
  scoredExperiment,
  scorer,
  scorerOfVersion,
  trace,
  update,
  use,
  wholeScorer,
} from '../row.ts'

const HERE = experiment('experiment_id')
const JOB = job('path:job_id')
const PROMPT_JOB = promptJob('path:job_id')
const NAMED = scorer('name')

const optimization = '3.0/mlflow/prompt-optimization/jobs'
const scorers = '3.0/mlflow/scorers'

/** Whoever started a job need not be granted anything on it; everybody else cannot be. */
const byOwner = { relaxed: { owner: 'not_denied' } } as const

/** A job reads these traces and, in the name of nobody, calls what the scorers in the request say. */
const TRACES_AND_MODELS = [read(trace('trace_ids[]')), use(modelsOfScorers('experiment_id'))]

const createsRun = [update(HERE), ...notDenied(HERE, 'run')]

/** A stored scorer is read by whoever may read it, unless versions of scorers are denied. */
const readsScorer = (located: Located) => [read(located), ...notDenied(located, 'scorer_version')]

/**
 * Where a prompt optimizer sends its requests, with the server's own keys: `api_base` would be anybody's choice
 * (`_create_optimizer`, 3.17.2).
 */
const KWARGS = ['lm_kwargs', 'gepa_kwargs'].map((name) =>
  adminField(`config.optimizer_config_json!.${name}{}?`),
)

const startsJob = (...at: readonly string[]) => ({ effects: [{ kind: 'remember_jobs', at } as const] })

/**
 * Scorers, what workers run with them, and the demo.
 * Rows with more literal segments come first, as MLflow's own routers prefer them.
 */
export const JOBS: readonly Operation[] = [
  // job
  row('jobs.cancel_prompt_optimization', 'POST', `${optimization}/<job_id>/cancel`, [
    update(PROMPT_JOB),
    notDenied(PROMPT_JOB, 'run'),
  ]),
  row('jobs.search_prompt_optimization', 'GET|POST', `${optimization}/search`, read(HERE)),
  row(
    'jobs.invoke_genai_evaluate',
    'POST',
    'ajax:3.0/mlflow/genai/evaluate/invoke',
    [...createsRun, ...TRACES_AND_MODELS, ...readsScorer(scorerOfVersion('experiment_id'))],
    { ...startsJob('job_id'), since: '3.17.2' },
  ),
  row(
    'jobs.create_prompt_optimization',
    'POST',
    optimization,
    [
      ...createsRun,
      notDenied(HERE, 'scorer_version'),
      read(promptUri('source_prompt_uri')),
      notDenied(promptUri('source_prompt_uri'), 'version'),
      read(dataset('config.dataset_id?')),
      use(modelUri('config.optimizer_config_json!.reflection_model?')),
      read(registeredScorer('config.scorers[]?')),
      // A scorer of MLflow's own is no resource, but its name may be denied.
      scorer('config.scorers[]?')('not_denied'),
    ],
    { ...startsJob('job', 'job_id'), rules: KWARGS },
  ),
  row('jobs.delete_prompt_optimization', 'DELETE', `${optimization}/<job_id>`, [
    remove(PROMPT_JOB),
    notDenied(PROMPT_JOB, 'run'),
  ]),
  row('jobs.get_prompt_optimization', 'GET', `${optimization}/<job_id>`, read(PROMPT_JOB)),
  row('jobs.cancel', 'PATCH', 'ajax:3.0/mlflow/jobs/cancel/<job_id>', update(JOB, byOwner), {
    since: '3.17.2',
  }),
  row(
    'jobs.invoke_issue_detection',
    'POST',
    'ajax:3.0/mlflow/issues/invoke',
    [
      ...createsRun,
      read(trace('trace_ids[]')),
      use(gatewaySecret('secret_id?')),
      use(gatewayEndpointName('endpoint_name?')),
      use(modelProvider('provider')),
    ],
    { ...startsJob('job_id'), since: '3.17.2' },
  ),
  row(
    'jobs.invoke_scorer',
    'POST',
    'ajax:3.0/mlflow/scorer/invoke',
    [
      update(HERE),
      ...TRACES_AND_MODELS,
      notDenied(scoredExperiment('experiment_id'), 'assessment'),
      notDenied(HERE, 'scorer_version'),
      read(scorer('scorer_name?')),
    ],
    startsJob('jobs[]', 'job_id'),
  ),
  row('jobs.get', 'GET', 'ajax:3.0/mlflow/jobs/<job_id>', read(JOB, byOwner), { since: '3.17.2' }),
  row('jobs.cancel_job', 'PATCH', 'ajax:3.0/jobs/cancel/<job_id>', update(JOB, byOwner)),
  row('jobs.search', 'POST', 'ajax:3.0/jobs/search', SIGNED_IN, {
    list: { field: 'jobs', rows: 'job', pages: 'none' },
  }),
  // Any function of MLflow's with any arguments, as any user: administrators only.
  row('jobs.submit', 'POST', 'ajax:3.0/jobs/', ADMIN, startsJob('job_id')),
  row('jobs.get_job', 'GET', 'ajax:3.0/jobs/<job_id>', read(JOB, byOwner)),
  // demo
  row('demo.delete', 'POST', 'ajax:3.0/mlflow/demo/delete', ADMIN),
  row('demo.generate', 'POST', 'ajax:3.0/mlflow/demo/generate', create(demo('query:demo?'))),
  // scorer
  row(
    'scorers.delete',
    'DELETE',
    `${scorers}/delete`,
    [remove(NAMED, { tier: 'scorer_version' }), remove(wholeScorer('name'))],
    { effects: [{ kind: 'forget_located', locator: wholeScorer('name')('delete').locator }] },
  ),
  row('scorers.get', 'GET', `${scorers}/get`, readsScorer(NAMED)),
  row('scorers.list_versions', 'GET', `${scorers}/versions`, readsScorer(NAMED)),
  row('scorers.list', 'GET', `${scorers}/list`, [read(experiment('experiment_id?')), SIGNED_IN], {
    repeated: ['experiment_ids'],
    list: { field: 'scorers', rows: 'scorer', pages: 'none' },
  }),
  row(
    'scorers.register',
    'POST',
    `${scorers}/register`,
    [
      update(HERE),
      NAMED('not_denied'),
      notDenied(HERE, 'scorer_version'),
      use(modelsOfScorers('experiment_id')),
    ],
    { effects: [{ kind: 'grant_scorer_creator' }] },
  ),
  row(
    'scorers.get_online_scoring_configs',
    'GET',
    `${scorers}/online-configs`,
    [read(onlineScoring('scorer_ids[]')), SIGNED_IN],
    { repeated: ['scorer_ids'] },
  ),
  // From then on workers apply it by themselves.
  row('scorers.upsert_online_scoring_config', 'PUT', `${scorers}/online-config`, [
    update(HERE),
    NAMED('not_denied'),
    notDenied(HERE, 'scorer_version'),
  ]),
]
