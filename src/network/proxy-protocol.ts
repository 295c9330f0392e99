import { canonicalAddress } from './address.ts'

/**
 * What the first bytes of a connection are. `source` is the client's address; undefined where the proxy speaks for
 * itself (`LOCAL`, its health checks) or does not know (`UNKNOWN`, other families).
 */
export type ProxyHeader =
  | { readonly is: 'unfinished' }
  | { readonly is: 'invalid' }
  | { readonly is: 'header'; readonly length: number; readonly source: string | undefined }

const UNFINISHED: ProxyHeader = { is: 'unfinished' }
const INVALID: ProxyHeader = { is: 'invalid' }

const V1_START = Buffer.from('PROXY ', 'latin1')
/** The longest line of version 1, CRLF included (PROXY protocol §2.1). */
const V1_LONGEST = 107

const V2_START = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_FIXED = 16
/** Addresses take at most 216 bytes; the rest is for extensions (TLV). Fields of more than this are not waited for. */
const V2_LONGEST = V2_FIXED + 4096

/**
 * Reads the header of HAProxy's PROXY protocol, versions 1 and 2, that a connection begins with. Pure: call it again
 * with more bytes while it is unfinished; it never is beyond 4112 of them.
 *
 * @see https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsAs(bytes, V2_START)) return bytes.length < V2_FIXED ? UNFINISHED : readVersion2(bytes)
  if (startsAs(bytes, V1_START)) return readVersion1(bytes)
  return INVALID
}

/** True if the bytes, as far as they have come, are those of `start`. */
function startsAs(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.compare(start, 0, length, 0, length) === 0
}

function readVersion1(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_LONGEST).indexOf('\r\n')
  if (end === -1) return bytes.length < V1_LONGEST ? UNFINISHED : INVALID
  const length = end + 2
  const line = bytes.toString('latin1', 0, end)
  if (/^PROXY UNKNOWN(?: .*)?$/.test(line)) return { is: 'header', length, source: undefined }
  const [, family, ...addresses] = /^PROXY (TCP4|TCP6) (\S+) (\S+) (\d{1,5}) (\d{1,5})$/.exec(line) ?? []
  const [source = '', destination = '', ...ports] = addresses
  if (family === undefined || ports.some((port) => Number(port) > 65_535)) return INVALID
  if ([source, destination].some((address) => address.includes(':') !== (family === 'TCP6'))) return INVALID
  if (canonicalAddress(destination) === undefined) return INVALID
  return found(canonicalAddress(source), length)
}

function found(source: string | undefined, length: number): ProxyHeader {
  return source === undefined ? INVALID : { is: 'header', length, source }
}

const LOCAL = 0x20
const PROXY = 0x21

/** Address family and transport (§2.2) → how long the addresses are. Datagrams do not come this way. */
const ADDRESS_LENGTHS: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x21, 36],
  [0x31, 216],
])

function readVersion2(bytes: Buffer): ProxyHeader {
  const command = bytes[12]
  const family = bytes[13] ?? 0
  const length = V2_FIXED + bytes.readUInt16BE(14)
  if ((command !== LOCAL && command !== PROXY) || length > V2_LONGEST) return INVALID
  if (bytes.length < length) return UNFINISHED
  // The addresses of LOCAL must be thrown away, whatever they are.
  if (command === LOCAL) return { is: 'header', length, source: undefined }
  const addresses = ADDRESS_LENGTHS.get(family)
  if (addresses === undefined || V2_FIXED + addresses > length) return INVALID
  if (family !== 0x00 && !areExtensions(bytes.subarray(V2_FIXED + addresses, length))) return INVALID
  if (family === 0x11) return found(bytes.subarray(V2_FIXED, V2_FIXED + 4).join('.'), length)
  if (family === 0x21) return found(ipv6(bytes.subarray(V2_FIXED, V2_FIXED + 16)), length)
  return { is: 'header', length, source: undefined }
}

function ipv6(bytes: Buffer): string | undefined {
  const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16))
  return canonicalAddress(groups.join(':'))
}

/** True for a whole number of type, length and value (§2.2.1 to §2.2.7). What they say decides nothing. */
function areExtensions(bytes: Buffer): boolean {
  let offset = 0
  while (offset + 3 <= bytes.length) offset += 3 + bytes.readUInt16BE(offset + 1)
  return offset === bytes.length
}
