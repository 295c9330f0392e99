import type { IncomingMessage } from 'node:http'

/** An answer of the plain-http port. */
export type RedirectAnswer = {
  readonly status: 308 | 403
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Sends browsers that came by http to the same place by https (RFC 9110 §15.4.9), at the public address whatever host
 * they asked for. What carries a credential or a body is refused, since a program would follow the redirect and go on
 * sending both readable, without anybody noticing. No HSTS here: RFC 6797 §7.2 forbids it.
 */
export function redirectToHttps(request: IncomingMessage, publicUrl: URL): RedirectAnswer {
  const { method, url = '/', headers } = request
  const isReading = method === 'GET' || method === 'HEAD'
  if (!isReading || headers.authorization !== undefined || headers.cookie !== undefined) {
    return refusal(publicUrl)
  }
  // Anything but a path names a host of the client's choice.
  const target = url.startsWith('/') ? url : publicUrl.pathname
  return { status: 308, headers: { ...COMMON, location: publicUrl.origin + target }, body: '' }
}

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', connection: 'close' }

function refusal({ href }: URL): RedirectAnswer {
  const message =
    `This port only redirects browsers; send requests to ${href}. ` +
    'What was sent here crossed the network readable: revoke the token or password if there was one in it.'
  return {
    status: 403,
    headers: { ...COMMON, 'content-type': 'application/json' },
    body: JSON.stringify({ error_code: 'PERMISSION_DENIED', message }),
  }
}
