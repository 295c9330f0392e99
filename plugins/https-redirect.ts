import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import fp from 'fastify-plugin'
import type { Fronts } from '../src/network/fronts.ts'
import { redirectToHttps } from '../src/network/https-redirect.ts'
import { createListener, type ListenerOptions } from '../src/network/listener.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Where the redirect is served, once the app is ready. */
    readonly redirectAddress: () => AddressInfo | undefined
  }
}

export type HttpsRedirectOptions = {
  readonly publicUrl: URL
  /** Tells those of further tracking servers. */
  readonly fronts: Fronts
  /** 0: any free one. */
  readonly port: number
  readonly host: string
  readonly listener: Omit<ListenerOptions, 'tls'>
}

/** Redirects plain http to PUBLIC_URL, on a port of its own, from when the app is ready until it closes. */
export const httpsRedirect = fp<HttpsRedirectOptions>(
  async (app, { publicUrl, fronts, port, host, listener }) => {
    const server = createListener(
      (request, response) => {
        const { status, headers, body } = redirectToHttps(request, fronts.of(request)?.publicUrl ?? publicUrl)
        response.writeHead(status, headers).end(body)
      },
      { ...listener, tls: undefined },
    )
    app.decorate('redirectAddress', () => (server.address() as AddressInfo | null) ?? undefined)
    app.addHook('onReady', async () => {
      server.listen(port, host)
      await once(server, 'listening')
    })
    app.addHook('onClose', async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    })
  },
  { name: 'https-redirect', fastify: '5.x' },
)
