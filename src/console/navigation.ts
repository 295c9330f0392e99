import type { IncomingHttpHeaders } from 'node:http'

/** Where programs call. Without `Sec-Fetch-*` nothing under these is taken for a person opening a page. */
const API_PATHS =
  /^\/(?:api|ajax-api|graphql|gateway|v1|auth\/api|\.well-known|healthz|readyz|health|version)(?:\/|$)/

/** The parts of a request that tell a person's browser opening a page from a program. */
export type RequestShape = {
  readonly method: string
  /** Request target as received: path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
}

/**
 * True when a person's browser waits for a page: a top-level navigation by Fetch metadata (W3C Fetch Metadata §2), or,
 * where the browser sends none (plain http to another host), an `Accept` that asks for HTML before anything else.
 * The User-Agent says nothing: scripts borrow it.
 */
export function wantsPage(request: RequestShape): boolean {
  const mode = request.headers['sec-fetch-mode']
  if (mode !== undefined) return mode === 'navigate' && isTopLevel(request.headers['sec-fetch-dest'])
  if (request.headers['sec-fetch-site'] !== undefined || request.headers['sec-fetch-dest'] !== undefined)
    return false
  return !API_PATHS.test(pathOf(request.url)) && prefersHtml(request.headers.accept)
}

/** True when a refusal for want of a credential may become a redirect to the sign-in page. */
export function maySignIn(request: RequestShape): boolean {
  // A credential in the header would be sent again after signing in, be refused again, and so on in a circle.
  return request.method === 'GET' && request.headers.authorization === undefined && wantsPage(request)
}

function isTopLevel(destination: string | string[] | undefined): boolean {
  return destination === undefined || destination === 'document'
}

function pathOf(url: string): string {
  const query = url.indexOf('?')
  return query === -1 ? url : url.slice(0, query)
}

/** `text/html` named itself, with a weight no other named type exceeds (RFC 9110 §12.5.1). */
function prefersHtml(accept: string | undefined): boolean {
  if (accept === undefined) return false
  let html = 0
  let others = 0
  for (const range of accept.split(',', 20)) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    const weight = weightOf(parameters)
    if (type === 'text/html') html = Math.max(html, weight)
    else if (type === 'application/json') others = Math.max(others, weight)
  }
  return html > 0 && html > others
}

function weightOf(parameters: readonly string[]): number {
  const text = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
  if (text === undefined) return 1
  const weight = Number(text)
  return weight >= 0 && weight <= 1 ? weight : 0
}
