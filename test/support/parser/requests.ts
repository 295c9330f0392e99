import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { apply, fieldsOf, filled, type Node, nodeOf, type Twist, textOf, twist } from './arguments.ts'
import { exportOf, type SpanTwist, spanTwist } from './otlp.ts'
import { SHAPES, type Shape } from './shapes.ts'
import { type Ids, TENANTS, type Tenant } from './world.ts'

/** A request before its ids are filled in; small numbers and short lists are the plain ones. */
export type Plan = {
  /** Whose: holds alpha's things, or everything. */
  readonly as: 'editor' | 'outsider'
  readonly shape: Shape
  readonly tenant: Tenant
  readonly ajax: boolean
  readonly swaps: readonly boolean[]
  readonly twists: readonly Twist[]
  readonly method: string | undefined
  readonly pathTwist: PathTwist
  readonly escaping: Escaping
  /** Sends ids of this tenant's in the place where MLflow is not to look: a body of a GET, a query of anything else. */
  readonly aside: Tenant | undefined
  readonly headers: readonly string[]
  readonly headerTwist: HeaderTwist
  readonly framing: Framing
  readonly wrapping: Wrapping
  readonly spanTwists: readonly SpanTwist[] | undefined
}

export type Request = { readonly target: string; readonly bytes: Buffer }

const PATH_TWISTS = {
  plain: (path: string) => path,
  slashes: (path: string) => path.replace(/\/(?=[^/]+$)/, '//'),
  front: (path: string) => `/${path}`,
  trailing: (path: string) => `${path}/`,
  dot: (path: string) => path.replace(/\/(?=[^/]+$)/, '/./'),
  climb: (path: string) => path.replace(/\/(?=[^/]+$)/, '/x/../'),
  escapedLetter: (path: string) => path.replace(/[a-z0-9](?=[^a-z0-9]*$)/, hex),
  escapedDigit: (path: string) => path.replace(/\/(\d)(?=\/)/, (_, digit: string) => `/${hex(digit)}`),
  escapedTwice: (path: string) =>
    path.replace(/\/(\d)(?=\/)/, (_, digit: string) => `/${hex(digit).replace('%', '%25')}`),
  escapedSlash: (path: string) => path.replace(/\/(?=[^/]+$)/, '%2F'),
  backslash: (path: string) => path.replace(/\/(?=[^/]+$)/, '\\'),
  parameter: (path: string) => `${path};x=1`,
  nul: (path: string) => `${path}%00`,
  blank: (path: string) => `${path}%20`,
  upper: (path: string) => path.replace(/[a-z](?=[^a-z]*$)/, (char) => char.toUpperCase()),
  fragment: (path: string) => `${path}#x`,
  query: (path: string) => `${path}%3Fexperiment_id=2`,
  v2: (path: string) => path.replace('/3.0/', '/2.0/'),
  v3: (path: string) => path.replace('/2.0/', '/3.0/'),
  absolute: (path: string) => `http://127.0.0.1${path}`,
  workspace: (path: string) => path.replace('/artifacts/', '/artifacts/./workspaces/default/'),
  unnormalized: (path: string) => path.replace(/([0-9])(?=[^0-9]*$)/, (digit) => `%EF%BC%9${digit}`),
} as const
type PathTwist = keyof typeof PATH_TWISTS

function hex(char: string): string {
  return `%${char.charCodeAt(0).toString(16)}`
}

const ESCAPINGS = {
  plain: encodeURIComponent,
  plus: (text: string) => encodeURIComponent(text).replaceAll('%20', '+'),
  all: (text: string) =>
    [...Buffer.from(text, 'utf8')].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  none: (text: string) => text.replaceAll(' ', '+').replace(/[\r\n\0]/g, ''),
} as const
type Escaping = keyof typeof ESCAPINGS

const HEADER_TWISTS = [
  'plain',
  'repeatedFirst',
  'repeatedLast',
  'swapped',
  'dropped',
  'padded',
  'joined',
] as const
type HeaderTwist = (typeof HEADER_TWISTS)[number]

const TYPES = {
  plain: 'application/json',
  ...{
    charset: 'application/json; charset=utf-8',
    utf16: 'application/json; charset=utf-16',
    upper: 'Application/JSON',
  },
  ...{
    text: 'text/plain',
    form: 'application/x-www-form-urlencoded',
    multipart: 'multipart/form-data; boundary=x',
  },
  ...{
    none: undefined,
    suffix: 'application/problem+json',
    list: 'application/json, text/plain',
    blank: ' application/json ;',
  },
} as const

