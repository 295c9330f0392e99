import { randomBytes } from 'node:crypto'
import BetterSqlite3 from 'better-sqlite3'

/** Whose things: those the grants are on, or others that no grant of the test is on. */
export type Side = 'own' | 'other'

/** One thing of every kind, all of one experiment where MLflow lets them have one. Every id and name is unlike any other. */
export type Things = {
  readonly side: Side
  readonly experiment: string
  readonly experimentName: string
  readonly run: string
  readonly trace: string
  readonly assessment: string
  readonly loggedModel: string
  readonly model: string
  readonly prompt: string
  readonly scorer: string
  readonly scorerId: string
  readonly dataset: string
  readonly record: string
  readonly queue: string
  readonly queueName: string
  readonly schema: string
  readonly schemaName: string
  readonly issue: string
  readonly secret: string
  readonly definition: string
  readonly endpoint: string
  readonly endpointName: string
  readonly guardrail: string
  readonly spareGuardrail: string
  readonly spareDefinition: string
  readonly budget: string
  readonly mcpServer: string
  readonly accessEndpoint: string
  readonly webhook: string
  readonly job: string
  readonly promptJob: string
}

export type Seed = Readonly<Record<Side, Things>>

/** Who reviews what is in the queues. */
export const QUEUE_MEMBER = 'edit'

/** Who has started the jobs. */
export const JOB_OWNER = 'manage'

/** Experiment ids begin here: long enough to be told from any other number in an answer. */
const FIRST_EXPERIMENT = 770_000

const DAY_ONE = 1_750_000_000_000

/** The source of a scorer that a server takes without running any code of it. */
export const SERIALIZED_SCORER = JSON.stringify({
  name: 'judge',
  aggregations: [],
  description: null,
  is_session_level_scorer: false,
  mlflow_version: '3.17.2',
  serialization_version: 1,
  instructions_judge_pydantic_data: {
    instructions: 'Is {{ outputs }} true?',
    model: 'openai:/x',
    feedback_value_type: { type: 'boolean' },
  },
})

export const MCP_SERVER_JSON = (name: string, version: string) => ({
  name,
  version,
  description: `of ${name}`,
  remotes: [{ type: 'streamable-http', url: 'https://mcp.invalid/' }],
})

/**
 * Puts two of everything into a bare MLflow: jobs straight into its database, since no server of the test executes any.
 *
 * @param file The server's SQLite file.
 */
export async function seedMlflow(url: string, file: string): Promise<Seed> {
  const db = new BetterSqlite3(file)
  try {
    db.prepare(
      `insert into experiments (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
       values (?, 'anchor', 'mlflow-artifacts:/anchor', 'active', 1, 1, 'default')`,
    ).run(FIRST_EXPERIMENT)
    const own = await seedSide(client(url), db, 'own')
    return { own, other: await seedSide(client(url), db, 'other') }
  } finally {
    db.close()
  }
}

