import { type FastifyInstance, type FastifyServerOptions, fastify, LogController } from 'fastify'
import { admin } from '../plugins/admin.ts'
import { allowedNetworks } from '../plugins/allowed-networks.ts'
import { api } from '../plugins/api.ts'
import { audit } from '../plugins/audit.ts'
import { clientAddress } from '../plugins/client-address.ts'
import { console } from '../plugins/console.ts'
import { drain } from '../plugins/drain.ts'
import { clientErrorHandler, errors, frameworkErrors } from '../plugins/errors.ts'
import { gateway } from '../plugins/gateway.ts'
import { health } from '../plugins/health.ts'
import { housekeeping } from '../plugins/housekeeping.ts'
import { httpsRedirect } from '../plugins/https-redirect.ts'
import { identify } from '../plugins/identify.ts'
import { login } from '../plugins/login.ts'
import { metrics } from '../plugins/metrics.ts'
import { mlflowAuthApi } from '../plugins/mlflow-auth-api.ts'
import { security } from '../plugins/security.ts'
import { token } from '../plugins/token.ts'
import { unknownRoutes } from '../plugins/unknown-routes.ts'
import { upstreamVersion } from '../plugins/upstream-version.ts'
import type { AdminParts } from './admin/endpoint.ts'
import { ENDPOINTS } from './admin/endpoints.ts'
import { policyAppliedEvent } from './audit/event.ts'
import { createMetrics } from './audit/metrics.ts'
import { type ProgramLog, programLog } from './audit/program-log.ts'
import { createRequestIds } from './audit/request-id.ts'
import type { Config } from './config.ts'
import { createFormTokens } from './console/form-token.ts'
import { CATALOGUE } from './mlflow/catalogue.ts'
import { createUnknownRoutes } from './mlflow/unknown-routes.ts'
import { createListener } from './network/listener.ts'
import { createTransport, type Transport } from './network/transport.ts'
import { createParts, type Parts } from './parts.ts'
import { applyPolicy } from './policy/policy-file.ts'
import { createPolicyWatch, type PolicyWatch } from './policy/policy-watch.ts'
import { readiness } from './readiness.ts'

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
  const app = createServer(dependencies, transport)
  const parts = await createParts({
    ...{ config, now, log },
    fetch: dependencies.fetch ?? fetch,
    nowMs: dependencies.nowMs ?? (() => performance.now()),
    onStatement: dependencies.onStatement,
    pollMs: dependencies.pollMs ?? 500,
    onOpened: (close) => app.addHook('onClose', async () => void (await close())),
  })
  const policy = policyWatch(app, dependencies, parts)
  await registerPlugins(app, { ...parts, policy, transport })
  await policy?.applyNow()
  if (config.policyWatch) policy?.start()
  return app
}

