import { canonicalAddress, type InNetworks } from './address.ts'

/** The header that proxies write clients' addresses into: the de-facto one, or RFC 7239's. */
export type AddressHeader = 'X-Forwarded-For' | 'Forwarded'

/** More proxies than this in a row are not believed, and not read. */
const MAX_HOPS = 16

/**
 * Reads whom a trusted proxy speaks for: the rightmost address that is not a trusted proxy's, or the leftmost if all
 * are. Read from the right, since what stands to the left of a proxy's own entry is what its client sent: neither a
 * fault nor an open quote there can change what is found.
 *
 * @returns Undefined if what had to be read is no list of addresses.
 */
export function readForwarded(
  header: AddressHeader,
  value: string,
  isTrusted: InNetworks,
): string | undefined {
  const read = header === 'Forwarded' ? forwardedFor : nodeAddress
  let end = value.length
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    const comma = lastComma(value, end)
    if (comma === undefined) return undefined
    const address = read(value.slice(comma + 1, end).trim())
    if (address === undefined) return undefined
    if (comma === -1 || !isTrusted(address)) return address
    end = comma
  }
  return undefined
}

/** Where the last element of a list before `end` begins: its comma, or -1. Undefined if quotes make that unclear. */
function lastComma(value: string, end: number): number | undefined {
  let isQuoted = false
  for (let index = end - 1; index >= 0; index--) {
    const character = value[index]
    if (character === '\\') return undefined
    if (character === '"') isQuoted = !isQuoted
    else if (character === ',' && !isQuoted) return index
  }
  return isQuoted ? undefined : -1
}

/** RFC 7239 §4: `for=192.0.2.60;proto=http;by=203.0.113.43`. */
function forwardedFor(element: string): string | undefined {
  const pair = /\s*([\w!#$%&'*+.^`|~-]+)=(?:"([^"]*)"|([^\s";,]+))\s*(?:;|$)/y
  let node: string | undefined
  while (pair.lastIndex < element.length) {
    const [, name, quoted, token] = pair.exec(element) ?? []
    if (name === undefined) return undefined
    if (name.toLowerCase() !== 'for') continue
    if (node !== undefined) return undefined
    node = quoted ?? token
  }
  return node === undefined ? undefined : nodeAddress(node)
}

/** An address, IPv6 in brackets or not, perhaps with a port. `unknown` and made-up names (RFC 7239 §6) are none. */
function nodeAddress(node: string): string | undefined {
  const [, bracketed, ipv4] = /^(?:\[([^\]]+)\]|([\d.]+))(?::\d{1,5})?$/.exec(node) ?? []
  return canonicalAddress(bracketed ?? ipv4 ?? node)
}
