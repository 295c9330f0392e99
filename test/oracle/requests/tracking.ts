import type { Context, Template, Templates } from '../request.ts'

const NOW = 1_750_000_000_001
const metric = { key: 'm', value: 2, timestamp: NOW, step: 1 }

const byRun: Template = ({ it }) => ({ query: { run_id: it.run } })
const onRun =
  (json: object = {}): Template =>
  ({ it }) => ({ json: { run_id: it.run, ...json } })
const onExperiment =
  (json: object = {}): Template =>
  ({ it }) => ({ json: { experiment_id: it.experiment, ...json } })
const onModel =
  (parts: (context: Context) => object = () => ({})): Template =>
  (context) => ({ params: { model_id: context.it.loggedModel }, ...parts(context) })
const tagged = { tags: [{ key: 'new', value: 'v' }] }

/** Experiments, runs, logged models, GraphQL. */
export const TRACKING: Templates = {
  CreateExperiment: ({ fresh }) => ({ json: { name: `new_${fresh}` } }),
  DeleteExperiment: onExperiment(),
  DeleteExperimentTag: onExperiment({ key: 'k' }),
  GetExperiment: ({ it }) => ({ query: { experiment_id: it.experiment } }),
  GetExperimentByName: ({ it }) => ({ query: { experiment_name: it.experimentName } }),
  RestoreExperiment: onExperiment(),
  'SearchExperiments|GET': () => ({ query: { max_results: '100' } }),
  'SearchExperiments|POST': () => ({ json: { max_results: 100 } }),
  SetExperimentTag: onExperiment({ key: 'k', value: 'new' }),
  UpdateExperiment: ({ it, fresh }) => ({
    json: { experiment_id: it.experiment, new_name: `renamed_${fresh}` },
  }),

  CreateRun: onExperiment({ start_time: NOW }),
  DeleteRun: onRun(),
  DeleteTag: onRun({ key: 'k' }),
  GetMetricHistory: ({ it }) => ({ query: { run_id: it.run, metric_key: 'm' } }),
  'GetMetricHistory/of a model': ({ it }) => ({ query: { run_id: it.run, metric_key: 'of_model' } }),
  GetMetricHistoryBulkInterval: ({ it }) => ({ query: { run_ids: it.run, metric_key: 'm' } }),
  GetRun: byRun,
  ListArtifacts: byRun,
  LogBatch: onRun({ metrics: [metric] }),
  'LogBatch/with a model': ({ it }) => ({
    json: { run_id: it.run, metrics: [{ ...metric, model_id: it.loggedModel }] },
  }),
  "LogBatch/with another's model": ({ it, others }) => ({
    json: { run_id: it.run, metrics: [{ ...metric, model_id: others.loggedModel }] },
  }),
  LogInputs: ({ it, fresh }) => ({
    json: {
      run_id: it.run,
      datasets: [{ dataset: { name: fresh, digest: 'd', source_type: 'local', source: 's' } }],
    },
  }),
  'LogInputs/with a model': ({ it }) => ({
    json: { run_id: it.run, models: [{ model_id: it.loggedModel }] },
  }),
  "LogInputs/with another's model": ({ it, others }) => ({
    json: { run_id: it.run, models: [{ model_id: others.loggedModel }] },
  }),
  LogMetric: onRun(metric),
  'LogMetric/with a model': ({ it }) => ({ json: { run_id: it.run, model_id: it.loggedModel, ...metric } }),
  "LogMetric/with another's model": ({ it, others }) => ({
    json: { run_id: it.run, model_id: others.loggedModel, ...metric },
  }),
  LogModel: ({ it }) => ({
    json: {
      run_id: it.run,
      model_json: JSON.stringify({
        ...{ run_id: it.run, artifact_path: 'm', utc_time_created: '2025-01-01 00:00:00.000000' },
        ...{ model_uuid: 'a', flavors: { python_function: {} } },
      }),
    },
  }),
  LogOutputs: ({ it }) => ({ json: { run_id: it.run, models: [{ model_id: it.loggedModel, step: 1 }] } }),
  "LogOutputs/another's model": ({ it, others }) => ({
    json: { run_id: it.run, models: [{ model_id: others.loggedModel, step: 1 }] },
  }),
  LogParam: onRun({ key: 'new', value: 'v' }),
  RestoreRun: onRun(),
  SearchRuns: ({ it }) => ({ json: { experiment_ids: [it.experiment] } }),
  'SearchRuns/in both': ({ it, others }) => ({
    json: { experiment_ids: [it.experiment, others.experiment] },
  }),
  SetTag: onRun({ key: 'k', value: 'new' }),
  UpdateRun: onRun({ status: 'FINISHED', end_time: NOW }),
  serve_create_promptlab_run: onExperiment({
    ...{ prompt_template: 't', prompt_parameters: [{ key: 'k', value: 'v' }], model_route: 'route' },
    ...{ model_input: 'i', mlflow_version: '3.17.2', model_output: 'o', start_time: NOW },
    model_output_parameters: [{ key: 'latency', value: '1' }],
  }),
  serve_get_metric_history_bulk: ({ it }) => ({ query: { run_id: it.run, metric_key: 'm' } }),
  'serve_get_metric_history_bulk/of both': ({ it, others }) => ({
    query: { run_id: [it.run, others.run], metric_key: 'm' },
  }),

  CreateLoggedModel: ({ it, fresh }) => ({ json: { experiment_id: it.experiment, name: `logged_${fresh}` } }),
  'CreateLoggedModel/from a run': ({ it, fresh }) => ({
    json: { experiment_id: it.experiment, name: `logged_${fresh}`, source_run_id: it.run },
  }),
  "CreateLoggedModel/from another's run": ({ it, others, fresh }) => ({
    json: { experiment_id: it.experiment, name: `logged_${fresh}`, source_run_id: others.run },
  }),
  DeleteLoggedModel: onModel(),
  DeleteLoggedModelTag: ({ it }) => ({ params: { model_id: it.loggedModel, tag_key: 'k' } }),
  FinalizeLoggedModel: onModel(({ it }) => ({
    json: { model_id: it.loggedModel, status: 'LOGGED_MODEL_READY' },
  })),
  GetLoggedModel: onModel(),
  ListLoggedModelArtifacts: onModel(),
  LogLoggedModelParamsRequest: onModel(({ it }) => ({
    json: { model_id: it.loggedModel, params: [{ key: 'new', value: 'v' }] },
  })),
  SearchLoggedModels: ({ it }) => ({ json: { experiment_ids: [it.experiment] } }),
  'SearchLoggedModels/in both': ({ it, others }) => ({
    json: { experiment_ids: [it.experiment, others.experiment] },
  }),
  SetLoggedModelTags: onModel(() => ({ json: tagged })),
  serve_get_logged_model_artifact: onModel(() => ({ query: { artifact_file_path: 'MLmodel' } })),

  // MLflow reads a body even of a GET, the gateway takes none there.
  '_graphql|GET': () => ({ query: { query: '{test{output}}' } }),
  '_graphql|POST': ({ it }) => ({
    json: {
      query: `query{mlflowGetExperiment(input:{experimentId:"${it.experiment}"}){experiment{name experimentId}}}`,
    },
  }),
  '_graphql/a run|POST': ({ it }) => ({
    json: {
      query: `query{mlflowGetRun(input:{runId:"${it.run}"}){run{info{runName experimentId} experiment{name} modelVersions{name}}}}`,
    },
  }),
  '_graphql/runs|POST': ({ it }) => ({
    json: {
      query: `mutation{mlflowSearchRuns(input:{experimentIds:["${it.experiment}"]}){runs{info{runName runId}}}}`,
    },
  }),
  '_graphql/files|POST': ({ it }) => ({
    json: { query: `query{mlflowListArtifacts(input:{runId:"${it.run}"}){rootUri files{path}}}` },
  }),
  '_graphql/metrics|POST': ({ it }) => ({
    json: {
      query: `query{mlflowGetMetricHistoryBulkInterval(input:{runIds:["${it.run}"],metricKey:"m",maxResults:5}){metrics{runId key}}}`,
    },
  }),
  '_graphql/versions|POST': ({ it }) => ({
    json: {
      query: `query{mlflowSearchModelVersions(input:{filter:"name='${it.model}'"}){modelVersions{name description}}}`,
    },
  }),
  '_graphql/datasets|POST': ({ it }) => ({
    json: {
      query: `mutation{mlflowSearchDatasets(input:{experimentIds:["${it.experiment}"]}){datasetSummaries{name experimentId}}}`,
    },
  }),
}
