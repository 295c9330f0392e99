import type { RequestListener, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export type IdleClients = {
  /** Notes what is under way on each connection, and hands it on. */
  readonly watched: (handler: RequestListener) => RequestListener
  /**
   * Ends the connection of a client that neither takes nor sends a byte for `idleTimeout` seconds although it is its turn:
   * what it holds meanwhile, a connection to MLflow or an answer in memory, is missing to everybody else. One that waits
   * for MLflow, or whose upload MLflow does not take, is left alone; so is one that is slow but moves.
   */
  readonly endOn: (server: Server) => void
}

/** By Node's own timer of each connection, which it keeps anyway: one of each answer costs as much again. */
export function createIdleClients(idleTimeout: number): IdleClients {
  const underWay = new WeakMap<Socket, ServerResponse>()
  return {
    watched: (handler) => (request, response) => {
      underWay.set(request.socket, response)
      handler(request, response)
    },
    endOn: (server) => {
      const idleMs = idleTimeout * 1000
      server.setTimeout(idleMs, (socket) => {
        const response = underWay.get(socket)
        if (response === undefined || response.writableFinished || isItsTurn(socket, response))
          socket.destroy()
        // The timer is only wound up again by bytes, and it may become the client's turn without any.
        else socket.setTimeout(idleMs)
      })
    },
  }
}

/** @param response The last one: with pipelined requests, what waits in the socket may be of one before it. */
function isItsTurn(socket: Socket, response: ServerResponse): boolean {
  const { req: request } = response
  const isReadingUpload = !request.complete && request.readableFlowing === true
  return socket.writableLength > 0 || response.writableLength > 0 || isReadingUpload
}
