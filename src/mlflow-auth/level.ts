import type { Lookup } from '../mlflow/lookup.ts'
import type { Access } from '../policy/access.ts'
import type { GrantType, Level, ResourceType } from '../policy/grants.ts'
import type { GrantTarget } from '../store/role-edits.ts'

/** Types whose grants name things by the name itself. */
const NAMED: ReadonlySet<GrantType> = new Set(['registered_model', 'prompt', 'mcp_server'])

/**
 * What somebody has on one resource, or with `*` on all of a type: by the same rules as a request of theirs.
 *
 * @throws {GatewayError} As {@link Lookup}: only where a name has to be looked up.
 */
export async function levelOn(
  { resourceType, match, pattern }: GrantTarget,
  access: Access,
  lookup: Pick<Lookup, 'experiment'>,
): Promise<Level> {
  // A sub-resource has no grants but those on all of them, and these are found alike.
  const type = resourceType as ResourceType
  if (match !== 'exact') return access.levelOf({ type, key: undefined })
  if (NAMED.has(type)) return access.levelOf({ type, key: pattern, name: pattern })
  const isLookedUp = type === 'experiment' && access.needsName(type)
  const found = isLookedUp ? await lookup.experiment(pattern) : undefined
  return access.levelOf({ type, key: pattern, name: found?.name })
}
