import type { IncomingMessage } from 'node:http'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'
import { eventOf } from './audit.ts'

export type AllowedNetworksOptions = {
  /** As `Transport.isPermitted`. */
  readonly isPermitted: (request: IncomingMessage) => boolean
}

/**
 * Refuses requests from other networks than the allowed ones, before anything else looks at them. The probes are left
 * out, as they are of the host check: they come from wherever the platform's nodes are, and a network that was
 * forgotten would end the service for everybody. To a stranger `/readyz` says ready or not, and no more.
 *
 * Register it before everything that reads a request.
 */
export const allowedNetworks = fp<AllowedNetworksOptions>(
  async (app, { isPermitted }) => {
    app.addHook('onRequest', (request, reply, next) => {
      if (request.routeOptions.config.anyHost === true || isPermitted(request.raw)) return next()
      reply.header('x-request-id', request.id)
      const refusal = new GatewayError(
        'ERR_PERMISSION_DENIED',
        'This server does not answer to the network you are in; use the one, or the VPN, that it is meant for',
        { reason: 'network_not_allowed' },
      )
      const { code, reason } = refusal
      // What leads nowhere is recorded as that, by the audit plugin.
      if (!request.is404) {
        const outcome = { effect: 'deny', status: refusal.refusal.status, reason: reason ?? code } as const
        app.audit.record(eventOf(request, reply, { event: 'decision', ...outcome }))
      }
      next(refusal)
    })
  },
  { name: 'allowed-networks', dependencies: ['audit', 'errors'], fastify: '5.x' },
)
