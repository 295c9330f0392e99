/** Authorities and certificates for where the gateway connects to: a renewed file counts without a restart. */
import { once } from 'node:events'
import { copyFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { readConfig } from '../../src/config.ts'
import { createEgress } from '../../src/identity/provider-fetch.ts'
import { createUpstream } from '../../src/mlflow/upstream.ts'
import { followTrust, type Trust } from '../../src/network/trust.ts'
import { MINIMAL } from '../config/environment.ts'
import {
  type Authority,
  type CertificateMaker,
  createCertificates,
  type Issued,
} from '../support/certificates.ts'

let maker: CertificateMaker
let old: Authority
let renewed: Authority
let server: Server
let warnings: string[]

beforeAll(async () => {
  maker = createCertificates()
  old = maker.authority('Old CA')
  renewed = maker.authority('New CA')
  server = createServer(
    { ...pair(old.issue()), ca: [old.cert, renewed.cert], requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      // A connection for each request: what counts is asked of new ones.
      response.setHeader('connection', 'close')
      response.end(JSON.stringify({ shown: (request.socket as TLSSocket).getPeerCertificate().subject?.CN }))
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

function pair({ cert, key }: Issued) {
  return { cert, key }
}

const file = (name: string) => join(maker.dir, name)

/** From now on the server shows a certificate of that authority. */
function serveAs(authority: Authority): void {
  server.setSecureContext({ ...pair(authority.issue()), ca: [old.cert, renewed.cert] })
}

function follow(changes: Readonly<Record<string, string>>): Trust {
  const log = { info: () => undefined, warn: (fields: object) => void warnings.push(JSON.stringify(fields)) }
  // Looked at by hand.
  const trust = followTrust({ config: readConfig({ ...MINIMAL, ...changes }), log, pollMs: 3_600_000 })
  onTestFinished(() => trust.stop())
  return trust
}

beforeEach(() => {
  warnings = []
  serveAs(old)
  writeFileSync(file('ca.pem'), old.cert)
})

describe('of the tracking server', () => {
  function ask(trust: Trust) {
    const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}`)
    const upstream = createUpstream({ url, idleTimeout: 5, currentTls: trust.upstreams.get(undefined) })
    onTestFinished(() => upstream.close())
    return () =>
      upstream.getJson('/').then(
        ({ body }) => body,
        ({ code, cause }) => `${code} ${cause.code}`,
      )
  }
  const UPSTREAM = { UPSTREAM_URL: 'https://localhost:1', UPSTREAM_CA_FILE: '' }
  const REFUSED = 'ERR_UPSTREAM_UNREACHABLE SELF_SIGNED_CERT_IN_CHAIN'

  it('a renewed authority is believed, and the one before no longer', async () => {
    const trust = follow({ ...UPSTREAM, UPSTREAM_CA_FILE: file('ca.pem') })
    const answer = ask(trust)
    expect(await answer()).toEqual({})
    serveAs(renewed)
    expect(await answer()).toBe(REFUSED)
    writeFileSync(file('ca.pem'), renewed.cert)
    await trust.poll()
    expect(await answer()).toEqual({})
    serveAs(old)
    expect(await answer()).toBe(REFUSED)
  })

  it('a file that is of no use is told of once, and what it held goes on to count', async () => {
    const trust = follow({ ...UPSTREAM, UPSTREAM_CA_FILE: file('ca.pem') })
    const answer = ask(trust)
    writeFileSync(file('ca.pem'), 'half a certif')
    for (const _ of [1, 2]) await trust.poll()
    expect(warnings).toEqual([expect.stringContaining('It holds no certificates in PEM')])
    expect(await answer()).toEqual({})
  })

  it('a renewed certificate of the gateway is shown, once both of its files are there', async () => {
    const [first, second] = [old.issue({ name: 'first' }), old.issue({ name: 'second' })]
    const put = (end: 'certFile' | 'keyFile', issued: Issued) => copyFileSync(issued[end], file(end))
    for (const end of ['certFile', 'keyFile'] as const) put(end, first)
    const files = { UPSTREAM_CERT_FILE: file('certFile'), UPSTREAM_KEY_FILE: file('keyFile') }
    const trust = follow({ ...UPSTREAM, UPSTREAM_CA_FILE: file('ca.pem'), ...files })
    const answer = ask(trust)
    expect(await answer()).toEqual({ shown: 'first' })
    put('certFile', second)
    await trust.poll()
    expect(await answer()).toEqual({ shown: 'first' })
    put('keyFile', second)
    await trust.poll()
    expect(await answer()).toEqual({ shown: 'second' })
  })

  it('nothing is followed where no file is named', () => {
    expect(follow({}).upstreams.size).toBe(0)
  })
})

it('of a provider: a renewed authority is believed, and the one before no longer', async () => {
  const issuer = `https://localhost:${(server.address() as AddressInfo).port}`
  const trust = follow({ OIDC_ISSUER: issuer, OIDC_CA_FILE: file('ca.pem') })
  const [provider] = readConfig({ ...MINIMAL, OIDC_ISSUER: issuer, OIDC_CA_FILE: file('ca.pem') }).providers
  if (provider === undefined) throw new Error('no provider')
  const egress = createEgress(provider, fetch, trust.authorities.get('oidc'))
  const answer = () =>
    egress.fetch(issuer).then(
      ({ status }) => status,
      (error: Error) => error.name,
    )
  expect(await answer()).toBe(200)
  serveAs(renewed)
  expect(await answer()).toBe('TypeError')
  writeFileSync(file('ca.pem'), renewed.cert)
  await trust.poll()
  expect(await answer()).toBe(200)
  serveAs(old)
  expect(await answer()).toBe('TypeError')
})
