import { ownPath } from '../console/assets.ts'

/** Longer ones do not fit the sign-in cookie. */
const MAX_LENGTH = 2048

/** Coming back to one of these would sign in or out again. */
const NEVER = /^\/auth\/(?:login|logout|callback|signed-out)(?:\/|$)/

/**
 * Where to go after signing in: a path of this gateway, and nothing else. The text is parsed as browsers do (WHATWG
 * URL) and compared by origin; whatever is unclear becomes the start page.
 *
 * @param input A path with query and fragment, as the browser sees it or without the path prefix of `publicUrl`.
 * @returns A path that begins with exactly one `/` and carries the prefix of `publicUrl`.
 */
export function safeReturnPath(input: string | undefined, publicUrl: URL): string {
  const start = ownPath(publicUrl, '/')
  if (input === undefined || input.length > MAX_LENGTH || !isPlainPath(input)) return start
  const url = URL.parse(input, publicUrl.origin)
  if (url === null || url.origin !== publicUrl.origin) return start
  const path = withoutPrefix(url.pathname, publicUrl)
  // `/..//host` parses to the path `//host`, which a browser would read as another host.
  if (path.startsWith('//') || NEVER.test(path)) return start
  return ownPath(publicUrl, `/${path.slice(1)}`) + url.search + url.hash
}

/** The absolute URL of a path of ours; only the configuration decides scheme, host and port. */
export function absoluteUrl(publicUrl: URL, path: string): string {
  return publicUrl.origin + path
}

/** One leading slash, no backslash next to it, no control characters: browsers drop or turn those into something else. */
function isPlainPath(input: string): boolean {
  return /^\/(?![/\\])/.test(input) && !/[\p{Cc} ]/u.test(input)
}

function withoutPrefix(path: string, publicUrl: URL): string {
  const prefix = ownPath(publicUrl, '/')
  if (prefix === '/') return path
  if (path === prefix.slice(0, -1)) return '/'
  return path.startsWith(prefix) ? path.slice(prefix.length - 1) : path
}
