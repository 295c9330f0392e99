/** An https tracking server: whom the gateway believes to be it, and how it shows itself. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { UpstreamTls } from '../../src/config/pem-files.ts'
import { createUpstream } from '../../src/mlflow/upstream.ts'
import { readCertificate } from '../../src/network/certificate.ts'
import {
  type Authority,
  type CertificateMaker,
  createCertificates,
  type Issued,
} from '../support/certificates.ts'

let maker: CertificateMaker
let ours: Authority
let theirs: Authority
let server: Server
let elsewhere: Issued

beforeAll(async () => {
  maker = createCertificates()
  ours = maker.authority('Internal CA')
  theirs = maker.authority('Other CA')
  elsewhere = ours.issue({ host: 'other.internal' })
  const { cert, key } = ours.issue()
  server = createServer(
    { cert, key, ca: ours.cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      const { authorized } = request.socket as TLSSocket
      response.end(JSON.stringify({ authorized }))
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterAll(() => {
  server.closeAllConnections()
  server.close()
  maker.stop()
})

async function ask(tls: UpstreamTls, name = 'localhost'): Promise<unknown> {
  const { port } = server.address() as AddressInfo
  const url = new URL(`https://${name}:${port}`)
  const upstream = createUpstream({ url, idleTimeout: 5, tls })
  try {
    return (await upstream.getJson('/')).body
  } catch (fault) {
    const { code, message, cause } = fault as Error & { code: string; cause: { code: string } }
    expect(message).not.toContain(String(port))
    return `${code} ${cause.code}`
  } finally {
    await upstream.close()
  }
}

function shown({ cert, key }: Issued) {
  const certificate = readCertificate(cert, key)
  if ('problem' in certificate) throw new Error(certificate.problem)
  return certificate
}

it('is believed if its certificate is from the authority named', async () => {
  const answer = await ask({ authorities: ours.cert, certificate: undefined })
  expect(answer).toEqual({ authorized: false })
})

it('learns who the gateway is, by a certificate', async () => {
  const certificate = shown(ours.issue({ name: 'gateway' }))
  expect(await ask({ authorities: ours.cert, certificate })).toEqual({ authorized: true })
})

it.each([
  ['by Node’s authorities', () => undefined, 'SELF_SIGNED_CERT_IN_CHAIN'],
  ['by another authority', () => theirs.cert, 'SELF_SIGNED_CERT_IN_CHAIN'],
])('is not believed %s', async (_, authorities, reason) => {
  const answer = await ask({ authorities: authorities(), certificate: undefined })
  expect(answer).toBe(`ERR_UPSTREAM_UNREACHABLE ${reason}`)
})

it('is not believed under another name than its certificate has', async () => {
  server.setSecureContext({ cert: elsewhere.cert, key: elsewhere.key })
  const answer = await ask({ authorities: ours.cert, certificate: undefined })
  expect(answer).toBe('ERR_UPSTREAM_UNREACHABLE ERR_TLS_CERT_ALTNAME_INVALID')
})
