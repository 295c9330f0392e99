import type { ErrorCode, GatewayError } from '../errors.ts'
import { mlflowError, wwwAuthenticate } from '../mlflow/wire.ts'
import { askPath } from './ask-link.ts'
import { ownPath } from './assets.ts'
import { ASK_HEADER } from './badge.ts'
import { commonHeaders, pageHeaders } from './headers.ts'
import { type Html, html } from './html.ts'
import { page } from './layout.ts'
import { maySignIn, type RequestShape, wantsPage } from './navigation.ts'

/** What a refusal needs to know of the request besides the error. */
export type RefusalContext = RequestShape & {
  readonly requestId: string
  readonly publicUrl: URL
  /** Who is signed in, as far as that was found out before the refusal. Shown on the page only. */
  readonly username?: string | undefined
}

/** A whole response. Header names are in lower case. */
export type RefusalResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Longest target that is carried through a sign-in; a longer one comes back to the start page. */
const RETURN_LIMIT = 2000

/**
 * Puts a refusal into the form its reader understands: MLflow's JSON error for programs, with a `WWW-Authenticate`
 * challenge where a credential would help; a page for people; for a page asked for without being signed in, the way
 * to the sign-in. Says nothing of `error.cause` and `error.reason`. For a HEAD the body is still here, since its
 * length is; Node's server leaves it out on the wire.
 */
export function renderRefusal(error: GatewayError, context: RefusalContext): RefusalResponse {
  if (error.refusal.status === 401 && maySignIn(context)) return toSignIn(context)
  const asPage = wantsPage(context)
  const body = asPage ? refusalPage(error, context) : refusalJson(error, context)
  const challenge = wwwAuthenticate(error)
  return {
    status: error.refusal.status,
    headers: {
      ...(asPage ? pageHeaders(context.publicUrl) : jsonHeaders(context.publicUrl)),
      ...(challenge === undefined ? {} : { 'www-authenticate': challenge }),
      ...(error.code === 'ERR_TOO_MANY_REQUESTS' ? { 'retry-after': String(error.retryAfter ?? 1) } : {}),
      ...(error.missing === undefined ? {} : { [ASK_HEADER]: askPath(context.publicUrl, error.missing) }),
      'content-length': String(Buffer.byteLength(body)),
      'x-request-id': context.requestId,
    },
    body,
  }
}

function jsonHeaders(publicUrl: URL): Record<string, string> {
  return { 'content-type': 'application/json', 'cache-control': 'no-store', ...commonHeaders(publicUrl) }
}

function refusalJson(error: GatewayError, context: RefusalContext): string {
  return mlflowError(error.refusal.mlflow, `${sentence(error)} (request id ${context.requestId})`)
}

function sentence(error: GatewayError): string {
  return error.message.replace(/\.$/, '')
}

function toSignIn(context: RefusalContext): RefusalResponse {
  const ownTarget = /^\/(?![/\\])/.test(context.url) && context.url.length <= RETURN_LIMIT ? context.url : '/'
  const target = ownPath(context.publicUrl, ownTarget as `/${string}`)
  return {
    status: 302,
    headers: {
      location: `${ownPath(context.publicUrl, '/auth/login')}?return_to=${encodeURIComponent(target)}`,
      'cache-control': 'no-store',
      'content-length': '0',
      'x-request-id': context.requestId,
      ...commonHeaders(context.publicUrl),
    },
    body: '',
  }
}

function refusalPage(error: GatewayError, context: RefusalContext): string {
  const { title } = WORDS[error.code]
  const advice = error.missing === undefined ? WORDS[error.code].advice : ASK
  return page({
    title,
    publicUrl: context.publicUrl,
    username: context.username,
    narrow: true,
    body: html`<div class="panel notice bad">
<p>${sentence(error)}.</p>
<p>${advice}</p>
</div>
<dl class="facts">
${context.username === undefined ? undefined : html`<dt>Signed in as</dt><dd>${context.username}</dd>`}
<dt>Request id</dt><dd><code>${context.requestId}</code></dd>
</dl>
${ways(error, context)}`,
  })
}

const SIGN_IN_HELPS: ReadonlySet<ErrorCode> = new Set(['ERR_SIGN_IN_FAILED', 'ERR_LOCKED_DOWN'])

