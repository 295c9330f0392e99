import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A certificate or authority, in files and in memory. */
export type Issued = {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

export type Authority = Issued & {
  /** A certificate for `localhost` and `127.0.0.1`, for servers and clients. */
  issue(options?: { readonly days?: number; readonly name?: string; readonly host?: string }): Issued
}

/** Makes certificates by openssl as tests need them, so that none expires in the repository. */
export type CertificateMaker = {
  readonly dir: string
  authority(name: string): Authority
  stop(): void
}

export function createCertificates(): CertificateMaker {
  const dir = mkdtempSync(join(tmpdir(), 'certificates-'))
  const path = (kind: string) => join(dir, `${randomBytes(6).toString('hex')}.${kind}`)
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { stdio: 'pipe' })
  const newKey = () => {
    const keyFile = path('key')
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out', keyFile)
    return keyFile
  }
  const read = (certFile: string, keyFile: string): Issued => ({
    ...{ certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') },
  })
  return {
    dir,
    authority(name) {
      const [keyFile, certFile] = [newKey(), path('crt')]
      openssl('req', '-x509', '-key', keyFile, '-out', certFile, '-days', '2', '-subj', `/CN=${name}`)
      const own = read(certFile, keyFile)
      return {
        ...own,
        issue({ days = 30, name: subject = 'localhost', host = 'localhost' } = {}) {
          const [leafKey, leaf, request, extensions] = [newKey(), path('crt'), path('csr'), path('ext')]
          writeFileSync(extensions, `subjectAltName=DNS:${host},IP:127.0.0.1\n`)
          openssl('req', '-new', '-key', leafKey, '-out', request, '-subj', `/CN=${subject}`)
          const by = ['-CA', certFile, '-CAkey', keyFile, '-CAcreateserial', '-extfile', extensions]
          openssl('x509', '-req', '-in', request, ...by, '-days', String(days), '-out', leaf)
          return read(leaf, leafKey)
        },
      }
    },
    stop: () => rmSync(dir, { recursive: true, force: true }),
  }
}
