import { GatewayError } from '../errors.ts'
import { readJsonObject } from '../mlflow/json.ts'

/** Most bytes a body for one of our own routes may have. */
export const OWN_BODY_LIMIT = 16 * 1024

const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i
const FORM_TYPE = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i

/**
 * Reads the body of a request to our own JSON API, in one way only (field report 85).
 *
 * @throws {GatewayError} `ERR_UNSUPPORTED_MEDIA_TYPE` for any other spelling of the type; `ERR_AMBIGUOUS_REQUEST` if the
 *   body is not one JSON object without repeated keys.
 */
export function readOwnJson(
  contentType: string | undefined,
  body: unknown,
): Readonly<Record<string, unknown>> {
  assertType(contentType, JSON_TYPE, 'application/json')
  return readJsonObject(asBytes(body)).value
}

/**
 * Reads a form of ours, sent as browsers do.
 *
 * @throws {GatewayError} `ERR_UNSUPPORTED_MEDIA_TYPE`; `ERR_AMBIGUOUS_REQUEST` if a field repeats.
 */
export function readOwnForm(contentType: string | undefined, body: unknown): ReadonlyMap<string, string> {
  assertType(contentType, FORM_TYPE, 'application/x-www-form-urlencoded')
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(Buffer.from(asBytes(body)).toString('utf8'))) {
    if (fields.has(name))
      throw new GatewayError('ERR_AMBIGUOUS_REQUEST', 'A field of the form is given more than once')
    fields.set(name, value)
  }
  return fields
}

function assertType(contentType: string | undefined, expected: RegExp, name: string): void {
  if (contentType !== undefined && expected.test(contentType)) return
  throw new GatewayError('ERR_UNSUPPORTED_MEDIA_TYPE', `Send this with Content-Type: ${name}`)
}

function asBytes(body: unknown): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array()
}
