import { GatewayError } from '../errors.ts'
import type { Demand } from '../policy/decide.ts'
import type { Call } from './call.ts'
import { readJsonObject } from './json.ts'
import type { Locating } from './locate.ts'
import { demandOn, locateValue } from './locators.ts'
import type { LocatorKind, Operation, ResourceNeed } from './operation.ts'

/** What a request that nobody has sent would be about: a value a kind of thing, e.g. `{ run: '6c1e...' }`. */
export type Subjects = Readonly<Partial<Record<LocatorKind, string>>>

/** The kinds of things a row asks about, and whether it can do without one. */
export function subjectsOf(operation: Operation): ReadonlyMap<LocatorKind, { readonly optional: boolean }> {
  const kinds = new Map<LocatorKind, { readonly optional: boolean }>()
  for (const { need, kind } of askedOf(operation)) {
    const optional = need.locator.selector.optional && (kinds.get(kind)?.optional ?? true)
    kinds.set(kind, { optional })
  }
  return kinds
}

/** What to call the field that names such a thing: `workspace` is where a request goes. */
export function fieldFor(kind: string): string {
  return kind === 'workspace' ? 'workspace_name' : kind
}

type Asked = { readonly need: ResourceNeed; readonly kind: LocatorKind }

/** Each need with the kind it is asked about as: one for all that look at the same field, the one of the plainest name. */
function askedOf(operation: Operation): readonly Asked[] {
  const needs = resourceNeeds(operation)
  const fieldOf = ({ locator: { selector } }: ResourceNeed) => `${selector.in}:${selector.text}`
  return needs.map((need) => {
    const alike = needs.filter((other) => fieldOf(other) === fieldOf(need)).map(({ locator }) => locator.kind)
    const [kind = need.locator.kind] = alike.toSorted((a, b) => a.length - b.length)
    return { need, kind }
  })
}

/**
 * What an operation would ask for if it were about these things: located as in a request, which is never sent.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` if the operation has to be told more, or is told of what it does not touch.
 */
export async function hypotheticalDemands(
  operation: Operation,
  subjects: Subjects,
  locating: Locating,
): Promise<readonly Demand[]> {
  const kinds = subjectsOf(operation)
  const missing = [...kinds].filter(([kind, { optional }]) => !optional && subjects[kind] === undefined)
  const unknown = Object.keys(subjects).filter((kind) => !kinds.has(kind as LocatorKind))
  if (missing.length > 0 || unknown.length > 0) throw unfit(operation, [...kinds.keys()])
  const call = callOf(operation, subjects)
  const demands: Demand[] = []
  for (const { need, kind } of askedOf(operation)) {
    const value = subjects[kind]
    if (value === undefined) continue
    const resources = await locateValue(need.locator.kind, value, locating, call)
    demands.push(...resources.map((resource) => demandOn(resource, need)))
  }
  return demands
}

/** A list that is narrowed is explained as a read of what it is narrowed to. */
function resourceNeeds({ needs }: Operation): readonly ResourceNeed[] {
  return needs.flatMap((need): readonly ResourceNeed[] => {
    if (need.kind === 'resource') return [need]
    return need.kind === 'narrow'
      ? [{ kind: 'resource', action: 'read', locator: need.locator, tier: need.tier }]
      : []
  })
}

/** Some locators look at the request they stand in; this one says what it is about where that is a field of its own. */
function callOf(operation: Operation, subjects: Subjects): Call {
  const [template] = operation.paths
  if (template === undefined) throw new Error(`${operation.name} has no path`)
  const fields = askedOf(operation).flatMap(({ need, kind }) => {
    const [name = []] = need.locator.selector.names
    const value = subjects[kind]
    return value === undefined || name.length !== 1 || !/^\w+$/.test(name[0] ?? '') ? [] : [[name[0], value]]
  })
  const params = Object.fromEntries(fields)
  const query = new Map(Object.entries<string>(params).map(([name, value]) => [name, [value]]))
  const body = readJsonObject(Buffer.from(JSON.stringify(params)))
  const method = operation.methods[0] ?? 'GET'
  return { operation, template, params, query, method, headers: {}, body, bytes: undefined }
}

function unfit({ name }: Operation, kinds: readonly LocatorKind[]): GatewayError {
  const wanted = kinds.length === 0 ? 'nothing in particular' : kinds.join(', ')
  return new GatewayError('ERR_INVALID_PARAMETER', `${name} is about ${wanted}: name that, and nothing else`)
}
