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

/**
 * Reads a raw path (as it stood on the request line, without the query) against a template, or says `undefined` if it
 * is not of that form. Literal segments must be written exactly so, without escapes; values are percent-decoded once.
 *
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` for a value that a second reader could take for another one: an
 *   empty or dot segment, an encoded slash, a backslash, a control character, `#`, something still percent-encoded
 *   after one decoding (MLflow decodes artifact paths until nothing changes), invalid UTF-8.
 */
export function matchPath(template: PathTemplate, rawPath: string): PathParams | undefined {
  if (template.isFixed) return rawPath === template.text ? NO_PARAMS : undefined
  if (!rawPath.startsWith('/')) return undefined
  return matchSegments(template.segments, rawPath.slice(1).split('/'), {})
}

function matchSegments(
  template: readonly Segment[],
  raw: readonly string[],
  params: PathParams,
): PathParams | undefined {
  const [segment, ...others] = template
  if (segment === undefined) return raw.length === 0 ? params : undefined
  if (segment.kind === 'rest') {
    // Greedy, as Werkzeug and Starlette are: the shortest remainder that still fits what follows.
    for (let taken = raw.length - others.length; taken >= 1; taken--) {
      const tail = matchSegments(others, raw.slice(taken), params)
      if (tail) return { ...tail, [segment.name]: raw.slice(0, taken).map(decodeSegment).join('/') }
    }
    return undefined
  }
  const [head, ...remaining] = raw
  if (head === undefined) return undefined
  if (segment.kind === 'literal') {
    return head === segment.text ? matchSegments(others, remaining, params) : undefined
  }
  if (!head.endsWith(segment.suffix)) return undefined
  const value = decodeSegment(head.slice(0, head.length - segment.suffix.length))
  return matchSegments(others, remaining, { ...params, [segment.name]: value })
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
