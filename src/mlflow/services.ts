import type { Measurements } from '../audit/measurements.ts'
import type { Config } from '../config.ts'
import { assetPath, shellScripts } from '../console/assets.ts'
import { commonHeaders, mlflowPageHeaders } from '../console/headers.ts'
import type { Directory } from '../policy/directory.ts'
import type { Store } from '../store/store.ts'
import type { Services } from './exchange.ts'
import { createLookup } from './lookup.ts'
import { createPageTokens } from './page-token.ts'
import { createUpstream } from './upstream.ts'
import { createUpstreamVersion, type UpstreamVersion } from './upstream-version.ts'
import { createWorkspaces, type Workspaces } from './workspace.ts'

/** Connections to MLflow for those who are not signed in: enough for the files of MLflow's page, and out of the others' way. */
const PUBLIC_CONNECTIONS = 64

export type ServicesOptions = {
  readonly config: Config
  readonly store: Store
  readonly directory: Pick<Directory, 'refresh' | 'onChange'>
  readonly measurements: Measurements
}

/** What every step of a request to MLflow may use, and what it depends on. */
export type MlflowServices = {
  readonly services: Services
  readonly workspaces: Workspaces
  readonly version: UpstreamVersion
}

/** Made once, at start; asks MLflow nothing. */
export function createServices({ config, store, directory, measurements }: ServicesOptions): MlflowServices {
  const { upstreamAnswered: onAnswer, lookups: use } = measurements
  const { upstreamUrl: url, upstreamHost: host, upstreamTls: tls, upstreamTimeout: idleTimeout } = config
  const reached = { url, host, tls, idleTimeout, onAnswer }
  const upstream = createUpstream({ ...reached, onConnect: () => version.readSoon() })
  const version = createUpstreamVersion({ upstream })
  const lookup = createLookup({ upstream, use })
  const services: Services = {
    upstream,
    publicUpstream: createUpstream({ ...reached, connections: PUBLIC_CONNECTIONS }),
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
    clientIdleTimeout: idleTimeout,
    jsonBodyLimit: config.jsonBodyLimit,
    trustAuthorship: config.trustAuthorship,
    isUsername: store.people.isCalled,
    shellHeaders: Object.entries(mlflowPageHeaders(config.artifactScripts)).flat(),
    shellScripts: shellScripts(config.uiBadge).map((name) => assetPath(config.publicUrl, name)),
    securityHeaders: Object.entries(commonHeaders(config.publicUrl)).flat(),
  }
  const workspaces = createWorkspaces({
    isOn: config.workspaces,
    services,
    createLookup: (own) => createLookup({ upstream: own, use }),
  })
  directory.onChange(({ kind, key }) => {
    if (kind === 'experiment' || kind === 'model' || kind === 'resource') workspaces.forget(kind, key)
  })
  return { services, workspaces, version }
}
