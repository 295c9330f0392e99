import { objectIn, question } from '../question.ts'

export const JOB_QUESTIONS = {
  /** The experiment that a prompt is optimised in; it never changes. `none` for a job that is in none (3.17.2). */
  prompt_job: question(0, async (ask, id) => {
    const answer = await ask(`3.0/mlflow/prompt-optimization/jobs/${encodeURIComponent(id)}`)
    if (answer === undefined) return undefined
    const experimentId = objectIn(answer, 'job')?.['experiment_id']
    return {
      experimentId: typeof experimentId === 'string' && experimentId !== '' ? experimentId : undefined,
    }
  }),
} as const
