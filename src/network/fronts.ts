import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { canonicalHostname } from '../console/host-check.ts'

/** Where a further tracking server is used: under a host name of its own, or below a path on the main one. */
export type Address = {
  readonly id: string
  readonly publicUrl: URL
  /** What its paths begin with, no slash at the end; undefined for one with a host name of its own. */
  readonly pathPrefix: string | undefined
}

/** Tells by a request's address which tracking server it is for. */
export type Fronts = {
  /** Undefined for the one at `UPSTREAM_URL`, whose app also refuses what is for nobody. */
  readonly of: (request: IncomingMessage) => Address | undefined
  /** Hands the requests of each over to `serve`, and those of the main one to `main`. */
  readonly divide: (main: RequestListener, serve: (id: string) => RequestListener) => RequestListener
}

/**
 * Which one it is decides on nothing else: what a request may do is judged there, by the rights on that tracking server, and
 * sent to no other. So a client may say what it likes in `Host`.
 */
export function createFronts(addresses: readonly Address[]): Fronts {
  const byHost = new Map<string, Address>()
  const byPath = addresses.filter(({ pathPrefix }) => pathPrefix !== undefined)
  for (const address of addresses) {
    if (address.pathPrefix === undefined) byHost.set(address.publicUrl.hostname, address)
  }
  const of = ({ headers: { host = '' }, url = '' }: IncomingMessage) => {
    const own = byHost.size === 0 ? undefined : byHost.get(canonicalHostname(host) ?? '')
    return own ?? byPath.find(({ pathPrefix = '' }) => isBelow(url, pathPrefix))
  }
  return {
    of,
    divide: (main, serve) => {
      if (addresses.length === 0) return main
      return (request, response) => {
        const address = of(request)
        if (address === undefined) return main(request, response)
        const { id, pathPrefix = '' } = address
        const path = (request.url ?? '').slice(pathPrefix.length)
        // MLflow's page asks for its files by relative paths.
        if (!path.startsWith('/')) return redirect(response, `${address.publicUrl.pathname}/${path}`)
        request.url = path
        serve(id)(request, response)
      }
    },
  }
}

/** In the one spelling that the configuration has; any other is for the main app, which refuses it. */
function isBelow(url: string, prefix: string): boolean {
  if (!url.startsWith(prefix)) return false
  const next = url[prefix.length]
  return next === undefined || next === '/' || next === '?'
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(308, { location, 'cache-control': 'no-store', 'content-length': 0 }).end()
}
