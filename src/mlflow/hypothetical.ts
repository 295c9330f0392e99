import { GatewayError } from '../errors.ts'
import type { Demand } from '../policy/decide.ts'
import { readJsonObject } from './json.ts'
import type { Locating } from './locate.ts'
import { demandOn, locateValue } from './locators.ts'
import type { LocatorKind, Operation, ResourceNeed } from './operation.ts'

/** What a request that nobody has sent would be about: a value a kind of thing, e.g. `{ run: '6c1e...' }`. */
export type Subjects = Readonly<Partial<Record<LocatorKind, string>>>

/** The kinds of things a row asks about, and whether it can do without one. */
export function subjectsOf(operation: Operation): ReadonlyMap<LocatorKind, { readonly optional: boolean }> {
  const kinds = new Map<LocatorKind, { readonly optional: boolean }>()
  for (const { locator } of resourceNeeds(operation)) {
    const optional = locator.selector.optional && (kinds.get(locator.kind)?.optional ?? true)
    kinds.set(locator.kind, { optional })
  }
  return kinds
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
  for (const need of resourceNeeds(operation)) {
    const value = subjects[need.locator.kind]
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

/** Some locators look at the request they stand in; this one says nothing but the name. */
function callOf(operation: Operation, { registered_model: name }: Subjects) {
  const template = operation.paths[0]
  if (template === undefined) throw new Error(`${operation.name} has no path`)
  const body = readJsonObject(Buffer.from(JSON.stringify(name === undefined ? {} : { name })))
  const target = { operation, template, params: {}, query: new Map() }
  return { ...target, method: operation.methods[0] ?? 'GET', headers: {}, body, bytes: undefined }
}

function unfit({ name }: Operation, kinds: readonly LocatorKind[]): GatewayError {
  const wanted = kinds.length === 0 ? 'nothing in particular' : kinds.join(', ')
  return new GatewayError('ERR_INVALID_PARAMETER', `${name} is about ${wanted}: name that, and nothing else`)
}
