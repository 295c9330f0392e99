import { isIPv6 } from 'node:net'

/** An IPv4 address in IPv6 (RFC 4291 §2.5.5.2), as Node gives it on a socket that listens on both. */
const MAPPED = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i

/**
 * What requests from an address are counted under: the address itself, or of IPv6 the first 64 bits, since whoever has
 * one address of such a network has all of them (RFC 6177).
 */
export function addressKey(address: string): string {
  const plain = address.replace(MAPPED, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = (plain.split('%')[0] ?? '').split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length)
  const groups = [...before, ...Array<string>(zeros).fill('0'), ...after]
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, '').toLowerCase())
    .join(':')
}
