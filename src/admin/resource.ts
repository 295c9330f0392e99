import { Type } from 'typebox'
import { GatewayError } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import { resourceByKey } from '../mlflow/resource-by-key.ts'
import type { ResourceRef } from '../policy/access.ts'
import { RESOURCE_TYPES, type ResourceType } from '../policy/grants.ts'
import type { AdminParts } from './endpoint.ts'
import { InWorkspace } from './place.ts'

/** The fields that name a resource. */
export const About = {
  resource_type: Type.Enum([...RESOURCE_TYPES]),
  key: Type.String({
    minLength: 1,
    maxLength: 1000,
    description: 'Its id, or the name where names are keys.',
  }),
  ...InWorkspace,
}

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