function ways(error: GatewayError, { publicUrl, username }: RefusalContext): Html {
  const signIn = error.refusal.status === 401 || SIGN_IN_HELPS.has(error.code)
  const { missing } = error
  return html`<p class="actions">
${missing === undefined ? undefined : html`<a class="button" href="${askPath(publicUrl, missing)}">Ask for access</a>`}
${signIn ? html`<a class="button" href="${ownPath(publicUrl, '/auth/login')}">Sign in</a>` : undefined}
<a class="button quiet" href="${ownPath(publicUrl, '/')}">Back to MLflow</a>
${username !== undefined && error.refusal.status === 403 ? html`<a class="button quiet" href="${ownPath(publicUrl, '/auth/logout')}">Sign in as somebody else</a>` : undefined}
</p>`
}

type Words = { readonly title: string; readonly advice: string }

const QUOTE_THE_ID =
  'If it stays like this, tell the people who run this server and give them the request id below.'

const SIGN_IN_AGAIN: Words = { title: 'Please sign in', advice: 'Sign in again to go on.' }
const NOT_ALLOWED: Words = {
  title: 'You do not have access to this',
  advice:
    'Ask the owner, or the people who run this server, for the access that is missing, and give them the request id below.',
}
const ASK =
  'If you need it, ask for it: whoever manages it, and the people who run this server, see what you ask for.'
const NOT_READABLE: Words = {
  title: 'This request cannot be read',
  advice: 'Check the address, or go back and try again.',
}
const NOT_HERE: Words = {
  title: 'There is nothing here',
  advice: 'Check the address for a spelling mistake.',
}
const WAIT: Words = { title: 'Not available at the moment', advice: `Try again in a minute. ${QUOTE_THE_ID}` }
const FAULT: Words = { title: 'Something went wrong', advice: `Try again. ${QUOTE_THE_ID}` }

const WORDS: Readonly<Record<ErrorCode, Words>> = {
  ERR_NO_CREDENTIAL: SIGN_IN_AGAIN,
  ERR_INVALID_TOKEN: SIGN_IN_AGAIN,
  ERR_EXPIRED_TOKEN: SIGN_IN_AGAIN,
  ERR_INSUFFICIENT_SCOPE: NOT_ALLOWED,
  ERR_PERMISSION_DENIED: NOT_ALLOWED,
  ERR_CROSS_ORIGIN: {
    title: 'This request came from another site',
    advice: 'Open the page here, in this site, and send the form again.',
  },
  ERR_AMBIGUOUS_REQUEST: NOT_READABLE,
  ERR_INVALID_PARAMETER: NOT_READABLE,
  ERR_BAD_REQUEST: NOT_READABLE,
  ERR_ALREADY_EXISTS: {
    title: 'This exists already',
    advice: 'Choose another name, or change what is there.',
  },
  ERR_PRECONDITION_FAILED: {
    title: 'It has changed meanwhile',
    advice:
      'Somebody else has changed it since this page was made. Open the page again and look before you change it.',
  },
  ERR_PRECONDITION_REQUIRED: {
    title: 'Say what you have seen',
    advice: 'A change has to name the version that it changes, so that nobody undoes the work of another.',
  },
  ERR_UNSUPPORTED_MEDIA_TYPE: NOT_READABLE,
  ERR_BODY_TOO_LARGE: { title: 'This is too large', advice: 'Send less at once.' },
  ERR_TOO_MANY_REQUESTS: { title: 'Too many requests', advice: 'Wait a moment, then try again.' },
  ERR_WRONG_HOST: { title: 'Wrong address', advice: 'Open the server under its own name.' },
  ERR_NO_SUCH_ROUTE: NOT_HERE,
  ERR_NOT_FOUND: NOT_HERE,
  ERR_SIGN_IN_FAILED: { title: 'Signing in did not work', advice: `Try again. ${QUOTE_THE_ID}` },
  ERR_LOCKED_DOWN: {
    title: 'Locked down',
    advice: 'Administrators can sign in as ever. If you are one, sign in as such.',
  },
  ERR_PROVIDER_UNREACHABLE: WAIT,
  ERR_STORE_UNAVAILABLE: WAIT,
  ERR_UPSTREAM_UNREACHABLE: WAIT,
  ERR_UPSTREAM_INVALID: FAULT,
  ERR_UPSTREAM_TIMEOUT: WAIT,
  ERR_INTERNAL: FAULT,
}
