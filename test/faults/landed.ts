/** The steps at which the tracking server itself holds a value of a metric. */
export async function metricsAt(mlflowUrl: string, runId: string, key: string): Promise<ReadonlySet<number>> {
  const steps = new Set<number>()
  let token = ''
  do {
    const query = new URLSearchParams({ run_id: runId, metric_key: key, max_results: '10000' })
    if (token !== '') query.set('page_token', token)
    const response = await fetch(`${mlflowUrl}/api/2.0/mlflow/metrics/get-history?${query}`)
    if (!response.ok) throw new Error(`metrics/get-history: ${response.status} ${await response.text()}`)
    const page = (await response.json()) as {
      readonly metrics?: readonly { readonly step: number }[]
      readonly next_page_token?: string
    }
    for (const { step } of page.metrics ?? []) steps.add(Number(step))
    token = page.next_page_token ?? ''
  } while (token !== '')
  return steps
}
