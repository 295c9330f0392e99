import { readOwnJson } from '../console/own-body.ts'
import { GatewayError } from '../errors.ts'
import { parseQuery } from '../mlflow/query.ts'

/** What a request says, read in one way. Every method throws {@link GatewayError} `ERR_INVALID_PARAMETER`. */
export type Parameters = {
  readonly text: (name: string) => string
  /** Undefined where it is left out or null. */
  readonly optionalText: (name: string) => string | undefined
  /** A whole number above zero, as a JSON number or in digits. */
  readonly number: (name: string) => number
  readonly flag: (name: string) => boolean
  /** A field of the query that may be given several times. */
  readonly texts: (name: string) => readonly string[]
  readonly has: (name: string) => boolean
}

type Sent = {
  readonly method: string
  readonly url: string
  readonly contentType: string | undefined
  /** Bytes, if there were any. */
  readonly body: unknown
}

const REPEATED: ReadonlySet<string> = new Set(['workspace'])

/**
 * Reads a GET by its query, a POST or PATCH by its JSON body, and a DELETE by its body if it has one
 * (`_get_request_param` in mlflow/server/auth, 3.17.2); there MLflow leaves the other one unread, here it may not be there.
 *
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` for what can be read in two ways; `ERR_UNSUPPORTED_MEDIA_TYPE`.
 */
export function readParameters({ method, url, contentType, body }: Sent): Parameters {
  const mark = url.indexOf('?')
  const query = parseQuery(mark === -1 ? '' : url.slice(mark + 1), REPEATED)
  const hasBody = body instanceof Uint8Array && body.length > 0
  const isRead = method === 'GET' || method === 'HEAD'
  if (isRead || (method === 'DELETE' && !hasBody)) {
    if (hasBody) throw twice('a body')
    return parametersOf(new Map([...query].map(([name, values]) => [name, values[0]])), query)
  }
  if (query.size > 0) throw twice('a query')
  return parametersOf(new Map(Object.entries(readOwnJson(contentType, body))), query)
}

function parametersOf(
  values: ReadonlyMap<string, unknown>,
  query: ReadonlyMap<string, readonly string[]>,
): Parameters {
  const given = (name: string) => values.get(name) ?? undefined
  const needed = (name: string) => {
    const value = given(name)
    if (value === undefined) throw invalid(`The parameter ${name} is missing`)
    return value
  }
  return {
    text: (name) => asText(name, needed(name)),
    optionalText: (name) => {
      const value = given(name)
      return value === undefined ? undefined : asText(name, value)
    },
    number: (name) => asNumber(name, needed(name)),
    flag: (name) => {
      const value = needed(name)
      if (typeof value !== 'boolean') throw invalid(`${name} must be true or false`)
      return value
    },
    texts: (name) => (query.get(name) ?? []).map((value) => asText(name, value)),
    has: (name) => given(name) !== undefined,
  }
}

/** No zero bytes and no halves of characters: databases do not keep them as they are. */
function asText(name: string, value: unknown): string {
  if (typeof value === 'string' && value.isWellFormed() && !value.includes('\0')) return value
  throw invalid(`${name} must be a text`)
}

function asNumber(name: string, value: unknown): number {
  const number = typeof value === 'string' && /^[1-9][0-9]{0,14}$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number) && number > 0) return number
  throw invalid(`${name} must be a whole number above zero`)
}

function invalid(message: string): GatewayError {
  return new GatewayError('ERR_INVALID_PARAMETER', message)
}

function twice(what: string): GatewayError {
  return new GatewayError('ERR_AMBIGUOUS_REQUEST', `This request has ${what}, which is not read here`)
}
