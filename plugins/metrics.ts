import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fp from 'fastify-plugin'
import type { Metrics } from '../src/audit/metrics.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Where the metrics are served, once the app is ready. */
    readonly metricsAddress: () => AddressInfo | undefined
  }
}

export type MetricsOptions = {
  readonly metrics: Metrics
  /** A port of its own, so that what is open to the world has no `/metrics` to guard. 0: any free one. */
  readonly port: number
  readonly host: string
}

/** Serves `GET /metrics`, and nothing else, on its own port from when the app is ready until it closes. */
export const metrics = fp<MetricsOptions>(
  async (app, { metrics, port, host }) => {
    const server = createServer(async (request, response) => {
      const known = request.url === '/metrics' && (request.method === 'GET' || request.method === 'HEAD')
      // Nobody else waits for this promise: what it rejected with would end the process.
      const body = known
        ? await metrics.render().catch((fault) => void app.log.warn({ err: fault }, 'no metrics'))
        : ''
      const status = known ? (body === undefined ? 500 : 200) : 404
      response.writeHead(status, { 'content-type': metrics.contentType, 'cache-control': 'no-store' })
      response.end(body)
    })
    app.decorate('metricsAddress', () => (server.address() as AddressInfo | null) ?? undefined)
    app.addHook('onReady', () => listen())
    app.addHook('onClose', async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    })
    const listen = () =>
      new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, resolve)
      })
  },
  { name: 'metrics', fastify: '5.x' },
)
