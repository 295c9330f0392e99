import { invalidAnswer, isObject } from '../mlflow/lookup-answer.ts'
import type { AdminParts } from './endpoint.ts'

/**
 * Experiments that were changed last, as MLflow has them now (`experiments/search`, 2.22 to 3.17).
 *
 * @throws {GatewayError} `ERR_UPSTREAM_*` if MLflow gives no usable answer.
 */
export async function latestExperiments(
  limit: number,
  { upstream }: Pick<AdminParts, 'upstream'>,
): Promise<readonly { readonly id: string; readonly name: string }[]> {
  const query = new URLSearchParams({ max_results: String(limit), order_by: 'last_update_time DESC' })
  const { status, body } = await upstream.getJson(`/api/2.0/mlflow/experiments/search?${query}`)
  if (status !== 200 || !isObject(body)) throw invalidAnswer(`experiments/search answered ${status}`)
  const rows: unknown[] = Array.isArray(body['experiments']) ? body['experiments'] : []
  return rows.flatMap((row) => {
    const { experiment_id: id, name } = isObject(row) ? row : {}
    return typeof id === 'string' && typeof name === 'string' ? { id, name } : []
  })
}
