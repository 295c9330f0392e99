import type { Context, Template, Templates } from '../request.ts'
import { SERIALIZED_SCORER } from '../seed.ts'

const dataset: Template = ({ it }) => ({ params: { dataset_id: it.dataset } })
const saying =
  (path: Template, json: (context: Context) => object): Template =>
  (context) => ({ ...path(context), json: json(context) })
const onExperiment =
  (json: (context: Context) => object = () => ({})): Template =>
  (context) => ({ json: { experiment_id: context.it.experiment, ...json(context) } })
const onQueue =
  (json: (context: Context) => object = () => ({})): Template =>
  (context) => ({ json: { queue_id: context.it.queue, ...json(context) } })
const byQueue: Template = ({ it }) => ({ query: { queue_id: it.queue } })
const byExperiment: Template = ({ it }) => ({ query: { experiment_id: it.experiment } })
const schema: Template = ({ it }) => ({ query: { schema_id: it.schema } })
const scorer: Template = ({ it }) => ({ query: { experiment_id: it.experiment, name: it.scorer } })
const promptJob: Template = ({ it }) => ({ params: { job_id: it.promptJob } })
const job: Template = ({ it }) => ({ params: { job_id: it.job } })

/** Evaluation datasets, review queues, label schemas, issues, scorers, jobs. */
export const REVIEW: Templates = {
  AddDatasetToExperiments: saying(dataset, ({ it }) => ({ experiment_ids: [it.experiment] })),
  "AddDatasetToExperiments/another's": saying(dataset, ({ others }) => ({
    experiment_ids: [others.experiment],
  })),
  CreateDataset: ({ it, fresh }) => ({ json: { name: `dataset_${fresh}`, experiment_ids: [it.experiment] } }),
  'CreateDataset/in none': ({ fresh }) => ({ json: { name: `dataset_${fresh}` } }),
  DeleteDataset: dataset,
  DeleteDatasetRecords: saying(dataset, ({ it }) => ({ dataset_record_ids: [it.record] })),
  DeleteDatasetTag: ({ it }) => ({ params: { dataset_id: it.dataset, key: 'k' } }),
  GetDataset: dataset,
  GetDatasetExperimentIds: dataset,
  GetDatasetRecords: dataset,
  RemoveDatasetFromExperiments: saying(dataset, ({ it }) => ({ experiment_ids: [it.experiment] })),
  SearchDatasets: ({ it }) => ({ json: { experiment_ids: [it.experiment] } }),
  'SearchEvaluationDatasets|GET': ({ it }) => ({ query: { experiment_ids: it.experiment } }),
  'SearchEvaluationDatasets|POST': ({ it }) => ({ json: { experiment_ids: [it.experiment] } }),
  'SearchEvaluationDatasets/in both|POST': ({ it, others }) => ({
    json: { experiment_ids: [it.experiment, others.experiment] },
  }),
  'SearchEvaluationDatasets/everywhere|POST': () => ({ json: {} }),
  SetDatasetTags: saying(dataset, () => ({ tags: JSON.stringify({ k: 'new' }) })),
  UpsertDatasetRecords: saying(dataset, ({ fresh }) => ({
    records: JSON.stringify([{ inputs: { question: fresh } }]),
  })),
  serve_search_datasets: ({ it }) => ({ json: { experiment_ids: [it.experiment] } }),
  'serve_search_datasets/in both': ({ it, others }) => ({
    json: { experiment_ids: [it.experiment, others.experiment] },
  }),

  AddItemsToReviewQueue: onQueue(({ it }) => ({ item_type: 'TRACE', item_ids: [it.trace] })),
  CreateReviewQueue: onExperiment(({ fresh }) => ({ name: `queue_${fresh}`, queue_type: 'CUSTOM' })),
  DeleteReviewQueue: onQueue(),
  GetOrCreateUserQueue: onExperiment(({ username }) => ({ user: username })),
  GetReviewQueue: byQueue,
  GetReviewQueueByName: ({ it }) => ({ query: { experiment_id: it.experiment, name: it.queueName } }),
  ListReviewQueueItems: byQueue,
  ListReviewQueues: byExperiment,
  RemoveItemsFromReviewQueue: onQueue(({ it }) => ({ item_ids: [it.trace] })),
  SetReviewQueueItemStatus: onQueue(({ it, username }) => ({
    ...{ item_id: it.trace, status: 'COMPLETE', completed_by: username },
  })),
  UpdateReviewQueue: onQueue(({ fresh }) => ({ name: `renamed_${fresh}` })),
  CreateLabelSchema: onExperiment(({ fresh }) => ({
    ...{ name: `schema_${fresh}`, type: 'FEEDBACK', input: { text: {} } },
  })),
  DeleteLabelSchema: ({ it }) => ({ json: { schema_id: it.schema } }),
  GetLabelSchema: schema,
  GetLabelSchemaByName: ({ it }) => ({ query: { experiment_id: it.experiment, name: it.schemaName } }),
  ListLabelSchemas: byExperiment,
  UpdateLabelSchema: ({ it }) => ({ json: { schema_id: it.schema, instruction: 'new' } }),

  CreateIssue: onExperiment(({ fresh }) => ({ name: `issue_${fresh}`, description: 'd' })),
  'CreateIssue/from a run': onExperiment(({ it, fresh }) => ({
    ...{ name: `issue_${fresh}`, description: 'd', source_run_id: it.run },
  })),
  GetIssue: ({ it }) => ({ params: { issue_id: it.issue } }),
  SearchIssues: onExperiment(),
  'SearchIssues/everywhere': () => ({ json: {} }),
  UpdateIssue: ({ it }) => ({
    params: { issue_id: it.issue },
    json: { issue_id: it.issue, description: 'new' },
  }),

  DeleteScorer: ({ it }) => ({ json: { experiment_id: it.experiment, name: it.scorer } }),
  'DeleteScorer/one version': ({ it }) => ({
    json: { experiment_id: it.experiment, name: it.scorer, version: 1 },
  }),
  GetScorer: scorer,
  ListScorerVersions: scorer,
  ListScorers: byExperiment,
  'ListScorers/everywhere': () => ({}),
  RegisterScorer: onExperiment(({ it }) => ({ name: it.scorer, serialized_scorer: SERIALIZED_SCORER })),
  'RegisterScorer/a new one': onExperiment(({ fresh }) => ({
    ...{ name: `scorer_${fresh}`, serialized_scorer: SERIALIZED_SCORER },
  })),
  _get_online_scoring_configs: ({ it }) => ({ query: { scorer_ids: it.scorerId } }),
  _upsert_online_scoring_config: onExperiment(({ it }) => ({
    ...{ name: it.scorer, sample_rate: 0, filter_string: '' },
  })),
  _invoke_scorer_handler: onExperiment(({ it }) => ({
    ...{ serialized_scorer: SERIALIZED_SCORER, trace_ids: [it.trace] },
  })),
  '_invoke_scorer_handler/a registered one': onExperiment(({ it }) => ({
    ...{ serialized_scorer: SERIALIZED_SCORER, trace_ids: [it.trace] },
    ...{ scorer_name: it.scorer, scorer_version: 1, log_assessments: true },
  })),
  _invoke_genai_evaluate_handler: onExperiment(({ it }) => ({
    ...{ trace_ids: [it.trace], serialized_scorers: [SERIALIZED_SCORER] },
  })),
  _invoke_issue_detection_handler: onExperiment(({ it }) => ({
    ...{ trace_ids: [it.trace], categories: ['correctness'], provider: 'openai', model: 'gpt-x' },
    secret_id: it.secret,
  })),
  '_invoke_issue_detection_handler/by an endpoint': onExperiment(({ it }) => ({
    ...{ trace_ids: [it.trace], categories: ['correctness'], provider: 'openai' },
    endpoint_name: it.endpointName,
  })),

  CancelPromptOptimizationJob: promptJob,
  CreatePromptOptimizationJob: onExperiment(({ it }) => ({
    source_prompt_uri: `prompts:/${it.prompt}/1`,
    config: { optimizer_type: 'OPTIMIZER_TYPE_METAPROMPT', dataset_id: it.dataset, scorers: [it.scorer] },
  })),
  "CreatePromptOptimizationJob/another's prompt": onExperiment(({ others }) => ({
    source_prompt_uri: `prompts:/${others.prompt}/1`,
    config: { optimizer_type: 'OPTIMIZER_TYPE_METAPROMPT' },
  })),
  DeletePromptOptimizationJob: promptJob,
  GetPromptOptimizationJob: promptJob,
  'SearchPromptOptimizationJobs|GET': byExperiment,
  'SearchPromptOptimizationJobs|POST': onExperiment(),
  _cancel_job: job,
  _get_job: job,
  cancel_job: job,
  get_job: job,
  search_jobs: () => ({ json: {} }),
  submit_job: () => ({ json: { job_name: 'invoke_scorer', params: {} } }),
}
