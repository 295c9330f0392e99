import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMlflow } from '../mlflow.ts'
import { startTestGateway, type TestGateway } from '../test-gateway.ts'
import { type State, watchState } from './state.ts'

/** The two tenants: alpha's people may do everything in the one, and nothing in the other. */
export const TENANTS = ['alpha', 'beta'] as const
export type Tenant = (typeof TENANTS)[number]

/** What there is of each tenant, by the kind of its id. */
export const KINDS = [
  'experiment',
  'experiment_name',
  'run',
  'logged_model',
  'trace',
  'assessment',
  'registered_model',
  'prompt',
  'artifact',
  'artifact_folder',
  'deleted_experiment',
  'deleted_run',
] as const
export type Kind = (typeof KINDS)[number]
export type Ids = Readonly<Record<Tenant, Readonly<Record<Kind, string>>>>

/** Stands in everything that can be read of a tenant's, and in no request. */
const MARKS: Readonly<Record<Tenant, string>> = { alpha: 'qzaqz', beta: 'qzbqz' }
/** The same for metrics. */
const MARKED_VALUES: Readonly<Record<Tenant, number>> = { alpha: 271828.5, beta: 314159.5 }

/** The tenants whose content stands in a text. */
export function tenantsSeenIn(text: string): readonly Tenant[] {
  return TENANTS.filter(
    (tenant) => text.includes(MARKS[tenant]) || text.includes(String(MARKED_VALUES[tenant])),
  )
}

export type World = {
  readonly ids: Ids
  readonly gateway: TestGateway
  /** The tracking server's own, without the gateway. */
  readonly mlflowPort: number
  readonly state: State
  readonly stop: () => Promise<void>
}

/**
 * A real MLflow with two tenants in it, and the gateway in this process in front of it. `editor` holds MANAGE on
 * alpha's, `outsider` on everything that grants can cover; neither is an admin.
 */
export async function startWorld(): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), 'gateway-parser-'))
  const mlflow = await startMlflow({ dir, startTimeoutMs: 100_000 })
  const stops: (() => Promise<void> | void)[] = [() => mlflow.stop(), () => rmSync(dir, { recursive: true })]
  const stop = async () => {
    for (const each of stops) await each()
  }
  try {
    const ids = {
      alpha: await seed(mlflow.url, 'alpha', '1'.repeat(32)),
      beta: await seed(mlflow.url, 'beta', '2'.repeat(32)),
    }
    const gateway = await startTestGateway({ env: { UPSTREAM_URL: mlflow.url } })
    stops.unshift(() => gateway.stop())
    await giveRights(gateway)
    const state = watchState(dir)
    stops.unshift(() => state.close())
    return { ids, gateway, mlflowPort: mlflow.port, state, stop }
  } catch (fault) {
    await stop()
    throw fault
  }
}

async function giveRights({ store, members, ask }: TestGateway): Promise<void> {
  const level = 'MANAGE'
  for (const resourceType of ['experiment', 'registered_model', 'prompt'] as const) {
    const alphas = await store.roles.personal(members.editor.userId)
    await store.roles.grant(alphas.id, {
      resourceType,
      match: 'name',
      pattern: 'alpha-*',
      level,
      source: 'manual',
    })
    const all = await store.roles.personal(members.outsider.userId)
    await store.roles.grant(all.id, { resourceType, match: 'any', pattern: '*', level, source: 'manual' })
  }
  // What another handle on the store wrote is seen within some milliseconds.
  const deadline = Date.now() + 10_000
  for (;;) {
    const target = '/api/2.0/mlflow/experiments/get?experiment_id=2'
    if ((await ask({ target, as: 'outsider' })).status === 200) return
    if (Date.now() > deadline) throw new Error('the grants are not seen')
    await once(AbortSignal.timeout(20), 'abort')
  }
}

type Json = Readonly<Record<string, unknown>>

function sender(url: string) {
  return async (method: string, path: string, body?: Json | string, more = {}): Promise<Json> => {
    const json = typeof body === 'object'
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...(json ? { 'content-type': 'application/json' } : {}), ...more },
      ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : body }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text.startsWith('{') ? (JSON.parse(text) as Json) : {}
  }
}

function at(value: unknown, ...path: readonly string[]): string {
  return String(path.reduce((part: unknown, step) => (part as Json)[step], value))
}

