import { GatewayError } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { ResourceRef } from '../policy/access.ts'
import { explain } from '../policy/explain.ts'
import { DEFAULT_WORKSPACE, type Grant } from '../policy/grants.ts'
import type { MemberConfig } from '../policy/member.ts'
import { namesFor, type WorkspaceName } from '../policy/workspace-name.ts'
import type { Store } from '../store/store.ts'

/*
 * What somebody gives on of their own right lasts no longer than that right: it would be more than they have.
 */

type LimitParts = {
  readonly store: Pick<Store, 'people'>
  readonly config: Pick<MemberConfig, 'providers' | 'defaultPermission'>
  /** The workspace that it is in; the default one if absent. */
  readonly workspace?: string | undefined
}

/** @throws {GatewayError} `ERR_PERMISSION_DENIED` (reason `wider_than_own`) */
export async function assertNotWider(
  caller: Caller,
  resource: ResourceRef,
  grant: Grant,
  { store, config, workspace }: LimitParts,
): Promise<void> {
  if (caller.principal.isAdmin) return
  const membership = await store.people.membership(caller.principal.userId, config.providers)
  const [own] = explain([{ action: 'manage', resource }], membership ?? { roles: [] }, {
    ...{ defaultPermission: config.defaultPermission, workspace },
    // Of what has expired the store tells nothing.
    now: 0,
  })
  if (own?.byDefault === true) return
  assertEnds(grant, lastOf((own?.grants ?? []).filter(({ decides }) => decides).map((each) => each.grant)))
}

/**
 * The same for what an administrator of a workspace gives in it, by a grant or by a role that has some.
 *
 * @throws {GatewayError} `ERR_PERMISSION_DENIED` (reason `wider_than_own`)
 */
export async function assertNotLonger(
  caller: Caller,
  workspace: WorkspaceName = DEFAULT_WORKSPACE,
  given: readonly Grant[],
  { store, config }: LimitParts,
): Promise<void> {
  if (caller.principal.isAdmin) return
  const membership = await store.people.membership(caller.principal.userId, config.providers)
  const own = (membership?.roles ?? [])
    .flatMap(({ grants }) => grants)
    .filter(({ resourceType, level }) => resourceType === 'workspace' && level === 'MANAGE')
    .filter((grant) => namesFor(workspace).includes(grant.workspace ?? DEFAULT_WORKSPACE))
  const until = lastOf(own)
  for (const grant of given) assertEnds(grant, until)
}

/** When the last of them ends; `Infinity` if one does not. */
function lastOf(grants: readonly Grant[]): number {
  return Math.max(0, ...grants.map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY))
}

function assertEnds({ expiresAt = Number.POSITIVE_INFINITY }: Grant, until: number): void {
  if (expiresAt <= until) return
  const message = `Your own right ends at ${new Date(until * 1000).toISOString()}: give on what ends then or before (expires_at; what MLflow's own API gives has no end)`
  throw new GatewayError('ERR_PERMISSION_DENIED', message, { reason: 'wider_than_own' })
}
