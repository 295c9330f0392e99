import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'

/** A certificate with its chain and its key, both in PEM, that belong together and that TLS accepts. */
export type Certificate = {
  readonly cert: string
  readonly key: string
  /** Of the first one in `cert`: seconds since the epoch. */
  readonly expiresAt: number
}

/** What is wrong with which of the two, as the rest of a sentence that begins with its name. */
export type CertificateFault = { readonly in: 'cert' | 'key'; readonly problem: string }

/** Reads a certificate, its own first and then its chain, and its key. */
export function readCertificate(cert: string, key: string): Certificate | CertificateFault {
  const [own] = readAuthorities(cert) ?? []
  if (own === undefined) return { in: 'cert', problem: 'names a file without a certificate in PEM' }
  const privateKey = parseKey(key)
  if (privateKey === undefined) {
    return { in: 'key', problem: 'names a file without a private key in PEM, not encrypted' }
  }
  if (!own.checkPrivateKey(privateKey)) {
    return { in: 'key', problem: 'names a key that is not the one of the certificate' }
  }
  const refusal = refusalOf({ cert, key })
  if (refusal !== undefined)
    return { in: 'cert', problem: `names a certificate that TLS refuses (${refusal})` }
  return { cert, key, expiresAt: Math.floor(own.validToDate.getTime() / 1000) }
}

/** The certificates of a PEM file, in order. Undefined if it holds none, or one that cannot be read. */
export function readAuthorities(pem: string): readonly X509Certificate[] | undefined {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0 || blocks.length !== pem.split('-----BEGIN CERTIFICATE-----').length - 1) {
    return undefined
  }
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return undefined
  }
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

/** OpenSSL's name for what it does not like, such as a key that is too short. */
function refusalOf(context: { readonly cert: string; readonly key: string }): string | undefined {
  try {
    createSecureContext(context)
    return undefined
  } catch (fault) {
    return fault instanceof Error && 'code' in fault ? String(fault.code) : 'unknown'
  }
}
