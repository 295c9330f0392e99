import { GatewayError } from '../errors.ts'
import { type ResourceRef, satisfies } from '../policy/access.ts'
import { type Demand, LEVEL_FOR } from '../policy/decide.ts'
import type { Action, Tier } from '../policy/grants.ts'
import { after, inTurn, type Soon, together } from '../soon.ts'
import { type Call, select } from './call.ts'
import { readGraphql } from './graphql.ts'
import { readJsonObject } from './json.ts'
import { type Found, type Locate, type Locating, SERVER } from './locate.ts'
import { AI_GATEWAY_LOCATORS } from './locators/ai-gateway.ts'
import { ARTIFACT_LOCATORS } from './locators/artifacts.ts'
import { DATASET_LOCATORS } from './locators/datasets.ts'
import { JOB_LOCATORS } from './locators/jobs.ts'
import { MCP_SERVER_LOCATORS } from './locators/mcp-servers.ts'
import { REGISTRY_LOCATORS } from './locators/registry.ts'
import { REVIEW_LOCATORS } from './locators/reviews.ts'
import { SCORER_LOCATORS } from './locators/scorers.ts'
import { TRACKING_LOCATORS } from './locators/tracking.ts'
import { WORKSPACE_LOCATORS } from './locators/workspaces.ts'
import type { Locator, LocatorKind, Need, Operation, ResourceNeed } from './operation.ts'
import { orPublished } from './published.ts'

const LOCATE: Readonly<Record<LocatorKind, Locate>> = {
  ...TRACKING_LOCATORS,
  ...ARTIFACT_LOCATORS,
  ...REGISTRY_LOCATORS,
  ...DATASET_LOCATORS,
  ...SCORER_LOCATORS,
  ...JOB_LOCATORS,
  ...AI_GATEWAY_LOCATORS,
  ...REVIEW_LOCATORS,
  ...MCP_SERVER_LOCATORS,
  ...WORKSPACE_LOCATORS,
}

type LocatingQueries = Locating & {
  /** A row of the catalogue by its name. */
  readonly operationNamed: (name: string) => Operation
}

/**
 * Everything the call touches, each with what it does there.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` if a row that asks for resources is given none; see {@link select}
 *   and {@link Lookup} for the rest. A fault is a refusal, never an empty list.
 */
export function locate(call: Call, locating: LocatingQueries): Soon<readonly Demand[]> {
  const { needs } = call.operation
  return after(
    inTurn(needs, (need) => demandsOf(call, need, locating)),
    (found) => {
      const demands = flattened(found)
      if (demands.length > 0) return demands
      // Open to whoever is signed in, or narrowed later, but for what it may name.
      if (needs.some(({ kind }) => kind === 'signed_in' || kind === 'narrow')) return [NOTHING]
      throw new GatewayError('ERR_INVALID_PARAMETER', 'The request does not say what it is about')
    },
  )
}

function flattened<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const [first] = lists
  return first !== undefined && lists.length === 1 ? first : lists.flat()
}

/** What everybody meets. */
const NOTHING: Demand = { action: 'not_denied', resource: SERVER }

/** A search may select on nothing that the caller may not read; an administrator may read everything. */
function isAsked(call: Call, { when, locator }: ResourceNeed, { holding }: Locating): boolean {
  if (when === undefined) return locator.selector.in !== 'filter' || holding !== undefined
  return holding !== undefined && select(call, when.selector).some((value) => !when.butNot.includes(value))
}

function demandsOf(call: Call, need: Need, locating: LocatingQueries): Soon<readonly Demand[]> {
  if (need.kind === 'graphql') return demandsOfQuery(call, locating)
  if (need.kind !== 'resource' || !isAsked(call, need, locating)) return []
  return after(resourcesByValue(call, need.locator, locating), (located) => {
    const asked = located.flatMap(({ value, resources }) => resources.map((found) => ({ value, found })))
    return after(
      inTurn(asked, ({ value, found }) => demandsOn(found, value, need, locating)),
      flattened,
    )
  })
}

function demandsOn(
  found: Found,
  value: string,
  need: ResourceNeed,
  { lookup, holding }: Locating,
): Soon<readonly Demand[]> {
  const demand = demandOn(found, need)
  const bars = barring(found, need)
  if (!need.published || holding === undefined) return [demand, ...bars]
  return after(orPublished(demand, value, { lookup, access: holding }), (asked) => [asked, ...bars])
}

