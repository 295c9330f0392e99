import { GatewayError } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { ResourceRef } from '../policy/access.ts'
import { explain } from '../policy/explain.ts'
import type { Grant, ResourceType } from '../policy/grants.ts'
import type { AdminParts } from './endpoint.ts'

/** True for an administrator, and for whoever holds MANAGE on it. */
export function manages({ principal, access }: Caller, resource: ResourceRef): boolean {
  return principal.isAdmin || access.levelOf(resource) === 'MANAGE'
}

/** @throws {GatewayError} `ERR_PERMISSION_DENIED` unless the caller manages the resource, or everything. */
export function assertManages(caller: Caller, resource: ResourceRef): void {
  if (manages(caller, resource)) return
  throw new GatewayError(
    'ERR_PERMISSION_DENIED',
    `Permission denied: it takes MANAGE on the ${resource.type.replaceAll('_', ' ')} to see or change who may do what with it`,
    { reason: 'level_too_low' },
  )
}

/** The resource with its name, so that grants by name count; one that does not exist is covered by nobody's. */
export async function resourceOf(
  type: ResourceType,
  key: string,
  { lookup }: AdminParts,
): Promise<ResourceRef> {
  if (type !== 'experiment') return { type, key, name: key }
  const found = /^[0-9]{1,20}$/.test(key) ? await lookup.experiment(key) : undefined
  return found === undefined ? { type, key: undefined } : { type, key: found.id, name: found.name }
}

/** A grant that outlives the right it is made from would be more than the giver has. */
export async function assertNotWider(
  caller: Caller,
  resource: ResourceRef,
  grant: Grant,
  parts: AdminParts,
): Promise<void> {
  if (caller.principal.isAdmin) return
  const { store, config, now } = parts
  const membership = await store.people.membership(caller.principal.userId, config.providers)
  const [own] = explain([{ action: 'manage', resource }], membership ?? { roles: [] }, {
    defaultPermission: config.defaultPermission,
    now: now(),
  })
  const until = Math.max(
    0,
    ...(own?.grants ?? [])
      .filter(({ decides }) => decides)
      .map(({ grant: { expiresAt } }) => expiresAt ?? Number.POSITIVE_INFINITY),
  )
  if (own?.byDefault !== true && (grant.expiresAt ?? Number.POSITIVE_INFINITY) > until) {
    const message = `Your own right ends at ${new Date(until * 1000).toISOString()}: give expires_at, and no later`
    throw new GatewayError('ERR_PERMISSION_DENIED', message, { reason: 'wider_than_own' })
  }
}
