import { GatewayError } from '../errors.ts'
import { assertWholeName, jsonName } from './json.ts'
import { percentDecode } from './path.ts'

/** Fields of a query in order, each with its values in order. */
export type Query = ReadonlyMap<string, readonly string[]>

const EMPTY: Query = new Map()

/**
 * Reads a query string in one way: `+` and `%20` are spaces, and a field may repeat only where the operation takes a
 * list. MLflow takes the first of several, others the last.
 *
 * @param raw What followed the first `?` on the request line; may be empty.
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` for a repeated field (two protobuf spellings count as one) and for a name
 *   with a NUL in it.
 */
export function parseQuery(raw: string, repeated: ReadonlySet<string>): Query {
  if (raw === '') return EMPTY
  if (!raw.includes('&')) return new Map([readField(raw)])
  const fields = new Map<string, string[]>()
  const seen = new Map<string, string>()
  for (const piece of raw.split('&')) {
    if (piece === '') continue
    const [name, [value]] = readField(piece)
    const other = seen.get(jsonName(name))
    if (other !== undefined && !(other === name && repeated.has(name))) {
      throw new GatewayError(
        'ERR_AMBIGUOUS_REQUEST',
        `The query field ${JSON.stringify(name.slice(0, 100))} is given more than once`,
      )
    }
    seen.set(jsonName(name), name)
    const values = fields.get(name)
    if (values) values.push(value)
    else fields.set(name, [value])
  }
  return fields
}

function readField(piece: string): [name: string, values: [string]] {
  const equals = piece.indexOf('=')
  const name = decode(equals === -1 ? piece : piece.slice(0, equals))
  assertWholeName(name)
  return [name, [equals === -1 ? '' : decode(piece.slice(equals + 1))]]
}

function decode(raw: string): string {
  return percentDecode(raw.includes('+') ? raw.replaceAll('+', ' ') : raw)
}

/** Writes a query from what was read, so that only what was judged is forwarded. Empty or `?...`. */
export function buildQuery(query: Query): string {
  const parts: string[] = []
  for (const [name, values] of query) {
    for (const value of values) parts.push(`${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}
