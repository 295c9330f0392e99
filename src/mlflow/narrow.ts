import type { Access } from '../policy/access.ts'
import { decide } from '../policy/decide.ts'
import { type Call, select } from './call.ts'
import { resourcesOf } from './locators.ts'
import type { Lookup } from './lookup.ts'
import type { Locator } from './operation.ts'
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
  locator: Locator,
  context: { lookup: Lookup; access: Access },
): Promise<Narrowed> {
  const values = select(call, locator.selector)
  const resources = await resourcesOf(call, locator, context)
  const kept = values.filter((_, index) => {
    const resource = resources[index]
    return resource !== undefined && decide([{ action: 'read', resource }], context.access).effect === 'allow'
  })
  if (kept.length === 0 || call.body === undefined) return { kind: 'empty' }
  if (kept.length === values.length) return { kind: 'call', call, kept }
  const field = (locator.selector.names[0]?.[0] ?? '').replace('[]', '')
  return {
    kind: 'call',
    call: withChanges(call, call.body, [setField(call.body, field, JSON.stringify(kept))]),
    kept,
  }
}