type Answer = Record<string, unknown>
type Client = (
  method: string,
  path: string,
  json?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>

function client(url: string): Client {
  return async (method, path, json, headers = {}) => {
    const isJson = typeof json === 'object'
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { ...(isJson ? { 'content-type': 'application/json' } : {}), ...headers },
      ...(json === undefined ? {} : { body: isJson ? JSON.stringify(json) : String(json) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text.startsWith('{') ? (JSON.parse(text) as Answer) : {}
  }
}

/** The string at `a.b.0.c`. */
function at(answer: unknown, path: string): string {
  const value = path
    .split('.')
    .reduce((held: unknown, step) => (held as Record<string, unknown> | undefined)?.[step], answer)
  if (typeof value !== 'string' || value === '') throw new Error(`no ${path} in ${JSON.stringify(answer)}`)
  return value
}

async function seedSide(call: Client, db: BetterSqlite3.Database, side: Side): Promise<Things> {
  const tracked = await seedTracking(call, side)
  const registered = await seedRegistry(call, side, tracked)
  const reviewed = await seedReview(call, side, tracked)
  const gateway = await seedAiGateway(call, side, { ...tracked, ...registered })
  const mcp = await seedMcpServer(call, side)
  const jobs = seedJobs(db, side, tracked)
  const webhook = await call('POST', '/api/2.0/mlflow/webhooks', {
    name: `webhook_${side}`,
    url: 'https://127.0.0.1:1/',
    events: [{ entity: 'REGISTERED_MODEL', action: 'CREATED' }],
  })
  return {
    ...{ side, ...tracked, ...registered, ...reviewed, ...gateway, ...mcp, ...jobs },
    webhook: at(webhook, 'webhook.webhook_id'),
  }
}

async function seedTracking(call: Client, side: Side) {
  const experimentName = `experiment_${side}`
  const experiment = at(
    await call('POST', '/api/2.0/mlflow/experiments/create', {
      name: experimentName,
      tags: [{ key: 'k', value: 'v' }],
    }),
    'experiment_id',
  )
  const run = at(
    await call('POST', '/api/2.0/mlflow/runs/create', {
      experiment_id: experiment,
      run_name: `run_${side}`,
      start_time: DAY_ONE,
    }),
    'run.info.run_id',
  )
  const loggedModel = await seedLoggedModel(call, { side, experiment, run })
  await call('POST', '/api/2.0/mlflow/runs/log-batch', {
    run_id: run,
    metrics: [{ key: 'm', value: 1, timestamp: DAY_ONE, step: 0 }],
    params: [{ key: 'p', value: `param_${side}` }],
    tags: [{ key: 'k', value: 'v' }],
  })
  await call('POST', '/api/2.0/mlflow/runs/log-metric', {
    ...{ run_id: run, model_id: loggedModel, key: 'of_model', value: 1, timestamp: DAY_ONE, step: 0 },
  })
  await call('POST', '/api/2.0/mlflow/runs/log-inputs', {
    run_id: run,
    datasets: [{ dataset: { name: `input_${side}`, digest: 'd', source_type: 'local', source: 's' } }],
    models: [{ model_id: loggedModel }],
  })
  await call('PUT', `/api/2.0/mlflow-artifacts/artifacts/${experiment}/${run}/artifacts/file.txt`, 'of a run')
  const traced = await seedTrace(call, { side, experiment, run })
  return { experimentName, experiment, run, loggedModel, ...traced }
}

type Placed = { readonly side: Side; readonly experiment: string; readonly run: string }

async function seedLoggedModel(call: Client, { side, experiment, run }: Placed): Promise<string> {
  const model = await call('POST', '/api/2.0/mlflow/logged-models', {
    experiment_id: experiment,
    name: `logged_${side}`,
    source_run_id: run,
    params: [{ key: 'p', value: 'v' }],
    tags: [{ key: 'k', value: 'v' }],
  })
  const id = at(model, 'model.info.model_id')
  await call('PATCH', `/api/2.0/mlflow/logged-models/${id}`, { model_id: id, status: 'LOGGED_MODEL_READY' })
  await call(
    'PUT',
    `/api/2.0/mlflow-artifacts/artifacts/${experiment}/models/${id}/artifacts/MLmodel`,
    'model',
  )
  return id
}

export const traceInfo = (trace: string, experiment: string, run: string | undefined) => ({
  trace_id: trace,
  trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id: experiment } },
  request_time: new Date(DAY_ONE).toISOString(),
  execution_duration: '1s',
  state: 'OK',
  trace_metadata: run === undefined ? {} : { 'mlflow.sourceRun': run },
  tags: { k: 'v' },
})

async function seedTrace(call: Client, { side, experiment, run }: Placed) {
  const hex = randomBytes(16).toString('hex')
  const trace = `tr-${hex}`
  await call('POST', '/api/3.0/mlflow/traces', {
    trace: { trace_info: traceInfo(trace, experiment, run) },
  })
  await call('POST', '/v1/traces', spansOf(hex, `span_${side}`), { 'x-mlflow-experiment-id': experiment })
  const files = `${experiment}/traces/${trace}/artifacts`
  await call('PUT', `/api/2.0/mlflow-artifacts/artifacts/${files}/traces.json`, '{"spans":[]}')
  const assessed = await call('POST', `/api/3.0/mlflow/traces/${trace}/assessments`, {
    assessment: assessment(trace, `assessment_${side}`),
  })
  return { trace, assessment: at(assessed, 'assessment.assessment_id') }
}

/** One span in OTLP's JSON encoding. */
export function spansOf(traceId: string, name: string): object {
  const span = {
    ...{ traceId, spanId: '0123456789abcdef', name, kind: 1 },
    ...{ startTimeUnixNano: `${DAY_ONE}000000`, endTimeUnixNano: `${DAY_ONE}000001` },
  }
  return { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }
}

export const assessment = (trace: string, name: string) => ({
  trace_id: trace,
  assessment_name: name,
  source: { source_type: 'CODE', source_id: 'code' },
  feedback: { value: true },
  create_time: new Date(DAY_ONE).toISOString(),
  last_update_time: new Date(DAY_ONE).toISOString(),
})

type Tracked = Awaited<ReturnType<typeof seedTracking>>

async function seedRegistry(call: Client, side: Side, { experiment, run }: Tracked) {
  const [model, prompt, scorer] = [`model_${side}`, `prompt_${side}`, `scorer_${side}`]
  const source = { name: model, source: `runs:/${run}/file.txt`, run_id: run }
  await seedRegistered(call, { name: model, tags: [{ key: 'k', value: 'v' }] }, source)
  const isPrompt = { key: 'mlflow.prompt.is_prompt', value: 'true' }
  const text = { key: 'mlflow.prompt.text', value: `text of ${prompt}` }
  await seedRegistered(
    call,
    { name: prompt, tags: [isPrompt, { key: 'k', value: 'v' }] },
    { name: prompt, source: 'prompt-template', tags: [isPrompt, text, { key: 'k', value: 'v' }] },
  )
  const registered = await call('POST', '/api/3.0/mlflow/scorers/register', {
    ...{ experiment_id: experiment, name: scorer, serialized_scorer: SERIALIZED_SCORER },
  })
  await call('PUT', '/api/3.0/mlflow/scorers/online-config', {
    ...{ experiment_id: experiment, name: scorer, sample_rate: 0, filter_string: '' },
  })
  return { model, prompt, scorer, scorerId: at(registered, 'scorer_id') }
}

type Model = { readonly name: string; readonly tags: readonly object[] }

async function seedRegistered(call: Client, model: Model, version: object) {
  const { name } = model
  await call('POST', '/api/2.0/mlflow/registered-models/create', model)
  await call('POST', '/api/2.0/mlflow/model-versions/create', version)
  await call('POST', '/api/2.0/mlflow/model-versions/set-tag', { name, version: '1', key: 'k', value: 'v' })
  await call('PATCH', '/api/2.0/mlflow/model-versions/update', {
    ...{ name, version: '1', description: `version_of_${name}` },
  })
  await call('POST', '/api/2.0/mlflow/registered-models/alias', { name, alias: 'best', version: '1' })
}

type Registered = Awaited<ReturnType<typeof seedRegistry>>

async function seedReview(call: Client, side: Side, { experiment, run, trace }: Tracked) {
  const dataset = at(
    await call('POST', '/api/3.0/mlflow/datasets/create', {
      name: `dataset_${side}`,
      experiment_ids: [experiment],
      tags: JSON.stringify({ k: 'v' }),
    }),
    'dataset.dataset_id',
  )
  await call('POST', `/api/3.0/mlflow/datasets/${dataset}/records`, {
    records: JSON.stringify([{ inputs: { question: `record_${side}` } }]),
  })
  const records = await call('GET', `/api/3.0/mlflow/datasets/${dataset}/records`)
  const [record] = JSON.parse(at(records, 'records')) as { dataset_record_id: string }[]
  const [schemaName, queueName] = [`schema_${side}`, `queue_${side}`]
  const schema = await call('POST', '/api/3.0/mlflow/label-schemas/create', {
    ...{ experiment_id: experiment, name: schemaName, type: 'FEEDBACK', input: { text: {} } },
  })
  const created = await call('POST', '/api/3.0/mlflow/review-queues/create', {
    ...{ experiment_id: experiment, name: queueName, queue_type: 'CUSTOM', users: [QUEUE_MEMBER] },
    schema_ids: [at(schema, 'label_schema.schema_id')],
  })
  const queue = at(created, 'review_queue.queue_id')
  await call('POST', '/api/3.0/mlflow/review-queues/items/add', {
    ...{ queue_id: queue, item_type: 'TRACE', item_ids: [trace] },
  })
  const issue = await call('POST', '/api/3.0/mlflow/issues', {
    ...{ experiment_id: experiment, name: `issue_${side}`, description: 'd', source_run_id: run },
  })
  return {
    ...{ dataset, record: record?.dataset_record_id ?? '', queue, queueName, schemaName },
    schema: at(schema, 'label_schema.schema_id'),
    issue: at(issue, 'issue.issue_id'),
  }
}

async function seedAiGateway(call: Client, side: Side, { experiment, scorerId }: Tracked & Registered) {
  const gateway = '/api/3.0/mlflow/gateway'
  const secret = at(
    await call('POST', `${gateway}/secrets/create`, {
      ...{ secret_name: `secret_${side}`, secret_value: { api_key: 'not-a-key' }, provider: 'openai' },
    }),
    'secret.secret_id',
  )
  const define = async (name: string) => {
    const json = { name, secret_id: secret, provider: 'openai', model_name: 'gpt-x' }
    const made = await call('POST', `${gateway}/model-definitions/create`, json)
    return at(made, 'model_definition.model_definition_id')
  }
  const definition = await define(`definition_${side}`)
  const spareDefinition = await define(`spare_definition_${side}`)
  const endpointName = `endpoint_${side}`
  const endpoint = at(
    await call('POST', `${gateway}/endpoints/create`, {
      ...{ name: endpointName, usage_tracking: false, experiment_id: experiment },
      model_configs: [{ model_definition_id: definition, linkage_type: 'PRIMARY', weight: 1 }],
    }),
    'endpoint.endpoint_id',
  )
  await call('POST', `${gateway}/endpoints/set-tag`, { endpoint_id: endpoint, key: 'k', value: 'v' })
  await call('POST', `${gateway}/endpoints/bindings/create`, {
    ...{ endpoint_id: endpoint, resource_type: 'scorer', resource_id: scorerId },
  })
  const guards = await seedGuardrails(call, side, { experiment, endpoint })
  const budget = await call('POST', `${gateway}/budgets/create`, {
    ...{ budget_unit: 'USD', budget_amount: 5, duration: { unit: 'DAYS', value: 1 } },
    ...{ target_scope: 'GLOBAL', budget_action: 'ALERT' },
  })
  return {
    ...{ secret, definition, spareDefinition, endpoint, endpointName, ...guards },
    budget: at(budget, 'budget_policy.budget_policy_id'),
  }
}

type Guarded = { readonly experiment: string; readonly endpoint: string }

/** The one that is added fails on every request, so that none ever leaves for a provider. */
async function seedGuardrails(call: Client, side: Side, { experiment, endpoint }: Guarded) {
  const gateway = '/api/3.0/mlflow/gateway'
  const scorer = await call('POST', '/api/3.0/mlflow/scorers/register', {
    ...{ experiment_id: experiment, name: `guard_${side}`, serialized_scorer: SERIALIZED_SCORER },
  })
  const guard = async (name: string) => {
    const made = await call('POST', `${gateway}/guardrails/create`, {
      ...{ name, scorer_id: at(scorer, 'scorer_id'), scorer_version: 1 },
      ...{ stage: 'BEFORE', action: 'VALIDATION' },
    })
    return at(made, 'guardrail.guardrail_id')
  }
  const guardrail = await guard(`guardrail_${side}`)
  await call('POST', `${gateway}/guardrails/add-to-endpoint`, {
    ...{ endpoint_id: endpoint, guardrail_id: guardrail },
  })
  return { guardrail, spareGuardrail: await guard(`spare_guardrail_${side}`) }
}

async function seedMcpServer(call: Client, side: Side) {
  const mcpServer = `mcp.invalid/${side}`
  const servers = '/api/3.0/mlflow/mcp-servers'
  await call('POST', servers, { name: mcpServer, description: `mcp_${side}` })
  await call('POST', `${servers}/${mcpServer}/versions`, {
    server_json: MCP_SERVER_JSON(mcpServer, '1.0.0'),
    status: 'active',
  })
  await call('POST', `${servers}/${mcpServer}/aliases`, { alias: 'best', version: '1.0.0' })
  await call('POST', `${servers}/${mcpServer}/tags`, { key: 'k', value: 'v' })
  await call('POST', `${servers}/${mcpServer}/versions/1.0.0/tags`, { key: 'k', value: 'v' })
  const endpoint = await call('POST', `${servers}/${mcpServer}/endpoints`, {
    ...{ server_version: '1.0.0', url: `https://${side}.mcp.invalid/`, transport_type: 'streamable-http' },
  })
  return { mcpServer, accessEndpoint: String(endpoint['id'] ?? endpoint['endpoint_id']) }
}

/** A job of MLflow's queue and one that optimises a prompt: what a server with a worker would have written. */
function seedJobs(db: BetterSqlite3.Database, side: Side, { experiment }: Tracked) {
  const insert = db.prepare(
    `insert into jobs (id, creation_time, job_name, params, status, retry_count, last_update_time, workspace, creator)
     values (?, ?, ?, ?, 1, 0, ?, 'default', ?)`,
  )
  const [job, promptJob] = [`job-${side}-${'0'.repeat(20)}`, `optimize-${side}-${'0'.repeat(20)}`]
  insert.run(job, DAY_ONE, 'invoke_scorer', '{}', DAY_ONE, JOB_OWNER)
  const params = JSON.stringify({
    experiment_id: experiment,
    run_id: 'x',
    prompt_uri: `prompts:/prompt_${side}/1`,
  })
  insert.run(promptJob, DAY_ONE, 'optimize_prompts', params, DAY_ONE, JOB_OWNER)
  return { job, promptJob }
}
