import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
} from 'node:http'

/** The time before the end. It begins once and is not taken back. */
export type Drain = { begin(): void; hasBegun(): boolean }

export function createDrain(): Drain {
  let hasBegun = false
  return {
    begin: () => {
      hasBegun = true
    },
    hasBegun: () => hasBegun,
  }
}

type Headers = OutgoingHttpHeaders | OutgoingHttpHeader[]

/**
 * Answers that, once the end is near, say `Connection: close` (RFC 9112 §9.6): a client that keeps its connection open
 * then sends its next request on another one, instead of losing it when this one is ended. At the answer and not at the
 * request, for those that are under way when the end comes near.
 */
export function lastAnswers(drain: Drain): typeof ServerResponse {
  return class<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
    override writeHead(status: number, reason?: string | Headers, headers?: Headers): this {
      if (drain.hasBegun()) this.setHeader('connection', 'close')
      return super.writeHead(status, reason as string, headers)
    }
  }
}
