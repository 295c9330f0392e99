import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../errors.ts'
import { type JsonDocument, jsonName, readJsonObject } from './json.ts'
import { readJsonTexts } from './json-text.ts'
import type { Operation } from './operation.ts'
import type { ExportedSpans } from './otlp.ts'
import { buildPath, matchPath, type PathParams, type PathTemplate } from './path.ts'
import { buildQuery, parseQuery, type Query } from './query.ts'
import { idsComparedWith, wordsIn } from './search-filter.ts'
import type { Selector } from './selector.ts'
import { type Mark, stepOf } from './step.ts'

/** A request as it was read, once: what is judged, and what is forwarded. */
export type Call = {
  readonly operation: Operation
  readonly method: string
  readonly template: PathTemplate
  readonly params: PathParams
  readonly query: Query
  readonly headers: IncomingMessage['headers']
  /** The JSON body, where the operation has one and one was sent. */
  readonly body: JsonDocument | undefined
  /** What is forwarded of it: the very bytes that were read, unless a step of ours rewrote them. */
  readonly bytes: Uint8Array | undefined
  /** Of an OTLP export. */
  readonly spans?: ExportedSpans
}

/** The request line read against the rows a router found: which row, and the values in the path and the query. */
export type Target = Pick<Call, 'operation' | 'template' | 'params' | 'query'>

/** A row and one of the paths it is served at. */
export type Candidate = { readonly operation: Operation; readonly template: PathTemplate }

/**
 * Reads the request line.
 *
 * @param rawUrl As sent (`request.raw.url`).
 * @returns `undefined` if no candidate is of that form.
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST`, see {@link matchPath} and {@link parseQuery}.
 */
export function readTarget(rawUrl: string, candidates: readonly Candidate[]): Target | undefined {
  const mark = rawUrl.indexOf('?')
  const rawPath = mark === -1 ? rawUrl : rawUrl.slice(0, mark)
  const rawQuery = mark === -1 ? '' : rawUrl.slice(mark + 1)
  for (const { operation, template } of candidates) {
    const params = matchPath(template, rawPath)
    if (params) return { operation, template, params, query: parseQuery(rawQuery, operation.repeated) }
  }
  return undefined
}

/** MLflow matches the media type by exact spelling (SURFACE: query and body); so do we (field report 85). */
const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i
const EXACT_JSON = 'application/json'

/**
 * Checks what the headers say of the body, before any of it is read.
 *
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` for a GET or HEAD with a body (MLflow reads it when the query is
 *   empty) or a repeated header that decides how the body is read; `ERR_UNSUPPORTED_MEDIA_TYPE` for a content coding
 *   or a media type that cannot be inspected.
 */
export function checkFraming(request: IncomingMessage, operation: Operation): void {
  const { headers } = request
  const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
  if (headers['content-encoding'] !== undefined && operation.body !== 'otlp') {
    throw new GatewayError(
      'ERR_UNSUPPORTED_MEDIA_TYPE',
      'Send the body without Content-Encoding: it has to be read here',
    )
  }
  if (!hasBody) return
  if (request.method === 'GET' || request.method === 'HEAD') {
    throw new GatewayError('ERR_AMBIGUOUS_REQUEST', `A ${request.method} request must not have a body`)
  }
  if (operation.body !== 'json') return
  const type = headers['content-type']
  if (
    repeats(request, 'content-type') ||
    type === undefined ||
    !type.startsWith(EXACT_JSON) ||
    !JSON_TYPE.test(type)
  ) {
    throw new GatewayError('ERR_UNSUPPORTED_MEDIA_TYPE', 'Send the body as Content-Type: application/json')
  }
}

function repeats(request: IncomingMessage, name: string): boolean {
  let count = 0
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    if (request.rawHeaders[i]?.toLowerCase() === name) count++
  }
  return count > 1
}

/** Reads a JSON body that was received whole; no bytes at all mean no fields. */
export function readBody(bytes: Uint8Array): Pick<Call, 'body' | 'bytes'> {
  return bytes.length === 0 ? { body: undefined, bytes: undefined } : { body: readJsonObject(bytes), bytes }
}

/** The path and query that are forwarded: rebuilt from what was read. */
export function upstreamTarget(call: Call): string {
  return buildPath(call.template, call.params) + (readsQuery(call) ? buildQuery(call.query) : '')
}

/** MLflow ignores the query of everything but GET, save where a row takes ids from it. */
function readsQuery({ method, operation }: Call): boolean {
  return method === 'GET' || method === 'HEAD' || operation.body === 'stream'
}

/** True if a GET carries the arguments: in its query. */
export function argsInQuery({ method }: Pick<Call, 'method'>): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Most ids judged for one request: the most MLflow takes in one batch. */
const MAX_VALUES = 1000

/**
 * The distinct values a selector picks; of several fields with filters, those of all.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` if a value is absent and not optional, or not a non-empty string;
 *   `ERR_AMBIGUOUS_REQUEST` if alternatives of one field differ (`run_id` and `run_uuid`).
 */
export function select(call: Call, selector: Selector): readonly string[] {
  const { words = [] } = selector
  if (selector.in === 'filter') return bounded(idsComparedWith(textsAt(call, selector), words), selector)
  if (selector.in === 'mention') {
    return bounded(
      textsAt(call, selector).flatMap((text) => wordsIn(text, words)),
      selector,
    )
  }
  const given = selector.names
    .map((path) => valuesAt(call, selector, path))
    .filter((values): values is readonly string[] => values !== undefined)
  const [first, ...others] = given
  if (first === undefined) {
    if (selector.optional) return []
    throw new GatewayError('ERR_INVALID_PARAMETER', `Missing value for required parameter '${selector.text}'`)
  }
  for (const other of others) {
    if (other.length !== first.length || other.some((value, index) => value !== first[index])) {
      throw new GatewayError('ERR_AMBIGUOUS_REQUEST', `'${selector.text}' names two different things`)
    }
  }
  return bounded(first, selector)
}

