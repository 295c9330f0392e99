import { AI_GATEWAY_THINGS } from './stand-in-ai-gateway.ts'
import { GENAI_THINGS } from './stand-in-genai.ts'

/** Something that the stand-in for MLflow knows beside experiments, runs, models and traces. */
export type Thing = {
  /** `GET` if absent. */
  readonly method?: string
  /** Path below `/api/`; what the first group matched is the id. */
  readonly path: RegExp
  /** The answer's body; `undefined` for 404. */
  readonly answer: (id: string, query: URLSearchParams) => object | undefined
}

export const DATASET_A = `d-${'a'.repeat(32)}`
export const DATASET_B = `d-${'b'.repeat(32)}`

const DATASETS: Readonly<Record<string, readonly string[]>> = { [DATASET_A]: ['1', '4'], [DATASET_B]: ['2'] }

export const [ISSUE_A, ISSUE_B] = [`iss-${'a'.repeat(32)}`, `iss-${'b'.repeat(32)}`]
export const [SCHEMA_A, SCHEMA_B] = [`ls-${'a'.repeat(32)}`, `ls-${'b'.repeat(32)}`]
/** Custom queues, one in each experiment: of nobody, and assigned to alpha's people. */
export const [QUEUE_A, QUEUE_B] = [`rq-${'a'.repeat(32)}`, `rq-${'b'.repeat(32)}`]

const QUEUES: readonly {
  readonly queue_id: string
  readonly experiment_id: string
  readonly name: string
}[] = [
  { queue_id: QUEUE_A, experiment_id: '1', name: 'queue a' },
  { queue_id: QUEUE_B, experiment_id: '2', name: 'queue b' },
]

/** The letter after the prefix tells the experiment. */
const experimentIn = (id: string, prefix: string): string | undefined =>
  ({ [`${prefix}a`]: '1', [`${prefix}b`]: '2' })[id.slice(0, prefix.length + 1)]

export const THINGS: readonly Thing[] = [
  {
    path: /^3\.0\/mlflow\/mcp-servers\/([\w.-]+\/[\w.-]+)$/,
    answer: (name) => (name.endsWith('/server') ? { name, access_endpoints: [] } : undefined),
  },
  { method: 'POST', path: /^3\.0\/mlflow\/mcp-servers$/, answer: () => ({ name: 'alpha-org/new' }) },
  ...GENAI_THINGS,
  ...AI_GATEWAY_THINGS,
  {
    path: /^3\.0\/mlflow\/datasets\/([^/]+)\/experiment-ids$/,
    answer: (id) => {
      const ids = DATASETS[id]
      return ids && { experiment_ids: ids }
    },
  },
  {
    path: /^3\.0\/mlflow\/issues\/([^/]+)$/,
    answer: (id) => {
      const experiment_id = experimentIn(id, 'iss-')
      return experiment_id === undefined ? undefined : { issue: { issue_id: id, experiment_id } }
    },
  },
  {
    path: /^3\.0\/mlflow\/label-schemas\/(get)$/,
    answer: (_, query) => {
      const schema_id = query.get('schema_id') ?? ''
      const experiment_id = experimentIn(schema_id, 'ls-')
      return experiment_id === undefined ? undefined : { label_schema: { schema_id, experiment_id } }
    },
  },
  {
    path: /^3\.0\/mlflow\/review-queues\/(get|get-by-name)$/,
    answer: (_, query) => {
      const found = QUEUES.find(
        ({ queue_id, experiment_id, name }) =>
          queue_id === query.get('queue_id') ||
          (experiment_id === query.get('experiment_id') && name === query.get('name')),
      )
      return found && { review_queue: { ...found, queue_type: 'CUSTOM', users: ['editor', 'reader'] } }
    },
  },
]
