/** Rows of the long list; the editor who asks may read every second one. */
export const LIST_ROWS = 1000
export const RUN_ID = 'a'.repeat(32)

const CREATED_AT = 1_795_596_887_000

function experiment(id: number, name: string) {
  return {
    experiment_id: String(id),
    name,
    artifact_location: `mlflow-artifacts:/${id}`,
    lifecycle_stage: 'active',
    last_update_time: CREATED_AT,
    creation_time: CREATED_AT,
    tags: [{ key: 'mlflow.experimentKind', value: 'custom_model_development' }],
  }
}

/** What MLflow 3.17.2 answers to `experiments/get`, in its size and shape. */
export const FIXED_ANSWER = JSON.stringify({ experiment: experiment(1, 'alpha/churn') })

const RUN = {
  info: {
    ...{ run_id: RUN_ID, run_uuid: RUN_ID, run_name: 'candid-owl-1', experiment_id: '1', user_id: 'editor' },
    ...{ status: 'RUNNING', start_time: CREATED_AT, lifecycle_stage: 'active' },
    artifact_uri: `mlflow-artifacts:/1/${RUN_ID}/artifacts`,
  },
  data: {},
}

const LIST = Array.from({ length: LIST_ROWS }, (_, index) =>
  experiment(index + 1, `${index % 2 === 0 ? 'alpha' : 'beta'}/experiment-${index}`),
)

/** By path, whatever the query; any other path gets {@link FIXED_ANSWER}. */
export const ANSWERS: Readonly<Record<string, string>> = {
  '/api/2.0/mlflow/runs/get': JSON.stringify({ run: RUN }),
  '/api/2.0/mlflow/runs/log-batch': '{}',
  '/api/2.0/mlflow/experiments/search': JSON.stringify({ experiments: LIST }),
  // The gateway asks; this is none that it knows, so it says the version it is made for.
  '/version': '3.17.2',
}