function bounded(values: readonly string[], selector: Selector): readonly string[] {
  const distinct = values.length < 2 ? values : [...new Set(values)]
  if (distinct.length > MAX_VALUES) {
    throw new GatewayError('ERR_INVALID_PARAMETER', `'${selector.text}' names more than ${MAX_VALUES} things`)
  }
  return distinct
}

/** The texts at all of the selector's names, which need not be there. */
function textsAt(call: Call, selector: Selector): readonly string[] {
  return selector.names.flatMap((path) => {
    if (argsInQuery(call)) return call.query.get(path[0]?.replace('[]', '') ?? '') ?? []
    return textsIn(call.body?.value, path, selector)
  })
}

function textsIn(value: unknown, path: readonly string[], selector: Selector): readonly string[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value.flatMap((item) => textsIn(item, path, selector))
  const [step, ...others] = path
  if (step === undefined) {
    if (typeof value !== 'string') throw wrongType(selector)
    return [value]
  }
  if (typeof value !== 'object') throw wrongType(selector)
  return textsIn(memberOf(value as Record<string, unknown>, step.replace('[]', '')), others, selector)
}

function valuesAt(call: Call, selector: Selector, path: readonly string[]): readonly string[] | undefined {
  const name = (path[0] ?? '').replace('[]', '')
  switch (selector.in) {
    case 'path':
      return [checked(call.params[name], selector)]
    case 'header':
      return call.headers[name] === undefined ? undefined : [checked(call.headers[name], selector)]
    case 'query':
      return call.query.get(name)?.map((value) => checked(value, selector))
    case 'spans':
      return (name === 'trace_ids' ? call.spans?.traceIds : call.spans?.traceTags)?.map((value) =>
        checked(value, selector),
      )
    case 'args':
      if (argsInQuery(call)) return call.query.get(name)?.map((value) => checked(value, selector))
      return call.body === undefined ? undefined : walk(valueFor(call.body, path), path, selector)
    default:
      return undefined
  }
}

/** What a path is followed through: the sample, where that leads as far as the value itself, which may have to be read yet. */
function valueFor(body: JsonDocument, path: readonly string[]): JsonDocument['value'] {
  const { sample, shortened } = body
  if (shortened.size === 0) return sample
  const [step = '', ...others] = path
  const member = memberOf(sample, stepOf(step).field)
  return shortened.has(member) && mayLeadTo(member, others) ? body.value : sample
}

/** False only if no object that the path comes by has the member it asks for next. */
function mayLeadTo(value: unknown, path: readonly string[]): boolean {
  const [step, ...others] = path
  if (value === undefined) return false
  if (step === undefined || typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.some((item) => mayLeadTo(item, path))
  return mayLeadTo(memberOf(value as Record<string, unknown>, stepOf(step).field), others)
}

/** Follows `metrics[].model_id` through a JSON body; a null is an unset field (protobuf JSON mapping). */
function walk(value: unknown, path: readonly string[], selector: Selector): readonly string[] | undefined {
  const [step, ...others] = path
  if (step === undefined) return selector.blank && value === '' ? undefined : [checked(value, selector)]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(selector)
  const { field, marks } = stepOf(step)
  const member = memberOf(value as Record<string, unknown>, field)
  if (member === undefined || member === null) return undefined
  return unfold(member, marks, others, selector)
}

/** What a member holds, seen through its marks. */
function unfold(
  value: unknown,
  [mark, ...marks]: readonly Mark[],
  path: readonly string[],
  selector: Selector,
): readonly string[] | undefined {
  if (mark === undefined) return walk(value, path, selector)
  if (mark === '{}') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrongType(selector)
    return Object.keys(value)
  }
  if (mark === '!') {
    const [text] = readJsonTexts([value], selector.text)
    return unfold(text?.value, marks, path, selector)
  }
  if (!Array.isArray(value)) throw wrongType(selector)
  if (marks[0] === '!') {
    // All at once, for together they must not hold more than a body may.
    const texts = readJsonTexts(value, selector.text)
    return texts.flatMap((text) => unfold(text.value, marks.slice(1), path, selector) ?? [])
  }
  return value.flatMap((item) => unfold(item, marks, path, selector) ?? [])
}

/** A field of a JSON body under either protobuf spelling; that both are there was refused when it was read. */
export function memberOf(object: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(object, name)) return object[name]
  const other = otherSpelling(name)
  return other !== name && Object.hasOwn(object, other) ? object[other] : undefined
}

/** Fields are asked for by names of ours, never by what was sent, so there are only so many. */
const SPELLINGS = new Map<string, string>()

function otherSpelling(field: string): string {
  const known = SPELLINGS.get(field)
  if (known !== undefined) return known
  const name = jsonName(field)
  SPELLINGS.set(field, name)
  return name
}

/** Longer than any id, name or path of MLflow's; what is selected is looked up, and goes on record. */
const MAX_LENGTH = 4096

function checked(value: unknown, selector: Selector): string {
  if (typeof value !== 'string' || value === '' || !value.isWellFormed()) throw wrongType(selector)
  if (value.length > MAX_LENGTH) {
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      `Invalid value for parameter '${selector.text}': longer than ${MAX_LENGTH} characters`,
    )
  }
  return value
}

function wrongType(selector: Selector): GatewayError {
  return new GatewayError(
    'ERR_INVALID_PARAMETER',
    `Invalid value for parameter '${selector.text}': a non-empty string is expected`,
  )
}
