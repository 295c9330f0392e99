import { createServer as createUnheard } from 'node:http'
import {
  type FastifyInstance,
  type FastifyServerFactory,
  type FastifyServerOptions,
  fastify,
  LogController,
} from 'fastify'
import { clientErrorHandler, frameworkErrors } from '../plugins/errors.ts'
import { housekeeping } from '../plugins/housekeeping.ts'
import { httpsRedirect } from '../plugins/https-redirect.ts'
import { type MetricsOptions, metrics } from '../plugins/metrics.ts'
import { policyAppliedEvent } from './audit/event.ts'
import type { Metrics } from './audit/metrics.ts'
import { type ProgramLog, programLog } from './audit/program-log.ts'
import { createRequestIds } from './audit/request-id.ts'
import type { Config } from './config.ts'
import { createCounters } from './counters.ts'
import { type FrontParts, registerFront } from './front.ts'
import { CATALOGUE } from './mlflow/catalogue.ts'
import { createUnknownRoutes } from './mlflow/unknown-routes.ts'
import { createFronts, type Fronts } from './network/fronts.ts'
import { createListener } from './network/listener.ts'
import { createTransport } from './network/transport.ts'
import { createParts, type Parts } from './parts.ts'
import { applyPolicy } from './policy/policy-file.ts'
import { createPolicyWatch, type PolicyWatch } from './policy/policy-watch.ts'
import { loadTracing, type TracingOptions } from './tracing/tracing.ts'

const DAY = 86_400

/** Often, since what strangers send is on record too: between two times it may grow by what a disk has to hold. */
const AUDIT_PRUNED_EVERY_MS = 60_000

/** Seconds that it is remembered who started a job. */
const JOBS_KEPT = 90 * DAY

export type AppDependencies = {
  readonly config: Config
  /** Seconds since the epoch. */
  readonly now?: (() => number) | undefined
  /** For providers only; MLflow is reached through its own pool. */
  readonly fetch?: typeof fetch | undefined
  readonly logger?: FastifyServerOptions['logger']
  /** Called with each SQL statement run. */
  readonly onStatement?: ((sql: string) => void) | undefined
  /** Milliseconds, never going back: what rates are counted by. */
  readonly nowMs?: (() => number) | undefined
  /** How often changes made by other processes are looked for. */
  readonly pollMs?: number | undefined
  /** How long spans are gathered, and how many; see `TracingOptions`. */
  readonly spans?: Pick<TracingOptions, 'queueSize' | 'delayMs'> | undefined
  /** How often the policy file is looked at. */
  readonly policyPollMs?: number | undefined
}

/**
 * The gateway, ready to listen: every plugin by name and in order, since order is security here. Opens the store,
 * brings its schema up to date and applies the policy file; closing the app closes all of it.
 *
 * @throws If the store cannot be opened, or the policy file is not in order.
 */
export async function buildApp(dependencies: AppDependencies): Promise<FastifyInstance> {
  const { config } = dependencies
  const now = dependencies.now ?? (() => Math.floor(Date.now() / 1000))
  const log: ProgramLog = {
    info: (fields, message) => app.log.info(fields, message),
    warn: (fields, message) => app.log.warn(fields, message),
  }
  const transport = createTransport({ config, now, log })
  const fronts = createFronts(config.upstreams)
  const further = new Map<string, FastifyInstance>()
  const logger = dependencies.logger ?? programLog(config.logLevel)
  const app = createServer(config.publicUrl, { logger }, (handler, { keepAliveTimeout = 0 }) => {
    const divided = fronts.divide(handler, (id) => further.get(id)?.routing ?? handler)
    return Object.assign(createListener(divided, transport.listener), { keepAliveTimeout, requestTimeout: 0 })
  })
  const tracing = await loadTracing({
    ...{ config: config.traces, log, ...dependencies.spans },
    isTrusted: (request) =>
      config.traces?.continueFromProxies === true && transport.addresses.isFromProxy(request),
  })
  // The first, and so the last to be called.
  if (tracing !== undefined) app.addHook('onClose', () => tracing.close())
  const parts = await createParts({
    ...{ config, now, log, tracing },
    fetch: dependencies.fetch ?? fetch,
    nowMs: dependencies.nowMs ?? (() => performance.now()),
    onStatement: dependencies.onStatement,
    pollMs: dependencies.pollMs ?? 500,
    onOpened: (close) => app.addHook('onClose', async () => void (await close())),
  })
  const policy = policyWatch(app, dependencies, parts)
  const whole: Parts = { ...parts, policy, transport }
  const unknown = createUnknownRoutes(CATALOGUE)
  const counters = createCounters(whole, { unknown, partsWork: () => app.partsWork() })
  const servers = [whole, ...whole.further]
  const main: FrontParts = {
    ...whole,
    servers,
    unknown,
    observers: tracing === undefined ? [counters.observe] : [counters.observe, tracing.observe],
  }
  await registerFront(app, main)
  await registerOnce(app, whole, { fronts, counters })
  for (const each of parts.further) {
    further.set(each.server.id ?? '', await buildFurther(app, { ...main, ...each, further: [] }))
  }
  await policy?.applyNow()
  if (config.policyWatch) policy?.start()
  return app
}

