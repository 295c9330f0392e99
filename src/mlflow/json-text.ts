import { GatewayError } from '../errors.ts'
import { type JsonNode, scanJsonObject } from './json.ts'
import { MAX_VALUES } from './json-size.ts'

/** What a text in a body holds as JSON, and where each part of it lies: offsets into `source`, which it is part of. */
export type JsonText = { readonly source: string; readonly value: unknown; readonly node: JsonNode }

/** Keys are what they are: what MLflow reads out of a text is no protobuf message. */
const asWritten = (key: string) => key

/**
 * Reads texts that MLflow hands to Python's `json.loads`: only what every parser reads alike, so no key twice, no NaN,
 * nothing after the value. All of them together hold no more than one body may.
 *
 * @param field For the message.
 * @throws {GatewayError} `ERR_INVALID_PARAMETER`
 */
export function readJsonTexts(given: readonly unknown[], field: string): readonly JsonText[] {
  if (!given.every((text): text is string => typeof text === 'string' && text.isWellFormed())) {
    throw unreadable(field)
  }
  try {
    const bytes = Buffer.from(`{"json":[${given.join(',')}]}`)
    const { text: source, value, root } = scanJsonObject(bytes, MAX_VALUES, asWritten)
    // Each is whole by itself, so none has closed what is around it or goes on in the next one.
    for (const text of given) JSON.parse(text)
    const nodes = root.members?.get('json')?.items ?? []
    const values = value['json'] as readonly unknown[]
    return nodes.map((node, index) => ({ source, value: values[index], node }))
  } catch (cause) {
    throw unreadable(field, cause)
  }
}

function unreadable(field: string, cause?: unknown): GatewayError {
  const message = `Invalid value for parameter '${field}': JSON in a text is expected, as every parser reads it alike: no NaN, no key twice`
  return new GatewayError('ERR_INVALID_PARAMETER', message, cause === undefined ? {} : { cause })
}
