import type { Access } from '../policy/access.ts'
import { decide } from '../policy/decide.ts'
import { argsInQuery, type Call, memberOf } from './call.ts'
import { jsonName } from './json.ts'
import { onTier, resourcesByValue } from './locators.ts'
import { isObject, type Lookup } from './lookup.ts'
import type { Locator, Need } from './operation.ts'
import { setField, withChanges } from './rewrite.ts'

/** The call as it may be forwarded, or `empty` if nothing of what it asks about is left. */
export type Narrowed =
  | { readonly kind: 'call'; readonly call: Call; readonly kept: readonly string[] }
  | { readonly kind: 'empty' }

/**
 * Drops from a list of experiment ids those the caller may not read, so that pages stay whole and no foreign row is
 * ever fetched. An empty list is never forwarded: to some operations it means everything.
 */
export async function narrow(
  call: Call,
  { locator, tier }: Need & { kind: 'narrow' },
  context: { lookup: Lookup; access: Access },
): Promise<Narrowed> {
  const located = await resourcesByValue(call, locator, context)
  const values = located.map(({ value }) => value)
  const kept = located
    .filter(({ resources }) => {
      const demands = resources.map((resource) => ({
        action: 'read' as const,
        resource: tier === undefined ? resource : onTier(resource, tier),
      }))
      return demands.length > 0 && decide(demands, context.access).effect === 'allow'
    })
    .map(({ value }) => value)
  if (kept.length === 0) return { kind: 'empty' }
  if (kept.length === values.length) return { kind: 'call', call, kept }
  return { kind: 'call', call: withOnly(call, locator, new Set(kept)), kept }
}

/** Leaves of the list what stands for one of these ids: the id itself, or the object around it. */
function withOnly(call: Call, { selector }: Locator, kept: ReadonlySet<string>): Call {
  const [first = '', ...below] = selector.names[0] ?? []
  const field = first.replace('[]', '')
  if (argsInQuery(call)) return { ...call, query: new Map([...call.query, [field, [...kept]]]) }
  const { body } = call
  if (body === undefined) throw new Error('nothing to narrow')
  if (below.length === 0) {
    return withChanges(call, body, [setField(body, field, JSON.stringify([...kept]))])
  }
  const given = memberOf(body.value, field)
  const items = body.root.members?.get(jsonName(field))?.items ?? []
  const texts = items.flatMap(({ start, end }, index) => {
    const item: unknown = Array.isArray(given) ? given[index] : undefined
    const id = below.reduce((at, step) => (isObject(at) ? memberOf(at, step) : undefined), item)
    return typeof id === 'string' && kept.has(id) ? [body.text.slice(start, end)] : []
  })
  return withChanges(call, body, [setField(body, field, `[${texts.join(',')}]`)])
}
