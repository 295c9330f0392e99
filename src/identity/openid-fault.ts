import * as client from 'openid-client'
import type { GatewayError } from '../errors.ts'
import { oauthError, signInFailed, unreachable } from './provider.ts'

/** Turns what openid-client throws into a refusal: a provider that is away is told from one that says no. */
export function toRefusal(label: string, fault: unknown, message: string): GatewayError {
  if (isAway(fault)) return unreachable(label, fault)
  const challenged = challengeError(fault)
  if (challenged === undefined) return signInFailed(message, fault, oauthError(fault))
  return signInFailed(message, Object.assign(new Error(challenged), { error: challenged }), challenged)
}

function isAway(fault: unknown): boolean {
  if (fault instanceof TypeError) return true // What fetch rejects with.
  if (fault instanceof client.ResponseBodyError) return fault.status >= 500
  if (!(fault instanceof client.ClientError)) return false
  if (fault.code === 'OAUTH_TIMEOUT' || fault.code === 'OAUTH_ABORT') return true
  return fault.cause instanceof Response && (fault.cause.status >= 500 || fault.cause.status === 429)
}

/**
 * A provider that refuses a client by HTTP Basic has to challenge it (RFC 6749 §5.2), which openid-client reports in
 * place of the body that says `invalid_client`: a wrong client secret would be on record as nothing in particular.
 */
function challengeError(fault: unknown): string | undefined {
  if (!(fault instanceof client.WWWAuthenticateChallengeError)) return undefined
  const named = fault.cause.map(({ parameters }) => parameters.error).find((error) => error !== undefined)
  if (named !== undefined) return named.slice(0, 60)
  return fault.cause.some(({ scheme }) => scheme === 'basic') ? 'invalid_client' : undefined
}
