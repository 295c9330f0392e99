import type { FastifyInstance } from 'fastify'
import { admin } from '../plugins/admin.ts'
import { allowedNetworks } from '../plugins/allowed-networks.ts'
import { api } from '../plugins/api.ts'
import { type AuditOptions, audit } from '../plugins/audit.ts'
import { clientAddress } from '../plugins/client-address.ts'
import { console } from '../plugins/console.ts'
import { doctor } from '../plugins/doctor.ts'
import { drain } from '../plugins/drain.ts'
import { errors } from '../plugins/errors.ts'
import { gateway } from '../plugins/gateway.ts'
import { health } from '../plugins/health.ts'
import { identify } from '../plugins/identify.ts'
import { login } from '../plugins/login.ts'
import { mlflowAuthApi } from '../plugins/mlflow-auth-api.ts'
import { security } from '../plugins/security.ts'
import { slowClients } from '../plugins/slow-clients.ts'
import { token } from '../plugins/token.ts'
import { traces } from '../plugins/traces.ts'
import { unknownRoutes } from '../plugins/unknown-routes.ts'
import { upstreamVersion } from '../plugins/upstream-version.ts'
import type { AdminParts } from './admin/endpoint.ts'
import { ENDPOINTS } from './admin/endpoints.ts'
import { createFormTokens } from './console/form-token.ts'
import { CATALOGUE } from './mlflow/catalogue.ts'
import type { MlflowServices } from './mlflow/services.ts'
import type { UnknownRoutes } from './mlflow/unknown-routes.ts'
import { rolesShownOn } from './mlflow-auth/roles-shown.ts'
import type { Parts } from './parts.ts'
import { DEFAULT_WORKSPACE } from './policy/grants.ts'
import { placeOf, type WorkspaceName } from './policy/workspace-name.ts'
import { readiness } from './readiness.ts'

/** What one address is made of: one tracking server, and what all have in common. */
export type FrontParts = Parts & {
  /** All tracking servers there are, at whatever address. */
  readonly servers: readonly MlflowServices[]
  readonly unknown: UnknownRoutes
  readonly observers: AuditOptions['observers']
}

/** What the gateway is at one address: the pages, the APIs, and one tracking server behind the catalogue. */
export async function registerFront(app: FastifyInstance, parts: FrontParts): Promise<void> {
  const { config, server, store, directory, lockdown, identity, services, workspaces, version } = parts
  const { limits, sink, now, measurements, transport, unknown, observers, tracing } = parts
  const { publicUrl } = server
  if (tracing !== undefined) await app.register(traces, { tracing })
  await app.register(errors, { publicUrl })
  await app.register(slowClients)
  await app.register(clientAddress, transport)
  await app.register(audit, { sink, observers, traceId: tracing?.traceId })
  const { isPermitted } = transport
  if (isPermitted !== undefined) await app.register(allowedNetworks, { isPermitted })
  await app.register(drain, transport)
  await app.register(security, {
    publicUrl,
    allowedHosts: server.allowedHosts,
    formTargets: identity.formTargets,
  })
  await app.register(health, readiness(parts, unknown))
  await app.register(doctor, { secret: config.gatewaySecret, addresses: transport.addresses, now })
  await app.register(upstreamVersion, { version })
  await app.register(identify, { identity, limits, lockdown })
  await app.register(unknownRoutes, { routes: unknown })
  const { sessionTokenTtl } = config
  await app.register(login, { identity, directory, publicUrl, limits, sessionTokenTtl, now })
  const formTokens = createFormTokens(config.gatewaySecret)
  await app.register(token, {
    ...{ publicUrl, formTokens, now },
    tokens: store.tokens,
    accessTokens: identity.accessTokens,
    refresh: directory.refresh,
    maxTtl: config.accessTokenMaxTtl,
  })
  await app.register(console, { publicUrl })
  const administration = {
    endpoints: ENDPOINTS,
    parts: adminParts(parts),
    publicUrl,
    refresh: () => refreshAll(parts),
  }
  await app.register(admin, { ...administration, formTokens })
  await app.register(api, administration)
  await app.register(mlflowAuthApi, {
    services: authServices(parts),
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
}

function adminParts({ store, config, now, identity, servers: all }: FrontParts): AdminParts {
  const servers = new Map(all.map((each) => [each.server.id, each]))
  const servicesIn = (name: WorkspaceName) => {
    const there = servers.get(placeOf(name).upstream)?.workspaces.services(name)
    if (there === undefined) throw new Error('asked about a tracking server that there is not')
    return { lookup: there.lookup, upstream: there.upstream }
  }
  const { lookup, upstream } = servicesIn(DEFAULT_WORKSPACE)
  const { keyring } = identity
  return { store, config, now, lookup, upstream, servicesIn, keyring, catalogue: CATALOGUE }
}

function authServices({ store, directory, config, server }: Parts) {
  const roles = rolesShownOn(server.id, store.roles)
  const { people, publicIds } = store
  return { store: { people, publicIds, roles }, directory, config, server: server.id }
}

/** What was just changed holds here once this has come to its end. */
async function refreshAll({ directory, lockdown, identity }: Parts): Promise<void> {
  await directory.refresh()
  await Promise.all([lockdown.settled(), identity.settled()])
}
