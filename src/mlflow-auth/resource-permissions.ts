import { pythonQuote } from '../mlflow/python-quote.ts'
import { satisfies } from '../policy/access.ts'
import type { Level, ResourceType } from '../policy/grants.ts'
import { type Ask, askedPerson, type Done } from './ask.ts'
import type { Parameters } from './parameters.ts'
import { exactly, readLevel } from './pattern.ts'
import { managerOf, type Standing } from './standing.ts'
import { changeFor, directGrants, grantTo, noPermission, revokeFrom } from './user-permissions.ts'
import { numberOf, numbersFor } from './wire.ts'

/**
 * One family of the routes that MLflow had before there were roles (mlflow/server/auth/routes.py, 2.22 and 3.10):
 * `<path>/create`, `get`, `update` and `delete` of one user's permission on one thing.
 */
export type ResourcePermissions = {
  readonly path: string
  readonly type: ResourceType
  /** The member of the answer that holds the permission. */
  readonly member: string
  /** The parameters that name the thing; with their values, in this order, as the answer repeats them. */
  readonly named: readonly string[]
}

const V2 = '/api/2.0/mlflow'
const V3 = '/api/3.0/mlflow'

export const RESOURCE_PERMISSIONS: readonly ResourcePermissions[] = [
  family(`${V2}/experiments`, 'experiment', ['experiment_id']),
  family(`${V2}/registered-models`, 'registered_model', ['name']),
  family(`${V3}/scorers`, 'scorer', ['experiment_id', 'scorer_name']),
  family(`${V3}/gateway/secrets`, 'gateway_secret', ['secret_id']),
  family(`${V3}/gateway/endpoints`, 'gateway_endpoint', ['endpoint_id']),
  family(`${V3}/gateway/model-definitions`, 'gateway_model_definition', ['model_definition_id']),
]

function family(base: string, type: ResourceType, named: readonly string[]): ResourcePermissions {
  return { path: `${base}/permissions`, type, member: `${type}_permission`, named }
}

/** Who manages the thing. */
export function managerOfIts(of: ResourcePermissions): Standing {
  return (ask) => managerOf(ask, targetOf(ask.parameters, of))
}

export function createPermission(of: ResourcePermissions) {
  return async (ask: Ask): Promise<Done> => {
    const [person, target] = [await askedPerson(ask), targetOf(ask.parameters, of)]
    const level = readOldLevel(of.type, ask.parameters.text('permission'))
    const change = await grantTo(ask, person, { target, level })
    return { answer: await permissionAnswer(ask, of, { userId: person.id, level }), ...change }
  }
}

export function getPermission(of: ResourcePermissions) {
  return async (ask: Ask): Promise<Done> => {
    const person = await askedPerson(ask)
    const grants = await directGrants(ask, person, targetOf(ask.parameters, of))
    const levels = grants.map(({ level }) => level)
    const level = levels.includes('DENY')
      ? 'DENY'
      : levels.find((one) => levels.every((other) => satisfies(one, other)))
    if (level === undefined) throw noPermission()
    return { answer: await permissionAnswer(ask, of, { userId: person.id, level }) }
  }
}

export function updatePermission(of: ResourcePermissions) {
  return async (ask: Ask): Promise<Done> => {
    const [person, target] = [await askedPerson(ask), targetOf(ask.parameters, of)]
    const level = readOldLevel(of.type, ask.parameters.text('permission'))
    return { answer: {}, ...(await changeFor(ask, person, { target, level })) }
  }
}

export function deletePermission(of: ResourcePermissions) {
  return async (ask: Ask): Promise<Done> => {
    const [person, target] = [await askedPerson(ask), targetOf(ask.parameters, of)]
    return { answer: {}, ...(await revokeFrom(ask, person, target)) }
  }
}

/** Always one thing: these routes know no patterns, and `*` was never one. */
function targetOf(parameters: Parameters, { type, named }: ResourcePermissions) {
  const [first = '', ...rest] = named.map((name) => parameters.text(name))
  return exactly(type, [first, ...rest.map(pythonQuote)].join('/'))
}

/**
 * `NO_PERMISSIONS` on a thing meant that its user has nothing there, whatever others have: today's word is `DENY`.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER`
 */
function readOldLevel(type: ResourceType, text: string): Level {
  return text === 'NO_PERMISSIONS' ? 'DENY' : readLevel(type, text)
}

async function permissionAnswer(
  { parameters, services }: Ask,
  { member, named }: ResourcePermissions,
  { userId, level }: { readonly userId: string; readonly level: Level },
) {
  const numbers = await numbersFor(services, [], [userId])
  const name = Object.fromEntries(named.map((each) => [each, parameters.text(each)]))
  const permission = level === 'DENY' ? 'NO_PERMISSIONS' : level
  return { [member]: { ...name, user_id: numberOf(numbers, userId), permission } }
}