/** What nobody can meet, of somebody who does not stand to a thing as they must. */
function barring({ standing = [] }: Found, { action, only }: ResourceNeed): readonly Demand[] {
  if (only === undefined || standing.includes(only)) return []
  return [{ action, resource: { ...SERVER, name: only } }]
}

/** What a need asks of a resource that was located for it. */
export function demandOn(found: Found, need: ResourceNeed): Demand {
  const { tier, inherited, either } = need
  const { standing, ...located } = found
  const action = leastAsked(need, standing)
  const resource = tier === undefined ? located : onTier(located, tier)
  if (inherited === undefined && either === undefined) return { action, resource }
  return { action, resource, inherited, either }
}

/** The least of what is asked of somebody who stands so to it. */
function leastAsked({ action, relaxed = {} }: ResourceNeed, standing: Found['standing'] = []): Action {
  const asked = standing.flatMap((each) => relaxed[each] ?? [])
  return asked.reduce((least, each) => (satisfies(LEVEL_FOR[least], LEVEL_FOR[each]) ? each : least), action)
}

const VERSION_TIERS: Readonly<Partial<Record<ResourceRef['type'], Tier>>> = {
  registered_model: 'registered_model_version',
  prompt: 'prompt_version',
  scorer: 'scorer_version',
  mcp_server: 'mcp_server_version',
}

/** The resource with what of it is touched. */
export function onTier(resource: ResourceRef, tier: ResourceNeed['tier']): ResourceRef {
  return { ...resource, tier: tier === 'version' ? VERSION_TIERS[resource.type] : tier }
}

/** Every root field asks for what its REST twin would ask for with the same arguments; a list is not narrowed but judged whole. */
async function demandsOfQuery(call: Call, locating: LocatingQueries): Promise<readonly Demand[]> {
  const demands: Demand[] = []
  for (const { twin, args } of readGraphql(call.body?.value ?? {}).fields) {
    const operation = locating.operationNamed(twin)
    const body = readJsonObject(Buffer.from(JSON.stringify(args)))
    const before = demands.length
    for (const need of operation.needs) {
      const asked: Need =
        need.kind === 'narrow'
          ? { kind: 'resource', action: 'read', locator: need.locator, tier: need.tier }
          : need
      demands.push(...(await demandsOf({ ...call, operation, method: 'POST', body }, asked, locating)))
    }
    if (demands.length === before)
      throw new GatewayError('ERR_INVALID_PARAMETER', `${twin} does not say what it is about`)
  }
  return demands
}

/** The resources one locator leads to; none if its selector is optional and picks nothing. */
export async function resourcesOf(
  call: Call,
  locator: Locator,
  locating: Locating,
): Promise<readonly Found[]> {
  return (await resourcesByValue(call, locator, locating)).flatMap(({ resources }) => resources)
}

/** The values one locator selects, each with the resources it leads to. */
export function resourcesByValue(call: Call, locator: Locator, locating: Locating): Soon<readonly Located[]> {
  const given = select(call, locator.selector)
  const values = given.length === 0 && WHATEVER_IS_ASKED.has(locator.kind) ? [''] : given
  if (values.length === 0 && ALL_IF_ABSENT.has(locator.kind)) return [{ value: '', resources: [SERVER] }]
  const locateOne = LOCATE[locator.kind]
  const step = (value: string): Soon<Located> =>
    after(locateOne(value, locating, call), (found) => ({ value, resources: [found].flat() }))
  if (values.length <= AT_ONCE) return together(values, step)
  const groups = Array.from({ length: Math.ceil(values.length / AT_ONCE) }, (_, group) =>
    values.slice(group * AT_ONCE, (group + 1) * AT_ONCE),
  )
  return after(
    inTurn(groups, (group) => together(group, step)),
    flattened,
  )
}

/** A value that a locator selects, with what it leads to. */
type Located = { readonly value: string; readonly resources: readonly Found[] }

/** The resources that one value of a kind leads to. */
export async function locateValue(
  kind: LocatorKind,
  value: string,
  locating: Locating,
  call: Call,
): Promise<readonly ResourceRef[]> {
  return [await LOCATE[kind](value, locating, call)].flat()
}

/** What says of a request without a value that it is about everything: the root of the artifacts, a list of all there is. */
const ALL_IF_ABSENT: ReadonlySet<LocatorKind> = new Set(['artifact_path', 'experiment_or_all'])

/** What is the same for every request. */
const WHATEVER_IS_ASKED: ReadonlySet<LocatorKind> = new Set(['demo'])

/** Most look-ups under way for one request. */
const AT_ONCE = 16
