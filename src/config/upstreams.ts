import { type Static, Type } from 'typebox'
import { isLoopback, parseAllowedHost, readHosts, readPlainUrl } from './checks.ts'
import type { FaultList } from './fault.ts'
import { readUpstreamTls, type UpstreamTls } from './pem-files.ts'
import type { GatewayVariables } from './schema.ts'
import { ReachSchema, UpstreamSchema } from './upstream-schema.ts'
import { readVariables, type Source } from './variables.ts'

/** How a tracking server is reached. */
export type UpstreamReach = {
  /** Pathname as {@link UpstreamConfig.publicUrl}'s; never holds a user name or password. */
  readonly upstreamUrl: URL
  /** Where artifacts are served, if not there (mlflow server --artifacts-only). */
  readonly artifactsUrl: URL | undefined
  /** `Host` of every request to the tracking server. */
  readonly upstreamHost: string
  readonly upstreamTls: UpstreamTls
  /** Whether it keeps workspaces apart. */
  readonly workspaces: boolean
}

/** A tracking server, and where it is used. */
export type UpstreamConfig = UpstreamReach & {
  /** What people and scripts use. May carry a path prefix; its pathname ends in no slash but the root's own. */
  readonly publicUrl: URL
  /** Lower-case, without port unless one was given; IPv6 in brackets. Holds the public URL's own host. */
  readonly allowedHosts: readonly string[]
}

/** One of `UPSTREAMS`. */
export type FurtherUpstream = UpstreamConfig & {
  /** Lower-case letters and digits; names of its workspaces begin with it. */
  readonly id: string
  /** What its paths begin with, no slash at the end, where it shares a host with the others; else undefined. */
  readonly pathPrefix: string | undefined
}

/** First segments of paths that are the gateway's or MLflow's own (MLflow 2.22 to 3.17). */
const TAKEN =
  /^\/(?:auth|api|ajax-api|static-files|build|graphql|get-artifact|model-versions|gateway|health|healthz|readyz|metrics|version|v1|mlflow|signup|docs|openapi\.json|server-info|\.well-known)(?:\/|$)/

/** The prefixes of the further tracking servers' variables, such as `UPSTREAM_STAGING_`. */
export function upstreamPrefixes({ UPSTREAMS }: Pick<GatewayVariables, 'UPSTREAMS'>): readonly string[] {
  return UPSTREAMS.map((id) => `UPSTREAM_${id.toUpperCase()}_`)
}

/** Where the one at `UPSTREAM_URL` is used. */
type Main = Pick<UpstreamConfig, 'publicUrl' | 'allowedHosts'>

/** Those that `UPSTREAMS` lists, in its order. */
export function readFurtherUpstreams(
  { UPSTREAMS: ids }: Pick<GatewayVariables, 'UPSTREAMS'>,
  main: Main,
  source: Source,
  faults: FaultList,
): readonly FurtherUpstream[] {
  if (ids.includes('artifacts')) {
    const remedy = 'Use another id: UPSTREAM_ARTIFACTS_URL is where the artifacts of UPSTREAM_URL are.'
    faults.add('UPSTREAMS', 'holds artifacts', remedy)
  }
  const upstreams = ids.map((id) => readFurther(id, main, source, faults))
  const seen = new Set<string>()
  for (const { id, publicUrl, pathPrefix } of upstreams) {
    const address = pathPrefix ?? publicUrl.hostname
    if (seen.has(address)) {
      const remedy = 'Give each a host name or a path of its own.'
      faults.add(`UPSTREAM_${id.toUpperCase()}_PUBLIC_URL`, 'is where another one is', remedy)
    }
    seen.add(address)
  }
  return upstreams
}

