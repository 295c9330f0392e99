import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Certificate, readCertificate } from '../../src/network/certificate.ts'
import {
  createServedCertificate,
  type ServedCertificate,
  secureContext,
} from '../../src/network/served-certificate.ts'
import { assertInOrder, daysToExpiry } from '../../src/network/transport.ts'
import {
  type Authority,
  type CertificateMaker,
  createCertificates,
  type Issued,
} from '../support/certificates.ts'

const DAY = 86_400
const NOW = Math.floor(Date.now() / 1000)

let maker: CertificateMaker
let authority: Authority
let first: Issued
let second: Issued
let short: Issued

beforeAll(() => {
  maker = createCertificates()
  authority = maker.authority('Test CA')
  first = authority.issue({ name: 'first' })
  second = authority.issue({ name: 'second' })
  short = authority.issue({ name: 'short', days: 1 })
})

afterAll(() => maker.stop())

const certFile = () => join(maker.dir, 'tls.crt')
const keyFile = () => join(maker.dir, 'tls.key')

function put(cert: Issued, key = cert): void {
  copyFileSync(cert.certFile, certFile())
  copyFileSync(key.keyFile, keyFile())
}

function parsed({ cert, key }: Issued): Certificate {
  const certificate = readCertificate(cert, key)
  if ('problem' in certificate) throw new Error(certificate.problem)
  return certificate
}

describe('readCertificate', () => {
  it('knows when the certificate expires', () => {
    const { expiresAt } = parsed(short)
    expect(Math.abs(expiresAt - (NOW + DAY))).toBeLessThan(120)
  })

  it('reads the first of a chain', () => {
    const chain = { ...short, cert: `${short.cert}${authority.cert}` }
    expect(parsed(chain).expiresAt).toBe(parsed(short).expiresAt)
  })

  it.each([
    ['nothing', () => ['', first.key], 'cert', 'without a certificate'],
    ['the key as certificate', () => [first.key, first.key], 'cert', 'without a certificate'],
    [
      'a broken block',
      () => [first.cert.replace(/^M\S+/m, 'AAAA'), first.key],
      'cert',
      'without a certificate',
    ],
    ['a cut off file', () => [first.cert.slice(0, -40), first.key], 'cert', 'without a certificate'],
    [
      'a cut off chain',
      () => [first.cert + authority.cert.slice(0, -40), first.key],
      'cert',
      'without a certificate',
    ],
    ['no key', () => [first.cert, ''], 'key', 'without a private key'],
    ['the certificate as key', () => [first.cert, first.cert], 'key', 'without a private key'],
    ['the key of another', () => [first.cert, second.key], 'key', 'not the one of the certificate'],
    ['an encrypted key', () => [first.cert, encrypted(first)], 'key', 'not encrypted'],
  ] as const)('%s', (_, pair, place, problem) => {
    const [cert = '', key = ''] = pair()
    const fault = readCertificate(cert, key)
    expect(fault).toEqual({ in: place, problem: expect.stringContaining(problem) })
    expect(JSON.stringify(fault)).not.toMatch(/BEGIN|MII/)
  })
})

function encrypted({ keyFile }: Issued): string {
  const args = ['pkcs8', '-topk8', '-in', keyFile, '-passout', 'pass:x']
  return execFileSync('openssl', args, { encoding: 'utf8' })
}

describe('a certificate that is renewed', () => {
  let served: ServedCertificate
  let server: Server
  let now: number
  const changes: number[] = []
  const faults: string[] = []

  beforeEach(async () => {
    put(first)
    now = NOW
    served = createServedCertificate({
      files: { certFile: certFile(), keyFile: keyFile(), clientCaFile: undefined },
      first: { ...parsed(first), clientCa: undefined },
      now: () => now,
      onChange: (expiresAt) => void changes.push(expiresAt),
      onFault: (fault) => void faults.push(fault),
      pollMs: 10,
    })
    server = createServer(secureContext(served.current()), (_request, response) => void response.end('ok'))
    served.follow((context) => server.setSecureContext(context))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })

  afterEach(() => {
    served.stop()
    server.closeAllConnections()
    server.close()
    changes.length = 0
    faults.length = 0
  })

  async function open() {
    const { port } = server.address() as AddressInfo
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.cert })
    await once(socket, 'secureConnect')
    return socket
  }

  async function nameServed(): Promise<string | undefined> {
    const socket = await open()
    const { CN } = socket.getPeerCertificate().subject
    socket.destroy()
    return String(CN)
  }

  it('is served from the next look on, while what is open goes on', async () => {
    const old = await open()
    put(second)
    await served.poll()
    expect(await nameServed()).toBe('second')
    old.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    const [answer] = (await once(old, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 200/)
    old.destroy()
    expect(changes).toEqual([parsed(second).expiresAt])
  })

  it('is looked for by itself', async () => {
    served.start()
    put(second)
    while (changes.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await nameServed()).toBe('second')
  })

  it('is found behind a link that moves, as Kubernetes puts secrets', async () => {
    const link = join(maker.dir, '..data.crt')
    symlinkSync(first.certFile, link)
    unlinkSync(certFile())
    symlinkSync(link, certFile())
    await served.poll()
    expect(changes).toEqual([])
    symlinkSync(second.certFile, `${link}.new`)
    copyFileSync(second.keyFile, keyFile())
    renameSync(`${link}.new`, link)
    await served.poll()
    expect(await nameServed()).toBe('second')
    unlinkSync(certFile())
  })

  it('half written is reported once and taken when it is whole', async () => {
    put(second, first)
    await served.poll()
    await served.poll()
    expect(faults).toEqual(['TLS_KEY_FILE names a key that is not the one of the certificate'])
    expect(await nameServed()).toBe('first')
    await expect(assertInOrder(served, now)).rejects.toThrow('the files cannot be used')
    put(second)
    await served.poll()
    expect([await nameServed(), served.fault()]).toEqual(['second', undefined])
    await expect(assertInOrder(served, now)).resolves.toBeUndefined()
  })

  it.each<[string, () => void, string]>([
    ['gone', () => rmSync(certFile()), 'A file cannot be read'],
    ['empty', () => writeFileSync(certFile(), ''), 'TLS_CERT_FILE names a file without a certificate in PEM'],
    ['garbage', () => writeFileSync(keyFile(), 'x'), 'TLS_KEY_FILE names a file without a private key'],
  ])('%s: the old one stays, and comes back into order with its files', async (_, spoil, fault) => {
    spoil()
    await served.poll()
    expect(faults).toEqual([expect.stringContaining(fault)])
    expect(await nameServed()).toBe('first')
    put(first)
    await served.poll()
    expect(served.fault()).toBeUndefined()
  })

  it('is not taken if it has expired and the old one has not', async () => {
    now = NOW + 2 * DAY
    put(short)
    await served.poll()
    expect(faults).toEqual(['TLS_CERT_FILE names a certificate that has expired'])
    expect(await nameServed()).toBe('first')
  })

  it('is taken, expired or not, where the old one has expired too', async () => {
    now = NOW + 40 * DAY
    put(short)
    await served.poll()
    expect(await nameServed()).toBe('short')
    expect(daysToExpiry(served, now)).toBeLessThan(-38)
    await expect(assertInOrder(served, now)).rejects.toThrow('expired')
  })
})
