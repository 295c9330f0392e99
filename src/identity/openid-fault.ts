import * as client from 'openid-client'
import type { GatewayError } from '../errors.ts'
import { oauthError, signInFailed, unreachable } from './provider.ts'

/** Turns what openid-client throws into a refusal: a provider that is away is told from one that says no. */
export function toRefusal(label: string, fault: unknown, message: string): GatewayError {
  return isAway(fault) ? unreachable(label, fault) : signInFailed(message, fault, oauthError(fault))
}

function isAway(fault: unknown): boolean {
  if (fault instanceof TypeError) return true // What fetch rejects with.
  if (fault instanceof client.ResponseBodyError) return fault.status >= 500
  if (!(fault instanceof client.ClientError)) return false
  if (fault.code === 'OAUTH_TIMEOUT' || fault.code === 'OAUTH_ABORT') return true
  return fault.cause instanceof Response && (fault.cause.status >= 500 || fault.cause.status === 429)
}
