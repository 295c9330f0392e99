import type { GatewayError } from '../errors.ts'

const REALM = 'mlflow'

/** RFC 6750 §3: `error_description` holds no quote, no backslash and nothing outside printable ASCII. */
const NOT_IN_DESCRIPTION = /[^\x20-\x21\x23-\x5B\x5D-\x7E]/g

const DESCRIPTION_LIMIT = 300

/** @returns MLflow's error body, which its clients raise as `RestException` with `error_code` and `message`. */
export function mlflowError(code: string, message: string): string {
  return JSON.stringify({ error_code: code, message })
}

/**
 * @returns The `WWW-Authenticate` challenge (RFC 6750 §3) for refusals that a (better) credential would lift: all with
 *   status 401, and `insufficient_scope`. Never `Basic`, for which browsers would ask in a dialog of their own.
 */
export function wwwAuthenticate(error: GatewayError): string | undefined {
  const { status, oauth } = error.refusal
  if (status !== 401 && oauth !== 'insufficient_scope') return undefined
  // RFC 6750 §3.1: no error code when no credential was sent.
  if (oauth === undefined) return `Bearer realm="${REALM}"`
  const description = error.message.replace(NOT_IN_DESCRIPTION, '?').slice(0, DESCRIPTION_LIMIT)
  return `Bearer realm="${REALM}", error="${oauth}", error_description="${description}"`
}
