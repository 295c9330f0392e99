import { type Access, satisfies } from '../policy/access.ts'
import { type AskedType, askedLevel, type MissingAccess } from '../policy/asked.ts'
import type { Decision } from '../policy/decide.ts'
import { type Call, select } from './call.ts'
import { operationNamed } from './catalogue.ts'
import { readGraphql } from './graphql.ts'
import { readJsonObject } from './json.ts'
import type { LocatorKind, Operation } from './operation.ts'

export type Denied = Decision & { effect: 'deny' }

/** Locators whose value is the id or name that people know the thing by, and what it then is. */
const NAMED: Readonly<Partial<Record<LocatorKind, AskedType>>> = {
  experiment: 'experiment',
  experiment_or_all: 'experiment',
  run: 'run',
  logged_model: 'logged_model',
  trace: 'trace',
  // Of prompts too: which of the two a name is, is found out when somebody answers.
  registered_model: 'registered_model',
  gateway_secret: 'gateway_secret',
  gateway_endpoint: 'gateway_endpoint',
  gateway_model_definition: 'gateway_model_definition',
  mcp_server: 'mcp_server',
}

/**
 * What the caller could ask for after a refusal. It is read off the request and the refusal's own words alone, so that a
 * thing that exists and one that does not lead to the same.
 *
 * @returns `undefined` where no grant on one resource would help: on what is for administrators, on a name to create
 *   something under, on a grant on all of a kind; and where what is hidden would show by it.
 */
export function missingAccess(decision: Denied, call: Call, access: Access): MissingAccess | undefined {
  const { demand, needed, reason } = decision
  const { type, key } = demand.resource
  const level = askedLevel(needed)
  if (level === undefined || demand.action === 'create' || isOnTier(decision, access)) return undefined
  const { hidden } = call.operation
  if (reason === 'level_too_low' && type !== 'server' && hidden === undefined) return { type, key, level }
  if (judgesPath(call.operation) && (type === 'server' || type === 'experiment'))
    return { type: 'experiment', level }
  if (type === 'server') return undefined
  // Where a thing that is not there would not be refused by us, the offer would tell that it is.
  if (hidden !== undefined && satisfies(access.levelOf({ type, key: undefined }), needed)) return undefined
  const [named, ...others] = namedIn(call)
  if (named?.type !== undefined && others.length === 0) return { ...named, type: named.type, level }
  return { type: type === 'prompt' ? 'registered_model' : type, level }
}

/** What the request names, each once; without a type what is known to nobody by that. */
function namedIn(call: Call): readonly { readonly type: AskedType | undefined; readonly key: string }[] {
  const named = new Map<string, { type: AskedType | undefined; key: string }>()
  for (const asked of callsIn(call)) {
    for (const need of asked.operation.needs) {
      if (need.kind !== 'resource' && need.kind !== 'narrow') continue
      const type = NAMED[need.locator.kind]
      for (const key of select(asked, need.locator.selector)) named.set(`${type} ${key}`, { type, key })
    }
  }
  return [...named.values()]
}

/** The call, or those that a GraphQL query stands for. */
function callsIn(call: Call): readonly Call[] {
  if (!call.operation.needs.some(({ kind }) => kind === 'graphql')) return [call]
  return readGraphql(call.body?.value ?? {}).fields.map(({ twin, args }) => ({
    ...{ ...call, operation: operationNamed(twin), method: 'POST' },
    body: readJsonObject(Buffer.from(JSON.stringify(args))),
  }))
}

/** True where a grant on all of a sub-resource type decided: no grant on the resource would change it. */
export function isOnTier({ demand: { resource }, held }: Denied, access: Access): boolean {
  return resource.tier !== undefined && access.levelOfAll(resource.tier) === held
}

/** True for what is named by where its files lie, which tells nobody whether there is an experiment. */
export function judgesPath({ needs }: Operation): boolean {
  return needs.some(
    (need) =>
      need.kind === 'resource' &&
      (need.locator.kind === 'artifact_path' || need.locator.kind === 'model_source'),
  )
}
