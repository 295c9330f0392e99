/** Real sockets: who the far end of a connection is, with and without the PROXY protocol, below http and below TLS. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createNetworks, parseNetworks } from '../../src/network/address.ts'
import { createClientAddresses } from '../../src/network/client-address.ts'
import { createDrain } from '../../src/network/drain.ts'
import { type ClientCertificates, createListener } from '../../src/network/listener.ts'
import { acceptProxyProtocol } from '../../src/network/proxy-front.ts'
import { createServedCertificate } from '../../src/network/served-certificate.ts'
import {
  type Authority,
  type CertificateMaker,
  createCertificates,
  type Issued,
} from '../support/certificates.ts'
import { proxyV2 } from '../support/proxy-header.ts'

const V1 = Buffer.from('PROXY TCP4 203.0.113.9 10.0.0.2 61234 443\r\n', 'latin1')
const V2 = proxyV2({
  family: 0x11,
  addresses: [203, 0, 113, 9, 10, 0, 0, 2, 1, 2, 1, 187],
  extensions: [4, 0, 1, 0],
})
const LOCAL = proxyV2({ command: 0x20, family: 0, addresses: [] })
const GET = Buffer.from('GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n')

let maker: CertificateMaker
let authority: Authority
let strangers: Authority
let served: Issued
let servers: Server[] = []

beforeAll(() => {
  maker = createCertificates()
  authority = maker.authority('Test CA')
  strangers = maker.authority('Other CA')
  served = authority.issue()
})

afterAll(() => maker.stop())

afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  servers = []
})

type Settings = {
  readonly trusted?: readonly string[]
  readonly proxyProtocol?: boolean
  readonly tls?: ClientCertificates
}

/** Serves, with each answer, the address the request is taken to be from. @returns The port. */
async function serve({ trusted = [], proxyProtocol = false, tls }: Settings): Promise<number> {
  const isTrusted = createNetworks(trusted.flatMap((entry) => parseNetworks(entry) ?? []))
  const addresses = createClientAddresses({ isTrusted, header: 'X-Forwarded-For' })
  const { certFile, keyFile, cert, key } = served
  const certificate = createServedCertificate({
    files: { certFile, keyFile, clientCaFile: undefined },
    first: { cert, key, expiresAt: 0, clientCa: authority.cert },
    now: () => 0,
    onChange: () => {},
    onFault: () => {},
  })
  const server = createListener((request, response) => void response.end(addresses.of(request).address), {
    addresses,
    drain: createDrain(),
    idleTimeout: 60,
    proxies: proxyProtocol ? isTrusted : undefined,
    tls: tls && { certificate, clientCertificates: tls },
  })
  server.keepAliveTimeout = 60_000
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Writes the pieces a moment apart. @returns What came back until the first answer, or `closed`. */
async function say(socket: Socket, pieces: readonly Buffer[]): Promise<string> {
  let received = ''
  const answered = Promise.withResolvers<void>()
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1')
    if (/\r\n\r\n[\d.a-f:]+$/.test(received)) answered.resolve()
  })
  socket.on('error', () => answered.resolve()).on('close', () => answered.resolve())
  for (const piece of pieces) {
    socket.write(piece)
    if (pieces.length > 1) await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await answered.promise
  const [, status, body] = /^HTTP\/1\.1 (\d+).*?\r\n\r\n(.*)$/s.exec(received) ?? []
  if (status === undefined) return 'closed'
  return status === '200' ? (body ?? '') : status
}

