import type { Config } from '../config.ts'
import { GatewayError } from '../errors.ts'
import type { RedisConnection } from '../store/redis.ts'
import { addressKey } from './address-key.ts'
import { createConcurrencyLimit } from './concurrency-limit.ts'
import { createRateLimit, type RateLimit } from './rate-limit.ts'
import { createSharedRateLimit, type SharedRateLimit } from './shared-rate-limit.ts'

/**
 * How much one principal, or one address of people who are not signed in, may ask for, so that none can keep the others
 * from theirs. What is counted on the warm path is in this process's memory; sign-ins and refused credentials are
 * counted for all replicas, where there is a Redis.
 *
 * Each throws {@link GatewayError} `ERR_TOO_MANY_REQUESTS`, with what to wait in `retryAfter`.
 */
export type Limits = {
  /** A request of somebody known. */
  readonly assertPrincipal: (userId: string) => void
  /** One more request of theirs is on its way to MLflow, until {@link Limits.leave}. */
  readonly enter: (userId: string) => void
  readonly leave: (userId: string) => void
  /** A request of nobody known. */
  readonly assertAddress: (address: string) => void
  /** The begin or the end of a sign-in. */
  readonly assertSignIn: (address: string) => Promise<void>
  /** Before a credential is verified that has not been seen lately: not from where too many were refused. */
  readonly assertMayVerify: (address: string) => Promise<void>
  /** A credential from there was refused. */
  readonly noteRefused: (address: string) => Promise<void>
}

export type LimitsOptions = {
  readonly config: Pick<
    Config,
    'rateLimitPrincipal' | 'rateLimitAddress' | 'rateLimitSignIn' | 'concurrencyLimitPrincipal'
  >
  /** Milliseconds, never going back. */
  readonly nowMs: () => number
  /** Where replicas count together. */
  readonly redis?: Pick<RedisConnection, 'run'> | undefined
}

const alone = (limit: RateLimit): SharedRateLimit => ({
  take: async (key) => limit.take(key),
  look: async (key) => limit.look(key),
})

/** Seconds' worth of requests that may come at once: a page of MLflow's asks for some fifty things. */
const BURST = 10

export function createLimits({ config, nowMs, redis }: LimitsOptions): Limits {
  const perSecond = (rate: number) => createRateLimit({ perSecond: rate, burst: rate * BURST, nowMs })
  const perMinute = (rate: number) => createRateLimit({ perSecond: rate / 60, burst: rate, nowMs })
  const principals = perSecond(config.rateLimitPrincipal)
  const addresses = perSecond(config.rateLimitAddress)
  const shared = (name: string): SharedRateLimit => {
    const local = perMinute(config.rateLimitSignIn)
    if (redis === undefined || config.rateLimitSignIn === 0) return alone(local)
    const rate = { perSecond: config.rateLimitSignIn / 60, burst: config.rateLimitSignIn }
    return createSharedRateLimit({ redis, name, ...rate, local })
  }
  const signIns = shared('sign-in')
  const refused = shared('refused')
  const concurrency = createConcurrencyLimit(config.concurrencyLimitPrincipal)
  return {
    assertPrincipal: (userId) => assertLeft(principals.take(userId), PRINCIPAL),
    enter(userId) {
      if (!concurrency.enter(userId)) throw tooMany(1, CONCURRENCY)
    },
    leave: concurrency.leave,
    assertAddress: (address) => assertLeft(addresses.take(addressKey(address)), ADDRESS),
    assertSignIn: async (address) => assertLeft(await signIns.take(addressKey(address)), SIGN_IN),
    assertMayVerify: async (address) => assertLeft(await refused.look(addressKey(address)), REFUSED),
    noteRefused: async (address) => void (await refused.take(addressKey(address))),
  }
}

type Words = { readonly reason: string; readonly message: string }

const PRINCIPAL: Words = {
  reason: 'rate_of_principal',
  message: 'You send more requests than one person or service account may (RATE_LIMIT_PRINCIPAL)',
}
const CONCURRENCY: Words = {
  reason: 'concurrency_of_principal',
  message:
    'You have as many requests under way as one person or service account may (CONCURRENCY_LIMIT_PRINCIPAL)',
}
const ADDRESS: Words = {
  reason: 'rate_of_address',
  message: 'More requests come from your address without a sign-in than may (RATE_LIMIT_ADDRESS)',
}
const SIGN_IN: Words = {
  reason: 'rate_of_sign_ins',
  message: 'More sign-ins come from your address than may (RATE_LIMIT_SIGN_IN)',
}
const REFUSED: Words = {
  reason: 'rate_of_refused_credentials',
  message:
    'Too many credentials from your address were refused (RATE_LIMIT_SIGN_IN): correct the token a script sends',
}

function assertLeft(seconds: number, words: Words): void {
  if (seconds > 0) throw tooMany(seconds, words)
}

function tooMany(seconds: number, { reason, message }: Words): GatewayError {
  const retryAfter = Math.ceil(seconds)
  return new GatewayError('ERR_TOO_MANY_REQUESTS', `${message}; wait ${retryAfter} s and try again`, {
    reason,
    retryAfter,
  })
}
