import { invalidAnswer, objectAt } from '../lookup-answer.ts'
import { type AskMlflow, question, textsIn } from '../question.ts'

/** What the gateway knows of a review queue. Names of people as MLflow keeps them. */
export type ReviewQueue = {
  readonly experimentId: string
  /** Those it is assigned to, in lower case. */
  readonly users: readonly string[]
  readonly owner: string | undefined
  /** Made by somebody for a purpose; else it is somebody's own. */
  readonly isCustom: boolean
}

/** Seconds. Who owns a queue and whom it is assigned to can change, also behind the gateway's back. */
const QUEUE_TTL = 2

/** Issues and label schemas never leave their experiment. */
const FOR_GOOD = 0

export const REVIEW_QUESTIONS = {
  /** The experiment of an issue (3.17.2, `issues/<id>`). */
  issue: question(FOR_GOOD, (ask, id) =>
    experimentOf(ask(`3.0/mlflow/issues/${encodeURIComponent(id)}`), 'issue', 'issue_id', id),
  ),
  /** The experiment of a label schema (3.17.2, `label-schemas/get`). */
  label_schema: question(FOR_GOOD, (ask, id) =>
    experimentOf(
      ask(`3.0/mlflow/label-schemas/get?schema_id=${encodeURIComponent(id)}`),
      'label_schema',
      'schema_id',
      id,
    ),
  ),
  /** A review queue by its id (3.17.2, `review-queues/get`). */
  review_queue: question(QUEUE_TTL, async (ask, id) =>
    readQueue(await ask(`3.0/mlflow/review-queues/get?queue_id=${encodeURIComponent(id)}`), (queue) =>
      isSame(queue['queue_id'], id),
    ),
  ),
  /** A review queue by `experiment/name`, as {@link queueKey} makes it (3.17.2, `review-queues/get-by-name`). */
  review_queue_named: question(QUEUE_TTL, async (ask, key) => {
    const slash = key.indexOf('/')
    const [experimentId, name] = [key.slice(0, slash), key.slice(slash + 1)]
    const query = `experiment_id=${encodeURIComponent(experimentId)}&name=${encodeURIComponent(name)}`
    return readQueue(await ask(`3.0/mlflow/review-queues/get-by-name?${query}`), (queue) =>
      isSame(queue['experiment_id'], experimentId),
    )
  }),
} as const

/** What a queue is asked about by: its name means something in its experiment only. */
export function queueKey(experimentId: string, name: string): string {
  return `${experimentId}/${name}`
}

async function experimentOf(
  asked: ReturnType<AskMlflow>,
  field: string,
  idField: string,
  id: string,
): Promise<{ readonly experimentId: string } | undefined> {
  const answer = await asked
  if (answer === undefined) return undefined
  const found = objectAt(answer, [field])
  const experimentId = found?.['experiment_id']
  if (!isSame(found?.[idField], id) || typeof experimentId !== 'string') {
    throw invalidAnswer(`the answer names no ${idField} with an experiment`)
  }
  return { experimentId }
}

function readQueue(
  answer: Record<string, unknown> | undefined,
  isAsked: (queue: Record<string, unknown>) => boolean,
): ReviewQueue | undefined {
  if (answer === undefined) return undefined
  const found = objectAt(answer, ['review_queue'])
  const experimentId = found?.['experiment_id']
  const users = found && textsIn(found, 'users')
  const owner = found?.['created_by'] ?? undefined
  if (found === undefined || typeof experimentId !== 'string' || users === undefined || !isAsked(found)) {
    throw invalidAnswer('a review queue without an experiment or readable users')
  }
  if (owner !== undefined && typeof owner !== 'string') throw invalidAnswer('a review queue of nobody known')
  return { experimentId, users, owner, isCustom: found['queue_type'] === 'CUSTOM' }
}

/** A database may take an id in another case for the same. */
function isSame(given: unknown, asked: string): boolean {
  return typeof given === 'string' && given.toLowerCase() === asked.toLowerCase()
}
