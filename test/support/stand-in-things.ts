/** Something that the stand-in for MLflow knows beside experiments, runs, models and traces. */
export type Thing = {
  /** Path below `/api/`; what the first group matched is the id. */
  readonly path: RegExp
  /** The answer's body; `undefined` for 404. */
  readonly answer: (id: string, query: URLSearchParams) => object | undefined
}

export const DATASET_A = `d-${'a'.repeat(32)}`
export const DATASET_B = `d-${'b'.repeat(32)}`

const DATASETS: Readonly<Record<string, readonly string[]>> = { [DATASET_A]: ['1'], [DATASET_B]: ['2'] }

export const THINGS: readonly Thing[] = [
  {
    path: /^3\.0\/mlflow\/datasets\/([^/]+)\/experiment-ids$/,
    answer: (id) => {
      const ids = DATASETS[id]
      return ids && { experiment_ids: ids }
    },
  },
]
