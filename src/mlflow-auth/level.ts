import type { Lookup } from '../mlflow/lookup.ts'
import { resourceByKey } from '../mlflow/resource-by-key.ts'
import type { Access } from '../policy/access.ts'
import type { Level, ResourceType } from '../policy/grants.ts'
import type { GrantTarget } from '../store/role-edits.ts'

/**
 * What somebody has on one resource, or with `*` on all of a type: by the same rules as a request of theirs.
 *
 * @throws {GatewayError} As {@link Lookup}: only where a name has to be looked up.
 */
export async function levelOn(
  { resourceType, match, pattern }: GrantTarget,
  access: Access,
  lookup: Lookup,
): Promise<Level> {
  // A sub-resource has no grants but those on all of them, and these are found alike.
  const type = resourceType as ResourceType
  if (match !== 'exact') return access.levelOf({ type, key: undefined })
  return access.levelOf(await resourceByKey(type, pattern, { lookup, access }))
}
