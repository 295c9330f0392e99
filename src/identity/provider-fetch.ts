import { Agent, fetch as undiciFetch } from 'undici'
import type { ProviderConfig } from '../config.ts'
import { createHostCheck } from '../console/host-check.ts'

/** Milliseconds for one request and its whole answer, whatever the caller allows. */
const TIMEOUT_MS = 15_000

/** Largest answer in bytes, decompressed: key sets of large providers have some 20 KB. */
const MAX_BYTES = 1024 * 1024

/**
 * Hosts of providers that name others than their issuer's in their discovery document, by the issuer's host; as their
 * documents were in 2026. Keycloak, Okta and Auth0 stay on one host.
 */
const WELL_KNOWN: Readonly<Record<string, readonly string[]>> = {
  'accounts.google.com': ['oauth2.googleapis.com', 'www.googleapis.com', 'openidconnect.googleapis.com'],
  'login.microsoftonline.com': ['graph.microsoft.com'],
  'sts.windows.net': ['login.microsoftonline.com', 'login.windows.net', 'graph.microsoft.com'],
  'login.microsoftonline.us': ['graph.microsoft.us'],
  'login.partner.microsoftonline.cn': ['microsoftgraph.chinacloudapi.cn'],
}

export type Egress = {
  /** Whether the gateway may call this address for the provider. */
  permits(url: string): boolean
  /**
   * Fetches from permitted hosts only, follows no redirect, and reads the answer whole within a bound of size and time.
   * Rejects, as `fetch` does, with a `TypeError`.
   */
  readonly fetch: typeof fetch
}

/**
 * The one way out to a provider: what its documents name decides which address is called next, so a document that is
 * wrong, or somebody else's, must not be able to make the gateway call into the network it is in.
 *
 * @param config `authorities`, if there are any, replace the system's for this provider.
 * @param base Used unless there are.
 * @param authorities Those of `config` where they may change: asked with each request.
 */
export function createEgress(
  config: Pick<ProviderConfig, 'issuer' | 'allowedHosts' | 'authorities' | 'allowHttpIssuer'>,
  base: typeof fetch,
  authorities: (() => string | undefined) | undefined = () => config.authorities,
): Egress {
  const issuer = new URL(config.issuer)
  const isAllowed = createHostCheck([issuer.host, ...(WELL_KNOWN[issuer.host] ?? []), ...config.allowedHosts])
  const permits = (url: string) => {
    const { protocol, host } = URL.parse(url) ?? {}
    if (protocol !== 'https:' && !(protocol === 'http:' && config.allowHttpIssuer)) return false
    return host !== undefined && isAllowed(host)
  }
  const send = config.authorities === undefined ? base : fetchTrusting(authorities)
  return {
    permits,
    async fetch(input, init = {}) {
      const url = input instanceof Request ? input.url : String(input)
      if (!permits(url)) throw new TypeError('the address is not one of the allowed hosts')
      const limit = AbortSignal.timeout(TIMEOUT_MS)
      const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit
      return readWhole(await send(input, { ...init, signal, redirect: 'manual' }))
    },
  }
}

/** Node's own `fetch` knows no authorities but the system's. */
function fetchTrusting(authorities: () => string | undefined): typeof fetch {
  let trusted: string | undefined
  let dispatcher: Agent | undefined
  const agent = () => {
    const ca = authorities()
    if (dispatcher !== undefined && ca === trusted) return dispatcher
    // What is under way ends by itself.
    dispatcher?.close()
    trusted = ca
    dispatcher = new Agent({ connect: ca === undefined ? {} : { ca } })
    return dispatcher
  }
  const trusting = (url: string, init: RequestInit) =>
    undiciFetch(url, { ...init, dispatcher: agent() } as Parameters<typeof undiciFetch>[1])
  return (input, init = {}) => trusting(String(input), init) as unknown as Promise<Response>
}

/** @returns The answer as one of Node's own, its body in memory. */
async function readWhole(response: Response): Promise<Response> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > MAX_BYTES) throw new TypeError('the answer is too large')
    chunks.push(chunk)
  }
  const headers = new Headers([...response.headers])
  // Of the bytes as they were sent.
  for (const name of ['content-encoding', 'content-length']) headers.delete(name)
  const body = size === 0 ? null : Buffer.concat(chunks)
  return new Response(body, { status: response.status, statusText: response.statusText, headers })
}
