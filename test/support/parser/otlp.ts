import fc from 'fast-check'

/** Ways to write an export in protobuf so that two readers might see different traces in it. */
const SPAN_TWISTS = [
  'otherFirst',
  'otherLast',
  'otherSpan',
  'otherScope',
  'otherResource',
  'longVarint',
  'unknownField',
  'group',
  'shortId',
  'longId',
  'emptyId',
  'noId',
  'namesOther',
  'namesOwn',
  'locationTag',
  'wrongWireType',
  'truncated',
  'trailing',
] as const
export type SpanTwist = (typeof SPAN_TWISTS)[number]
export const spanTwist: fc.Arbitrary<SpanTwist> = fc.constantFrom(...SPAN_TWISTS)

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]
}

/** @param padded Writes the length with a byte more than it needs. */
function field(number: number, content: Uint8Array | string, padded = false): Buffer<ArrayBuffer> {
  const bytes = Buffer.from(content)
  const length = varint(bytes.length)
  const written = padded ? [...length.slice(0, -1), (length.at(-1) ?? 0) | 0x80, 0] : length
  return Buffer.concat([Buffer.from([...varint((number << 3) | 2), ...written]), bytes])
}

function attribute(key: string, value: string): Buffer {
  return field(9, Buffer.concat([field(1, key), field(2, field(1, value))]))
}

function span(id: Uint8Array, more: readonly Buffer[], padded: boolean): Buffer {
  const time = Buffer.alloc(9)
  const times = [7, 8].map((number) => {
    const bytes = Buffer.from(time)
    bytes[0] = (number << 3) | 1
    bytes.writeBigUInt64LE(1_700_000_000_000_000_000n, 1)
    return bytes
  })
  return Buffer.concat([
    ...(id.length === 0 ? [] : [field(1, id, padded)]),
    ...[field(2, Buffer.from('1234567890abcdef', 'hex')), field(5, 's'), ...times, ...more],
  ])
}

/** An `ExportTraceServiceRequest` with a span of the one trace, and whatever of the other the twists bring in. */
export function exportOf(own: string, other: string, twists: readonly SpanTwist[]): Buffer {
  const has = (twist: SpanTwist) => twists.includes(twist)
  const [id, foreign] = [own, other].map((trace) => Buffer.from(trace.slice('tr-'.length), 'hex')) as [
    Buffer,
    Buffer,
  ]
  const written = has('shortId')
    ? id.subarray(1)
    : has('longId')
      ? Buffer.concat([Buffer.from([0]), id])
      : has('noId')
        ? Buffer.alloc(0)
        : id
  const more: Buffer[] = []
  if (has('otherLast')) more.push(field(1, foreign))
  if (has('emptyId')) more.push(field(1, ''))
  if (has('unknownField')) more.push(field(100, foreign))
  if (has('group'))
    more.push(Buffer.concat([Buffer.from([(20 << 3) | 3]), field(1, foreign), Buffer.from([(20 << 3) | 4])]))
  if (has('namesOther')) more.push(attribute('mlflow.traceRequestId', `"${other}"`))
  if (has('namesOwn')) more.push(attribute('mlflow.traceRequestId', `"${own}"`))
  if (has('locationTag'))
    more.push(attribute('mlflow.traceTag.mlflow.artifactLocation', 'mlflow-artifacts:/2'))
  if (has('wrongWireType')) more.push(Buffer.from([1 << 3, 5]))
  const first: Buffer[] = has('otherFirst') ? [field(1, foreign)] : []
  const spans: Buffer[] = [Buffer.concat([...first, span(written, more, has('longVarint'))])]
  const otherSpan = span(foreign, [], false)
  if (has('otherSpan')) spans.push(otherSpan)
  const scopes: Buffer[] = [Buffer.concat(spans.map((each) => field(2, each)))]
  if (has('otherScope')) scopes.push(field(2, otherSpan))
  const resources: Buffer[] = [Buffer.concat(scopes.map((each) => field(2, each)))]
  if (has('otherResource')) resources.push(field(2, field(2, otherSpan)))
  const bytes = Buffer.concat(resources.map((each) => field(1, each)))
  if (has('truncated')) return bytes.subarray(0, -3)
  return has('trailing') ? Buffer.concat([bytes, Buffer.from([0xff])]) : bytes
}
