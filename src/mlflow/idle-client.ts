import type { IncomingMessage, ServerResponse } from 'node:http'

/**
 * Ends the connection of a client that neither takes nor sends a byte for `idleTimeout` seconds although it is its turn:
 * what it holds meanwhile, a connection to MLflow or an answer in memory, is missing to everybody else. One that waits
 * for MLflow, or whose upload MLflow does not take, is left alone; so is one that is slow but moves.
 */
export function endWhenIdle(request: IncomingMessage, response: ServerResponse, idleTimeout: number): void {
  const idleMs = idleTimeout * 1000
  response.setTimeout(idleMs, () => {
    if (isItsTurn(request, response)) response.destroy()
    // The timer is only wound up again by bytes, and it may become the client's turn without any.
    else response.socket?.setTimeout(idleMs)
  })
}

function isItsTurn(request: IncomingMessage, response: ServerResponse): boolean {
  const isReadingUpload = !request.complete && request.readableFlowing === true
  return response.writableLength > 0 || isReadingUpload
}
