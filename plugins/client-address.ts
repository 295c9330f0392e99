import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { ClientAddresses } from '../src/network/client-address.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Where the request comes from; see {@link ClientAddresses.of}. For records and limits, never for a permission. */
    readonly clientAddress: string
  }
}

export type ClientAddressOptions = { readonly addresses: Pick<ClientAddresses, 'of'> }

/** Decorates `request.clientAddress`. */
export const clientAddress = fp<ClientAddressOptions>(
  async (app, { addresses }) => {
    app.decorateRequest('clientAddress', {
      getter(this: FastifyRequest) {
        return addresses.of(this.raw).address
      },
    })
  },
  { name: 'client-address', fastify: '5.x' },
)
