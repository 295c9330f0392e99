import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { UnknownRoutes } from '../src/mlflow/unknown-routes.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts a request that no row of the catalogue describes; if it looks like one of MLflow's. Never rejects. */
    readonly noteUnknownRoute: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  }
}

/** Decorates `app.noteUnknownRoute`. The request is refused by its caller, whatever comes of it here. */
export const unknownRoutes = fp<{ readonly routes: UnknownRoutes }>(
  async (app, { routes }) => {
    app.decorate('noteUnknownRoute', async (request: FastifyRequest, reply: FastifyReply) => {
      const name = routes.count(request.method, request.raw.url ?? '/')
      if (name === undefined) return
      try {
        await app.identify(request, reply)
        routes.name(name)
      } catch {
        // Names are for everybody to read (`/readyz`): strangers do not get to write there.
      }
    })
  },
  { name: 'unknown-routes', dependencies: ['identify'], fastify: '5.x' },
)
