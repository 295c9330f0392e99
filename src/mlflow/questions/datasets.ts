import { invalidAnswer } from '../lookup-answer.ts'
import { question, textsIn } from '../question.ts'

/** Seconds. A dataset can be moved to other experiments, also behind the gateway's back. */
const DATASET_TTL = 2

export const DATASET_QUESTIONS = {
  /** The experiments an evaluation dataset is in; none, one or many (3.17.2, `datasets/<id>/experiment-ids`). */
  dataset: question(DATASET_TTL, async (ask, id) => {
    const answer = await ask(`3.0/mlflow/datasets/${encodeURIComponent(id)}/experiment-ids`)
    if (answer === undefined) return undefined
    const experimentIds = textsIn(answer, 'experiment_ids')
    if (experimentIds === undefined) throw invalidAnswer('a dataset without readable experiment ids')
    return { experimentIds }
  }),
} as const