function createServer({ config, logger }: AppDependencies, { listener }: Transport): FastifyInstance {
  const { publicUrl } = config
  const app = fastify({
    logger: logger ?? programLog(config.logLevel),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: createRequestIds(),
    serverFactory: (handler, { keepAliveTimeout = 0 }) =>
      Object.assign(createListener(handler, listener), { keepAliveTimeout, requestTimeout: 0 }),
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

async function registerPlugins(app: FastifyInstance, parts: Parts): Promise<void> {
  const { config, store, directory, lockdown, identity, services, workspaces, version, limits, sink, now } =
    parts
  const { measurements, policy, transport } = parts
  const { publicUrl, metricsPort } = config
  const { certificate, isPermitted } = transport
  const unknown = createUnknownRoutes(CATALOGUE)
  const counters = createMetrics({
    auditDropped: sink.dropped,
    cacheSizes: workspaces.sizes,
    unknownRoutes: unknown.refused,
    upstreamVersion: version.current,
    lockdown: () => lockdown.current()?.mode,
    measurements,
    operating: {
      parts: () => app.partsWork(),
      sessions: store.sessions.count,
      accessTokens: store.tokens.count,
    },
    policyFileOk: policy && (() => policy.state().ok),
    certificateExpiry: certificate && (() => certificate.current().expiresAt - now()),
  })
  await app.register(errors, { publicUrl })
  await app.register(clientAddress, transport)
  await app.register(audit, { sink, observers: [counters.observe] })
  if (isPermitted !== undefined) await app.register(allowedNetworks, { isPermitted })
  await app.register(drain, transport)
  await app.register(housekeeping, {
    tasks: {
      sessions: () => store.sessions.prune(now()),
      jobs: () => store.jobs.prune(now() - JOBS_KEPT),
      'public ids': () => store.publicIds.prune(),
    },
  })
  await app.register(housekeeping, {
    tasks: { audit: () => pruneAudit(parts) },
    everyMs: AUDIT_PRUNED_EVERY_MS,
  })
  await app.register(security, {
    publicUrl,
    allowedHosts: config.allowedHosts,
    formTargets: identity.formTargets,
  })
  await app.register(health, readiness(parts, unknown))
  await app.register(upstreamVersion, { version })
  await app.register(identify, { identity, limits, lockdown })
  await app.register(unknownRoutes, { routes: unknown })
  const { sessionTokenTtl } = config
  await app.register(login, { identity, directory, publicUrl, limits, sessionTokenTtl, now })
  await app.register(token, {
    publicUrl,
    tokens: store.tokens,
    accessTokens: identity.accessTokens,
    formTokens: createFormTokens(config.gatewaySecret),
    refresh: directory.refresh,
    maxTtl: config.accessTokenMaxTtl,
    now,
  })
  await app.register(console, { publicUrl })
  const formTokens = createFormTokens(config.gatewaySecret)
  const administration = {
    endpoints: ENDPOINTS,
    parts: adminParts(parts),
    publicUrl,
    refresh: () => refreshAll(parts),
  }
  await app.register(admin, { ...administration, formTokens })
  await app.register(api, administration)
  await app.register(mlflowAuthApi, {
    services: { store, directory, config },
    workspaces,
    publicUrl,
    refresh: directory.refresh,
  })
  await app.register(gateway, {
    catalogue: CATALOGUE,
    services,
    workspaces,
    publicUrl,
    limits,
    followVersion: version.follow,
    onAllowed: measurements.allowed,
  })
  await serveHttps(app, parts)
  if (metricsPort !== undefined)
    await app.register(metrics, { metrics: counters, port: metricsPort, host: config.host })
}

/** Follows the certificate's files while the gateway listens, and redirects to it by http if that is wanted. */
async function serveHttps(app: FastifyInstance, { config, transport, now }: Parts): Promise<void> {
  const { certificate, listener } = transport
  const { httpRedirectPort: port, publicUrl, host } = config
  if (certificate !== undefined) {
    if (certificate.current().expiresAt <= now()) app.log.warn('the certificate in TLS_CERT_FILE has expired')
    app.addHook('onReady', async () => certificate.start())
    app.addHook('onClose', async () => certificate.stop())
  }
  if (port !== undefined) await app.register(httpsRedirect, { publicUrl, host, port, listener })
}

function adminParts({ store, config, now, services, workspaces, identity }: Parts): AdminParts {
  const { lookup, upstream } = services
  const servicesIn = (workspace: string) => {
    const there = workspaces.services(workspace)
    return { lookup: there.lookup, upstream: there.upstream }
  }
  const { keyring } = identity
  return { store, config, now, lookup, upstream, servicesIn, keyring, catalogue: CATALOGUE }
}

function pruneAudit({ store, config, chainKey, now }: Parts): Promise<number> {
  const before = now() - config.auditStoreDays * DAY
  return store.audit.prune({ before, maxEvents: config.auditStoreMaxEvents }, chainKey)
}

/** What was just changed holds here once this has come to its end. */
async function refreshAll({ directory, lockdown, identity }: Parts): Promise<void> {
  await directory.refresh()
  await Promise.all([lockdown.settled(), identity.settled()])
}
