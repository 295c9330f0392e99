import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A span as it came by the wire; ids in hexadecimal, '' for none. */
export type ReceivedSpan = {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly name: string
  /** 2: server, 3: client. */
  readonly kind: number
  readonly attributes: Readonly<Record<string, string | number>>
  readonly links: readonly string[]
  /** 2: error. */
  readonly status: number
}

/** A collector on loopback: takes OTLP by HTTP in protobuf, decoded here by the field numbers of trace.proto 1.x. */
export type OtlpReceiver = {
  readonly url: string
  readonly spans: ReceivedSpan[]
  readonly resources: Readonly<Record<string, string | number>>[]
  readonly requests: { readonly url: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer }[]
  /** How the next requests are answered: `undefined` never is. */
  behave(status: number | undefined, headers?: Readonly<Record<string, string>>): void
  stop(): Promise<void>
}

export async function startOtlpReceiver(port = 0): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  const resources: OtlpReceiver['resources'] = []
  const requests: OtlpReceiver['requests'] = []
  let answer: { status: number | undefined; headers: Readonly<Record<string, string>> } = {
    ...{ status: 200, headers: {} },
  }
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    requests.push({ url: request.url ?? '', headers: request.headers, body })
    if (answer.status === undefined) return
    if (answer.status === 200) take(body, spans, resources)
    response.writeHead(answer.status, answer.headers).end()
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    ...{ spans, resources, requests },
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behave(status, headers = {}) {
      answer = { status, headers }
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function take(body: Buffer, spans: ReceivedSpan[], resources: OtlpReceiver['resources']): void {
  for (const resourceSpans of messages(body, 1)) {
    for (const resource of messages(resourceSpans, 1)) resources.push(attributesOf(resource, 1))
    for (const scope of messages(resourceSpans, 2)) spans.push(...messages(scope, 2).map(spanOf))
  }
}

function spanOf(bytes: Buffer): ReceivedSpan {
  const hex = (number: number) => messages(bytes, number)[0]?.toString('hex') ?? ''
  const [status] = messages(bytes, 15)
  return {
    ...{ traceId: hex(1), spanId: hex(2), parentId: hex(4) },
    name: messages(bytes, 5)[0]?.toString() ?? '',
    kind: numbers(bytes, 6)[0] ?? 0,
    attributes: attributesOf(bytes, 9),
    links: messages(bytes, 13).map((link) => messages(link, 1)[0]?.toString('hex') ?? ''),
    status: status === undefined ? 0 : (numbers(status, 3)[0] ?? 0),
  }
}

function attributesOf(bytes: Buffer, number: number): Record<string, string | number> {
  return Object.fromEntries(
    messages(bytes, number).map((pair) => {
      const [value = Buffer.alloc(0)] = messages(pair, 2)
      const text = messages(value, 1)[0]?.toString()
      return [messages(pair, 1)[0]?.toString() ?? '', text ?? numbers(value, 3)[0] ?? '']
    }),
  )
}

type Field = { readonly number: number; readonly bytes?: Buffer; readonly value?: number }

const messages = (bytes: Buffer, number: number): Buffer[] =>
  fields(bytes).flatMap((field) => (field.number === number && field.bytes ? [field.bytes] : []))
const numbers = (bytes: Buffer, number: number): number[] =>
  fields(bytes).flatMap((field) =>
    field.number === number && field.value !== undefined ? [field.value] : [],
  )

/** The wire format of Protocol Buffers, as far as traces use it. */
function fields(bytes: Buffer): Field[] {
  const found: Field[] = []
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]
      if (byte === undefined) throw new Error('the message ends too early')
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = varint()
    const [number, type] = [Math.floor(tag / 8), tag % 8]
    if (type === 0) found.push({ number, value: varint() })
    else if (type === 1) at += 8
    else if (type === 5) at += 4
    else if (type === 2) {
      const length = varint()
      found.push({ number, bytes: bytes.subarray(at, at + length) })
      at += length
    } else throw new Error(`wire type ${type}`)
  }
  return found
}
