import fp from 'fastify-plugin'
import type { Tracing } from '../src/tracing/tracing.ts'

export type TracesOptions = { readonly tracing: Pick<Tracing, 'begin' | 'traceId'> }

/**
 * Puts every request into a span, save for probes. Register it before all that answers or asks, so that it is the first
 * to see a request.
 */
export const traces = fp<TracesOptions>(
  async (app, { tracing }) => {
    app.addHook('onRequest', (request, reply, next) => {
      const { url: route, config } = request.routeOptions
      if (config.anyHost === true) return next()
      tracing.begin({ request: request.raw, response: reply.raw, requestId: request.id, route }, () => {
        const traceId = tracing.traceId()
        if (traceId !== undefined) request.log = request.log.child({ traceId })
        next()
      })
    })
  },
  { name: 'traces', fastify: '5.x' },
)
