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
  const chunks: Buffer[] = []
  let size = 0
  const timer = setTimeout(() => request.destroy(new Error('too slow')), timeLimit * 1000).unref()
  try {
    // A refusal still has to reach the client, so leaving the loop must not destroy the connection.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > limit) throw tooLarge(limit)
      chunks.push(chunk)
    }
  } catch (fault) {
    if (fault instanceof GatewayError) throw fault
    throw new GatewayError('ERR_AMBIGUOUS_REQUEST', 'The body ended before it was complete', { cause: fault })
  } finally {
    clearTimeout(timer)
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, size)
}

function tooLarge(limit: number): GatewayError {
  return new GatewayError(
    'ERR_BODY_TOO_LARGE',
    `The JSON body is larger than ${limit} bytes; send smaller batches, or raise JSON_BODY_LIMIT on the gateway`,
  )
}
