import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { LRUCache } from 'lru-cache'
import { upTo } from '../room.ts'

/** The longest spelling of an IPv6 address, with an IPv4 address at its end. */
const LONGEST = 45

/**
 * One spelling per address: IPv4 dotted, IPv6 as RFC 5952 has it and without a zone, an IPv4-mapped IPv6 address
 * (RFC 4291 §2.5.5.2) as the IPv4 address it stands for. Undefined for anything else, such as `010.0.0.1`.
 */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text
  const [bare = ''] = text.split('%', 1)
  if (bare.length > LONGEST || !isIPv6(bare)) return undefined
  const canonical = new URL(`http://[${bare}]/`).hostname.slice(1, -1)
  return mappedIpv4(canonical) ?? canonical
}

function mappedIpv4(canonical: string): string | undefined {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? []
  if (high === undefined || low === undefined) return undefined
  const value = [high, low].map((group) => Number.parseInt(group, 16))
  return value.flatMap((group) => [group >> 8, group & 255]).join('.')
}

/** Addresses that share their first `prefix` bits; a single address has all of them. */
export type Network = { readonly address: string; readonly prefix: number }

const LOOPBACK: readonly Network[] = [
  { address: '127.0.0.0', prefix: 8 },
  { address: '::1', prefix: 128 },
]

/** An address, a network in CIDR notation (RFC 4632 §3.1), or `loopback` for both of it. Undefined if it is none. */
export function parseNetworks(entry: string): readonly Network[] | undefined {
  if (entry === 'loopback') return LOOPBACK
  const [, text = '', bits] = /^([0-9a-fA-F:.]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(entry) ?? []
  const address = canonicalAddress(text)
  if (address === undefined) return undefined
  const longest = text.includes(':') ? 128 : 32
  const given = bits === undefined ? longest : Number(bits)
  // The bits of an IPv4-mapped network are counted from the front of the IPv6 address.
  const prefix = isMapped(text, address) ? given - 96 : given
  return given > longest || prefix < 0 ? undefined : [{ address, prefix }]
}

function isMapped(text: string, address: string): boolean {
  return text.includes(':') && !address.includes(':')
}

/** True if one of the networks holds the address, which has to be as {@link canonicalAddress} spells it; none holds ''. */
export type InNetworks = (address: string) => boolean

/** Node takes some microseconds for a check, on the path of every request; the addresses that come are few and come again. */
const REMEMBERED = 4096

/** Nothing is in no networks. */
export function createNetworks(networks: readonly Network[]): InNetworks {
  if (networks.length === 0) return () => false
  const list = new BlockList()
  for (const { address, prefix } of networks) list.addSubnet(address, prefix, familyOf(address))
  const known = new LRUCache<string, boolean>(upTo(REMEMBERED))
  return (address) => {
    const remembered = known.get(address)
    if (remembered !== undefined) return remembered
    const holds = address !== '' && list.check(address, familyOf(address))
    known.set(address, holds)
    return holds
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}
