import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { letHeapGrow } from './heap.ts'

/** sysexits-like, and what the documentation promises: the configuration must be corrected, a restart will not help. */
const EXIT_CONFIGURATION = 2

/** How often, while closing, connections that have become idle are ended. */
const SWEEP_MS = 100

async function main(): Promise<void> {
  letHeapGrow()
  const config = readConfig(process.env)
  const app = await buildApp({ config })
  for (const warning of config.warnings) app.log.warn(warning)
  closeOnSignal(app, config)
  await listen(app, config)
}

async function listen(app: FastifyInstance, config: Config): Promise<void> {
  try {
    await app.listen({
      host: config.host,
      port: config.port,
      listenTextResolver: (address) =>
        `Server listening at ${config.tls === undefined ? address : address.replace(/^http:/, 'https:')}`,
    })
  } catch (error) {
    await app.close()
    throw error
  }
}

/**
 * On SIGTERM or SIGINT: not ready from now on, but everything goes on for `shutdownDelay` seconds; then no new
 * connections, requests in flight may finish, and the process ends by itself with 0. What still runs after
 * `shutdownGrace` seconds more is cut off. A second signal ends the process at once.
 */
function closeOnSignal(app: FastifyInstance, { shutdownDelay: delay, shutdownGrace: grace }: Config): void {
  let isEnding = false
  const end = (signal: NodeJS.Signals) => {
    if (isEnding) process.exit(1)
    isEnding = true
    app.drain()
    app.log.info({ signal, delay, grace }, delay > 0 ? 'not ready any more' : 'closing')
    if (delay > 0) setTimeout(close, delay * 1_000)
    else close()
  }
  const close = () => {
    if (delay > 0) app.log.info({ grace }, 'closing')
    // A connection whose last answer has just been sent would stay open, and the process with it, as keep-alive allows.
    const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS)
    const cutOff = setTimeout(() => app.server.closeAllConnections(), grace * 1_000)
    app
      .close()
      .catch(fail)
      .finally(() => {
        clearInterval(sweep)
        clearTimeout(cutOff)
      })
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

/** Only the message: an error object may hold a request, and a request holds credentials. */
function fail(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error)
  process.stderr.write(`${message}\n`)
  process.exit(error instanceof ConfigError ? EXIT_CONFIGURATION : 1)
}

process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)
await main().catch(fail)