/** Another app, of one further tracking server: it is ready and closes with the main one, which listens for it. */
async function buildFurther(main: FastifyInstance, parts: FrontParts): Promise<FastifyInstance> {
  const { identity, sink, server } = parts
  const { publicUrl } = server
  const app = createServer(publicUrl, { loggerInstance: main.log }, (handler) => createUnheard(handler))
  main.addHook('onReady', async () => void (await app.ready()))
  main.addHook('onClose', () => app.close())
  await registerFront(app, {
    ...parts,
    identity: identity.at(server.publicUrl),
    // Events go one way, whose end the main app is.
    sink: { ...sink, record: (event) => main.audit.record(event), close: async () => {} },
    observers: [],
  })
  return app
}

function createServer(
  publicUrl: URL,
  logging: Pick<FastifyServerOptions, 'logger' | 'loggerInstance'>,
  serverFactory: FastifyServerFactory,
): FastifyInstance {
  const app: FastifyInstance = fastify({
    ...logging,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: createRequestIds(),
    serverFactory,
    // Forwarded headers decide nothing here: URLs come from the configuration, addresses from `request.clientAddress`.
    trustProxy: false,
    routerOptions: { maxParamLength: 4096 },
    frameworkErrors: frameworkErrors({ publicUrl }),
    clientErrorHandler: clientErrorHandler({ publicUrl }),
    forceCloseConnections: 'idle',
    // Whoever still has a connection is answered on it.
    return503OnClosing: false,
  })
  // Nothing reads a body unless its own scope says how: not for an unknown address, not for a stranger.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  return app
}

/** Follows the policy file, if there is one. */
function policyWatch(
  app: FastifyInstance,
  { config, policyPollMs: pollMs }: AppDependencies,
  { store, directory }: Pick<Parts, 'store' | 'directory'>,
): PolicyWatch | undefined {
  const { policyFile: path, providers } = config
  if (path === undefined) return undefined
  const requestId = createRequestIds()
  const watch = createPolicyWatch({
    ...{ path, pollMs, providerIds: providers.map(({ id }) => id) },
    apply: async (policy) => {
      const changed = await applyPolicy(store, policy)
      await directory.refresh()
      return changed
    },
    onApplied: ({ digest }) => {
      app.audit.record(policyAppliedEvent(requestId(), digest))
      app.log.info({ digest }, 'the policy file is in force')
    },
    onFault: (problem) => app.log.error(`the policy file is not in force as it is now: ${problem}`),
  })
  app.addHook('onClose', async () => watch.stop())
  return watch
}

/** What there is once, however many addresses there are. */
async function registerOnce(
  app: FastifyInstance,
  parts: Parts,
  { fronts, counters }: { readonly fronts: Fronts; readonly counters: Metrics },
): Promise<void> {
  const { store, config, now } = parts
  await app.register(housekeeping, {
    tasks: {
      sessions: () => store.sessions.prune(now()),
      'logout tokens': () => store.logoutTokens.prune(now()),
      jobs: () => store.jobs.prune(now() - JOBS_KEPT),
      'public ids': () => store.publicIds.prune(),
    },
  })
  await app.register(housekeeping, {
    tasks: { audit: () => pruneAudit(parts) },
    everyMs: AUDIT_PRUNED_EVERY_MS,
  })
  await serveHttps(app, parts, fronts)
  const { metricsPort: port, host } = config
  const probe: MetricsOptions['probe'] = (path, request) => app.probe(path, request)
  if (port !== undefined) await app.register(metrics, { metrics: counters, port, host, probe })
}

/** Follows the certificate's files while the gateway listens, and redirects to it by http if that is wanted. */
async function serveHttps(
  app: FastifyInstance,
  { config, transport, now }: Parts,
  fronts: Fronts,
): Promise<void> {
  const { certificate, listener } = transport
  const { httpRedirectPort: port, publicUrl, host } = config
  if (certificate !== undefined) {
    if (certificate.current().expiresAt <= now()) app.log.warn('the certificate in TLS_CERT_FILE has expired')
    app.addHook('onReady', async () => certificate.start())
    app.addHook('onClose', async () => certificate.stop())
  }
  if (port !== undefined) await app.register(httpsRedirect, { publicUrl, fronts, host, port, listener })
}

function pruneAudit({ store, config, chainKey, now }: Parts): Promise<number> {
  const before = now() - config.auditStoreDays * DAY
  return store.audit.prune({ before, maxEvents: config.auditStoreMaxEvents }, chainKey)
}
