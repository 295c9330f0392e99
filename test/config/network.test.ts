import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config.ts'
import {
  type Authority,
  type CertificateMaker,
  createCertificates,
  type Issued,
} from '../support/certificates.ts'
import { faultsOf, files, MINIMAL, problemsOf } from './environment.ts'

let maker: CertificateMaker
let authority: Authority
let own: Issued
let other: Issued
let contents: Readonly<Record<string, string>>

beforeAll(() => {
  maker = createCertificates()
  authority = maker.authority('Test CA')
  own = authority.issue()
  other = authority.issue()
  contents = {
    cert: own.cert,
    key: own.key,
    'other-key': other.key,
    ca: authority.cert,
    garbage: 'x',
    empty: '',
  }
})

afterAll(() => maker.stop())

const TLS = { TLS_CERT_FILE: 'cert', TLS_KEY_FILE: 'key' }
const HTTPS_UPSTREAM = { UPSTREAM_URL: 'https://mlflow:5000' }
const NO_CERTIFICATES = 'names a file without certificates in PEM, or with one that cannot be read'

const read = (changes: Readonly<Record<string, string>>) =>
  readConfig({ ...MINIMAL, ...changes }, files(contents))

describe('files that cannot be used stop the start, by the name of their variable', () => {
  it.each<[Record<string, string>, string]>([
    [{ TLS_CERT_FILE: 'cert' }, 'TLS_KEY_FILE is not set and TLS_CERT_FILE is'],
    [{ TLS_KEY_FILE: 'key' }, 'TLS_CERT_FILE is not set and TLS_KEY_FILE is'],
    [{ ...TLS, TLS_CERT_FILE: 'none' }, 'TLS_CERT_FILE names a file that cannot be read'],
    [{ ...TLS, TLS_KEY_FILE: 'none' }, 'TLS_KEY_FILE names a file that cannot be read'],
    [{ ...TLS, TLS_CERT_FILE: 'garbage' }, 'TLS_CERT_FILE names a file without a certificate in PEM'],
    [
      { ...TLS, TLS_KEY_FILE: 'garbage' },
      'TLS_KEY_FILE names a file without a private key in PEM, not encrypted',
    ],
    [
      { ...TLS, TLS_KEY_FILE: 'other-key' },
      'TLS_KEY_FILE names a key that is not the one of the certificate',
    ],
    [
      { TLS_CLIENT_CERTS: 'require', TLS_CLIENT_CA_FILE: 'ca' },
      'TLS_CLIENT_CERTS is set and TLS_CERT_FILE is not',
    ],
    [
      { ...TLS, TLS_CLIENT_CERTS: 'require' },
      'TLS_CLIENT_CA_FILE is not set and TLS_CLIENT_CERTS is require',
    ],
    [
      { ...TLS, TLS_CLIENT_CERTS: 'request' },
      'TLS_CLIENT_CA_FILE is not set and TLS_CLIENT_CERTS is request',
    ],
    [{ ...TLS, TLS_CLIENT_CA_FILE: 'ca' }, 'TLS_CLIENT_CA_FILE is set and TLS_CLIENT_CERTS is off'],
    [
      { ...TLS, TLS_CLIENT_CERTS: 'request', TLS_CLIENT_CA_FILE: 'empty' },
      `TLS_CLIENT_CA_FILE ${NO_CERTIFICATES}`,
    ],
    [{ ...TLS, TLS_CLIENT_CERTS: 'yes' }, 'TLS_CLIENT_CERTS is not one of off, request, require'],
    [{ ...HTTPS_UPSTREAM, UPSTREAM_CA_FILE: 'none' }, 'UPSTREAM_CA_FILE names a file that cannot be read'],
    [{ ...HTTPS_UPSTREAM, UPSTREAM_CA_FILE: 'key' }, `UPSTREAM_CA_FILE ${NO_CERTIFICATES}`],
    [
      { ...HTTPS_UPSTREAM, UPSTREAM_CERT_FILE: 'cert' },
      'UPSTREAM_KEY_FILE is not set and UPSTREAM_CERT_FILE is',
    ],
    [{ UPSTREAM_CA_FILE: 'ca' }, 'UPSTREAM_CA_FILE is set and UPSTREAM_URL is not https'],
    [{ OIDC_CA_FILE: 'none' }, 'OIDC_CA_FILE names a file that cannot be read'],
    [{ OIDC_CA_FILE: 'garbage' }, `OIDC_CA_FILE ${NO_CERTIFICATES}`],
  ])('%j', (changes, problem) => {
    expect(problemsOf(changes, contents)).toEqual([problem])
    expect(JSON.stringify(faultsOf(changes, contents))).not.toMatch(/BEGIN (?!CERTIFICATE)|MII/)
  })
})

