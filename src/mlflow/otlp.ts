import { GatewayError } from '../errors.ts'
import { readJsonObject } from './json.ts'
import { isObject } from './lookup.ts'
import { readOtlpProtobuf } from './otlp-protobuf.ts'

/** What of an OTLP export decides where its spans go. */
export type ExportedSpans = {
  /** As MLflow writes them, `tr-<32 hex>`, each once. */
  readonly traceIds: readonly string[]
  /** Tags that the spans put on their traces, each once. */
  readonly traceTags: readonly string[]
}

/** A span as the two encodings agree on it. */
export type RawSpan = {
  /** 32 hexadecimal digits, lower case. */
  readonly traceId: string
  readonly attributes: readonly RawAttribute[]
}

export type RawAttribute = {
  readonly key: string
  /** Of {@link NAMES_ITS_TRACE} only; `undefined` if it is anything but one string. */
  readonly text: string | undefined
}

/** Most values of a JSON export: a batch of 512 spans with all they carry. */
const MAX_VALUES = 500_000

/** An attribute of this prefix becomes a tag of the trace (`SpanAttributeKey.TRACE_TAG_PREFIX`, 3.17.2). */
const TAG_PREFIX = 'mlflow.traceTag.'

/** Up to 3.10 this attribute, and not the id of the span's trace, says which trace a span is added to (`Span.from_otel_proto`). */
export const NAMES_ITS_TRACE = 'mlflow.traceRequestId'

/** What announces an export in OTLP/HTTP: the two types MLflow tells apart. */
export const OTLP_TYPES = ['application/x-protobuf', 'application/json'] as const
export type OtlpType = (typeof OTLP_TYPES)[number]

/**
 * Reads the spans of an OTLP export (`ExportTraceServiceRequest`), strictly: what MLflow's own parser could read in
 * another way is refused. All else in it is MLflow's business and stays as it was sent.
 *
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST`, `ERR_BODY_TOO_LARGE`.
 */
export function readSpans(type: OtlpType, bytes: Uint8Array): ExportedSpans {
  const spans = type === 'application/json' ? spansOfJson(bytes) : readOtlpProtobuf(bytes)
  for (const span of spans) assertOneTrace(span)
  const keys = spans.flatMap(({ attributes }) => attributes.map(({ key }) => key))
  return {
    traceIds: [...new Set(spans.map(({ traceId }) => `tr-${traceId}`))],
    traceTags: [
      ...new Set(keys.flatMap((key) => (key.startsWith(TAG_PREFIX) ? [key.slice(TAG_PREFIX.length)] : []))),
    ],
  }
}

/** MLflow's own clients send the attribute along, as text or as text in JSON; then it repeats the id. */
function assertOneTrace({ traceId, attributes }: RawSpan): void {
  for (const { key, text } of attributes) {
    if (key === NAMES_ITS_TRACE && text !== `tr-${traceId}` && text !== `"tr-${traceId}"`) {
      throw odd(`${NAMES_ITS_TRACE} of a span names another trace than its traceId`)
    }
  }
}

export function odd(what: string): GatewayError {
  return new GatewayError(
    'ERR_AMBIGUOUS_REQUEST',
    `The OTLP export can be read in more than one way: ${what}`,
  )
}

/** OTLP JSON writes ids in hexadecimal and fields in camel case; MLflow reads snake case too, and ids in it as base64. */
function spansOfJson(bytes: Uint8Array): RawSpan[] {
  const { value } = readJsonObject(bytes, MAX_VALUES)
  return list(value, 'resourceSpans', 'resource_spans').flatMap((resource) =>
    list(resource, 'scopeSpans', 'scope_spans').flatMap((scope) => list(scope, 'spans').map(spanOfJson)),
  )
}

function spanOfJson(span: Readonly<Record<string, unknown>>): RawSpan {
  const id = span['traceId']
  if (Object.hasOwn(span, 'trace_id') || typeof id !== 'string' || !isTraceId(id)) {
    throw odd('traceId must be 32 hexadecimal digits')
  }
  const attributes = list(span, 'attributes').map(({ key, value }) => {
    if (typeof key !== 'string') throw odd('an attribute must have a key')
    const [text, ...more] = isObject(value) ? Object.entries(value) : []
    const isText = text?.[0] === 'stringValue' && typeof text[1] === 'string' && more.length === 0
    return { key, text: isText ? String(text[1]) : undefined }
  })
  return { traceId: id.toLowerCase(), attributes }
}

/** Shorter and longer ids are the same number to MLflow, and zero is none (W3C Trace Context §3.2.2.3). */
export function isTraceId(id: string): boolean {
  return /^[0-9a-f]{32}$/i.test(id) && !/^0+$/.test(id)
}

function list(
  value: Readonly<Record<string, unknown>>,
  field: string,
  otherSpelling?: string,
): readonly Readonly<Record<string, unknown>>[] {
  if (otherSpelling !== undefined && Object.hasOwn(value, otherSpelling)) {
    throw odd(`${otherSpelling} is spelled ${field}`)
  }
  const items = value[field]
  if (items === undefined) return []
  if (!Array.isArray(items) || !items.every(isObject)) throw odd(`${field} must be a list of objects`)
  return items
}
