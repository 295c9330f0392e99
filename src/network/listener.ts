import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import type { InNetworks } from './address.ts'
import type { ClientAddresses } from './client-address.ts'
import { type Drain, lastAnswers } from './drain.ts'
import { createIdleClients } from './idle-clients.ts'
import { acceptProxyProtocol } from './proxy-front.ts'
import { type ServedCertificate, secureContext } from './served-certificate.ts'

/** Whether clients are asked for a certificate: without it, or with one of another authority, there is no connection. */
export type ClientCertificates = 'off' | 'request' | 'require'

export type ListenerOptions = {
  readonly addresses: ClientAddresses
  readonly drain: Drain
  /** Seconds that a client may stand still although it is its turn. */
  readonly idleTimeout: number
  /** Proxies whose connections begin with the PROXY protocol's header; absent if none do. */
  readonly proxies: InNetworks | undefined
  /** Absent: plain http. */
  readonly tls:
    | { readonly certificate: ServedCertificate; readonly clientCertificates: ClientCertificates }
    | undefined
}

/** Milliseconds for the head of a request, and from connecting to its first byte. */
const HEAD_MS = 20_000
/** How often it is looked whose time is up. */
const CHECK_MS = 5_000

/** Milliseconds for the TLS handshake. */
const HANDSHAKE_MS = 10_000

/**
 * A server for HTTP/1.1, with TLS if there is a certificate, that knows who is at the other end of each connection.
 * Whether a body is wanted is for `handler` to decide (RFC 9110 §10.1.1); Node would invite it at once.
 */
export function createListener(handler: RequestListener, options: ListenerOptions): Server {
  const { addresses, drain, idleTimeout, proxies, tls } = options
  const idleClients = createIdleClients(idleTimeout)
  const watched = idleClients.watched(handler)
  const http = {
    ...{ headersTimeout: HEAD_MS, connectionsCheckingInterval: CHECK_MS },
    ServerResponse: lastAnswers(drain),
  }
  const server = tls === undefined ? createServer(http, watched) : createSecureServer(http, watched, tls)
  server.on('checkContinue', watched)
  idleClients.endOn(server)
  server.prependListener(tls === undefined ? 'connection' : 'secureConnection', addresses.note)
  if (proxies !== undefined) acceptProxyProtocol(server, { isTrusted: proxies, addresses })
  return server
}

function createSecureServer(
  http: ServerOptions,
  handler: RequestListener,
  { certificate, clientCertificates }: NonNullable<ListenerOptions['tls']>,
): Server {
  const server = createTlsServer(
    {
      ...http,
      ...secureContext(certificate.current()),
      handshakeTimeout: HANDSHAKE_MS,
      requestCert: clientCertificates !== 'off',
      rejectUnauthorized: clientCertificates === 'require',
    },
    handler,
  )
  if (clientCertificates === 'request') server.prependListener('secureConnection', endIfUnverified)
  certificate.follow((context) => server.setSecureContext(context))
  return server
}

/** Who shows no certificate is let in; who shows a wrong one is not. */
function endIfUnverified(socket: TLSSocket): void {
  if (!socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0) socket.destroy()
}
