import { type Static, type TObject, Type } from 'typebox'
import { ConfigError, createFaultList } from '../config/fault.ts'
import { GatewaySchema } from '../config/schema.ts'
import { ReachSchema } from '../config/upstream-schema.ts'
import { readReach, type UpstreamReach, upstreamPrefixes } from '../config/upstreams.ts'
import { readVariables, type Source } from '../config/variables.ts'
import { createUpstream, type Upstream } from '../mlflow/upstream.ts'
import { sentTo } from '../mlflow/workspace.ts'
import { placeOf, type WorkspaceConfig, type WorkspaceName } from '../policy/workspace-name.ts'

const { WORKSPACES, UPSTREAMS, UPSTREAM_TIMEOUT } = GatewaySchema.properties
const ServersSchema = Type.Object({ WORKSPACES, UPSTREAMS })
const FurtherSchema = Type.Object({ WORKSPACES: ReachSchema.properties.WORKSPACES })

/** Which workspaces are kept apart, as the server reads it. @throws {ConfigError} */
export function readWorkspaces(source: Source): WorkspaceConfig {
  const { WORKSPACES: workspaces, UPSTREAMS: ids } = read(ServersSchema, '', source)
  const prefixes = upstreamPrefixes({ UPSTREAMS: ids })
  const further = prefixes.map((prefix) => read(FurtherSchema, prefix, source))
  return {
    workspaces,
    upstreams: ids.map((id, index) => ({ id, workspaces: further[index]?.WORKSPACES === true })),
  }
}

/** A tracking server, with its id if it is a further one. */
type Server = UpstreamReach & { readonly id?: string | undefined }

/** Every tracking server that the gateway is in front of. */
export type TrackingServers = {
  /** The one at `UPSTREAM_URL`. */
  readonly main: Upstream
  /** The one that a workspace is on, told each time which it is about if it keeps them apart. */
  readonly of: (name: WorkspaceName) => Upstream
  readonly close: () => Promise<unknown>
}

/** Reaches them as the server does; nothing is asked yet. */
export function openServers(
  main: Server,
  { further, idleTimeout }: { readonly further: readonly Server[]; readonly idleTimeout: number },
): TrackingServers {
  const opened = [main, ...further].map((server) => {
    const { upstreamUrl: url, upstreamHost: host, upstreamTls: tls } = server
    return { server, upstream: createUpstream({ url, host, tls, idleTimeout }) }
  })
  return {
    main: opened[0]?.upstream as Upstream,
    of: (name) => {
      const found = opened.find(({ server }) => server.id === placeOf(name).upstream)
      if (found === undefined) throw new Error('asked about a tracking server that there is not')
      return found.server.workspaces ? sentTo(found.upstream, name) : found.upstream
    },
    close: () => Promise.all(opened.map(({ upstream }) => upstream.close())),
  }
}

/**
 * As {@link openServers}, from what the variables say. Needs `UPSTREAM_URL` and what goes with it only.
 *
 * @throws {ConfigError}
 */
export function readAndOpenServers(source: Source): TrackingServers {
  const { UPSTREAMS: ids } = read(ServersSchema, '', source)
  const { UPSTREAM_TIMEOUT: idleTimeout } = read(Type.Object({ UPSTREAM_TIMEOUT }), '', source)
  const faults = createFaultList()
  const reach = (prefix: string) =>
    readReach(prefix, readVariables(ReachSchema, prefix, source, faults), source, faults)
  const main = { ...reach('UPSTREAM_'), workspaces: readWorkspaces(source).workspaces }
  const further = upstreamPrefixes({ UPSTREAMS: ids }).map((prefix, index) => ({
    ...reach(prefix),
    id: ids[index],
  }))
  if (faults.all().length > 0) throw new ConfigError(faults.all())
  return openServers(main, { further, idleTimeout })
}

function read<S extends TObject>(schema: S, prefix: string, source: Source): Static<S> {
  const faults = createFaultList()
  const variables = readVariables(schema, prefix, source, faults)
  if (faults.all().length > 0) throw new ConfigError(faults.all())
  return variables
}
