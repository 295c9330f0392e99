import { GatewayError } from '../errors.ts'
import type { Access, ResourceRef } from '../policy/access.ts'
import { after, type Soon } from '../soon.ts'
import type { Call } from './call.ts'
import type { Lookup } from './lookup.ts'

/** What a locator may ask. Names are looked up only if some grant of the caller speaks of names. */
export type Locating = {
  readonly lookup: Lookup
  readonly access: Pick<Access, 'needsName'>
  /** What the caller holds, to ask no more than it takes to decide; absent for administrators. */
  readonly holding?: Access | undefined
  /** True for a job that the caller started; without it nobody started any. */
  readonly ownsJob?: ((jobId: string) => Promise<boolean>) | undefined
  /** The caller, as MLflow knows them; without one nobody stands in any relation to anything. */
  readonly username?: string | undefined
  /** The workspace that the request is about; absent where none are kept apart. */
  readonly workspace?: string | undefined
  /** True for a workspace that the caller holds something in. */
  readonly isMemberOf?: ((workspace: string) => boolean) | undefined
}

/** How a caller can stand to a thing, whatever they are granted. */
export type Standing = 'owner' | 'custom_owner' | 'member'

/** A resource, and how the caller stands to what was found there. */
export type Found = ResourceRef & { readonly standing?: readonly Standing[] }

/**
 * What a selected value leads to: one resource, several, or none (whatever is nobody's).
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` or `ERR_AMBIGUOUS_REQUEST` if the value could mean something else to MLflow.
 */
export type Locate = (value: string, locating: Locating, call: Call) => Soon<Found | readonly Found[]>

/** Nothing that a grant could cover: only admins. */
export const SERVER: ResourceRef = { type: 'server', key: undefined }
export const NO_EXPERIMENT: ResourceRef = { type: 'experiment', key: undefined }

/** MLflow reads ids with Python's `int()`, which takes many spellings of one number; a grant key has one. */
export const EXPERIMENT_ID = /^(?:0|[1-9][0-9]{0,19})$/

/** What run and model ids are made of; anything else could be read as a path. */
const PLAIN_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,255}$/

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` for an id that could be read as anything but an id. */
export function plainId(id: string): string {
  if (!isPlainId(id))
    throw new GatewayError('ERR_INVALID_PARAMETER', 'Invalid id: letters, digits, - and _ are expected')
  return id
}

/** True for what can be read as an id only. */
export function isPlainId(id: string): boolean {
  return PLAIN_ID.test(id)
}

/** The experiment of that id, with its name if some grant speaks of names. */
export function experimentById(id: string, { lookup, access }: Locating): Soon<ResourceRef> {
  if (!EXPERIMENT_ID.test(id)) {
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      'Invalid experiment id: decimal digits without leading zeros are expected',
    )
  }
  if (!access.needsName('experiment')) return { type: 'experiment', key: id }
  return after(lookup.experiment(id), (found) =>
    found === undefined ? NO_EXPERIMENT : { type: 'experiment', key: id, name: found.name },
  )
}

/** The experiment that something was found in; what was found nowhere is covered by a grant on everything only. */
export function experimentOrNone(id: string | undefined, locating: Locating): Soon<ResourceRef> {
  return id === undefined ? NO_EXPERIMENT : experimentById(id, locating)
}
