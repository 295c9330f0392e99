import type { Ids } from '../parser/world.ts'
import type { Ask } from '../spoken-request.ts'

export const API = '/api/2.0/mlflow'
export const FILES = '/api/2.0/mlflow-artifacts/artifacts'
export const JSON_TYPE = 'Content-Type: application/json'

/** Somebody may do everything with A, and nothing with B. */
export type Things = { readonly A: Ids['alpha']; readonly B: Ids['beta'] }

export type Attack = readonly [
  what: string,
  ask: (things: Things) => Ask,
  /** Status, MLflow's error code, and the reason on record. */
  gateway: string,
  /** What MLflow does by itself: the status, whether B's content was seen, whether B's or the server's state changed. */
  mlflow: string | undefined,
]

/** The attacks of one part of MLflow's surface, named by the section of the description that was observed. */
export type Attacks = { readonly of: string; readonly attacks: readonly Attack[] }

export const COUNT = {
  ...{ view_type: 'TRACES', metric_name: 'trace_count', dimensions: ['trace_name'] },
  aggregations: [{ aggregation_type: 'COUNT' }],
}

export function locationOf(experiment_id: string) {
  return { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } }
}

export function traceOf(trace_id: string, experiment_id: string) {
  const times = { request_time: '2026-01-01T00:00:00Z', execution_duration: '1s', state: 'OK' }
  return { trace: { trace_info: { trace_id, trace_location: locationOf(experiment_id), ...times } } }
}

export function spansOf(trace: string) {
  const span = {
    ...{ traceId: trace.slice('tr-'.length), spanId: '1234567890abcdef', name: 's' },
    ...{ startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000001000000000' },
  }
  return { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }
}