type Framing = {
  readonly type: keyof typeof TYPES
  readonly chunked: boolean
  readonly coding: 'gzip' | 'deflate' | undefined
  /** Says so without doing so. */
  readonly codingOnly: boolean
}

const WRAPPINGS = {
  plain: (text: string) => Buffer.from(text),
  bom: (text: string) => Buffer.from(`\ufeff${text}`),
  utf16: (text: string) => Buffer.from(text, 'utf16le'),
  latin1: (text: string) => Buffer.from(`${text.slice(0, -1)},"é":1}`, 'latin1'),
  trailing: (text: string) => Buffer.from(`${text}x`),
  twice: (text: string) => Buffer.from(`${text}\n${text}`),
  list: (text: string) => Buffer.from(`[${text}]`),
  string: (text: string) => Buffer.from(JSON.stringify(text)),
  nan: (text: string) => Buffer.from(text.replace('{', '{"x":NaN,')),
  comma: (text: string) => Buffer.from(text.replace(/\}$/, ',}')),
  comment: (text: string) => Buffer.from(`${text}/* x */`),
  nul: (text: string) => Buffer.from(`${text}\0`),
  nothing: () => Buffer.from(''),
} as const
type Wrapping = keyof typeof WRAPPINGS

const EXTRA_HEADERS = [
  ...['X-MLFLOW-WORKSPACE: default', 'X-MLflow-Experiment-Id: $experiment', 'X-MLflow-Run-Id: $run'],
  ...[
    'X-HTTP-Method-Override: DELETE',
    'X-Forwarded-For: 127.0.0.1',
    'X-Forwarded-Host: other',
    'Forwarded: for=1.2.3.4',
  ],
  ...[
    'X-Forwarded-Prefix: /x',
    'Accept: application/json',
    'Range: bytes=0-1',
    'If-None-Match: *',
    'Origin: null',
  ],
  ...[
    'Expect: 100-continue',
    'Cookie: a=b',
    'X-Original-URL: /api/2.0/mlflow/experiments/get?experiment_id=2',
  ],
]

const keys = <T extends object>(of: T) => Object.keys(of) as (keyof T & string)[]

/** Mostly the first, which is the plain one. */
function mostly<T>(plain: T, others: readonly T[], weight: number): fc.Arbitrary<T> {
  return fc.oneof(
    { weight, arbitrary: fc.constant(plain) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  )
}

const swaps = fc.array(
  fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  { minLength: 4, maxLength: 4 },
)

export const plan: fc.Arbitrary<Plan> = fc.record({
  as: fc.constantFrom('editor', 'outsider'),
  shape: fc.constantFrom(...SHAPES),
  tenant: fc.oneof(
    ...[3, 1].map((weight, index) => ({ weight, arbitrary: fc.constant(TENANTS[index] ?? 'alpha') })),
  ),
  ajax: fc.boolean(),
  swaps,
  twists: fc.array(twist, { maxLength: 3, size: 'max' }),
  method: mostly<string | undefined>(
    undefined,
    ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'get'],
    25,
  ),
  pathTwist: mostly<PathTwist>('plain', keys(PATH_TWISTS), 12),
  escaping: mostly<Escaping>('plain', keys(ESCAPINGS), 4),
  aside: mostly<Tenant | undefined>(undefined, TENANTS, 8),
  headers: mostly<readonly string[]>(
    [],
    EXTRA_HEADERS.map((each) => [each]),
    8,
  ),
  headerTwist: mostly<HeaderTwist>('plain', HEADER_TWISTS, 2),
  framing: fc.record({
    type: mostly<Framing['type']>('plain', keys(TYPES), 15),
    chunked: mostly(false, [true], 12),
    coding: mostly<Framing['coding']>(undefined, ['gzip', 'deflate'], 30),
    codingOnly: mostly(false, [true], 60),
  }),
  wrapping: mostly<Wrapping>('plain', keys(WRAPPINGS), 18),
  spanTwists: fc.option(fc.array(spanTwist, { maxLength: 3, size: 'max' }), { nil: undefined, freq: 2 }),
})