function readFurther(id: string, main: Main, source: Source, faults: FaultList): FurtherUpstream {
  const prefix = `UPSTREAM_${id.toUpperCase()}_`
  const name = `${prefix}PUBLIC_URL`
  const { PUBLIC_URL } = readVariables(AddressSchema, prefix, source, faults)
  const publicUrl = readPlainUrl(name, PUBLIC_URL, faults)
  const pathPrefix = readPathPrefix(name, publicUrl, main.publicUrl, faults)
  return {
    ...readReach(prefix, readVariables(ReachSchema, prefix, source, faults), source, faults),
    ...{ id, publicUrl, pathPrefix },
    allowedHosts: pathPrefix === undefined ? [publicUrl.hostname] : main.allowedHosts,
  }
}

const AddressSchema = Type.Object({ PUBLIC_URL: UpstreamSchema.properties.PUBLIC_URL })

type ReachVariables = {
  readonly [key in keyof Static<typeof ReachSchema>]: Static<typeof ReachSchema>[key] | undefined
} & Pick<Static<typeof ReachSchema>, 'URL' | 'WORKSPACES'>

/** @param prefix Of the variables' names, such as `UPSTREAM_STAGING_`. */
export function readReach(
  prefix: string,
  variables: ReachVariables,
  source: Source,
  faults: FaultList,
): UpstreamReach {
  const url = readPlainUrl(`${prefix}URL`, variables.URL, faults)
  const artifacts = variables.ARTIFACTS_URL
  return {
    upstreamUrl: url,
    artifactsUrl:
      artifacts === undefined ? undefined : readPlainUrl(`${prefix}ARTIFACTS_URL`, artifacts, faults),
    upstreamHost: readUpstreamHost(`${prefix}HOST`, variables.HOST, url, faults),
    upstreamTls: readUpstreamTls(prefix, variables, source, faults),
    workspaces: variables.WORKSPACES,
  }
}

/** Cookies go by host: one host is one sign-in, and what is on it can reach all of it. */
function readPathPrefix(name: string, url: URL, main: URL, faults: FaultList): string | undefined {
  if (url.protocol !== main.protocol) {
    faults.add(name, 'is not https or http as PUBLIC_URL is', 'Begin both with https.')
  }
  if (url.hostname !== main.hostname) return undefined
  const above = main.pathname.replace(/\/$/, '')
  const path = url.pathname.startsWith(`${above}/`) ? url.pathname.slice(above.length) : '/'
  if (url.port !== main.port || path === '/') {
    const remedy = `Set it to another host name, or to a path below it such as ${main.href.replace(/\/$/, '')}/staging.`
    faults.add(name, 'is on the host of PUBLIC_URL, but not below it', remedy)
  } else if (TAKEN.test(path)) {
    faults.add(name, 'has a path that MLflow or the gateway uses itself', 'Choose another path.')
  }
  return path
}

/** `Host` for a server of MLflow's, unless the configuration says otherwise. */
export function hostOf({ protocol, host }: URL): string {
  return protocol === 'https:' ? host : 'localhost'
}

/**
 * MLflow from 3.5 on refuses host names that it was not told of, such as a Compose service's, but takes `localhost`
 * (field report 48). An https upstream is behind something that goes by the name.
 */
function readUpstreamHost(name: string, entry: string | undefined, url: URL, faults: FaultList): string {
  if (entry === undefined) return hostOf(url)
  const host = parseAllowedHost(entry)
  if (host === undefined) {
    faults.add(name, 'is no host name', 'Set it to a name such as mlflow.internal:5000, or leave it out.')
  }
  return host ?? entry
}

/** The public URL's own host, in all of loopback's spellings if it is one, and the further ones. */
export function readAllowedHosts(
  entries: readonly string[],
  publicUrl: URL,
  faults: FaultList,
): readonly string[] {
  const own = isLoopback(publicUrl.hostname) ? ['localhost', '127.0.0.1', '[::1]'] : []
  return [...new Set([publicUrl.hostname, ...own, ...readHosts('ALLOWED_HOSTS', entries, faults)])]
}
