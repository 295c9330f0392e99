import { GatewayError } from '../errors.ts'
import { type JsonDocument, scanJsonObject } from './json.ts'

/**
 * Reads an answer of MLflow's to take something out of it. Keys are as MLflow writes them, which is snake case for its
 * own fields; those of users (tags, parameters) may differ in case or underscores only.
 *
 * @throws {GatewayError} `ERR_UPSTREAM_INVALID`: what the tracking server says wrong is no fault of the caller's.
 */
export function readAnswer(bytes: Uint8Array): JsonDocument {
  try {
    return scanJsonObject(bytes, Number.POSITIVE_INFINITY, (key) => key)
  } catch (cause) {
    throw unreadableAnswer(cause)
  }
}

/** The refusal for an answer of which nobody can tell what of it the caller may see. */
export function unreadableAnswer(cause?: unknown): GatewayError {
  const message = 'The tracking server answered with something that cannot be filtered'
  return new GatewayError('ERR_UPSTREAM_INVALID', message, { cause })
}
