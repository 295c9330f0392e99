import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'
import { type Certificate, readAuthorities, readCertificate } from './certificate.ts'
import { type Contents, followFiles } from './followed-files.ts'

/** The files that TLS is served from. */
export type TlsFiles = {
  readonly certFile: string
  readonly keyFile: string
  /** Authorities whose certificates clients may show. */
  readonly clientCaFile: string | undefined
}

/** What the files held when they were last in order. */
export type TlsMaterial = Certificate & { readonly clientCa: string | undefined }

/** The certificate being served, and whether the files it came from still are in order. */
export type ServedCertificate = {
  current(): TlsMaterial
  /** What is wrong with what the files hold now; undefined if that is what is served. */
  fault(): string | undefined
  /** Told of every change. Connections that are open keep the certificate they began with. */
  follow(listener: (context: SecureContextOptions) => void): void
  /** Looks whether the files have changed. Never rejects: what cannot be used is reported, and the old one stays. */
  poll(): Promise<void>
  start(): void
  stop(): void
}

export type ServedCertificateOptions = {
  readonly files: TlsFiles
  /** Read and checked at start. */
  readonly first: TlsMaterial
  /** Seconds since the epoch. */
  readonly now: () => number
  readonly onChange: (expiresAt: number) => void
  /** Once for each state of the files that cannot be used. */
  readonly onFault: (fault: string) => void
  readonly pollMs?: number | undefined
}

/** Follows the files, and serves what they hold as soon as it is in order. */
export function createServedCertificate(options: ServedCertificateOptions): ServedCertificate {
  const { files, now, onChange, onFault, pollMs } = options
  const listeners: ((context: SecureContextOptions) => void)[] = []
  let current = options.first
  let fault: string | undefined

  const take = (material: TlsMaterial) => {
    current = material
    fault = undefined
    for (const listener of listeners) listener(secureContext(current))
    onChange(current.expiresAt)
  }
  const followed = followFiles<TlsMaterial>({
    paths: [files.certFile, files.keyFile, files.clientCaFile],
    first: [current.cert, current.key, current.clientCa],
    judge: (contents) => judge(contents, current, now()),
    onChange: take,
    onFault: (problem) => {
      fault = problem
      onFault(problem)
    },
    pollMs,
  })
  return {
    current: () => current,
    fault: () => fault,
    follow: (listener) => void listeners.push(listener),
    poll: followed.poll,
    start: followed.start,
    stop: followed.stop,
  }
}

/** TLS 1.2 and 1.3 with forward secrecy and authenticated encryption only; the order of clients decides, as most have AES. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** What Node needs to serve it. Only `ca` decides which clients' certificates are believed, never the system's list. */
export function secureContext({ cert, key, clientCa }: TlsMaterial): SecureContextOptions {
  return {
    ...{ cert, key, ciphers: CIPHERS, honorCipherOrder: false, minVersion: 'TLSv1.2' as const },
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  }
}

/** @returns What to serve from now on, or why not. */
function judge(
  [cert = '', key = '', clientCa]: Contents,
  current: TlsMaterial,
  now: number,
): TlsMaterial | string {
  const certificate = readCertificate(cert, key)
  if ('problem' in certificate) {
    return `${certificate.in === 'cert' ? 'TLS_CERT_FILE' : 'TLS_KEY_FILE'} ${certificate.problem}`
  }
  if (certificate.expiresAt <= now && current.expiresAt > now) {
    return 'TLS_CERT_FILE names a certificate that has expired'
  }
  if (clientCa !== undefined && readAuthorities(clientCa) === undefined) {
    return 'TLS_CLIENT_CA_FILE names a file without certificates in PEM'
  }
  return { ...certificate, clientCa }
}
