/** A cookie as a browser keeps it. */
export type Cookie = {
  readonly host: string
  readonly path: string
  readonly name: string
  readonly value: string
  readonly secure: boolean
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Takes one `Set-Cookie` line: RFC 6265bis §5.7, as far as it matters here; what a browser would refuse fails the test. */
export function keep(jar: Cookie[], url: URL, line: string): void {
  const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
  const [name = '', value = ''] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]
  const read = (wanted: string) =>
    attributes.find((attribute) => attribute.toLowerCase().startsWith(`${wanted}=`))?.slice(wanted.length + 1)
  const secure = attributes.some((attribute) => attribute.toLowerCase() === 'secure')
  const path = read('path') ?? '/'
  const maxAge = Number(read('max-age') ?? Infinity)
  const gone = maxAge === 0
  if (name.startsWith('__') && !(secure && url.protocol === 'https:')) {
    if (gone) return // as browsers do: it stays
    throw new Error(`${name} is not Secure`)
  }
  if (name.startsWith('__Host-') && path !== '/') throw new Error(`${name} has Path=${path}`)
  const same = jar.findIndex((each) => each.host === url.hostname && each.name === name && each.path === path)
  if (same !== -1) jar.splice(same, 1)
  if (!gone)
    jar.push({ host: url.hostname, path, name, value, secure, expiresAt: Date.now() + maxAge * 1000 })
}

/** What is sent to `url`. @param isSafe Whether `Secure` cookies go there. */
export function cookieHeader(jar: readonly Cookie[], url: URL, isSafe: (url: URL) => boolean): string {
  return jar
    .filter(({ host, path }) => host === url.hostname && isUnder(url.pathname, path))
    .filter(({ secure, expiresAt }) => (!secure || isSafe(url)) && expiresAt > Date.now())
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
}

function isUnder(path: string, cookiePath: string): boolean {
  if (path === cookiePath) return true
  return path.startsWith(cookiePath.endsWith('/') ? cookiePath : `${cookiePath}/`)
}
