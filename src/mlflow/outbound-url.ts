import { BlockList, isIP } from 'node:net'

/** Why a URL must not be called, in words that follow "The URL"; `undefined` if it may be. */
export type UrlFault = string | undefined

/**
 * A scheme, a host, perhaps a port, and from the first slash on no more than visible ASCII without a backslash: what
 * every parser takes apart alike. Neither a user nor a name in other letters has a place in it.
 */
const PLAIN = /^(https?):\/\/(\[[0-9a-f:.]{2,45}\]|[a-z0-9_.-]{1,253})(?::([0-9]{1,5}))?(?:\/[!-[\]-~]*)?$/i

/** Names that lead to machines nearby, whatever a resolver says (RFC 6761, RFC 6762, RFC 8375, and customs). */
const NEARBY = /^(?:[^.]*|.*\.(?:localhost|local|localdomain|internal|intranet|lan|home\.arpa))$/

/** Addresses that are nobody's out there (RFC 6890 and the registries it began). */
const RESERVED = reserved([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3'],
  // Teredo, documentation, 6to4: of what is global, those that hold other addresses or none.
  ...['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'],
])

/** Global unicast (RFC 4291 §2.4): everything else is local, mapped or reserved. */
const GLOBAL_IPV6 = reserved(['2000::/3'])

function reserved(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    list.addSubnet(address, Number(prefix), isIP(address) === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

/**
 * Judges a URL that MLflow is to send requests to. With a list of hosts: https to one of them and nothing else. Without:
 * no address of a private, local or otherwise reserved network in whatever spelling, and no name that means a machine
 * nearby. What a name resolves to and where an answer redirects to is for MLflow to check, when it sends.
 *
 * @param allowed Hosts as configured: lower-case, IPv6 in brackets, with or without a port. Empty: no list.
 */
export function faultOfUrl(url: string, allowed: readonly string[]): UrlFault {
  const [, scheme = '', named, port] = PLAIN.exec(url) ?? []
  if (named === undefined || !URL.canParse(url)) return 'is not one that everybody reads alike'
  const host = named.toLowerCase()
  // `URL` knows the number behind every spelling of an address: 0x7f.1, 2130706433, 0177.0.0.1.
  if (!host.startsWith('[') && new URL(url).hostname !== host) return 'names its host in an unusual way'
  if (allowed.length > 0) {
    if (scheme.toLowerCase() !== 'https') return 'is not https'
    return isListed(new URL(url).hostname, port, allowed)
      ? undefined
      : 'leads to a host that is not in WEBHOOK_ALLOWED_HOSTS'
  }
  return isPublic(host) ? undefined : 'leads into a private network; WEBHOOK_ALLOWED_HOSTS can allow its host'
}

function isListed(hostname: string, port: string | undefined, allowed: readonly string[]): boolean {
  return allowed.includes(hostname) || allowed.includes(`${hostname}:${Number(port ?? 443)}`)
}

function isPublic(host: string): boolean {
  if (host.startsWith('[')) {
    const address = host.slice(1, -1)
    return GLOBAL_IPV6.check(address, 'ipv6') && !RESERVED.check(address, 'ipv6')
  }
  if (isIP(host) === 4) return !RESERVED.check(host, 'ipv4')
  return !host.endsWith('.') && !NEARBY.test(host)
}
