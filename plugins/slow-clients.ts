import type { IncomingMessage } from 'node:http'
import fp from 'fastify-plugin'

/** Seconds for the whole body of a form or a request to our own API, 16 KiB at most: nobody needs longer. */
const OWN_BODY_TIME = 20

/**
 * Nobody keeps a connection, and what hangs on it, by dribbling a body that one of our own routes reads, stranger or not.
 * Bodies for MLflow have limits of their own; who stands still is cut off in any case (`idle-clients.ts`).
 */
export const slowClients = fp(
  async (app) => {
    app.addHook('preParsing', (request, _reply, payload, next) => {
      if (!request.raw.complete) endWhenLate(request.raw)
      next(null, payload)
    })
  },
  { name: 'slow-clients', fastify: '5.x' },
)

function endWhenLate(request: IncomingMessage): void {
  const timer = setTimeout(() => request.destroy(), OWN_BODY_TIME * 1000).unref()
  const stop = () => clearTimeout(timer)
  request.once('end', stop).once('close', stop)
}
