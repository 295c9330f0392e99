import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { isGatewayError } from '../src/errors.ts'
import type { Caller } from '../src/identity/caller.ts'
import type { Identity } from '../src/identity/identity.ts'
import type { Limits } from '../src/limits/limits.ts'
import { assertAdmitted, type Lockdown } from '../src/policy/lockdown.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Who makes the request. At once if it is known already, else a promise. May put a `Set-Cookie` on the reply: who
     * writes to the raw response has to copy it.
     *
     * @throws {GatewayError} as `Identifier`, and `ERR_TOO_MANY_REQUESTS`; at once or by rejection. `ERR_LOCKED_DOWN` for
     *   whom the gateway is closed.
     */
    readonly identify: (request: FastifyRequest, reply: FastifyReply) => Caller | Promise<Caller>
    /** The lockdown that is in force, if one is. */
    readonly lockdown: Lockdown['current']
  }
}

export type IdentifyOptions = {
  readonly identity: Identity
  readonly limits: Pick<Limits, 'assertPrincipal' | 'assertMayVerify' | 'noteRefused'>
  readonly lockdown: Pick<Lockdown, 'current'>
}

/**
 * Decorates `app.identify`, follows revocations while the app is up, and publishes the public keys. Whoever is known
 * counts as a principal, whoever is not as an address: trying credentials is slow, and ends soon.
 */
export const identify = fp<IdentifyOptions>(
  async (app, { identity, limits, lockdown }) => {
    const admit = (caller: Caller): Caller => {
      limits.assertPrincipal(caller.principal.userId)
      assertAdmitted(lockdown.current(), caller)
      return caller
    }
    const verify = async (request: FastifyRequest, reply: FastifyReply): Promise<Caller> => {
      const address = request.clientAddress
      // What a cookie says is sealed and soon read; and whoever opens a page is not to wait for somebody's script.
      const isCounted = request.headers.authorization !== undefined
      if (isCounted) await limits.assertMayVerify(address)
      try {
        return await identity.identify(request.raw.rawHeaders, reply)
      } catch (fault) {
        if (isCounted && isGatewayError(fault, 'ERR_INVALID_TOKEN')) await limits.noteRefused(address)
        throw fault
      }
    }
    app.decorate('lockdown', () => lockdown.current())
    app.decorate('identify', (request: FastifyRequest, reply: FastifyReply) => {
      const caller = identity.identify.recall(request.raw.rawHeaders)
      return caller === undefined ? verify(request, reply).then(admit) : admit(caller)
    })
    app.get('/.well-known/jwks.json', async (_request, reply) =>
      reply
        .header('cache-control', 'public, max-age=60')
        .header('x-content-type-options', 'nosniff')
        .send(identity.keyring.jwks()),
    )
    identity.start()
    app.addHook('onClose', () => identity.stop())
  },
  { name: 'identify', dependencies: ['client-address'], fastify: '5.x' },
)
