import type { Thing } from './stand-in-things.ts'

/** Scorers by name, one in each experiment; what their ids score; jobs, one of them the editor's. */
export const [SCORING_A, SCORING_B] = [
  '00000000-0000-4000-8000-00000000000a',
  '00000000-0000-4000-8000-00000000000b',
]
export const [JOB_A, JOB_B] = ['10000000-0000-4000-8000-00000000000a', '10000000-0000-4000-8000-00000000000b']

const SCORERS: Readonly<Record<string, readonly string[]>> = { 1: ['alpha-scorer'], 2: ['beta-scorer'] }

/** The last letter of an id tells the experiment. */
const experimentOf = (id: string): string | undefined => ({ a: '1', b: '2' })[id.at(-1) ?? '']

export const GENAI_THINGS: readonly Thing[] = [
  {
    path: /^3\.0\/mlflow\/scorers\/(get)$/,
    answer: (_, query) => {
      const [id, name] = [query.get('experiment_id') ?? '', query.get('name') ?? '']
      // As a database does that does not tell cases apart.
      const scorer_name = SCORERS[id]?.find((each) => each === name.toLowerCase())
      return scorer_name === undefined
        ? undefined
        : { scorer: { experiment_id: Number(id), scorer_name, scorer_version: 1 } }
    },
  },
  {
    method: 'POST',
    path: /^3\.0\/mlflow\/scorers\/(register)$/,
    answer: () => ({ experiment_id: '1', name: 'alpha-scorer', version: 1 }),
  },
  {
    path: /^3\.0\/mlflow\/scorers\/(online-configs)$/,
    answer: (_, query) => {
      const experiment_id = experimentOf(query.get('scorer_ids') ?? '')
      return { configs: experiment_id === undefined ? [] : [{ experiment_id, sample_rate: 1 }] }
    },
  },
  {
    path: /^3\.0\/mlflow\/prompt-optimization\/jobs\/([0-9a-f-]{36})$/,
    answer: (id) => {
      if (id.endsWith('f')) return { job: { job_id: id } }
      const experiment_id = experimentOf(id)
      return experiment_id === undefined ? undefined : { job: { job_id: id, experiment_id } }
    },
  },
]
