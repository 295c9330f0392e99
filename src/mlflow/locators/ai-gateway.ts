import { GatewayError } from '../../errors.ts'
import type { ResourceRef } from '../../policy/access.ts'
import { type Call, memberOf } from '../call.ts'
import { type Locate, type Locating, SERVER } from '../locate.ts'
import { isObject, type Lookup } from '../lookup.ts'
import { judgedBy, type RowSpec } from '../row-spec.ts'
import { scorerRef } from './scorers.ts'
import { TRACKING_LOCATORS } from './tracking.ts'

/** Types of the AI gateway's things that grants can be on; each is also the kind of question for its name. */
type GatewayType = 'gateway_secret' | 'gateway_endpoint' | 'gateway_model_definition'

export type AiGatewayKind =
  | GatewayType
  | 'gateway_endpoint_name'
  | 'gateway_endpoint_new_name'
  | 'gateway_endpoint_renamed'
  | 'gateway_secret_new_name'
  | 'gateway_secret_redirected'
  | 'gateway_model_definition_new_name'
  | 'gateway_model_definition_renamed'
  | 'gateway_guardrail'
  | 'gateway_bound'
  | 'experiment_of_new_endpoint'
  | 'experiment_of_endpoint'

/** Secrets, endpoints and model definitions of the AI gateway, and what hangs on them. */
export const AI_GATEWAY_LOCATORS: Readonly<Record<AiGatewayKind, Locate>> = {
  gateway_secret: byId('gateway_secret'),
  gateway_endpoint: byId('gateway_endpoint'),
  gateway_model_definition: byId('gateway_model_definition'),
  gateway_endpoint_name: async (name, { lookup }) => endpointNamed(name, lookup),
  gateway_endpoint_new_name: newName('gateway_endpoint'),
  gateway_secret_new_name: newName('gateway_secret'),
  /** The secret, if where it is sent changes. */
  gateway_secret_redirected: (id, locating, call) =>
    bodyField(call, 'auth_config') === undefined ? [] : gatewayRef('gateway_secret', id, locating),
  gateway_model_definition_new_name: newName('gateway_model_definition'),
  gateway_endpoint_renamed: renamed('gateway_endpoint', 'endpoint_id'),
  gateway_model_definition_renamed: renamed('gateway_model_definition', 'model_definition_id'),
  gateway_guardrail: scorerOfGuardrail,
  gateway_bound: boundResource,
  experiment_of_new_endpoint: experimentOfNewEndpoint,
  experiment_of_endpoint: experimentOfEndpoint,
}

/** As MLflow makes them, in the one spelling that a database which does not tell cases apart takes for itself. */
const GATEWAY_ID = /^[a-z0-9][a-z0-9_-]{0,255}$/

function checkedId(id: string): string {
  if (GATEWAY_ID.test(id)) return id
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    'Invalid id: lower-case letters, digits, - and _ are expected',
  )
}

function byId(type: GatewayType): Locate {
  return (id, locating) => gatewayRef(type, id, locating)
}

/**
 * The thing of that id, with its name if some grant speaks of names.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for what is no id.
 */
export async function gatewayRef(
  type: GatewayType,
  id: string,
  { lookup, access }: Locating,
): Promise<ResourceRef> {
  checkedId(id)
  if (!access.needsName(type)) return { type, key: id }
  const found = await lookup.about(type, id)
  return { type, key: found && id, name: found?.name }
}

/** What MLflow lets endpoints be called (`is_valid_endpoint_name`, 3.17.2). */
const ENDPOINT_NAME = /^[A-Za-z0-9_.-]{1,255}$/

async function endpointNamed(name: string, lookup: Lookup): Promise<ResourceRef> {
  const found = ENDPOINT_NAME.test(name) ? await lookup.about('gateway_endpoint_name', name) : undefined
  return { type: 'gateway_endpoint', key: found?.id, name: found?.name }
}

function newName(type: GatewayType): Locate {
  return (name) => ({ type, key: undefined, name })
}

/** The name that a thing is given, unless it is the one it has: clients send that along. */
function renamed(type: GatewayType, idField: string): Locate {
  return async (name, { lookup }, call) => {
    const id = bodyField(call, idField)
    const found = typeof id === 'string' ? await lookup.about(type, checkedId(id)) : undefined
    return found?.name === name ? [] : { type, key: undefined, name }
  }
}

function bodyField({ body }: Call, name: string): unknown {
  return (body && memberOf(body.value, name)) ?? undefined
}

