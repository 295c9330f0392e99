import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Caller } from '../src/identity/caller.ts'
import type { Identity } from '../src/identity/identity.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Who makes the request. At once if it is known already, else a promise. May put a `Set-Cookie` on the reply: who
     * writes to the raw response has to copy it.
     *
     * @throws {GatewayError} as `Identifier`, at once or by rejection.
     */
    readonly identify: (request: FastifyRequest, reply: FastifyReply) => Caller | Promise<Caller>
  }
}

/** Decorates `app.identify`, follows revocations while the app is up, and publishes the public keys. */
export const identify = fp<{ readonly identity: Identity }>(
  async (app, { identity }) => {
    app.decorate('identify', (request: FastifyRequest, reply: FastifyReply) =>
      identity.identify(request.raw.rawHeaders, reply),
    )
    app.get('/.well-known/jwks.json', async (_request, reply) =>
      reply
        .header('cache-control', 'public, max-age=60')
        .header('x-content-type-options', 'nosniff')
        .send(identity.keyring.jwks()),
    )
    identity.start()
    app.addHook('onClose', () => identity.stop())
  },
  { name: 'identify', fastify: '5.x' },
)
