import type { IncomingMessage } from 'node:http'

/**
 * Request headers that reach MLflow. Everything else stays here: credentials, cookies, identity and forwarding headers
 * of any spelling (`X-Forwarded-User`, `X_Forwarded_User`), hop-by-hop headers, `X-MLflow-*`, and which trace the client
 * says it is in (`callers-trace.ts`).
 */
const FORWARDED = new Set([
  'accept',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'user-agent',
])

/**
 * The headers of a forwarded request, names and values alternating. `Host` is added where they are
 * sent; there is no `Origin`.
 *
 * @param own Headers set by the gateway.
 */
export function requestHeaders(request: IncomingMessage, own: readonly string[]): string[] {
  const headers = [...own]
  const raw = request.rawHeaders
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] ?? '').toLowerCase()
    if (FORWARDED.has(name)) headers.push(name, raw[i + 1] ?? '')
  }
  return headers
}

/**
 * Response headers of MLflow, or of a provider it asked, that do not leave: hop-by-hop (RFC 9110 §7.6.1), CORS, cookies,
 * its own address, and what a proxy in front of us, the browser or our own script would obey as ours.
 */
const WITHHELD = new Set([
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-allow-private-network',
  'access-control-expose-headers',
  'access-control-max-age',
  'alt-svc',
  'clear-site-data',
  'connection',
  'content-location',
  'date',
  'keep-alive',
  'location',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'refresh',
  'server',
  'service-worker-allowed',
  'set-cookie',
  'strict-transport-security',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'www-authenticate',
  'x-accel-buffering',
  'x-accel-charset',
  'x-accel-expires',
  'x-accel-limit-rate',
  'x-accel-redirect',
  'x-ask-for-access',
  'x-powered-by',
  'x-sendfile',
])

/**
 * The headers of an answer that is passed on, names and values alternating.
 *
 * @param own Headers set by the gateway, names in lower case. MLflow's of the same name do not leave.
 */
export function responseHeaders(
  upstream: Readonly<Record<string, string | readonly string[] | undefined>>,
  own: readonly string[],
): string[] {
  const headers = [...own]
  for (const name in upstream) {
    const value = upstream[name]
    if (value === undefined || WITHHELD.has(name) || isSet(own, name)) continue
    if (typeof value === 'string') headers.push(name, value)
    else for (const each of value) headers.push(name, each)
  }
  return headers
}

function isSet(headers: readonly string[], name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true
  return false
}