/** A guardrail runs a scorer, whose whole definition its answers hold. */
async function scorerOfGuardrail(id: string, locating: Locating): Promise<ResourceRef> {
  const found = await locating.lookup.about('gateway_guardrail', checkedId(id))
  return found === undefined ? SERVER : scorerRef(found.experimentId, found.name, locating)
}

/** What an endpoint is bound to: scorers, by an id that does not tell where they are (`GatewayResourceType`, 3.17.2). */
async function boundResource(id: string, locating: Locating, call: Call): Promise<ResourceRef> {
  if (bodyField(call, 'resource_type') !== 'scorer') return SERVER
  const found = await locating.lookup.about('scorer_id', id)
  return found === undefined ? SERVER : scorerRef(found.experimentId, found.name, locating)
}

/**
 * MLflow logs the calls of an endpoint to an experiment. Unless one is named, or logging switched off, that is
 * `gateway/<name>`: made if it is not there, and written to, whoever's it is, if it is (`create_gateway_endpoint`, 3.17.2).
 */
async function experimentOfNewEndpoint(
  name: string,
  locating: Locating,
  call: Call,
): Promise<readonly ResourceRef[]> {
  if (usageTracking(call) === false || bodyField(call, 'experiment_id') !== undefined) return []
  return usageExperiment(name, locating, call)
}

/** The same where logging is switched on later: for an endpoint that has no experiment yet. */
async function experimentOfEndpoint(
  id: string,
  locating: Locating,
  call: Call,
): Promise<readonly ResourceRef[]> {
  if (usageTracking(call) !== true || bodyField(call, 'experiment_id') !== undefined) return []
  const found = await locating.lookup.about('gateway_endpoint', checkedId(id))
  if (found?.experimentId !== undefined) return []
  const name = bodyField(call, 'name') ?? found?.name
  return typeof name === 'string' ? usageExperiment(name, locating, call) : [SERVER]
}

async function usageExperiment(
  name: string,
  locating: Locating,
  call: Call,
): Promise<readonly ResourceRef[]> {
  return [await TRACKING_LOCATORS.experiment_name(`gateway/${name}`, locating, call)].flat()
}

/** What MLflow cannot convert ends its reading of the body, and it would log where nobody said. */
function usageTracking(call: Call): boolean | undefined {
  const value = bodyField(call, 'usage_tracking')
  if (value === undefined || typeof value === 'boolean') return value
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    "Invalid value for parameter 'usage_tracking': true or false is expected",
  )
}

export type AiGatewayRow = GatewayType | 'gateway_model' | 'gateway_mapping'

/** What the rows of its lists are, and what its answers tell of other things. */
export const AI_GATEWAY_ROWS: Readonly<Record<AiGatewayRow, RowSpec>> = {
  gateway_endpoint: rowOf('gateway_endpoint', 'endpoint_id'),
  gateway_secret: rowOf('gateway_secret', 'secret_id', 'secret_name'),
  gateway_model_definition: rowOf('gateway_model_definition', 'model_definition_id'),
  /** A row of the list for clients of OpenAI's: they see what they may call, as with MLflow (3.17.2). */
  gateway_model: judgedBy(['id'], {
    types: ['gateway_endpoint'],
    action: 'use',
    resourceOf: ({ id: name }, lookup) =>
      typeof name === 'string' ? endpointNamed(name, lookup) : undefined,
  }),
  /** What an endpoint sends its calls to. */
  gateway_mapping: judgedBy(['model_definition_id', 'model_definition'], {
    types: ['gateway_model_definition'],
    resourceOf: ({ model_definition_id: key, model_definition: definition }, lookup) => {
      const name = isObject(definition) ? definition['name'] : undefined
      return refOfRow('gateway_model_definition', key, name, lookup)
    },
  }),
}

function rowOf(type: GatewayType, idField: string, nameField = 'name'): RowSpec {
  return judgedBy([idField, nameField], {
    types: [type],
    resourceOf: ({ [idField]: id, [nameField]: name }, lookup) => refOfRow(type, id, name, lookup),
  })
}

/** What does not say its name is asked for it: a grant on names may take away. */
function refOfRow(
  type: GatewayType,
  key: unknown,
  name: unknown,
  lookup: Lookup,
): ResourceRef | undefined | Promise<ResourceRef> {
  if (typeof key !== 'string') return undefined
  return typeof name === 'string' ? { type, key, name } : refOfNameless(type, key, lookup)
}

async function refOfNameless(type: GatewayType, key: string, lookup: Lookup): Promise<ResourceRef> {
  return { type, key, name: (await lookup.about(type, key))?.name }
}
