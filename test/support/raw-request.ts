import { connect, type Socket } from 'node:net'

export type RawResponse = {
  readonly status: number
  /** In order, spelling kept. */
  readonly rawHeaders: readonly (readonly [name: string, value: string])[]
  /** Lower-case names; values of a repeated header in order. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  /** De-chunked. */
  readonly body: Buffer
  /** The bytes of this response, head and framing included. */
  readonly raw: Buffer
}

export type RawOptions = {
  /** Give up and take what came after this long without the awaited end. */
  readonly timeoutMs?: number
  /** How many responses to read before the socket is closed from here. Default 1. */
  readonly responses?: number
  /** Methods of the requests sent, so that an answer to HEAD is not waited on for a body. Default: read from the bytes. */
  readonly methods?: readonly string[]
}

export type RawExchange = {
  readonly responses: readonly RawResponse[]
  /** Everything received, whether or not it parsed as a response. */
  readonly received: Buffer
  /** True if the other side ended the connection. */
  readonly closed: boolean
}

/**
 * Sends bytes over a socket exactly as given and reads one response: `fetch` and `inject()` tidy a path up before
 * anything leaves. A string is sent as latin1, so `\xff` is one byte.
 *
 * @throws {Error} if no complete response came before the timeout or the connection's end; its text is in the message.
 */
export async function rawRequest(
  port: number,
  bytes: Buffer | string,
  options: RawOptions = {},
): Promise<RawResponse> {
  const exchange = await rawExchange(port, bytes, options)
  const [response] = exchange.responses
  if (response === undefined) {
    throw new Error(`no response; received ${JSON.stringify(exchange.received.toString('latin1'))}`)
  }
  return response
}

/**
 * Sends bytes (several pipelined requests if the bytes hold several) and reads until the wanted number of responses
 * is complete, the other side closes, or the timeout passes. Interim 1xx responses are dropped.
 */
export async function rawExchange(
  port: number,
  bytes: Buffer | string,
  options: RawOptions = {},
): Promise<RawExchange> {
  const sent = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes
  const wanted = options.responses ?? 1
  const methods = options.methods ?? methodsOf(sent)
  const { promise, resolve, reject } = Promise.withResolvers<RawExchange>()
  const socket: Socket = connect(port, '127.0.0.1')
  let received = Buffer.alloc(0)
  const finish = (closed: boolean) => {
    socket.destroy()
    resolve({ responses: parseResponses(received, methods, closed), received, closed })
  }
  const timer = setTimeout(() => finish(false), options.timeoutMs ?? 5000)
  socket.once('connect', () => socket.write(sent))
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    if (parseResponses(received, methods, false).length >= wanted) finish(false)
  })
  socket.once('end', () => finish(true))
  // A reset after a refusal is an end like any other; a refused connection is not.
  socket.once('error', (fault) => (socket.bytesWritten === 0 ? reject(fault) : finish(true)))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

/** The responses that are complete in `buffer`; one framed by the connection's end counts once `closed`. */
export function parseResponses(buffer: Buffer, methods: readonly string[], closed: boolean): RawResponse[] {
  const responses: RawResponse[] = []
  let offset = 0
  while (offset < buffer.length) {
    const parsed = parseOne(buffer, offset, methods[responses.length] ?? 'GET', closed)
    if (parsed === undefined) break
    offset = parsed.end
    if (parsed.response.status >= 200) responses.push(parsed.response)
  }
  return responses
}

type Parsed = { readonly response: RawResponse; readonly end: number }

function parseOne(buffer: Buffer, start: number, method: string, closed: boolean): Parsed | undefined {
  const headEnd = buffer.indexOf('\r\n\r\n', start)
  if (headEnd < 0) return undefined
  const [statusLine = '', ...lines] = buffer.toString('latin1', start, headEnd).split('\r\n')
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1])
  if (!Number.isInteger(status)) return undefined
  const rawHeaders = lines.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
  })
  const headers: Record<string, string[]> = {}
  for (const [name, value] of rawHeaders) {
    const values = headers[name.toLowerCase()]
    if (values === undefined) headers[name.toLowerCase()] = [value]
    else values.push(value)
  }
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304
  const framed = bodiless
    ? { body: Buffer.alloc(0), end: headEnd + 4 }
    : readFramed(buffer, headEnd + 4, headers, closed)
  if (framed === undefined) return undefined
  const raw = buffer.subarray(start, framed.end)
  return { response: { status, rawHeaders, headers, body: framed.body, raw }, end: framed.end }
}

type Framed = { readonly body: Buffer; readonly end: number }

/** RFC 9112 §6.3: chunked, then Content-Length, then until the connection ends. */
function readFramed(
  buffer: Buffer,
  start: number,
  headers: Readonly<Record<string, readonly string[]>>,
  closed: boolean,
): Framed | undefined {
  if (headers['transfer-encoding']?.[0]?.toLowerCase() === 'chunked') return readChunked(buffer, start)
  const length = headers['content-length']?.[0]
  if (length === undefined) {
    return closed ? { body: buffer.subarray(start), end: buffer.length } : undefined
  }
  const end = start + Number(length)
  return end <= buffer.length ? { body: buffer.subarray(start, end), end } : undefined
}

function readChunked(buffer: Buffer, start: number): Framed | undefined {
  const chunks: Buffer[] = []
  let offset = start
  for (;;) {
    const lineEnd = buffer.indexOf('\r\n', offset)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(buffer.toString('latin1', offset, lineEnd), 16)
    const next = lineEnd + 2 + size + 2
    if (Number.isNaN(size) || next > buffer.length) return undefined
    if (size === 0) return { body: Buffer.concat(chunks), end: next }
    chunks.push(buffer.subarray(lineEnd + 2, lineEnd + 2 + size))
    offset = next
  }
}

/** Good enough for pipelined requests without bodies, and for the first of any: a method starts a request line. */
function methodsOf(sent: Buffer): string[] {
  const lines = sent.toString('latin1').matchAll(/(?:^|\r\n)([A-Za-z]+) \S+ HTTP\/1\.[01](?=\r\n)/g)
  return [...lines].map((line) => line[1] ?? 'GET')
}
