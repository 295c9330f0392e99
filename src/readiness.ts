import type { Services } from './mlflow/exchange.ts'
import type { MlflowServices } from './mlflow/services.ts'
import type { UnknownRoutes } from './mlflow/unknown-routes.ts'
import { describeVersion } from './mlflow/upstream-version.ts'
import { certificatePart } from './network/transport.ts'
import type { Parts } from './parts.ts'
import type { Lockdown } from './policy/lockdown.ts'
import type { PolicyWatch } from './policy/policy-watch.ts'

/** Looks whether a part works; rejects, for whatever reason, if not. */
export type HealthCheck = () => Promise<unknown>

export type HealthPart = {
  readonly check: HealthCheck
  /** What is wrong if the check fails; holds no address. */
  readonly reason: string
  /** What else to say of the part, well or not; for everybody to read. */
  readonly detail?: (() => object) | undefined
}

export type HealthParts = Readonly<Record<string, HealthPart>>

/** What has to work for the gateway to be ready, and what else is worth telling: Redis too, without which who is known goes on. */
export function readiness(
  { store, directory, services, version, further, lockdown, policy, transport, now }: Parts,
  unknown: UnknownRoutes,
): { readonly required: HealthParts; readonly optional: HealthParts } & Pick<
  Parts['transport'],
  'isPermitted'
> {
  const { certificate, isPermitted } = transport
  return {
    required: {
      store: { check: store.changes.latest, reason: 'the database does not answer' },
      changes: {
        check: async () => {
          if (!directory.isCurrent()) throw new Error('the feed is old')
        },
        reason: 'what other gateways have changed cannot be read, so that nothing in memory counts',
      },
      upstream: {
        check: () => assertHealthy(services),
        reason: 'the tracking server does not answer',
        detail: () => describeVersion(version, unknown),
      },
    },
    optional: {
      lockdown: { check: async () => {}, reason: '', detail: () => describeLockdown(lockdown) },
      ...Object.fromEntries(further.map((each) => furtherPart(each, unknown))),
      ...(policy && { policy_file: healthOfPolicy(policy) }),
      ...certificatePart(certificate, now),
      ...(store.redis && { redis: { check: store.redis.ping, reason: 'Redis does not answer' } }),
    },
    isPermitted,
  }
}

/** The others go on without it; at its own address it counts. */
function furtherPart(
  { server: { id = '' }, services, version }: MlflowServices,
  unknown: UnknownRoutes,
): readonly [name: string, part: HealthPart] {
  const part = {
    check: () => assertHealthy(services),
    reason: 'this tracking server does not answer',
    detail: () => describeVersion(version, unknown),
  }
  return [`upstream ${id}`, part]
}

/** For everybody to read: that it is so, and not why. */
function describeLockdown(lockdown: Lockdown): object {
  const state = lockdown.current()
  return state === undefined ? { mode: 'off' } : { mode: state.mode, since: state.since }
}

/** Anybody may read it: how many faults and where, but none of their words. */
function healthOfPolicy({ state }: PolicyWatch): HealthPart {
  return {
    check: async () => {
      if (!state().ok) throw new Error('faulty')
    },
    reason: 'the policy file is faulty or gone; what it said before stays in force, and the log says more',
    detail: () => {
      const current = state()
      return current.ok ? {} : { faults: current.faults, lines: current.lines }
    },
  }
}

async function assertHealthy({ upstream }: Pick<Services, 'upstream'>): Promise<void> {
  const { status } = await upstream.send({ method: 'GET', target: '/health', headers: [], body: undefined })
  if (status !== 200) throw new Error(`health answered ${status}`)
}
