import type { IncomingMessage } from 'node:http'

/**
 * Request headers that reach MLflow. Everything else stays here: credentials, cookies, identity and forwarding headers
 * of any spelling (`X-Forwarded-User`, `X_Forwarded_User`), hop-by-hop headers, `X-MLflow-*`.
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
  'traceparent',
  'tracestate',
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

/** Response headers of MLflow that do not leave: hop-by-hop (RFC 9110 §7.6.1), CORS, cookies, its own address. */
const WITHHELD = new Set([
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'cache-control',
  'connection',
  'content-location',
  'cross-origin-resource-policy',
  'date',
  'keep-alive',
  'location',
  'proxy-authenticate',
  'refresh',
  'server',
  'set-cookie',
  'strict-transport-security',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'www-authenticate',
  'x-content-type-options',
  'x-powered-by',
])

/** Kept apart so that a row may let MLflow's caching through. */
export const CACHE_CONTROL = 'cache-control'

/**
 * The headers of an answer that is passed on, names and values alternating.
 *
 * @param own Headers set by the gateway; the name `cache-control` among them replaces MLflow's.
 */
export function responseHeaders(
  upstream: Readonly<Record<string, string | readonly string[] | undefined>>,
  own: readonly string[],
): string[] {
  const headers = [...own]
  for (const name in upstream) {
    const value = upstream[name]
    if (
      value === undefined ||
      (WITHHELD.has(name) && !(name === CACHE_CONTROL && !own.includes(CACHE_CONTROL)))
    )
      continue
    if (typeof value === 'string') headers.push(name, value)
    else for (const each of value) headers.push(name, each)
  }
  return headers
}
