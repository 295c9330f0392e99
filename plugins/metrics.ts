import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import fp from 'fastify-plugin'
import type { Metrics } from '../src/audit/metrics.ts'
import type { ProbeAnswer } from './health.ts'

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
  /** As `app.probe`. Absent: no probes here. */
  readonly probe?: ((path: string, request: IncomingMessage) => Promise<ProbeAnswer | undefined>) | undefined
}

/**
 * Serves `GET /metrics`, and nothing else but the probes, on its own port from when the app is ready until it closes.
 * Probes come here where the port for everybody wants a certificate, which Kubernetes has none of.
 */
export const metrics = fp<MetricsOptions>(
  async (app, { metrics, port, host, probe }) => {
    const render = async (response: ServerResponse) => {
      // Nobody else waits for this promise: what it rejected with would end the process.
      const body = await metrics.render().catch((fault) => void app.log.warn({ err: fault }, 'no metrics'))
      answer(response, body === undefined ? 500 : 200, metrics.contentType, body)
    }
    const server = createServer(async (request, response) => {
      const { method, url = '' } = request
      const path = method === 'GET' || method === 'HEAD' ? url : ''
      if (path === '/metrics') return render(response)
      const health = await probe?.(path, request)
      if (health === undefined) return answer(response, 404, metrics.contentType, '')
      answer(response, health.status, 'application/json', JSON.stringify(health.body))
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

function answer(response: ServerResponse, status: number, type: string, body: string | undefined): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(body)
}
