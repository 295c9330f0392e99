import type { Operation } from '../operation.ts'
import {
  adminField,
  adminTag,
  experiment,
  type Located,
  loggedModel,
  NOBODY,
  newTrace,
  notDenied,
  onlyFields,
  plainPath,
  read,
  readableOnly,
  registeredModel,
  remove,
  row,
  run,
  trace,
  update,
  when,
} from '../row.ts'
import { originsOfTrace, partsOfTrace } from './siblings.ts'

/** Where the files and spans of a trace lie: who sets one of these serves somebody else's under a trace of their own. */
const LOCATION_TAGS = [
  'mlflow.artifactLocation',
  'mlflow.trace.spansLocation',
  'mlflow.trace.archiveLocation',
  'mlflow.trace.archivalFailure',
]
const staysInPlace = (selector: string) => adminTag(selector, ...LOCATION_TAGS)

const byPath = { v2: trace('path:request_id'), v3: trace('path:trace_id') }
const keepsTag = { rules: [staysInPlace('key')] }
const tracesV2 = '2.0/mlflow/traces'
const tracesV3 = '3.0/mlflow/traces'
const info = 'trace.trace_info'
const place = `${info}.trace_location`

const createsTrace = (where: Located) => [update(where), ...notDenied(where, 'trace')]

const removesTraces = [
  remove(experiment('experiment_id'), { tier: 'trace' }),
  // Assessments go with their traces; by themselves they take EDIT on the experiment.
  remove(experiment('experiment_id'), { tier: 'assessment', inherited: 'update' }),
]

/**
 * A trace may come from a run or a model that lies elsewhere, and carries assessments: what a search may select on is
 * what may be read of them, by a filter, a sort key or a count (`_trace_search_selects_on_tiers`, 3.17.2).
 *
 * @param where The experiments.
 * @param texts Fields with filters and sort keys.
 */
const searchedBy = (where: Located, texts: string) => [
  read(run(`filter:${texts}#run_id,mlflow.sourceRun?`)),
  read(loggedModel(`filter:${texts}#mlflow.modelId?`)),
  ...when(`mention:${texts}#feedback,expectation,assessment,issue?`, [], notDenied(where, 'assessment')),
]
const IN_EXPERIMENTS = 'experiment_ids[]'
const IN_LOCATIONS = 'locations[].mlflow_experiment.experiment_id?'

const assessed = notDenied(experiment(`${place}.mlflow_experiment.experiment_id`), 'assessment')

