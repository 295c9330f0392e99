import { invalidAnswer } from '../lookup-answer.ts'
import { objectIn, question } from '../question.ts'

/** Seconds. A scorer can be made, deleted, and made again under another spelling of its name. */
const SCORER_TTL = 2

/** How a question about a scorer names it. */
export function scorerKey(experimentId: string, name: string): string {
  return `${experimentId}/${name}`
}

export const SCORER_QUESTIONS = {
  /**
   * What MLflow takes a name in an experiment for: databases that do not tell cases apart take another spelling too
   * (3.17.2, `scorers/get`). An experiment that is deleted has no scorers to MLflow, which answers 400 then.
   */
  scorer: question(SCORER_TTL, async (ask, key) => {
    const slash = key.indexOf('/')
    const [id, name] = [key.slice(0, slash), key.slice(slash + 1)].map(encodeURIComponent)
    const home = await ask(`2.0/mlflow/experiments/get?experiment_id=${id}`)
    const stage = home && objectIn(home, 'experiment')?.['lifecycle_stage']
    if (home === undefined || stage === 'deleted') return undefined
    const answer = await ask(`3.0/mlflow/scorers/get?experiment_id=${id}&name=${name}`)
    if (answer === undefined) return undefined
    const found = objectIn(answer, 'scorer')?.['scorer_name']
    if (typeof found !== 'string') throw invalidAnswer('a scorer without a name')
    return { name: found }
  }),
  /** The experiments that a scorer scores traces of, by the scorer's id; none for one that does not (3.17.2). */
  online_scoring: question(SCORER_TTL, async (ask, id) => {
    const answer = await ask(`3.0/mlflow/scorers/online-configs?scorer_ids=${encodeURIComponent(id)}`)
    const configs = answer?.['configs']
    if (!Array.isArray(configs)) throw invalidAnswer('online scoring without configurations')
    const experimentIds = configs.map((config: unknown) => {
      const found = (config as { experiment_id?: unknown } | null)?.experiment_id
      if (typeof found !== 'string') throw invalidAnswer('a configuration without an experiment')
      return found
    })
    return { experimentIds }
  }),
} as const
