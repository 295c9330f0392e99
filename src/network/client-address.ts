import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { LRUCache } from 'lru-cache'
import { upTo } from '../room.ts'
import { canonicalAddress, type InNetworks } from './address.ts'
import { type AddressHeader, readForwarded } from './forwarded.ts'

/** Who a request comes from. */
export type Client = {
  /** As `canonicalAddress` spells it; empty if the connection was gone before it was known. */
  readonly address: string
  /** False if a trusted proxy spoke for somebody and it could not be read for whom: `address` is then the proxy's. */
  readonly isCertain: boolean
}

export type ClientAddresses = {
  /** To be told of each connection when it opens, while the system still knows its other end. */
  note(socket: Socket): void
  /** What a proxy said by the PROXY protocol of the connection it opened; holds until that closes. */
  notePeer(socket: Socket, address: string): void
  /**
   * The client of a request, found anew each time but cheaply: looked up unless a trusted proxy sent it. Only for
   * records, rate limits and allowed networks; where links lead is configuration.
   */
  of(request: IncomingMessage): Client
  /** True if a trusted proxy sent the request. */
  isFromProxy(request: IncomingMessage): boolean
  /** The other end of the connection, whether its word counts, and whether the header that would count is there. */
  peerOf(request: IncomingMessage): Seen
}

/** How a request arrived. */
export type Seen = { readonly peer: string; readonly isTrusted: boolean; readonly isForwarded: boolean }

export type ClientAddressOptions = {
  /** Whose word counts; see `TRUSTED_PROXIES`. */
  readonly isTrusted: InNetworks
  /** The one header that counts. The other is whatever the client sent: a proxy that writes one lets the other pass. */
  readonly header: AddressHeader
  /** Told of whoever sends that header and is not believed, with every request. */
  readonly onUnheard?: ((address: string) => void) | undefined
}

/** Headers remembered with what they say: a client sends the same one with every request, and reading takes microseconds. */
const REMEMBERED = 4096
const LONGEST_REMEMBERED = 200

/** `isNamed`: a trusted proxy named it, by the PROXY protocol. */
type Peer = Client & { readonly isTrusted: boolean; readonly isNamed: boolean }

export function createClientAddresses(options: ClientAddressOptions): ClientAddresses {
  const { isTrusted, header, onUnheard } = options
  const peers = new WeakMap<Socket, Peer>()
  /** By the ends of the connection: TLS has a socket of its own for it, which does not tell what it came from. */
  const told = new Map<string, string>()
  const known = new LRUCache<string, string | false>(upTo(REMEMBERED))
  const headerName = header === 'Forwarded' ? 'forwarded' : 'x-forwarded-for'

  const peerOf = (socket: Socket): Peer => {
    const known = peers.get(socket)
    if (known !== undefined) return known
    const own = canonicalAddress(socket.remoteAddress ?? '')
    const named = told.get(endsOf(socket))
    const address = named ?? own ?? ''
    const peer = { address, isCertain: true, isTrusted: isTrusted(address), isNamed: named !== undefined }
    if (own !== undefined) peers.set(socket, peer)
    return peer
  }
  const read = (value: string): string | false => {
    const remembered = known.get(value)
    if (remembered !== undefined) return remembered
    const address = readForwarded(header, value, isTrusted) ?? false
    if (value.length <= LONGEST_REMEMBERED) known.set(value, address)
    return address
  }
  return {
    note: peerOf,
    notePeer(socket, address) {
      const ends = endsOf(socket)
      told.set(ends, address)
      socket.once('close', () => told.delete(ends))
    },
    isFromProxy: (request) => peerOf(request.socket).isTrusted,
    peerOf({ socket, headers }) {
      const { address: peer, isTrusted: trusted } = peerOf(socket)
      return { peer, isTrusted: trusted, isForwarded: headers[headerName] !== undefined }
    },
    of(request) {
      const peer = peerOf(request.socket)
      const value = request.headers[headerName]
      if (!peer.isTrusted) {
        if (value !== undefined && !peer.isNamed) onUnheard?.(peer.address)
        return peer
      }
      if (value === undefined) return peer
      const address = read(String(value))
      return address === false ? { address: peer.address, isCertain: false } : { address, isCertain: true }
    },
  }
}

/** No two connections that are open at once have the same ends. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
