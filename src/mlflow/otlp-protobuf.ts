import { isTraceId, NAMES_ITS_TRACE, odd, type RawAttribute, type RawSpan } from './otlp.ts'

/**
 * The few fields of `ExportTraceServiceRequest` that say whose traces the spans belong to, read off the wire format
 * (https://protobuf.dev/programming-guides/encoding/) by hand: six messages and seven fields, by number, from
 * opentelemetry/proto/trace/v1/trace.proto. A field that may be given once is refused when it is given twice (parsers
 * take the last, or merge), and so is a known field under another wire type, a group, or a number in more bytes than
 * it needs.
 */
export function readOtlpProtobuf(bytes: Uint8Array): RawSpan[] {
  return inside(bytes, RESOURCE_SPANS)
    .flatMap((resource) => inside(resource, SCOPE_SPANS))
    .flatMap((scope) => inside(scope, SPANS))
    .map(readSpan)
}

const RESOURCE_SPANS = 1
const SCOPE_SPANS = 2
const SPANS = 2
const TRACE_ID = 1
const ATTRIBUTES = 9
const KEY = 1
const VALUE = 2
const STRING_VALUE = 1

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function readSpan(span: Uint8Array): RawSpan {
  const [id, ...more] = inside(span, TRACE_ID)
  const traceId = Buffer.from(id ?? []).toString('hex')
  if (more.length > 0 || !isTraceId(traceId)) throw odd('a span must have one trace id of 16 bytes')
  return { traceId, attributes: inside(span, ATTRIBUTES).map(readAttribute) }
}

function readAttribute(attribute: Uint8Array): RawAttribute {
  const [bytes, ...more] = inside(attribute, KEY)
  if (more.length > 0) throw odd('an attribute has two keys')
  const key = text(bytes ?? new Uint8Array())
  return { key, text: key === NAMES_ITS_TRACE ? textOf(inside(attribute, VALUE)) : undefined }
}

/** @returns The text of a value that is nothing else: parsers merge several, and of its alternatives take the last. */
function textOf(values: readonly Uint8Array[]): string | undefined {
  const [value, ...more] = values
  if (value === undefined || more.length > 0) return undefined
  const [string] = inside(value, STRING_VALUE)
  // A tag of one byte, then the string to the end: then there is no other field.
  const isAll = string !== undefined && string.byteOffset + string.length === value.byteOffset + value.length
  const isFirst = value[0] === ((STRING_VALUE << 3) | DELIMITED)
  return isAll && isFirst && inside(value, STRING_VALUE).length === 1 ? text(string) : undefined
}

function text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw odd('the text of an attribute is not UTF-8')
  }
}

const [VARINT, FIXED64, DELIMITED, FIXED32] = [0, 1, 2, 5]

/** The values of one length-delimited field of a message, in order. Every other field is stepped over. */
function inside(message: Uint8Array, field: number): Uint8Array[] {
  const found: Uint8Array[] = []
  const reader = new Reader(message)
  while (!reader.atEnd) {
    const tag = reader.length()
    const number = tag >>> 3
    const wireType = tag & 7
    if (number === 0 || (number === field && wireType !== DELIMITED)) throw odd('a field has the wrong type')
    if (wireType === DELIMITED) {
      const value = reader.take(reader.length())
      if (number === field) found.push(value)
    } else if (wireType === VARINT) reader.skipVarint()
    else if (wireType === FIXED64) reader.take(8)
    else if (wireType === FIXED32) reader.take(4)
    else throw odd('a group')
  }
  return found
}

class Reader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length
  }

  take(length: number): Uint8Array {
    if (this.#at + length > this.#bytes.length) throw odd('it ends in the middle of a field')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** A tag or a length: below 2^32, in as few bytes as it takes. */
  length(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) {
        if ((byte === 0 && shift > 0) || value >= 2 ** 32) break
        return value
      }
    }
    throw odd('a number is too long')
  }

  skipVarint(): void {
    for (let count = 0; count < 10; count++) if (this.#byte() < 0x80) return
    throw odd('a number is too long')
  }

  #byte(): number {
    return this.take(1)[0] ?? 0
  }
}
