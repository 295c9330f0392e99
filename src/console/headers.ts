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

/**
 * The headers of MLflow's own page. Its scripts are files of its own, some of which make functions out of text; styles
 * it writes into the page. Nothing comes from elsewhere and nothing goes there, so a script that somebody got into a
 * name or a description neither runs nor, if it did, could tell anybody.
 *
 * @param inlineScripts Whether an HTML file that is looked at in MLflow's page (in a frame of no origin) may run scripts.
 */
export function mlflowPageHeaders(inlineScripts: boolean): Record<string, string> {
  const policy = [
    "default-src 'self'",
    `script-src 'self' 'unsafe-eval'${inlineScripts ? " 'unsafe-inline'" : ''}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "frame-src 'self' data: blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
  ]
  return {
    'content-security-policy': policy.join('; '),
    'referrer-policy': 'same-origin',
    'x-frame-options': 'SAMEORIGIN',
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
