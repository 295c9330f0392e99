import type { Context, Template, Templates } from '../request.ts'
import { assessment, spansOf, traceInfo } from '../seed.ts'

const tag = { key: 'k', value: 'new' }
const v2: Template = ({ it }) => ({ params: { request_id: it.trace } })
const v3: Template = ({ it }) => ({ params: { trace_id: it.trace } })
const byId =
  (path: Template, json: object): Template =>
  (context) => ({ ...path(context), json })
const assessed: Template = ({ it }) => ({ params: { trace_id: it.trace, assessment_id: it.assessment } })
const inExperiment =
  (json: object = {}): Template =>
  ({ it }) => ({ json: { experiment_ids: [it.experiment], ...json } })
const newTrace = (fresh: string) => `tr-${fresh.replaceAll('_', '').padStart(32, '0')}`

const exported = ({ it, fresh }: Context, trace = newTrace(fresh)) => ({
  json: spansOf(trace.replace('tr-', ''), `exported_${fresh}`),
  headers: { 'x-mlflow-experiment-id': it.experiment },
})

/** Traces, their assessments, and spans as OTLP. */
export const TRACES: Templates = {
  CreateAssessment: ({ it }) => ({ ...v3Of(it.trace), json: { assessment: assessment(it.trace, 'new') } }),
  DeleteAssessment: assessed,
  GetAssessmentRequest: assessed,
  UpdateAssessment: (context) => ({
    ...assessed(context),
    json: {
      assessment: {
        assessment_id: context.it.assessment,
        trace_id: context.it.trace,
        feedback: { value: false },
      },
      update_mask: 'feedback',
    },
  }),
  BatchGetTraceInfos: ({ it }) => ({ json: { trace_ids: [it.trace] } }),
  'BatchGetTraceInfos/of both': ({ it, others }) => ({ json: { trace_ids: [it.trace, others.trace] } }),
  BatchGetTraces: ({ it }) => ({ query: { trace_ids: it.trace } }),
  CalculateTraceFilterCorrelation: inExperiment({
    ...{ filter_string1: "tag.k = 'v'", filter_string2: "tag.k = 'w'" },
  }),
  DeleteTraceTag: byId(v2, { key: 'k' }),
  DeleteTraceTagV3: byId(v3, { key: 'k' }),
  DeleteTraces: ({ it }) => ({ json: { experiment_id: it.experiment, request_ids: [it.trace] } }),
  DeleteTracesV3: ({ it }) => ({ json: { experiment_id: it.experiment, request_ids: [it.trace] } }),
  EndTrace: byId(v2, { timestamp_ms: 1_750_000_001_000, status: 'OK' }),
  GetOnlineTraceDetails: () => ({ query: { trace_id: 'x' } }),
  GetTrace: ({ it }) => ({ query: { trace_id: it.trace } }),
  GetTraceInfo: v2,
  GetTraceInfoV3: v3,
  LinkPromptsToTrace: ({ it }) => ({
    json: { trace_id: it.trace, prompt_versions: [{ name: it.prompt, version: '1' }] },
  }),
  "LinkPromptsToTrace/another's prompt": ({ it, others }) => ({
    json: { trace_id: it.trace, prompt_versions: [{ name: others.prompt, version: '1' }] },
  }),
  LinkTracesToRun: ({ it }) => ({ json: { run_id: it.run, trace_ids: [it.trace] } }),
  "LinkTracesToRun/another's trace": ({ it, others }) => ({
    json: { run_id: it.run, trace_ids: [others.trace] },
  }),
  QueryTraceMetrics: inExperiment({
    ...{ view_type: 'TRACES', metric_name: 'trace_count', aggregations: [{ aggregation_type: 'COUNT' }] },
  }),
  'QueryTraceMetrics/of assessments': inExperiment({
    ...{ view_type: 'ASSESSMENTS', metric_name: 'assessment_count' },
    ...{ aggregations: [{ aggregation_type: 'COUNT' }], dimensions: ['assessment_name'] },
  }),
  SearchTraces: ({ it }) => ({ query: { experiment_ids: it.experiment } }),
  SearchTracesV3: ({ it }) => ({ json: { locations: [location(it.experiment)] } }),
  'SearchTracesV3/in both': ({ it, others }) => ({
    json: { locations: [location(it.experiment), location(others.experiment)] },
  }),
  SearchUnifiedTraces: ({ it }) => ({ query: { experiment_ids: it.experiment } }),
  SetTraceTag: byId(v2, tag),
  SetTraceTagV3: byId(v3, tag),
  StartTrace: ({ it }) => ({ json: { experiment_id: it.experiment, timestamp_ms: 1_750_000_000_000 } }),
  StartTraceV3: ({ it, fresh }) => ({
    json: { trace: { trace_info: traceInfo(newTrace(fresh), it.experiment, undefined) } },
  }),
  "StartTraceV3/over another's trace": ({ it, others }) => ({
    json: { trace: { trace_info: traceInfo(others.trace, it.experiment, undefined) } },
  }),
  export_traces: (context) => exported(context),
  "export_traces/into another's trace": (context) => exported(context, context.others.trace),
}

function location(experiment: string): object {
  return { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: experiment } }
}

function v3Of(trace: string): { readonly params: Readonly<Record<string, string>> } {
  return { params: { trace_id: trace } }
}
