import { type RecordingUpstream, startUpstream } from '../../../test/support/upstream.ts'
import { experimentName } from '../population/roles.ts'

/** Stands where MLflow would, with that many experiments; answers at once, so that the gateway's own time is seen. */
export async function startLargeMlflow(experiments: number): Promise<RecordingUpstream> {
  const upstream = await startUpstream({
    'GET /health': { body: 'OK' },
    'GET /api/2.0/mlflow/experiments/get': ({ url }) => {
      const id = Number(new URL(url, 'http://mlflow').searchParams.get('experiment_id'))
      const known = Number.isSafeInteger(id) && id >= 0 && id <= experiments
      return known ? { body: { experiment: experiment(id) } } : NOT_FOUND
    },
    'GET /api/2.0/mlflow/experiments/search': ({ url }) => {
      const count = Number(new URL(url, 'http://mlflow').searchParams.get('max_results') ?? 100)
      return { body: { experiments: Array.from({ length: count }, (_, index) => experiment(1 + index)) } }
    },
  })
  // A month of requests would stay in memory.
  const forgetting = setInterval(() => upstream.forget(), 1000).unref()
  return {
    ...upstream,
    stop: async () => {
      clearInterval(forgetting)
      await upstream.stop()
    },
  }
}

const NOT_FOUND = { status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'no such thing' } }

function experiment(id: number) {
  const location = `mlflow-artifacts:/${id}`
  return {
    ...{ experiment_id: String(id), name: experimentName(id), artifact_location: location },
    lifecycle_stage: 'active',
  }
}