describe('what does not go together', () => {
  it.each<[Record<string, string>, string]>([
    [{ ...TLS, PUBLIC_URL: 'http://localhost' }, 'PUBLIC_URL is plain http although TLS_CERT_FILE is set'],
    [
      { PUBLIC_URL: 'http://localhost', HTTP_REDIRECT_PORT: '80' },
      'HTTP_REDIRECT_PORT is set although PUBLIC_URL is plain http',
    ],
    [{ HTTP_REDIRECT_PORT: '8080' }, 'HTTP_REDIRECT_PORT is the same as PORT or METRICS_PORT'],
    [
      { HTTP_REDIRECT_PORT: '9', METRICS_PORT: '9' },
      'HTTP_REDIRECT_PORT is the same as PORT or METRICS_PORT',
    ],
    [{ PROXY_PROTOCOL: 'true' }, 'PROXY_PROTOCOL is on and TRUSTED_PROXIES is empty'],
    [
      { TRUSTED_PROXIES: 'loopback,proxy.internal' },
      'TRUSTED_PROXIES has an entry (number 2) that is no address and no network',
    ],
    [
      { ALLOWED_NETWORKS: '10.0.0.0/33' },
      'ALLOWED_NETWORKS has an entry (number 1) that is no address and no network',
    ],
    [{ OIDC_ALLOWED_HOSTS: 'https://x.example' }, 'OIDC_ALLOWED_HOSTS holds an entry that is no host name'],
  ])('%j', (changes, problem) => expect(problemsOf(changes, contents)).toEqual([problem]))

  it('there is no switch that turns the check of certificates off', () => {
    const names = ['UPSTREAM_TLS_VERIFY', 'UPSTREAM_INSECURE_SKIP_VERIFY', 'OIDC_TLS_VERIFY']
    for (const name of names) {
      expect(problemsOf({ [name]: 'false' }), name).toEqual([`${name} is not a variable of the gateway`])
    }
    const problem = "NODE_TLS_REJECT_UNAUTHORIZED turns the check of everybody's certificates off"
    expect(problemsOf({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toEqual([problem])
    expect(problemsOf({ NODE_TLS_REJECT_UNAUTHORIZED: '1' })).toEqual([])
  })
})

it('holds what the files hold', () => {
  const { tls, upstreamTls, providers } = read({
    ...{ ...TLS, ...HTTPS_UPSTREAM, TLS_CLIENT_CERTS: 'require', TLS_CLIENT_CA_FILE: 'ca' },
    ...{ UPSTREAM_CA_FILE: 'ca', UPSTREAM_CERT_FILE: 'cert', UPSTREAM_KEY_FILE: 'key', OIDC_CA_FILE: 'ca' },
  })
  expect(tls).toMatchObject({
    files: { certFile: 'cert', keyFile: 'key', clientCaFile: 'ca' },
    material: { cert: own.cert, key: own.key, clientCa: authority.cert },
    clientCertificates: 'require',
  })
  expect(upstreamTls).toMatchObject({
    authorities: authority.cert,
    certificate: { cert: own.cert, key: own.key },
  })
  expect(providers[0]?.authorities).toBe(authority.cert)
})

it('trusts nobody, and allows everybody, unless told', () => {
  expect(read({})).toMatchObject({
    tls: undefined,
    shutdownDelay: 0,
    network: {
      trustedProxies: [],
      proxyProtocol: false,
      addressHeader: 'X-Forwarded-For',
      allowedNetworks: undefined,
    },
  })
})

it.each(['0.0.0.0/0', '::/0'])('warns of proxies that are everybody: %s', (entry) => {
  expect(read({ TRUSTED_PROXIES: entry }).warnings).toEqual([
    expect.stringMatching(/^TRUSTED_PROXIES holds every address/),
  ])
})
