import { argsInQuery } from '../../src/mlflow/call.ts'
import type { Locator, LocatorKind, Operation } from '../../src/mlflow/operation.ts'
import type { PathTemplate } from '../../src/mlflow/path.ts'
import { stepOf } from '../../src/mlflow/step.ts'
import { MODEL_A, MODEL_B, RUN_A, RUN_B, TRACE_A, TRACE_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import {
  DEFINITION_A,
  DEFINITION_B,
  ENDPOINT_A,
  ENDPOINT_B,
  GUARDRAIL_A,
  GUARDRAIL_B,
  SCORER_A,
  SCORER_B,
  SECRET_A,
  SECRET_B,
} from '../support/stand-in-ai-gateway.ts'
import { JOB_A, JOB_B, SCORING_A, SCORING_B } from '../support/stand-in-genai.ts'
import {
  DATASET_A,
  DATASET_B,
  ISSUE_A,
  ISSUE_B,
  QUEUE_A,
  QUEUE_B,
  SCHEMA_A,
  SCHEMA_B,
} from '../support/stand-in-things.ts'

/** Whose things a request is about: those alpha's people may reach, or others. */
export type Side = 'alpha' | 'beta'

const VALUES: Readonly<Record<LocatorKind, Readonly<Record<Side, string>>>> = {
  experiment: { alpha: '1', beta: '2' },
  experiment_or_all: { alpha: '1', beta: '2' },
  experiment_name: { alpha: 'alpha/one', beta: 'beta/secret' },
  run: { alpha: RUN_A, beta: RUN_B },
  logged_model: { alpha: MODEL_A, beta: MODEL_B },
  trace: { alpha: TRACE_A, beta: TRACE_B },
  new_trace: { alpha: TRACE_A, beta: TRACE_B },
  artifact_path: { alpha: `1/${RUN_A}/artifacts/x`, beta: `2/${RUN_B}/artifacts/x` },
  registered_model: { alpha: 'alpha-model', beta: 'beta-model' },
  registered_model_name: { alpha: 'alpha-new', beta: 'beta-new' },
  registered_model_new_name: { alpha: 'alpha-renamed', beta: 'beta-renamed' },
  issue: { alpha: ISSUE_A, beta: ISSUE_B },
  label_schema: { alpha: SCHEMA_A, beta: SCHEMA_B },
  workspace: { alpha: 'default', beta: 'elsewhere' },
  mcp_server: { alpha: 'alpha-org/server', beta: 'beta-org/server' },
  mcp_server_name: { alpha: 'alpha-org/new', beta: 'beta-org/new' },
  mcp_server_to_update: { alpha: 'alpha-org/server', beta: 'beta-org/server' },
  mcp_server_to_create: { alpha: 'alpha-org/server', beta: 'beta-org/server' },
  mcp_server_beside: { alpha: 'x', beta: 'x' },
  review_queue: { alpha: QUEUE_A, beta: QUEUE_B },
  review_queue_name: { alpha: 'queue a', beta: 'queue b' },
  review_queue_beside: { alpha: 'somebody', beta: 'somebody' },
  review_queue_user: { alpha: 'editor', beta: 'editor' },
  gateway_secret: { alpha: SECRET_A, beta: SECRET_B },
  gateway_endpoint: { alpha: ENDPOINT_A, beta: ENDPOINT_B },
  gateway_endpoint_name: { alpha: 'alpha-endpoint', beta: 'beta-endpoint' },
  gateway_endpoint_new_name: { alpha: 'alpha-new', beta: 'beta-new' },
  gateway_endpoint_renamed: { alpha: 'alpha-renamed', beta: 'beta-renamed' },
  gateway_secret_new_name: { alpha: 'alpha-new', beta: 'beta-new' },
  gateway_secret_redirected: { alpha: SECRET_A, beta: SECRET_B },
  gateway_model_definition: { alpha: DEFINITION_A, beta: DEFINITION_B },
  gateway_model_definition_new_name: { alpha: 'alpha-new', beta: 'beta-new' },
  gateway_model_definition_renamed: { alpha: 'alpha-renamed', beta: 'beta-renamed' },
  gateway_guardrail: { alpha: GUARDRAIL_A, beta: GUARDRAIL_B },
  gateway_bound: { alpha: SCORER_A, beta: SCORER_B },
  experiment_of_new_endpoint: { alpha: 'alpha-new', beta: 'beta-new' },
  experiment_of_endpoint: { alpha: ENDPOINT_A, beta: ENDPOINT_B },
  dataset: { alpha: DATASET_A, beta: DATASET_B },
  dataset_home: { alpha: 'set a', beta: 'set b' },
  dataset_left_alone: { alpha: DATASET_A, beta: DATASET_B },
  scorer: { alpha: 'alpha-scorer', beta: 'beta-scorer' },
  whole_scorer: { alpha: 'alpha-scorer', beta: 'beta-scorer' },
  registered_scorer: { alpha: 'alpha-scorer', beta: 'beta-scorer' },
  scorer_of_version: { alpha: '1', beta: '2' },
  online_scoring: { alpha: SCORING_A, beta: SCORING_B },
  job: { alpha: JOB_A, beta: JOB_B },
  prompt_job: { alpha: JOB_A, beta: JOB_B },
  prompt_uri: { alpha: 'prompts:/alpha-prompt/1', beta: 'prompts:/beta-prompt/1' },
  model_uri: { alpha: 'gateway:/alpha-endpoint', beta: 'gateway:/beta-endpoint' },
  model_provider: { alpha: 'openai', beta: 'openai' },
  models_of_scorers: { alpha: '1', beta: '2' },
  scored_experiment: { alpha: '1', beta: '2' },
  demo: { alpha: 'x', beta: 'x' },
  model_source: { alpha: `runs:/${RUN_A}/model`, beta: `runs:/${RUN_B}/model` },
}

/** Fields no need speaks of, but some rule or MLflow does. */
const FILLERS: Readonly<Record<string, unknown>> = {
  key: 'k',
  max_results: '5',
  metric_key: 'm',
  resource_type: 'scorer',
  url: 'https://hooks.example.com/',
  name: 'a name',
  version: '1',
}

/** A request to a row that says all the row asks for, about things of that side, in its least remarkable form. */
export function plausibleRequest(
  operation: Operation,
  method: string,
  template: PathTemplate,
  side: Side,
): Ask {
  const locators = operation.needs.flatMap((need) =>
    need.kind === 'resource' || need.kind === 'narrow' ? [need.locator] : [],
  )
  const path = pathOf(template, locators, side)
  const args: Record<string, unknown> = { ...FILLERS }
  if (locators.some(({ kind }) => kind === 'scorer')) args['experiment_id'] = VALUES.experiment[side]
  const query = new URLSearchParams()
  for (const { kind, selector } of locators) {
    const names = selector.names[0] ?? []
    if (selector.in === 'query') query.set(names[0] ?? '', VALUES[kind][side])
    else if (selector.in === 'args') put(args, names, VALUES[kind][side])
  }
  if (argsInQuery({ method })) {
    for (const [name, value] of Object.entries(args)) query.set(name, String(value))
    // The files of a run or model are below it, those of the store are named in whole.
    if (!locators.some(({ kind }) => kind === 'artifact_path')) query.set('path', 'x')
    return { method, target: `${path}?${query}` }
  }
  if (operation.body === 'otlp') {
    const inHeaders = locators.flatMap(({ kind, selector }) =>
      selector.in === 'header' ? [`${selector.text}: ${VALUES[kind][side]}`] : [],
    )
    const headers = [...new Set(inHeaders)]
    const traceId = VALUES.new_trace[side].replace('tr-', '')
    const json = { resourceSpans: [{ scopeSpans: [{ spans: [{ traceId }] }] }] }
    return { method, target: path, headers, json }
  }
  if (operation.body === 'stream') return { method, target: `${path}?${query}`, body: 'content' }
  if (operation.needs.some(({ kind }) => kind === 'graphql')) {
    const input = `{experimentId:"${VALUES.experiment[side]}"}`
    return {
      method,
      target: path,
      json: { query: `{mlflowGetExperiment(input:${input}){experiment{name}}}` },
    }
  }
  const named = operation.rules.some(({ kind }) => kind === 'plain_segment') ? { path: 'x' } : {}
  return { method, target: path, json: { ...args, ...named } }
}

function pathOf(template: PathTemplate, locators: readonly Locator[], side: Side): string {
  const partOf = (name: string) => {
    const locator = locators.find(({ selector }) => selector.in === 'path' && selector.names[0]?.[0] === name)
    return locator === undefined ? 'x' : VALUES[locator.kind][side]
  }
  const parts = template.segments.map((segment) => {
    if (segment.kind === 'literal') return segment.text
    return partOf(segment.name) + (segment.kind === 'param' ? segment.suffix : '')
  })
  return `/${parts.join('/')}`
}

/** Puts a value where `metrics[].model_id` or `records![].source` says. */
function put(
  target: Record<string, unknown>,
  [step = '', ...others]: readonly string[],
  value: string,
): void {
  const { field, marks } = stepOf(step)
  let held: unknown = value
  if (others.length > 0) {
    const object = marks.length === 0 ? { ...(target[field] as object) } : {}
    put(object, others, value)
    held = object
  }
  for (const mark of marks.toReversed()) {
    if (mark === '[]') held = [held]
    else held = mark === '!' ? JSON.stringify(held) : { [String(held)]: 1 }
  }
  target[field] = held
}
