import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../errors.ts'

const EMPTY = Buffer.alloc(0)

/** True if the headers announce a body. */
export function announcesBody({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

/**
 * Refuses a body whose announced length is over the limit: before it is invited, and before it is read.
 *
 * @throws {GatewayError} `ERR_BODY_TOO_LARGE`
 */
export function checkLength({ headers }: Pick<IncomingMessage, 'headers'>, limit: number): void {
  if (Number(headers['content-length'] ?? 0) > limit) throw tooLarge(limit)
}

/** What Node gives a whole request by default. Uploads may take longer, so it is not set for all (`requestTimeout`). */
const TIME_LIMIT = 300

/**
 * Reads a body whole.
 *
 * @param limit Most bytes; a longer one is refused before it is read when its length is announced.
 * @param timeLimit Seconds; a client that takes longer loses its connection, so that it cannot be held for ever.
 * @throws {GatewayError} `ERR_BODY_TOO_LARGE`, naming the limit and the variable that sets it; `ERR_AMBIGUOUS_REQUEST`
 *   if the client goes away in the middle.
 */
export async function readWholeBody(
  request: IncomingMessage,
  limit: number,
  timeLimit = TIME_LIMIT,
): Promise<Buffer> {
  if (!announcesBody(request)) return EMPTY
  checkLength(request, limit)
  if (request.destroyed) throw cutOff(request.errored)
  const chunks: Buffer[] = []
  let size = 0
  /** Takes what has come in; true once that was all of it. */
  const take = (): boolean => {
    for (let chunk: Buffer | null = request.read(); chunk !== null; chunk = request.read()) {
      size += chunk.length
      if (size > limit) throw tooLarge(limit)
      chunks.push(chunk)
    }
    return request.complete || request.readableEnded
  }
  if (!take()) await arrival(request, take, timeLimit)
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size)
}

/** Waits until all has been taken. A refusal still has to reach the client, so the connection is left alone. */
function arrival(request: IncomingMessage, take: () => boolean, timeLimit: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => request.destroy(new Error('too slow')), timeLimit * 1000).unref()
    const leave = () => {
      clearTimeout(timer)
      request.off('readable', onReadable).off('end', onReadable)
      request.off('error', onCutOff).off('close', onCutOff)
    }
    const onReadable = () => {
      try {
        if (!take()) return
        resolve()
      } catch (fault) {
        reject(fault)
      }
      leave()
    }
    const onCutOff = (fault?: Error) => {
      reject(cutOff(fault))
      leave()
    }
    request.on('readable', onReadable).on('end', onReadable)
    request.on('error', onCutOff).on('close', onCutOff)
  })
}

function cutOff(cause: unknown): GatewayError {
  return new GatewayError('ERR_AMBIGUOUS_REQUEST', 'The body ended before it was complete', { cause })
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError(
    'ERR_BODY_TOO_LARGE',
    `The JSON body is larger than ${limit} bytes; send smaller batches, or raise JSON_BODY_LIMIT on the gateway`,
  )
}
