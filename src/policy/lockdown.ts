import { GatewayError } from '../errors.ts'
import type { Caller } from '../identity/caller.ts'
import type { LockdownState, Lockdowns } from '../store/lockdown.ts'
import type { Directory } from './directory.ts'
import { createFollower } from './follower.ts'

/** The lockdown as this process follows it; asked for every request, so it asks nobody. */
export type Lockdown = {
  readonly current: () => LockdownState | undefined
  /** Resolves once what was changed before is in force here. */
  readonly settled: () => Promise<void>
  readonly stop: () => void
}

export type LockdownOptions = {
  readonly store: { readonly lockdowns: Pick<Lockdowns, 'read'> }
  readonly directory: Pick<Directory, 'onChange'>
  readonly onFault?: ((fault: unknown) => void) | undefined
}

/** Until the store has said that there is none. */
const UNKNOWN: LockdownState = { mode: 'closed', reason: 'the gateway is starting', by: '', since: 0 }

/** In force from the first request on. */
export async function followLockdown({ store, directory, onFault }: LockdownOptions): Promise<Lockdown> {
  let state: LockdownState | undefined = UNKNOWN
  const read = async () => {
    state = await store.lockdowns.read()
  }
  const follower = createFollower({ read, onFault })
  const unfollow = directory.onChange(({ kind }) => {
    if (kind === 'lockdown') void follower.follow()
  })
  await follower.follow()
  return {
    current: () => state,
    settled: follower.settled,
    stop: () => {
      unfollow()
      follower.stop()
    },
  }
}

/**
 * While the gateway is closed, administrators alone.
 *
 * 503 and not 403: it says nothing of what the caller may do, it ends, and MLflow's clients wait and try again, so that a
 * training outlives a short lockdown.
 *
 * @throws {GatewayError} `ERR_LOCKED_DOWN`
 */
export function assertAdmitted(
  state: LockdownState | undefined,
  { principal }: Pick<Caller, 'principal'>,
): void {
  if (state?.mode !== 'closed' || principal.isAdmin) return
  throw lockedDown('The gateway is locked down: nobody but administrators gets in', state)
}

/**
 * While the gateway is read-only, nothing changes in MLflow, whoever asks.
 *
 * @param asked What it is called, and whether it only reads.
 * @throws {GatewayError} `ERR_LOCKED_DOWN`
 */
function assertReads(
  state: LockdownState | undefined,
  asked: { readonly name: string; readonly readOnly: boolean },
): void {
  if (state?.mode !== 'read_only' || asked.readOnly) return
  throw lockedDown(`The gateway is read-only at the moment, and ${asked.name} does more than read`, state)
}

/** Both, for a request to MLflow. @throws {GatewayError} `ERR_LOCKED_DOWN` */
export function assertOpen(
  state: LockdownState | undefined,
  caller: Pick<Caller, 'principal'>,
  operation: { readonly name: string; readonly readOnly: boolean },
): void {
  if (state === undefined) return
  assertAdmitted(state, caller)
  assertReads(state, operation)
}

/**
 * As {@link assertReads}, for what the gateway itself keeps: administrators go on working, or nobody could mend anything.
 */
export function assertMayChange(
  state: LockdownState | undefined,
  { principal }: Pick<Caller, 'principal'>,
  name: string,
): void {
  if (!principal.isAdmin) assertReads(state, { name, readOnly: false })
}

function lockedDown(what: string, { mode, reason }: LockdownState): GatewayError {
  const why = reason === undefined ? '' : `: ${reason}`
  const message = `${what}${why}. Your rights are as they were; try again later, or ask the people who run this server`
  return new GatewayError('ERR_LOCKED_DOWN', message, { reason: `lockdown_${mode}` })
}
