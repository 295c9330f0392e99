import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { commonHeaders } from '../src/console/headers.ts'
import { wantsPage } from '../src/console/navigation.ts'
import { renderRefusal } from '../src/console/refusal.ts'
import { type ErrorCode, GatewayError, isGatewayError } from '../src/errors.ts'
import { announcesBody } from '../src/mlflow/body.ts'
import { lingerBeforeClosing } from '../src/mlflow/lingering-close.ts'
import { mlflowError } from '../src/mlflow/wire.ts'

export type ErrorsOptions = { readonly publicUrl: URL }

/** The only place an error becomes a response. Register it first, so that every later plugin's errors come here. */
export const errors = fp<ErrorsOptions>(
  async (app, options) => {
    app.setErrorHandler(async (fault, request, reply) => {
      const refusal = toGatewayError(fault)
      const username = await signedInAs(refusal, request, reply)
      return sendRefusal(refusal, request, reply, { ...options, username })
    })
    app.addHook('onSend', (request, reply, payload, next) => {
      closeIfUnread(request, reply)
      next(null, payload)
    })
    app.setNotFoundHandler(async (request, reply) => {
      if (app.hasDecorator('noteUnknownRoute')) await app.noteUnknownRoute(request, reply)
      const refusal = new GatewayError('ERR_NO_SUCH_ROUTE', 'This address is not one the gateway serves')
      return sendRefusal(refusal, request, reply, options)
    })
  },
  { name: 'errors', fastify: '5.x' },
)

/**
 * For Fastify's `frameworkErrors` option: faults found before any hook runs (an undecodable URL, an over-long
 * parameter). Without it Fastify would answer in its own words and repeat the URL.
 */
export function frameworkErrors(options: ErrorsOptions) {
  return (fault: FastifyError, request: FastifyRequest, reply: FastifyReply): void => {
    closeIfUnread(request, reply)
    sendRefusal(toGatewayError(fault), request, reply, options)
  }
}

/**
 * For Fastify's `clientErrorHandler` option: bytes that are no HTTP request, so there is nothing to log but the kind.
 * The connection ends, since where the next request would begin is unknown (RFC 9112 §9.5).
 */
export function clientErrorHandler({ publicUrl }: ErrorsOptions) {
  const common = Object.entries(commonHeaders(publicUrl)).map(([name, value]) => `${name}: ${value}`)
  return (fault: Error & { code?: string }, socket: Socket): void => answerFault(fault, socket, common)
}

function answerFault(fault: Error & { code?: string }, socket: Socket, common: readonly string[]): void {
  if (fault.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const [status, message] = PROTOCOL_FAULTS[fault.code ?? ''] ?? [
    '400 Bad Request',
    'This is not a valid HTTP request',
  ]
  const body = mlflowError('INVALID_PARAMETER_VALUE', message)
  const head = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
    ...common,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

const PROTOCOL_FAULTS: Readonly<Record<string, readonly [string, string]>> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are too large'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive'],
}

/** Logs the cause of a fault of ours, never sends it. */
function sendRefusal(
  refusal: GatewayError,
  request: FastifyRequest,
  reply: FastifyReply,
  { publicUrl, username }: ErrorsOptions & { readonly username?: string | undefined },
): FastifyReply {
  log(refusal, request)
  const { status, headers, body } = renderRefusal(refusal, {
    method: request.method,
    url: request.raw.url ?? '/',
    headers: request.headers,
    requestId: request.id,
    publicUrl,
    username,
  })
  // As bytes: to a string Fastify would add a charset, and these must be the same bytes the gateway writes itself.
  return reply.code(status).headers(headers).send(Buffer.from(body))
}

/**
 * Bytes that were not read must not be taken for the next request (RFC 9112 §9.3), nor swallowed for as long as a client
 * likes to send some: neither with a refusal nor with an answer to a request that needed no body.
 */
function closeIfUnread(request: FastifyRequest, reply: FastifyReply): void {
  if (!announcesBody(request.raw) || request.raw.complete) return
  lingerBeforeClosing(request.raw)
  reply.header('connection', 'close')
}

/**
 * The name to show on the page that refuses something to somebody who is signed in. Who that is was found out before the
 * refusal, so it is in memory; for any other refusal nobody is looked up.
 */
async function signedInAs(refusal: GatewayError, request: FastifyRequest, reply: FastifyReply) {
  if (!REFUSES_A_PERSON.has(refusal.code) || !request.server.hasDecorator('identify')) return undefined
  if (!wantsPage({ method: request.method, url: request.raw.url ?? '/', headers: request.headers }))
    return undefined
  try {
    return (await request.server.identify(request, reply)).principal.username
  } catch {
    return undefined
  }
}

const REFUSES_A_PERSON: ReadonlySet<ErrorCode> = new Set([
  'ERR_PERMISSION_DENIED',
  'ERR_INSUFFICIENT_SCOPE',
  'ERR_NOT_FOUND',
])

function log(refusal: GatewayError, request: FastifyRequest): void {
  const line = { err: refusal, code: refusal.code, reason: refusal.reason }
  if (refusal.effect === 'error') request.log.error(line, 'request failed')
  else request.log.debug(line, 'request refused')
}

/** Fastify's own faults that are the caller's doing, in our words: its messages may repeat what was sent. */
const FRAMEWORK_FAULTS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_BAD_URL: ['ERR_AMBIGUOUS_REQUEST', 'The address cannot be decoded'],
  FST_ERR_MAX_PARAM_LENGTH: ['ERR_INVALID_PARAMETER', 'A part of the address is too long'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['ERR_BODY_TOO_LARGE', 'The body is larger than this address accepts'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'ERR_UNSUPPORTED_MEDIA_TYPE',
    'This address does not accept that Content-Type',
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'ERR_AMBIGUOUS_REQUEST',
    'The body is not as long as Content-Length says',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['ERR_INVALID_PARAMETER', 'The body is empty; send a JSON object'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['ERR_INVALID_PARAMETER', 'The body is not valid JSON'],
}

/** @returns The refusal itself, or the one that stands for a fault of Fastify's, of a plugin's, or unforeseen. */
export function toGatewayError(fault: unknown): GatewayError {
  if (isGatewayError(fault)) return fault
  const { code, statusCode, validation } = asFastifyError(fault)
  const known = code === undefined ? undefined : FRAMEWORK_FAULTS[code]
  if (known !== undefined) return new GatewayError(known[0], known[1], { cause: fault })
  if (validation !== undefined) {
    const message = fault instanceof Error ? fault.message : 'A parameter is not valid'
    return new GatewayError('ERR_INVALID_PARAMETER', message, { cause: fault })
  }
  if (statusCode === 429) {
    return new GatewayError('ERR_TOO_MANY_REQUESTS', 'Too many requests; wait a moment', { cause: fault })
  }
  if (statusCode === 400)
    return new GatewayError('ERR_INVALID_PARAMETER', 'The request is not valid', { cause: fault })
  return new GatewayError('ERR_INTERNAL', 'The gateway could not handle this request', { cause: fault })
}

function asFastifyError(fault: unknown): Partial<FastifyError> {
  return fault instanceof Error ? (fault as FastifyError) : {}
}
