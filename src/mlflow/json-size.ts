import { GatewayError } from '../errors.ts'

/** Nested deeper than any request of MLflow, and shallow enough for every parser on the way. */
export const MAX_DEPTH = 64

/** MLflow's largest batch holds some ten thousand. To read a value takes far longer than to send it. */
export const MAX_VALUES = 200_000

/**
 * Longer than any number that means anything. Python refuses to convert an integer of more than 4300 digits, and MLflow
 * takes a body that Python cannot read for `{}`.
 */
export const MAX_NUMBER_LENGTH = 400

const codeOf = (char: string): number => char.charCodeAt(0)
const [QUOTE, BACKSLASH, COMMA] = [codeOf('"'), codeOf('\\'), codeOf(',')]
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [
  codeOf('{'),
  codeOf('}'),
  codeOf('['),
  codeOf(']'),
]

/**
 * Refuses what would take long to read, before it is read: ten megabytes of brackets hold up everybody for seconds. Up
 * to where the text stops being JSON the count is exact, and further `JSON.parse` does not go.
 *
 * @throws {GatewayError} `ERR_BODY_TOO_LARGE` or {@link tooDeep}.
 */
export function assertModest(bytes: Uint8Array, maxValues: number): void {
  let depth = 0
  let values = 1
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE:
        at = endOfString(bytes, at)
        break
      case COMMA:
        values++
        break
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        values++
        if (++depth > MAX_DEPTH + 1) throw tooDeep()
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        depth--
    }
    if (values > maxValues) {
      throw new GatewayError(
        'ERR_BODY_TOO_LARGE',
        `The JSON body holds more than ${maxValues} values; send smaller batches`,
      )
    }
  }
}

/** Where the quote is that ends the string which begins at `start`; the end of the bytes if none does. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = start + 1; at < bytes.length; at++) {
    if (bytes[at] === BACKSLASH) at++
    else if (bytes[at] === QUOTE) return at
  }
  return bytes.length
}

/** The refusal for a text nested deeper than {@link MAX_DEPTH}. */
export function tooDeep(): GatewayError {
  return new GatewayError('ERR_AMBIGUOUS_REQUEST', `The body is nested deeper than ${MAX_DEPTH} levels`)
}