/** The request as it goes over the socket. */
export function requestOf(given: Plan, ids: Ids, token: string): Request {
  const { shape } = given
  const method = given.method ?? shape.method
  const args = nodeOf(shape.args ?? {}, given.tenant, given.swaps[Symbol.iterator]())
  for (const change of given.twists) apply(change, args)
  const inQuery = shape.method === 'GET'
  const fields = inQuery
    ? fieldsOf(args, ids)
    : fieldsOf(nodeOf(shape.query ?? {}, given.tenant, given.swaps[Symbol.iterator]()), ids)
  if (!inQuery && shape.query !== undefined) fields.push(...fieldsOf(args, ids))
  const aside =
    given.aside === undefined ? undefined : nodeOf(shape.args ?? {}, given.aside, [][Symbol.iterator]())
  if (aside !== undefined && !inQuery) fields.push(...fieldsOf(aside, ids))
  const target = pathOf(given, ids) + queryOf(fields, given.escaping)
  const own = bodyOf(given, inQuery ? aside : args, ids)
  const lines = [`Host: 127.0.0.1`, `Authorization: Bearer ${token}`, ...headersOf(given, ids)]
  return { target, bytes: framed(given, `${method} ${target} HTTP/1.1`, lines, own) }
}

function pathOf({ shape, tenant, ajax, pathTwist }: Plan, ids: Ids): string {
  const { path } = shape
  const full = path.startsWith('/')
    ? path
    : path.startsWith('ajax:')
      ? `/ajax-api/${path.slice('ajax:'.length)}`
      : `/${ajax ? 'ajax-api' : 'api'}/${path}`
  return PATH_TWISTS[pathTwist](
    full.replace(/\{(\w+)\}/g, (_, kind: string) => filled(`$${kind}`, ids, tenant)),
  )
}

function queryOf(fields: readonly (readonly [string, string])[], escaping: Escaping): string {
  const written = (text: string) => ESCAPINGS[escaping](text.isWellFormed() ? text : '\ufffd')
  const parts = fields.map(([name, value]) => `${written(name)}=${written(value)}`)
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

function headersOf({ shape, tenant, headers, headerTwist }: Plan, ids: Ids): string[] {
  const own = (shape.headers ?? []).map((line) => filled(line, ids, tenant))
  const others = (shape.headers ?? []).map((line) => filled(line, ids, tenant === 'alpha' ? 'beta' : 'alpha'))
  const extra = headers.map((line) => filled(line, ids, 'beta'))
  switch (headerTwist) {
    case 'plain':
      return [...own, ...extra]
    case 'repeatedFirst':
      return [...others, ...own, ...extra]
    case 'repeatedLast':
      return [...own, ...others, ...extra]
    case 'swapped':
      return [...own.slice(0, 1), ...others.slice(1), ...extra]
    case 'dropped':
      return [...own.slice(1), ...extra]
    case 'padded':
      return [...own.map((line) => line.replace(': ', ': 0')), ...extra]
    case 'joined':
      return [...own.map((line, index) => `${line}, ${others[index]?.split(': ')[1]}`), ...extra]
  }
}

function bodyOf(given: Plan, args: Node | undefined, ids: Ids): Buffer | undefined {
  const { shape, spanTwists, tenant } = given
  if (shape.raw !== undefined) return Buffer.from(shape.raw)
  if (shape.operation === 'traces.export' && spanTwists !== undefined) {
    return exportOf(ids[tenant].trace, ids[tenant === 'alpha' ? 'beta' : 'alpha'].trace, spanTwists)
  }
  if (args === undefined || shape.args === undefined) return undefined
  return WRAPPINGS[given.wrapping](textOf(args, ids))
}

function framed(given: Plan, start: string, lines: string[], body: Buffer | undefined): Buffer {
  const { type, chunked, coding, codingOnly } = given.framing
  if (body === undefined) return Buffer.from(`${start}\r\n${lines.join('\r\n')}\r\n\r\n`, 'utf8')
  const isProtobuf = given.shape.operation === 'traces.export' && given.spanTwists !== undefined
  const mediaType = isProtobuf && type === 'plain' ? 'application/x-protobuf' : TYPES[type]
  if (mediaType !== undefined) lines.push(`Content-Type: ${mediaType}`)
  if (coding !== undefined) lines.push(`Content-Encoding: ${coding}`)
  const coded =
    codingOnly || coding === undefined ? body : coding === 'gzip' ? gzipSync(body) : deflateSync(body)
  lines.push(chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${coded.length}`)
  const end = chunked ? inChunks(coded) : coded
  return Buffer.concat([Buffer.from(`${start}\r\n${lines.join('\r\n')}\r\n\r\n`, 'utf8'), end])
}

function inChunks(body: Buffer): Buffer {
  if (body.length === 0) return Buffer.from('0\r\n\r\n')
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
}
