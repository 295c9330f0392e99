import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What arrived, as it arrived: nothing decoded, nothing merged. */
export type RecordedRequest = {
  readonly method: string
  /** The request target, byte for byte. */
  readonly url: string
  /** Name and value alternating, in order, spelling kept (`IncomingMessage.rawHeaders`). */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

/** What to answer. Strings go out as they are, buffers too, anything else as JSON. */
export type ScriptedAnswer = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: unknown
}

/** Answers a request, or takes over the response itself and returns nothing. */
export type UpstreamHandler = (
  request: RecordedRequest,
  response: ServerResponse,
) => ScriptedAnswer | undefined | Promise<ScriptedAnswer | undefined>

/** Keyed `METHOD /path` (query excluded) or `*` for whatever no other key names. */
export type UpstreamHandlers = Readonly<Record<string, UpstreamHandler | ScriptedAnswer>>

export type RecordingUpstream = {
  /** `http://127.0.0.1:PORT`, no trailing slash. */
  readonly url: string
  readonly port: number
  /** In order of completion of the request's body. The array itself is emptied by `forget`. */
  readonly requests: RecordedRequest[]
  /** Bytes of request bodies read so far, including bodies that never ended. */
  readonly bytesRead: () => number
  /** Replaces all handlers. */
  readonly script: (handlers: UpstreamHandlers) => void
  readonly forget: () => void
  readonly stop: () => Promise<void>
}

/** What the gateway reads of the server's version, at the start and after connecting: apart from what clients ask. */
export function isVersionRead(request: RecordedRequest): boolean {
  return (
    request.method === 'GET' &&
    request.url === '/version' &&
    headerValues(request, 'accept').join() === 'text/plain' &&
    request.rawHeaders.length <= 6
  )
}

/**
 * A plain HTTP server on loopback that stands where MLflow would, records every request and answers from a script:
 * 404 with MLflow's error body unless a handler says otherwise. Whatever Node's parser accepts is recorded, but not that
 * the gateway reads the version.
 *
 * @param version What it then says; told afresh each time. Without it, it has none.
 */
export async function startUpstream(
  handlers: UpstreamHandlers = {},
  version?: () => string | undefined,
): Promise<RecordingUpstream> {
  const requests: RecordedRequest[] = []
  let script = handlers
  let bytesRead = 0
  const server = createServer(async (incoming, response) => {
    const body = await readBody(incoming, (length) => {
      bytesRead += length
    })
    if (body === undefined) return
    const request = recorded(incoming, body)
    if (isVersionRead(request)) {
      const text = version?.()
      response.writeHead(text === undefined ? 404 : 200, { 'content-type': 'text/html' }).end(text)
      return
    }
    requests.push(request)
    await answer(script, request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    bytesRead: () => bytesRead,
    script: (replacement) => {
      script = replacement
    },
    forget: () => {
      requests.length = 0
      bytesRead = 0
    },
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The values of one header of a recorded request, in order; the name is compared without regard to case. */
export function headerValues(request: RecordedRequest, name: string): string[] {
  const values: string[] = []
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    if (request.rawHeaders[index]?.toLowerCase() === name.toLowerCase()) {
      values.push(request.rawHeaders[index + 1] ?? '')
    }
  }
  return values
}

function recorded(incoming: IncomingMessage, body: Buffer): RecordedRequest {
  return {
    method: incoming.method ?? '',
    url: incoming.url ?? '',
    rawHeaders: [...incoming.rawHeaders],
    body,
  }
}

/** @returns undefined if the sender went away before the body ended. */
async function readBody(
  incoming: IncomingMessage,
  count: (length: number) => void,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of incoming) {
      count((chunk as Buffer).length)
      chunks.push(chunk as Buffer)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(chunks)
}

async function answer(
  script: UpstreamHandlers,
  request: RecordedRequest,
  response: ServerResponse,
): Promise<void> {
  const path = request.url.split('?', 1)[0] ?? ''
  const handler = script[`${request.method} ${path}`] ?? script['*'] ?? NOT_SCRIPTED
  const scripted = typeof handler === 'function' ? await handler(request, response) : handler
  if (scripted === undefined) return
  const plain = typeof scripted.body === 'string' || Buffer.isBuffer(scripted.body)
  const headers = { ...(plain ? {} : { 'content-type': 'application/json' }), ...scripted.headers }
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.statusCode = scripted.status ?? 200
  response.end(plain ? scripted.body : JSON.stringify(scripted.body ?? {}))
}

const NOT_SCRIPTED: ScriptedAnswer = {
  status: 404,
  body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'not scripted' },
}