/** Makes one of everything in a tenant, asking MLflow itself. */
async function seed(url: string, tenant: Tenant, hex: string): Promise<Ids[Tenant]> {
  const send = sender(url)
  const post = (path: string, body: Json) => send('POST', `/api/2.0/mlflow/${path}`, body)
  const mark = MARKS[tenant]
  const tags = [{ key: 'seeded', value: mark }]
  const experiment_name = `${tenant}-experiment`
  const experiment = at(await post('experiments/create', { name: experiment_name, tags }), 'experiment_id')
  const run = at(
    await post('runs/create', { experiment_id: experiment, run_name: mark, tags }),
    ...['run', 'info', 'run_id'],
  )
  const metric = { key: 'seeded', value: MARKED_VALUES[tenant], timestamp: 1, step: 1 }
  await post('runs/log-batch', { run_id: run, metrics: [metric], params: [{ key: 'seeded', value: mark }] })
  const dataset = { name: mark, digest: hex.slice(0, 8), source_type: 'local', source: mark }
  await post('runs/log-inputs', { run_id: run, datasets: [{ dataset }] })
  const logged_model = at(
    await post('logged-models', {
      experiment_id: experiment,
      name: mark,
      source_run_id: run,
      tags,
      params: tags,
    }),
    ...['model', 'info', 'model_id'],
  )
  const files = '/api/2.0/mlflow-artifacts/artifacts'
  await send('PUT', `${files}/${experiment}/${run}/artifacts/${mark}.txt`, mark)
  await send('PUT', `${files}/${experiment}/${run}/artifacts/file.txt`, mark)
  await send('PUT', `${files}/${experiment}/${run}/artifacts/${mark}/file.txt`, mark)
  for (const name of ['file.txt', mark]) {
    await send('PUT', `${files}/${experiment}/models/${logged_model}/artifacts/${name}`, mark)
  }
  const trace = await seedTrace(url, experiment, hex, mark)
  return {
    ...{ experiment, experiment_name, run, logged_model, ...trace },
    ...(await seedRegistry(url, tenant, { experiment, run })),
    ...(await seedDeleted(url, tenant, experiment)),
    artifact: `${experiment}/${run}/artifacts/file.txt`,
    artifact_folder: `${experiment}/${run}/artifacts`,
  }
}

/** Things that can be restored. */
async function seedDeleted(url: string, tenant: Tenant, experiment_id: string) {
  const send = sender(url)
  const post = (path: string, body: Json) => send('POST', `/api/2.0/mlflow/${path}`, body)
  const made = await post('experiments/create', { name: `${tenant}-deleted` })
  const deleted_experiment = at(made, 'experiment_id')
  await post('experiments/delete', { experiment_id: deleted_experiment })
  const run = await post('runs/create', { experiment_id, run_name: MARKS[tenant] })
  const deleted_run = at(run, 'run', 'info', 'run_id')
  await post('runs/delete', { run_id: deleted_run })
  return { deleted_experiment, deleted_run }
}

async function seedTrace(url: string, experiment_id: string, hex: string, mark: string) {
  const send = sender(url)
  const trace_id = `tr-${hex}`
  const location = { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } }
  const info = {
    ...{ trace_id, trace_location: location, request_time: '2026-01-01T00:00:00Z', execution_duration: '1s' },
    ...{
      state: 'OK',
      request_preview: mark,
      response_preview: mark,
      tags: { seeded: mark, 'mlflow.traceName': mark },
    },
  }
  await send('POST', '/api/3.0/mlflow/traces', { trace: { trace_info: info } })
  const span = {
    ...{ traceId: hex, spanId: '00000000000000aa', name: mark },
    ...{ startTimeUnixNano: '1700000000000000000', endTimeUnixNano: '1700000001000000000' },
  }
  const spans = { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }
  await send('POST', '/v1/traces', spans, { 'x-mlflow-experiment-id': experiment_id })
  const assessment = {
    ...{ assessment_name: 'seeded', trace_id, source: { source_type: 'CODE', source_id: mark } },
    feedback: { value: mark },
  }
  const path = `/api/3.0/mlflow/traces/${trace_id}/assessments`
  const made = await send('POST', path, { assessment })
  const files = `/api/2.0/mlflow-artifacts/artifacts/${experiment_id}/traces/${trace_id}/artifacts`
  await send('PUT', `${files}/traces.json`, JSON.stringify({ spans: [{ name: mark }] }))
  return { trace: trace_id, assessment: at(made, 'assessment', 'assessment_id') }
}

async function seedRegistry(url: string, tenant: Tenant, from: { experiment: string; run: string }) {
  const run_id = from.run
  const send = sender(url)
  const post = (path: string, body: Json) => send('POST', `/api/2.0/mlflow/${path}`, body)
  const mark = MARKS[tenant]
  const [registered_model, prompt] = [`${tenant}-model`, `${tenant}-prompt`]
  const tags = [{ key: 'seeded', value: mark }]
  const isPrompt = { key: 'mlflow.prompt.is_prompt', value: 'true' }
  await post('registered-models/create', { name: registered_model, description: mark, tags })
  await post('registered-models/create', { name: prompt, tags: [isPrompt, ...tags] })
  const source = `mlflow-artifacts:/${from.experiment}/${run_id}/artifacts/${mark}`
  for (const name of [registered_model, prompt]) {
    await post('model-versions/create', { name, source, run_id, description: mark, tags })
    // One whose copies lead to no run.
    await post('model-versions/create', { name, source: `s3://bucket/${mark}`, description: mark })
    await post('registered-models/alias', { name, alias: 'seeded', version: '1' })
  }
  return { registered_model, prompt }
}