async function tell(port: number, pieces: readonly Buffer[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  try {
    return await say(socket, pieces)
  } finally {
    socket.destroy()
  }
}

/** The same through TLS, begun after `head` on the same connection. */
async function tellTls(
  port: number,
  head: Buffer | undefined,
  options: ConnectionOptions = {},
): Promise<string> {
  const raw = connect(port, '127.0.0.1')
  raw.on('error', () => {})
  if (head !== undefined) raw.write(head)
  const socket = connectTls({ socket: raw, servername: 'localhost', ca: authority.cert, ...options })
  try {
    return await say(socket, [GET])
  } finally {
    socket.destroy()
    raw.destroy()
  }
}

const bytes = (whole: Buffer) => Array.from(whole, (byte) => Buffer.from([byte]))

describe('PROXY protocol', () => {
  it.each([
    ['version 1', [Buffer.concat([V1, GET])], '203.0.113.9'],
    ['version 2', [Buffer.concat([V2, GET])], '203.0.113.9'],
    ['the header alone, then the request', [V2, GET], '203.0.113.9'],
    ['version 1, byte by byte', bytes(Buffer.concat([V1, GET])), '203.0.113.9'],
    ['version 2, byte by byte', bytes(Buffer.concat([V2, GET])), '203.0.113.9'],
    ['split within the request', [Buffer.concat([V2, GET.subarray(0, 9)]), GET.subarray(9)], '203.0.113.9'],
    ['LOCAL', [Buffer.concat([LOCAL, GET])], '127.0.0.1'],
    ['UNKNOWN', [Buffer.from('PROXY UNKNOWN\r\n'), GET], '127.0.0.1'],
    ['none', [GET], 'closed'],
    ['garbage', [Buffer.from('\x16\x03\x01garbage')], 'closed'],
    ['a line that does not end', [Buffer.from(`PROXY TCP4 ${'1'.repeat(200)}`)], 'closed'],
    ['more extensions than are waited for', [proxyV2({ family: 0x11, addresses: [] }, 5000)], 'closed'],
    ['two headers', [Buffer.concat([V1, V1, GET])], '400'],
    ['version 2 after version 1', [Buffer.concat([V1, V2, GET])], '400'],
  ])('of a trusted proxy: %s', async (_, pieces, expected) => {
    const port = await serve({ trusted: ['loopback'], proxyProtocol: true })
    expect(await tell(port, pieces)).toBe(expected)
  })

  it.each([
    ['version 1', [V1, GET], '400'],
    ['version 2', [V2, GET], '400'],
    ['none', [GET], '127.0.0.1'],
  ])('of a stranger: %s', async (_, pieces, expected) => {
    const port = await serve({ trusted: ['10.0.0.0/8'], proxyProtocol: true })
    expect(await tell(port, pieces)).toBe(expected)
  })

  it.each([V1, V2])('counts for nothing unless it is switched on', async (header) => {
    const port = await serve({ trusted: ['loopback'] })
    expect(await tell(port, [header, GET])).toBe('400')
  })

  it('holds for every request of the connection, and for it alone', async () => {
    const port = await serve({ trusted: ['loopback'], proxyProtocol: true })
    const socket = connect(port, '127.0.0.1')
    expect(await say(socket, [Buffer.concat([V1, GET])])).toBe('203.0.113.9')
    expect(await say(socket, [GET])).toBe('203.0.113.9')
    socket.destroy()
    expect(await tell(port, [LOCAL, GET])).toBe('127.0.0.1')
  })

  it('names a peer that may itself be a trusted proxy, whose header then counts', async () => {
    const port = await serve({ trusted: ['loopback', '203.0.113.9'], proxyProtocol: true })
    const spoken = Buffer.from('GET /x HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 8.8.8.8\r\n\r\n')
    expect(await tell(port, [V1, spoken])).toBe('8.8.8.8')
    const lone = await serve({ trusted: ['loopback'], proxyProtocol: true })
    expect(await tell(lone, [V1, spoken])).toBe('203.0.113.9')
  })

  it('is the first thing below TLS', async () => {
    const port = await serve({ trusted: ['loopback'], proxyProtocol: true, tls: 'off' })
    expect(await tellTls(port, V2)).toBe('203.0.113.9')
    expect(await tellTls(port, V1)).toBe('203.0.113.9')
    expect(await tellTls(port, LOCAL)).toBe('127.0.0.1')
    expect(await tellTls(port, undefined)).toBe('closed')
  })

  it('many at once below TLS, each with its own', async () => {
    const port = await serve({ trusted: ['loopback'], proxyProtocol: true, tls: 'off' })
    const sources = Array.from({ length: 30 }, (_, index) => `203.0.113.${index + 1}`)
    const heads = sources.map((source) => Buffer.from(`PROXY TCP4 ${source} 10.0.0.2 1 443\r\n`))
    expect(await Promise.all(heads.map((head) => tellTls(port, head)))).toEqual(sources)
  })

  it('of a stranger below TLS', async () => {
    const port = await serve({ trusted: ['10.0.0.0/8'], proxyProtocol: true, tls: 'off' })
    expect(await tellTls(port, V2)).toBe('closed')
    expect(await tellTls(port, undefined)).toBe('127.0.0.1')
  })
})

describe('a header that does not come', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['half of it', V2.subarray(0, 20)],
  ])('%s: the connection is closed after a while', async (_, sent) => {
    const server = createServer(() => {
      throw new Error('it was served')
    })
    servers.push(server)
    acceptProxyProtocol(server, { isTrusted: () => true, addresses: { notePeer: () => {} }, timeoutMs: 50 })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.write(sent)
    await once(socket.resume(), 'close')
    expect(await new Promise((resolve) => server.getConnections((_fault, count) => resolve(count)))).toBe(0)
  })
})

describe('TLS', () => {
  it.each<[string, ConnectionOptions]>([
    ['TLS 1.1', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' }],
    ['CBC', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' }],
  ])('refuses %s', async (_, options) => {
    expect(await tellTls(await serve({ tls: 'off' }), undefined, options)).toBe('closed')
  })

  it.each<[string, ConnectionOptions]>([
    ['TLS 1.2', { maxVersion: 'TLSv1.2' }],
    ['TLS 1.3', { minVersion: 'TLSv1.3' }],
  ])('takes %s', async (_, options) => {
    expect(await tellTls(await serve({ tls: 'off' }), undefined, options)).toBe('127.0.0.1')
  })

  it('speaks HTTP/1.1, whatever else is offered', async () => {
    const port = await serve({ tls: 'off' })
    const options = { ca: authority.cert, servername: 'localhost', ALPNProtocols: ['h2', 'http/1.1'] }
    const socket: TLSSocket = connectTls(port, '127.0.0.1', options)
    await once(socket, 'secureConnect')
    expect(socket.alpnProtocol).toBe('http/1.1')
    socket.destroy()
  })

  it('answers nothing in plain', async () => {
    expect(await tell(await serve({ tls: 'off' }), [GET])).toBe('closed')
  })
})

describe('certificates of clients', () => {
  const show = (issued: Issued): ConnectionOptions => ({ cert: issued.cert, key: issued.key })

  it.each<[ClientCertificates, string, string, string]>([
    ['off', '127.0.0.1', '127.0.0.1', '127.0.0.1'],
    ['request', '127.0.0.1', '127.0.0.1', 'closed'],
    ['require', 'closed', '127.0.0.1', 'closed'],
  ])('%s: none %s, one of ours %s, a stranger’s %s', async (mode, none, ours, theirs) => {
    const port = await serve({ tls: mode })
    const client = authority.issue({ name: 'client' })
    const stranger = strangers.issue({ name: 'client' })
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const only = { minVersion: version, maxVersion: version }
      expect(await tellTls(port, undefined, only), version).toBe(none)
      expect(await tellTls(port, undefined, { ...only, ...show(client) }), version).toBe(ours)
      expect(await tellTls(port, undefined, { ...only, ...show(stranger) }), version).toBe(theirs)
    }
  })
})
