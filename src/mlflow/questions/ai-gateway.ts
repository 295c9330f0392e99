import { invalidAnswer, isObject, objectAt } from '../lookup-answer.ts'
import { type AskMlflow, question } from '../question.ts'

/** Seconds. Endpoints and model definitions can be renamed, also behind the gateway's back, and another take the name. */
const NAME_TTL = 2
/** Seconds. A secret keeps its name (`UpdateGatewaySecret` has none, 3.17.2), so that a change can only come with another id. */
const SECRET_TTL = 60

const GATEWAY = '3.0/mlflow/gateway'

export type GatewayEndpoint = {
  readonly id: string
  readonly name: string
  /** Where its traces are logged, if anywhere. */
  readonly experimentId: string | undefined
}

/** A thing of the AI gateway that has a name beside its id. */
export type Named = { readonly name: string }

/** What the AI gateway has, each asked for by its id or, where it says so, by its name (3.17.2). */
export const AI_GATEWAY_QUESTIONS = {
  gateway_endpoint: question(NAME_TTL, async (ask, id) =>
    readEndpoint(await ask(`${GATEWAY}/endpoints/get?endpoint_id=${encodeURIComponent(id)}`), { id }),
  ),
  /** By name. Where the database does not tell cases apart it is the endpoint that MLflow would call. */
  gateway_endpoint_name: question(NAME_TTL, async (ask, name) =>
    readEndpoint(await ask(`${GATEWAY}/endpoints/get?name=${encodeURIComponent(name)}`), { name }),
  ),
  gateway_secret: question(SECRET_TTL, (ask, id) =>
    named(ask, `secrets/get?secret_id=${encodeURIComponent(id)}`, 'secret', {
      ...{ idField: 'secret_id', nameField: 'secret_name', id },
    }),
  ),
  gateway_model_definition: question(NAME_TTL, (ask, id) =>
    named(ask, `model-definitions/get?model_definition_id=${encodeURIComponent(id)}`, 'model_definition', {
      ...{ idField: 'model_definition_id', nameField: 'name', id },
    }),
  ),
  /** The scorer that a guardrail runs. It can be deleted with its experiment, hardly changed. */
  gateway_guardrail: question(NAME_TTL, async (ask, id) => {
    const answer = await ask(`${GATEWAY}/guardrails/get?guardrail_id=${encodeURIComponent(id)}`)
    if (answer === undefined) return undefined
    const guardrail = objectAt(answer, ['guardrail'])
    const scorer = objectAt(guardrail, ['scorer'])
    const name = scorer?.['scorer_name']
    const experimentId = scorer === undefined ? undefined : idText(scorer['experiment_id'])
    if (guardrail?.['guardrail_id'] !== id || typeof name !== 'string' || experimentId === undefined) {
      throw invalidAnswer('a guardrail without its scorer')
    }
    return { experimentId, name }
  }),
  /**
   * The scorer of an id. MLflow tells by a list of all (`_list_scorers`, 3.17.2); it stays in its experiment, and under its
   * name.
   */
  scorer_id: question(0, async (ask, id) => {
    const scorers = (await ask('3.0/mlflow/scorers/list'))?.['scorers'] ?? []
    if (!Array.isArray(scorers)) throw invalidAnswer('a list of scorers that is none')
    const found: unknown = scorers.find((each) => isObject(each) && each['scorer_id'] === id)
    if (!isObject(found)) return undefined
    const [experimentId, name] = [idText(found['experiment_id']), found['scorer_name']]
    if (experimentId === undefined || typeof name !== 'string')
      throw invalidAnswer('a scorer without a place')
    return { experimentId, name }
  }),
  /** What an experiment was made for, if MLflow made it for something (`mlflow.experiment.sourceId`). */
  experiment_source: question(NAME_TTL, async (ask, id) => {
    const answer = await ask(`2.0/mlflow/experiments/get?experiment_id=${encodeURIComponent(id)}`)
    const tags = objectAt(answer, ['experiment'])?.['tags']
    if (!Array.isArray(tags)) return undefined
    const tag: unknown = tags.find((each) => isObject(each) && each['key'] === SOURCE_TAG)
    const source = isObject(tag) ? tag['value'] : undefined
    return typeof source === 'string' ? { source } : undefined
  }),
} as const

const SOURCE_TAG = 'mlflow.experiment.sourceId'

/** The id of an experiment, which a scorer has as a number. */
function idText(value: unknown): string | undefined {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : undefined
}

function readEndpoint(
  answer: Record<string, unknown> | undefined,
  asked: { readonly id?: string; readonly name?: string },
): GatewayEndpoint | undefined {
  if (answer === undefined) return undefined
  const { endpoint_id: id, name, experiment_id: experimentId } = objectAt(answer, ['endpoint']) ?? {}
  const isAsked = asked.id === undefined ? sameName(name, asked.name) : id === asked.id
  if (typeof id !== 'string' || typeof name !== 'string' || !isAsked) {
    throw invalidAnswer('an endpoint without id or name, or another one')
  }
  return { id, name, experimentId: idText(experimentId) }
}

/** Databases may take a name under another spelling for it, never a wholly different one. */
function sameName(found: unknown, asked: string | undefined): boolean {
  return typeof found === 'string' && found.toLowerCase() === asked?.toLowerCase()
}

async function named(
  ask: AskMlflow,
  path: string,
  field: string,
  { idField, nameField, id }: { readonly idField: string; readonly nameField: string; readonly id: string },
): Promise<Named | undefined> {
  const answer = await ask(`${GATEWAY}/${path}`)
  if (answer === undefined) return undefined
  const found = objectAt(answer, [field])
  const name = found?.[nameField]
  if (found?.[idField] !== id || typeof name !== 'string') throw invalidAnswer(`a ${field} without its name`)
  return { name }
}
