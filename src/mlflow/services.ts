import type { Measurements } from '../audit/measurements.ts'
import type { UpstreamTls } from '../config/pem-files.ts'
import { hostOf } from '../config/upstreams.ts'
import type { Config, UpstreamConfig } from '../config.ts'
import { assetPath, shellScripts } from '../console/assets.ts'
import { commonHeaders, mlflowPageHeaders } from '../console/headers.ts'
import type { Directory } from '../policy/directory.ts'
import type { Store } from '../store/store.ts'
import type { Tracing } from '../tracing/tracing.ts'
import type { Services } from './exchange.ts'
import { createLookup } from './lookup.ts'
import { createPageTokens } from './page-token.ts'
import { createUpstream, type Upstream } from './upstream.ts'
import { createUpstreamVersion, type UpstreamVersion } from './upstream-version.ts'
import { createWorkspaces, type Workspaces } from './workspace.ts'

/** Connections to MLflow for those who are not signed in: enough for the files of MLflow's page, and out of the others' way. */
const PUBLIC_CONNECTIONS = 64

export type ServicesOptions = {
  readonly config: Config
  readonly server: TrackingServer
  readonly store: Store
  readonly directory: Pick<Directory, 'refresh' | 'onChange'>
  readonly measurements: Measurements
  readonly tracing?: Pick<Tracing, 'upstream'> | undefined
  /** As `UpstreamOptions.currentTls`. */
  readonly currentTls?: (() => UpstreamTls) | undefined
}

/** A tracking server as the configuration has it; the one at `UPSTREAM_URL` has no id. */
export type TrackingServer = UpstreamConfig & { readonly id: string | undefined }

/** The tracking server at `UPSTREAM_URL`. */
export function mainServer(config: Config): TrackingServer {
  return { ...config, id: undefined }
}

/** What every step of a request to MLflow may use, and what it depends on. */
export type MlflowServices = {
  readonly server: TrackingServer
  readonly services: Services
  readonly workspaces: Workspaces
  readonly version: UpstreamVersion
}

/** Made once, at start; asks MLflow nothing. */
export function createServices(options: ServicesOptions): MlflowServices {
  const { config, server, store, directory, measurements, tracing, currentTls } = options
  const { upstreamAnswered: onAnswer, lookups: use } = measurements
  const { upstreamUrl: url, upstreamHost: host, upstreamTls: tls, publicUrl } = server
  const { upstreamTimeout: idleTimeout } = config
  const reached = { url, host, tls, currentTls, idleTimeout, onAnswer }
  const traced = tracing?.upstream ?? ((each: Upstream) => each)
  const asked = createUpstream({ ...reached, onConnect: () => version.readSoon() })
  // Asked when a connection opens: not on behalf of the request that it was opened for.
  const version = createUpstreamVersion({ upstream: asked })
  const upstream = traced(asked)
  const lookup = createLookup({ upstream, use })
  const transferUpstream = traced(createUpstream(reached))
  const services: Services = {
    server: server.id,
    upstream,
    transferUpstream,
    artifactUpstream:
      server.artifactsUrl === undefined
        ? transferUpstream
        : traced(createUpstream({ ...reached, url: server.artifactsUrl, host: hostOf(server.artifactsUrl) })),
    publicUpstream: traced(createUpstream({ ...reached, connections: PUBLIC_CONNECTIONS })),
    lookup,
    pageTokens: createPageTokens(config.gatewaySecret),
    effects: {
      roles: store.roles,
      note: store.changes.note,
      refresh: directory.refresh,
      jobs: store.jobs,
    },
    switches: { presignedUrls: config.presignedUrls, assistant: false },
    webhookHosts: config.webhookHosts,
    jobs: store.jobs,
    jsonBodyLimit: config.jsonBodyLimit,
    trustAuthorship: config.trustAuthorship,
    isUsername: store.people.isCalled,
    shellHeaders: Object.entries(mlflowPageHeaders(config.artifactScripts)).flat(),
    shellScripts: shellScripts(config.uiBadge).map((name) => assetPath(publicUrl, name)),
    securityHeaders: Object.entries(commonHeaders(publicUrl)).flat(),
  }
  const workspaces = createWorkspaces({
    upstream: server.id,
    isOn: server.workspaces,
    services,
    createLookup: (own) => createLookup({ upstream: own, use }),
  })
  directory.onChange(({ kind, key }) => {
    if (kind === 'experiment' || kind === 'model' || kind === 'resource') workspaces.forget(kind, key)
  })
  return { server, services, workspaces, version }
}
