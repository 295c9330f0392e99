import { GatewayError } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import { resourceByKey } from '../mlflow/resource-by-key.ts'
import type { ResourceRef } from '../policy/access.ts'
import { explain } from '../policy/explain.ts'
import type { Grant, ResourceType } from '../policy/grants.ts'
import type { AdminParts } from './endpoint.ts'

/** True for an administrator, and for whoever holds MANAGE on it. */
export function manages({ principal, access }: Caller, resource: ResourceRef): boolean {
  return principal.isAdmin || access.levelOf(resource) === 'MANAGE'
}

/** The resource, if the caller manages it: asked for only where that could be, as nothing keeps what does not exist. */
export async function managedBy(
  caller: Caller,
  type: ResourceType,
  key: string,
  parts: Pick<AdminParts, 'lookup'>,
): Promise<ResourceRef | undefined> {
  const couldManage = caller.access.patterns(type, 'MANAGE').length > 0 || manages(caller, { type, key })
  if (!couldManage) return undefined
  const resource = await resourceOf(type, key, parts)
  return manages(caller, resource) ? resource : undefined
}

/**
 * @throws {GatewayError} `ERR_PERMISSION_DENIED` unless the caller manages the resource, or everything; `ERR_NOT_FOUND` for
 *   what does not exist, to whoever would manage it if it did.
 */
export function assertManages(caller: Caller, resource: ResourceRef): void {
  if (!manages(caller, resource)) {
    throw new GatewayError(
      'ERR_PERMISSION_DENIED',
      `Permission denied: it takes MANAGE on the ${resource.type.replaceAll('_', ' ')} to see or change who may do what with it`,
      { reason: 'level_too_low' },
    )
  }
  assertExists(resource)
}

/** @throws {GatewayError} `ERR_NOT_FOUND` */
export function assertExists({ type, key }: ResourceRef): void {
  if (key === undefined)
    throw new GatewayError('ERR_NOT_FOUND', `There is no such ${type.replaceAll('_', ' ')}`)
}

/** The resource of that key with its name: what anybody's grants say of it, by key or by name, can be told by that. */
export function resourceOf(
  type: ResourceType,
  key: string,
  { lookup }: Pick<AdminParts, 'lookup'>,
): Promise<ResourceRef> {
  return resourceByKey(type, key, { lookup, access: { needsName: () => true } })
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
