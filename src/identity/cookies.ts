import { GatewayError } from '../errors.ts'

/** Attributes every cookie of ours carries (RFC 6265bis §4.1.2). */
export type CookieAttributes = {
  readonly path: string
  readonly secure: boolean
  readonly httpOnly: true
  readonly sameSite: 'lax'
}

export type CookieSettings = {
  /** Holds the signed session id. */
  readonly session: string
  /** Holds the session JWT. */
  readonly token: string
  /** Begins the name of every sign-in under way. */
  readonly transactionPrefix: string
  readonly attributes: CookieAttributes
}

/**
 * Names and attributes, from the public URL alone: what a proxy in front claims about the connection never counts.
 * `__Host-` asks for `Path=/`, so under a path prefix it is `__Secure-`; over plain http neither would be accepted.
 */
export function cookieSettings(publicUrl: URL): CookieSettings {
  const path = publicUrl.pathname.endsWith('/') ? publicUrl.pathname : `${publicUrl.pathname}/`
  const secure = publicUrl.protocol === 'https:'
  const prefix = secure ? (path === '/' ? '__Host-' : '__Secure-') : ''
  return {
    session: `${prefix}gateway_session`,
    token: `${prefix}gateway_token`,
    transactionPrefix: `${prefix}gateway_login_`,
    attributes: { path, secure, httpOnly: true, sameSite: 'lax' },
  }
}

/**
 * A `Set-Cookie` value. Name and value are ours and need no escaping.
 *
 * @param maxAge Seconds; 0 makes the browser drop the cookie.
 */
export function serializeCookie(
  name: string,
  value: string,
  attributes: CookieAttributes,
  maxAge: number,
): string {
  const secure = attributes.secure ? '; Secure' : ''
  return `${name}=${value}; Max-Age=${maxAge}; Path=${attributes.path}; HttpOnly${secure}; SameSite=Lax`
}

/** The headers that can prove who calls, each read in exactly one way. */
export type CredentialHeaders = {
  readonly authorization: string | undefined
  readonly tokenCookie: string | undefined
  readonly sessionCookie: string | undefined
}

/**
 * Finds our credentials in one pass.
 *
 * @param rawHeaders Names and values alternating, as Node received them: its parsed headers keep only the first
 *   `Authorization` and hide that there was a second.
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` if `Authorization` or one of our cookies comes twice.
 */
export function readCredentialHeaders(
  rawHeaders: readonly string[],
  settings: CookieSettings,
): CredentialHeaders {
  let authorization: string | undefined
  let tokenCookie: string | undefined
  let sessionCookie: string | undefined
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    const value = rawHeaders[index + 1] ?? ''
    if (name.length === 13 && name.toLowerCase() === 'authorization') {
      if (authorization !== undefined) throw twice('The Authorization header')
      authorization = value
    } else if (name.length === 6 && name.toLowerCase() === 'cookie') {
      tokenCookie = readCookie(value, settings.token, tokenCookie)
      sessionCookie = readCookie(value, settings.session, sessionCookie)
    }
  }
  return { authorization, tokenCookie, sessionCookie }
}

/** @returns The cookie's value, or `before` if this header has none by that name. */
function readCookie(header: string, name: string, before: string | undefined): string | undefined {
  let found = before
  let at = header.indexOf(name)
  while (at !== -1) {
    const end = at + name.length
    if (header[end] === '=' && startsPair(header, at)) {
      if (found !== undefined) throw twice(`The cookie ${name}`)
      const semicolon = header.indexOf(';', end)
      found = header.slice(end + 1, semicolon === -1 ? undefined : semicolon).trim()
    }
    at = header.indexOf(name, end)
  }
  return found
}

function startsPair(header: string, at: number): boolean {
  let before = at - 1
  while (before >= 0 && (header[before] === ' ' || header[before] === '\t')) before -= 1
  return before < 0 || header[before] === ';'
}

function twice(what: string): GatewayError {
  return new GatewayError('ERR_AMBIGUOUS_REQUEST', `${what} is given more than once`)
}
