import type { Caller } from '../identity/caller.ts'
import { isPlainId } from '../mlflow/locate.ts'
import type { Lookup } from '../mlflow/lookup.ts'
import type { ResourceRef } from '../policy/access.ts'
import type { AskedType } from '../policy/asked.ts'
import type { AccessRequest } from '../store/access-requests.ts'
import type { AdminParts } from './endpoint.ts'
import { managedBy } from './resource.ts'

/**
 * What somebody who asks for access means by an id or name that they may not look up themselves: of a run or trace the
 * experiment it is in, of a registered name whichever of model and prompt it is.
 *
 * @returns `undefined` if there is no such thing. Whether an experiment or a thing of the AI gateway is there is found out
 *   when somebody answers.
 * @throws {GatewayError} `ERR_UPSTREAM_*`
 */
export async function askedAbout(
  type: AskedType,
  key: string,
  lookup: Lookup,
): Promise<AccessRequest['about']> {
  switch (type) {
    case 'run':
      return inExperiment(isPlainId(key) ? await lookup.experimentOfRun(key) : undefined)
    case 'logged_model':
      return inExperiment(isPlainId(key) ? await lookup.experimentOfModel(key) : undefined)
    case 'trace':
      return inExperiment(isPlainId(key) ? await lookup.experimentOfTrace(key) : undefined)
    case 'registered_model':
    case 'prompt': {
      const found = await lookup.registered(key)
      return found && { type: found.kind, key: found.name }
    }
    default:
      return { type, key }
  }
}

function inExperiment(id: string | undefined): AccessRequest['about'] {
  return id === undefined ? undefined : { type: 'experiment', key: id }
}

/** What a request is about, if the caller manages it. What there is not is for administrators to decline. */
export async function managedAbout(
  { about }: AccessRequest,
  caller: Caller,
  parts: AdminParts,
): Promise<ResourceRef | undefined> {
  if (about !== undefined) return managedBy(caller, about.type, about.key, parts)
  return caller.principal.isAdmin ? NOTHING : undefined
}

const NOTHING: ResourceRef = { type: 'server', key: undefined }
