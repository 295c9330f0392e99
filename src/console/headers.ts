/**
 * The headers of every page of ours: nothing but our own style, scripts and images, never in a frame, never kept.
 *
 * `Referrer-Policy` is `same-origin`, not `no-referrer`: with the latter browsers send `Origin: null` with a form
 * (Fetch §3.1), and the Origin check would refuse our own pages.
 *
 * @param formTargets Origins a form of the page may end at besides our own. Chromium applies `form-action` to the
 *   redirects that follow a form too, so signing out at the provider needs the provider's origin here.
 */
export function pageHeaders(publicUrl: URL, formTargets: readonly string[] = []): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': contentSecurityPolicy(formTargets),
    'cross-origin-opener-policy': 'same-origin',
    'referrer-policy': 'same-origin',
    'x-frame-options': 'DENY',
    ...commonHeaders(publicUrl),
  }
}

/** Headers for everything the gateway itself answers, JSON included. HSTS (RFC 6797) when the public URL is https. */
export function commonHeaders(publicUrl: URL): Record<string, string> {
  return {
    'cross-origin-resource-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    ...(publicUrl.protocol === 'https:' ? { 'strict-transport-security': 'max-age=31536000' } : {}),
  }
}

function contentSecurityPolicy(formTargets: readonly string[]): string {
  return [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "img-src 'self' data:",
    `form-action ${["'self'", ...formTargets].join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')
}
