import type { Operation } from '../operation.ts'
import { NOBODY, row } from '../row.ts'

const TRACES = '2.0/mlflow/traces'

/**
 * Routes that only older versions have. MLflow 2.22 and 3.1 announce the third version of the traces' API under the
 * second's address and answer each with `_not_implemented`: 404, in words that no client reads.
 */
export const LEGACY: readonly Operation[] = [
  row('legacy.get_trace_info', 'GET', `${TRACES}/<trace_id>`, NOBODY, { until: '3.1.4' }),
  row('legacy.search_traces', 'POST', `${TRACES}/search`, NOBODY, { since: '3.1.4', until: '3.1.4' }),
  // The placeholder is in the address as it stands: no value was put in for it.
  row('legacy.create_assessment', 'POST', `${TRACES}/{assessment.trace_id}/assessments`, NOBODY, {
    until: '3.1.4',
  }),
  row(
    'legacy.change_assessment',
    'PATCH|DELETE',
    `${TRACES}/<trace_id>/assessments/<assessment_id>`,
    NOBODY,
    { until: '3.1.4' },
  ),
  row('legacy.get_assessment', 'GET', `${TRACES}/<trace_id>/assessments/<assessment_id>`, NOBODY, {
    since: '3.1.4',
    until: '3.1.4',
  }),
]
