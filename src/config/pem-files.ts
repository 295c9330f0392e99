import { type Certificate, readAuthorities, readCertificate } from '../network/certificate.ts'
import type { ClientCertificates } from '../network/listener.ts'
import type { TlsFiles, TlsMaterial } from '../network/served-certificate.ts'
import { readNamedFile } from './checks.ts'
import type { FaultList } from './fault.ts'
import type { GatewayVariables } from './schema.ts'
import type { Source } from './variables.ts'

/** What https is served with. */
export type TlsConfig = {
  readonly files: TlsFiles
  /** What the files held at start. */
  readonly material: TlsMaterial
  readonly clientCertificates: ClientCertificates
}

/** How the gateway and the tracking server know each other. All in PEM. */
export type UpstreamTls = {
  /** The only ones that may vouch for the tracking server; undefined: those that Node ships. */
  readonly authorities: string | undefined
  /** What the gateway shows of itself. */
  readonly certificate: Certificate | undefined
  /** Where both come from, to be followed; undefined if no file is named. */
  readonly files?: FollowedFileNames | undefined
}

export type FollowedFileNames = {
  readonly caFile: string | undefined
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
}

/** The files are read and checked here, so that a wrong one stops the start and not the first connection. */
export function readTls(
  variables: GatewayVariables,
  source: Source,
  faults: FaultList,
): TlsConfig | undefined {
  const { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile, TLS_CLIENT_CERTS, TLS_CLIENT_CA_FILE } = variables
  checkClientCertificates(variables, faults)
  const certificate = readPair(['TLS_CERT_FILE', certFile], ['TLS_KEY_FILE', keyFile], source, faults)
  const clientCa = readAuthorityFile('TLS_CLIENT_CA_FILE', TLS_CLIENT_CA_FILE, source, faults)
  if (certificate === undefined || certFile === undefined || keyFile === undefined) return undefined
  return {
    files: { certFile, keyFile, clientCaFile: TLS_CLIENT_CA_FILE },
    material: { ...certificate, clientCa },
    clientCertificates: TLS_CLIENT_CERTS,
  }
}

function checkClientCertificates(variables: GatewayVariables, faults: FaultList): void {
  const { TLS_CERT_FILE, TLS_CLIENT_CERTS: asked, TLS_CLIENT_CA_FILE } = variables
  if (asked === 'off') {
    if (TLS_CLIENT_CA_FILE === undefined) return
    const remedy = 'Set TLS_CLIENT_CERTS to request or require, or remove it.'
    faults.add('TLS_CLIENT_CA_FILE', 'is set and TLS_CLIENT_CERTS is off', remedy)
  } else if (TLS_CERT_FILE === undefined) {
    const remedy = 'Set TLS_CERT_FILE and TLS_KEY_FILE too: certificates of clients need https.'
    faults.add('TLS_CLIENT_CERTS', 'is set and TLS_CERT_FILE is not', remedy)
  } else if (TLS_CLIENT_CA_FILE === undefined) {
    const remedy = 'Set it to the file with the authorities that certificates of clients must be from.'
    faults.add('TLS_CLIENT_CA_FILE', `is not set and TLS_CLIENT_CERTS is ${asked}`, remedy)
  }
}

/** Node's own switch, which would hold for the providers and the tracking server alike. */
export function checkVerification({ env }: Source, faults: FaultList): void {
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] !== '0') return
  const remedy = 'Remove it. Name a private authority with OIDC_CA_FILE and UPSTREAM_CA_FILE.'
  faults.add('NODE_TLS_REJECT_UNAUTHORIZED', "turns the check of everybody's certificates off", remedy)
}

/**
 * @param prefix Of the tracking server's variables: `UPSTREAM_`, or `UPSTREAM_STAGING_` for a further one.
 * @param files The variables, without it.
 */
export function readUpstreamTls(
  prefix: string,
  { URL: url, CA_FILE, CERT_FILE, KEY_FILE }: UpstreamFiles,
  source: Source,
  faults: FaultList,
): UpstreamTls {
  for (const [key, path] of Object.entries({ CA_FILE, CERT_FILE, KEY_FILE })) {
    if (path === undefined || /^https:/i.test(url)) continue
    const remedy = `Use https in ${prefix}URL, or remove it.`
    faults.add(`${prefix}${key}`, `is set and ${prefix}URL is not https`, remedy)
  }
  const isNamed = CA_FILE !== undefined || CERT_FILE !== undefined
  return {
    files: isNamed ? { caFile: CA_FILE, certFile: CERT_FILE, keyFile: KEY_FILE } : undefined,
    authorities: readAuthorityFile(`${prefix}CA_FILE`, CA_FILE, source, faults),
    certificate: readPair([`${prefix}CERT_FILE`, CERT_FILE], [`${prefix}KEY_FILE`, KEY_FILE], source, faults),
  }
}

type UpstreamFiles = { readonly URL: string } & {
  readonly [key in 'CA_FILE' | 'CERT_FILE' | 'KEY_FILE']?: string | undefined
}

/** What the file holds, if it holds certificates and nothing else that claims to be one. */
export function readAuthorityFile(
  name: string,
  path: string | undefined,
  source: Source,
  faults: FaultList,
): string | undefined {
  const pem = readNamedFile(name, path, source, faults)
  if (pem === undefined || readAuthorities(pem) !== undefined) return pem
  const remedy = 'Each must be between BEGIN CERTIFICATE and END CERTIFICATE.'
  faults.add(name, 'names a file without certificates in PEM, or with one that cannot be read', remedy)
  return undefined
}

type Named = readonly [name: string, path: string | undefined]

function readPair(cert: Named, key: Named, source: Source, faults: FaultList): Certificate | undefined {
  const [set, missing] = cert[1] === undefined ? [key, cert] : [cert, key]
  if (set[1] === undefined) return undefined
  if (missing[1] === undefined) {
    faults.add(missing[0], `is not set and ${set[0]} is`, 'Set both, or none of the two.')
    return undefined
  }
  const [certPem, keyPem] = [cert, key].map(([name, path]) => readNamedFile(name, path, source, faults))
  if (certPem === undefined || keyPem === undefined) return undefined
  const certificate = readCertificate(certPem, keyPem)
  if (!('problem' in certificate)) return certificate
  const name = certificate.in === 'cert' ? cert[0] : key[0]
  faults.add(name, certificate.problem, 'Check that both files are those of one certificate, in PEM.')
  return undefined
}