/** Traces and assessments: all judged by the experiment their trace is in at the time. */
export const TRACES: readonly Operation[] = [
  // assessment
  row(
    'assessments.create',
    'POST',
    `${tracesV3}/<trace_id>/assessments`,
    [read(byPath.v3), notDenied(byPath.v3, 'assessment'), update(byPath.v3, { either: true })],
    { since: '3.10.1', sources: 'assessment.source' },
  ),
  row(
    'assessments.delete',
    'DELETE',
    `${tracesV3}/<trace_id>/assessments/<assessment_id>`,
    [read(byPath.v3), remove(byPath.v3, { tier: 'assessment', inherited: 'update' })],
    { since: '3.10.1' },
  ),
  row(
    'assessments.get',
    'GET',
    `${tracesV3}/<trace_id>/assessments/<assessment_id>`,
    [read(byPath.v3), read(byPath.v3, { tier: 'assessment' })],
    { since: '3.10.1' },
  ),
  row(
    'assessments.update',
    'PATCH',
    `${tracesV3}/<trace_id>/assessments/<assessment_id>`,
    [read(byPath.v3), update(byPath.v3, { tier: 'assessment' })],
    { since: '3.10.1' },
  ),

  // several traces: every one of them is judged, and one refusal is a refusal of all
  row('traces.batch_get_infos', 'POST', `${tracesV3}/batchGetInfos`, read(trace('trace_ids[]')), {
    since: '3.17.2',
    withhold: partsOfTrace('trace_infos[]'),
  }),
  row('traces.batch_get', 'GET', `${tracesV3}/batchGet`, read(trace('trace_ids[]')), {
    since: '3.10.1',
    repeated: ['trace_ids', 'experiment_ids'],
    withhold: partsOfTrace('traces[].trace_info'),
  }),
  row(
    'traces.calculate_filter_correlation',
    'POST',
    `${tracesV3}/calculate-filter-correlation`,
    [
      read(experiment(IN_EXPERIMENTS), { tier: 'trace' }),
      ...searchedBy(experiment(IN_EXPERIMENTS), 'filter_string1|filter_string2|base_filter'),
    ],
    { since: '3.10.1' },
  ),
  row(
    'traces.query_metrics',
    'POST',
    `${tracesV3}/metrics`,
    [
      read(experiment(IN_EXPERIMENTS), { tier: 'trace' }),
      ...searchedBy(experiment(IN_EXPERIMENTS), 'filters[]'),
      // The third view counts assessments.
      ...when('view_type?', ['TRACES', 'SPANS'], notDenied(experiment(IN_EXPERIMENTS), 'assessment')),
    ],
    { since: '3.10.1' },
  ),
  // Of the ids MLflow deletes those that are in the experiment (3.17.2).
  row('traces.delete', 'POST', `${tracesV2}/delete-traces`, removesTraces),
  row('traces.delete_v3', 'POST', `${tracesV3}/delete-traces`, removesTraces, { since: '3.10.1' }),
  row(
    'traces.link_prompts_to',
    'POST',
    `${tracesV2}/link-prompts`,
    [update(trace('trace_id')), read(registeredModel('prompt_versions[].name'))],
    { since: '3.10.1' },
  ),
  row(
    'traces.link_to_run',
    'POST',
    `${tracesV2}/link-to-run`,
    [update(run('run_id')), read(trace('trace_ids[]'))],
    { since: '3.10.1' },
  ),
  row(
    'traces.search_v3',
    'POST',
    `${tracesV3}/search`,
    [readableOnly(IN_LOCATIONS, 'trace'), ...searchedBy(experiment(IN_LOCATIONS), 'filter|order_by[]')],
    {
      since: '3.10.1',
      rules: [onlyFields('locations[]', 'type', 'mlflow_experiment')],
      withhold: partsOfTrace('traces[]'),
    },
  ),
  row(
    'traces.search',
    'GET',
    tracesV2,
    [
      readableOnly(`${IN_EXPERIMENTS}?`, 'trace'),
      ...searchedBy(experiment(`${IN_EXPERIMENTS}?`), 'filter|order_by[]'),
    ],
    {
      repeated: ['experiment_ids', 'order_by'],
      withhold: originsOfTrace('traces[]'),
    },
  ),
  row('traces.search_unified', 'GET', '2.0/mlflow/unified-traces', NOBODY, {
    since: '3.1.4',
    repeated: ['experiment_ids'],
  }),

  // one trace
  row('traces.get', 'GET', `${tracesV3}/get`, read(trace('trace_id')), {
    since: '3.10.1',
    withhold: partsOfTrace('trace.trace_info'),
  }),
  row('traces.get_info', 'GET', `${tracesV2}/<request_id>/info`, read(byPath.v2), {
    withhold: originsOfTrace('trace_info'),
  }),
  row('traces.get_info_v3', 'GET', `${tracesV3}/<trace_id>`, read(byPath.v3), {
    since: '3.10.1',
    withhold: partsOfTrace('trace.trace_info'),
  }),
  row('traces.get_online_details', 'GET', '2.0/mlflow/get-online-trace-details', NOBODY, { since: '3.1.4' }),
  row(
    'traces.get_artifact',
    'GET',
    ['ajax:2.0/mlflow/get-trace-artifact', 'ajax:3.0/mlflow/get-trace-artifact'],
    read(trace('query:request_id')),
    { untrusted: true, rules: [plainPath('path')] },
  ),
  row('traces.set_tag', 'PATCH', `${tracesV2}/<request_id>/tags`, update(byPath.v2), keepsTag),
  row('traces.set_tag_v3', 'PATCH', `${tracesV3}/<trace_id>/tags`, update(byPath.v3), {
    ...keepsTag,
    since: '3.10.1',
  }),
  row('traces.delete_tag', 'DELETE', `${tracesV2}/<request_id>/tags`, update(byPath.v2), keepsTag),
  row('traces.delete_tag_v3', 'DELETE', `${tracesV3}/<trace_id>/tags`, update(byPath.v3), {
    ...keepsTag,
    since: '3.10.1',
  }),
  row('traces.end', 'PATCH', `${tracesV2}/<request_id>`, update(byPath.v2), {
    rules: [staysInPlace('tags[].key?')],
    withhold: originsOfTrace('trace_info'),
  }),

  // new traces
  row('traces.start', 'POST', tracesV2, createsTrace(experiment('experiment_id')), {
    rules: [staysInPlace('tags[].key?')],
    withhold: originsOfTrace('trace_info'),
  }),
  row(
    'traces.start_v3',
    'POST',
    tracesV3,
    // The client chooses the id, and a trace that has it already is moved here with all its spans.
    [
      createsTrace(experiment(`${place}.mlflow_experiment.experiment_id`)),
      update(newTrace(`${info}.trace_id`)),
      // The client sends assessments along with the trace they are of, too.
      ...when(`${info}.assessments[].assessment_name?`, [], assessed),
      ...when(`${info}.assessments[].source{}?`, [], assessed),
    ],
    {
      since: '3.10.1',
      sources: `${info}.assessments[].source`,
      rules: [
        onlyFields(place, 'type', 'mlflow_experiment'),
        staysInPlace(`${info}.tags{}?`),
        // An assessment that has the id already would be taken away from its own trace (`_start_trace_once`, 3.17.2).
        adminField(`${info}.assessments[].assessment_id?`),
      ],
      withhold: partsOfTrace('trace.trace_info'),
    },
  ),
  row(
    'traces.export',
    'POST',
    '/v1/traces',
    // The header says where new traces go; spans of a known one are added to it, wherever it is.
    [
      createsTrace(experiment('header:x-mlflow-experiment-id')),
      update(run('header:x-mlflow-run-id?')),
      update(newTrace('spans:trace_ids?')),
    ],
    {
      since: '3.10.1',
      body: 'otlp',
      headers: ['x-mlflow-experiment-id', 'x-mlflow-run-id'],
      rules: [staysInPlace('spans:trace_tags?')],
    },
  ),
]
