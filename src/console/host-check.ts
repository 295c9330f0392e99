/** A registered name, an IPv4 address, or an IPv6 address in brackets; then perhaps a port (RFC 9110 §7.2). */
const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9_.-]{1,255})(?::([0-9]{1,5}))?$/

/** Spellings of allowed hosts remembered as they were sent. */
const REMEMBERED = 100

/**
 * Makes the check that a Host header names this gateway: against DNS rebinding, and so that no answer is made for a
 * name that is not ours. Case and a trailing dot do not matter; the port only where the entry gives one.
 *
 * @param allowed Host names, lower-case, IPv6 in brackets, with or without a port.
 */
export function createHostCheck(allowed: readonly string[]): (host: string) => boolean {
  const hosts = new Set(allowed.map((entry) => canonical(entry.toLowerCase())?.full))
  const seen = new Set<string>()
  return (host) => {
    if (seen.has(host)) return true
    const given = canonical(host.toLowerCase())
    if (given === undefined || !(hosts.has(given.name) || hosts.has(given.full))) return false
    if (seen.size < REMEMBERED) seen.add(host)
    return true
  }
}

/** The name in a Host header as `URL.hostname` spells it, without the port; undefined if it is none. */
export function canonicalHostname(host: string): string | undefined {
  return canonical(host.toLowerCase())?.name
}

type Host = { readonly name: string; readonly full: string }

function canonical(host: string): Host | undefined {
  const [, name = '', port] = HOST.exec(host) ?? []
  const plain = name.startsWith('[') ? canonicalIpv6(name) : name.replace(/\.$/, '')
  if (plain === undefined || plain === '') return undefined
  return { name: plain, full: port === undefined ? plain : `${plain}:${Number(port)}` }
}

/** One spelling per address (RFC 5952), e.g. `[0:0::1]` → `[::1]`. */
function canonicalIpv6(name: string): string | undefined {
  return URL.canParse(`http://${name}/`) ? new URL(`http://${name}/`).hostname : undefined
}
