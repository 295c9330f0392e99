import type { Server, Socket } from 'node:net'
import { canonicalAddress, type InNetworks } from './address.ts'
import type { ClientAddresses } from './client-address.ts'
import { readProxyHeader } from './proxy-protocol.ts'

/** A proxy sends the header first of all, and at once. */
const TIMEOUT_MS = 5000

export type ProxyFrontOptions = {
  readonly isTrusted: InNetworks
  readonly addresses: Pick<ClientAddresses, 'notePeer'>
  readonly timeoutMs?: number | undefined
}

/**
 * Has the server read the PROXY protocol's header from every connection that a trusted proxy opens, before TLS and
 * HTTP see a byte. A connection of theirs without one is closed. From anybody else it is no header but the first bytes
 * of a request, which they make invalid.
 *
 * Call it before the server listens.
 */
export function acceptProxyProtocol(server: Server, options: ProxyFrontOptions): void {
  const serve = server.listeners('connection')
  server.removeAllListeners('connection')
  server.on('connection', (socket: Socket) => {
    const pass = () => {
      for (const listener of serve) listener.call(server, socket)
    }
    const isProxy = options.isTrusted(canonicalAddress(socket.remoteAddress ?? '') ?? '')
    if (isProxy) readThen(socket, pass, options)
    else pass()
  })
}

function readThen(socket: Socket, pass: () => void, options: ProxyFrontOptions): void {
  const { addresses, timeoutMs = TIMEOUT_MS } = options
  let bytes: Buffer = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), timeoutMs)
  const onFault = () => socket.destroy()
  const onReadable = () => {
    const chunk: Buffer | null = socket.read()
    if (chunk === null) return
    bytes = Buffer.concat([bytes, chunk])
    const header = readProxyHeader(bytes)
    if (header.is === 'unfinished') return
    stop()
    if (header.is === 'invalid') {
      socket.destroy()
      return
    }
    if (header.source !== undefined) addresses.notePeer(socket, header.source)
    if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
    pass()
  }
  const stop = () => {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('end', onFault).off('error', onFault).off('close', stop)
  }
  socket.on('readable', onReadable).on('end', onFault).on('error', onFault).on('close', stop)
}
