import { GatewayError } from '../errors.ts'

type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'param'; readonly name: string; readonly suffix: string }
  | { readonly kind: 'rest'; readonly name: string }

/** A path as MLflow declares it, e.g. `/api/2.0/mlflow/logged-models/<model_id>/tags/<tag_key>`. */
export type PathTemplate = {
  readonly text: string
  readonly segments: readonly Segment[]
  /** No value stands in it. */
  readonly isFixed: boolean
}

export type PathParams = Readonly<Record<string, string>>

/** @param text `<id>` is one segment (a literal may follow it: `<name>:verb`), `<path:rest>` one or more. */
export function compileTemplate(text: string): PathTemplate {
  const segments = text.slice(1).split('/').map(compileSegment)
  return { text, segments, isFixed: segments.every(({ kind }) => kind === 'literal') }
}

function compileSegment(text: string): Segment {
  const rest = /^<path:(\w+)>$/.exec(text)
  if (rest?.[1]) return { kind: 'rest', name: rest[1] }
  const param = /^<(\w+)>(.*)$/.exec(text)
  if (param?.[1]) return { kind: 'param', name: param[1], suffix: param[2] ?? '' }
  return { kind: 'literal', text }
}

const NO_PARAMS: PathParams = {}

/** Deeper than any artifact lies; few enough that trying every division of a path is quick. */
const MAX_SEGMENTS = 256

/**
 * Reads a raw path (as it stood on the request line, without the query) against a template, or says `undefined` if it
 * is not of that form. Literal segments must be written exactly so, without escapes; values are percent-decoded once.
 *
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` for a value that a second reader could take for another one: an
 *   empty or dot segment, an encoded slash, a backslash, a control character, `#`, something still percent-encoded
 *   after one decoding (MLflow decodes artifact paths until nothing changes), invalid UTF-8; and for a path that can be
 *   divided among the values in two ways. `ERR_INVALID_PARAMETER` for one of more than 256 segments.
 */
export function matchPath(template: PathTemplate, rawPath: string): PathParams | undefined {
  if (template.isFixed) return rawPath === template.text ? NO_PARAMS : undefined
  if (!rawPath.startsWith('/')) return undefined
  const raw = rawPath.slice(1).split('/', MAX_SEGMENTS + 1)
  if (raw.length > MAX_SEGMENTS) {
    throw new GatewayError('ERR_INVALID_PARAMETER', `The path has more than ${MAX_SEGMENTS} segments`)
  }
  const { segments } = template
  const found: Division[] = []
  divide({ segments, raw, found }, [], 0)
  const [division, other] = found
  // Werkzeug takes the shortest that fits, Starlette the longest.
  if (other !== undefined) throw ambiguous('its values can be divided in more than one way')
  return division && valuesOf(segments, raw, division)
}

/** How many segments of a path each segment of a template takes. */
type Division = readonly number[]
type Search = {
  readonly segments: readonly Segment[]
  readonly raw: readonly string[]
  readonly found: Division[]
}

/** Finds the first two ways to continue a division; `at` segments of the path are taken already. */
function divide(search: Search, taken: Division, at: number): void {
  const { segments, raw, found } = search
  const segment = segments[taken.length]
  if (segment === undefined) {
    if (at === raw.length) found.push(taken)
    return
  }
  if (segment.kind !== 'rest') {
    if (fits(segment, raw[at])) divide(search, [...taken, 1], at + 1)
    return
  }
  const behind = segments.length - taken.length - 1
  const most = raw.length - at - behind
  for (let count = behind === 0 ? Math.max(most, 1) : 1; count <= most && found.length < 2; count++) {
    divide(search, [...taken, count], at + count)
  }
}

function fits(segment: Exclude<Segment, { kind: 'rest' }>, raw: string | undefined): boolean {
  if (raw === undefined) return false
  return segment.kind === 'literal' ? raw === segment.text : raw.endsWith(segment.suffix)
}

function valuesOf(segments: readonly Segment[], raw: readonly string[], division: Division): PathParams {
  const params: Record<string, string> = {}
  let at = 0
  for (const [index, segment] of segments.entries()) {
    const taken = raw.slice(at, at + (division[index] ?? 0))
    at += taken.length
    if (segment.kind === 'rest') params[segment.name] = taken.map(decodeSegment).join('/')
    else if (segment.kind === 'param') {
      const [head = ''] = taken
      params[segment.name] = decodeSegment(head.slice(0, head.length - segment.suffix.length))
    }
  }
  return params
}

/** Control characters, backslash, slash and `#`: each read differently by somebody on the way. */
const FORBIDDEN = /[\p{Cc}\\/#]/u
const STILL_ENCODED = /%[0-9a-f]{2}/i

function decodeSegment(raw: string): string {
  const value = percentDecode(raw)
  if (value === '' || value === '.' || value === '..')
    throw ambiguous('empty and dot segments are not allowed')
  if (FORBIDDEN.test(value))
    throw ambiguous('slashes, backslashes, # and control characters may not be encoded in it')
  if (STILL_ENCODED.test(value)) throw ambiguous('it is percent-encoded more than once')
  return value
}

/** @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` for a broken escape or invalid UTF-8. */
export function percentDecode(raw: string): string {
  if (!raw.includes('%')) return raw
  try {
    return decodeURIComponent(raw)
  } catch (cause) {
    throw new GatewayError('ERR_AMBIGUOUS_REQUEST', 'A percent-escape in the URL is broken or not UTF-8', {
      cause,
    })
  }
}

function ambiguous(why: string): GatewayError {
  return new GatewayError('ERR_AMBIGUOUS_REQUEST', `The path can be read in more than one way: ${why}`)
}

/** Writes a path from a template and the values that were judged: the only form in which it is forwarded. */
export function buildPath(template: PathTemplate, params: PathParams): string {
  if (template.isFixed) return template.text
  const parts = template.segments.map((segment) => {
    if (segment.kind === 'literal') return segment.text
    const value = params[segment.name] ?? ''
    const encoded = value.split('/').map(encodeURIComponent).join('/')
    return segment.kind === 'param' ? encoded + segment.suffix : encoded
  })
  return `/${parts.join('/')}`
}

/**
 * The same template for Fastify's router. From a segment the router has no notation for (a value in the middle that
 * may hold slashes, a literal glued to a value) a wildcard stands for the remainder, and {@link matchPath} decides.
 */
export function routerUrl(template: PathTemplate): string {
  const parts: string[] = []
  for (const [index, segment] of template.segments.entries()) {
    if (segment.kind === 'rest' || (segment.kind === 'param' && segment.suffix !== '')) {
      parts.push('*')
      break
    }
    parts.push(segment.kind === 'literal' ? segment.text : `:p${index}`)
  }
  return `/${parts.join('/')}`
}
