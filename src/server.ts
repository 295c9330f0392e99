import type { FastifyInstance } from 'fastify'
import { buildApp } from './app.ts'
import { type Config, ConfigError, readConfig } from './config.ts'

/** sysexits-like, and what the documentation promises: the configuration must be corrected, a restart will not help. */
const EXIT_CONFIGURATION = 2

/** How often, while closing, connections that have become idle are ended. */
const SWEEP_MS = 100

async function main(): Promise<void> {
  const config = readConfig(process.env)
  const app = await buildApp({ config })
  for (const warning of config.warnings) app.log.warn(warning)
  closeOnSignal(app, config.shutdownGrace)
  await listen(app, config)
}

async function listen(app: FastifyInstance, config: Config): Promise<void> {
  try {
    await app.listen({ host: config.host, port: config.port })
  } catch (error) {
    await app.close()
    throw error
  }
}

/**
 * On SIGTERM or SIGINT: no new connections, requests in flight may finish, then the process ends by itself with 0.
 * What still runs after `grace` seconds is cut off. A second signal ends the process at once.
 */
function closeOnSignal(app: FastifyInstance, grace: number): void {
  let closing = false
  const close = (signal: NodeJS.Signals) => {
    if (closing) process.exit(1)
    closing = true
    app.log.info({ signal, grace }, 'closing')
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
  process.on('SIGTERM', close)
  process.on('SIGINT', close)
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
