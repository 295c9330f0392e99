import type { ProgramLog } from '../audit/program-log.ts'
import type { UpstreamTls } from '../config/pem-files.ts'
import type { Config } from '../config.ts'
import { readAuthorities, readCertificate } from './certificate.ts'
import { type Contents, type FollowedFiles, followFiles } from './followed-files.ts'

/** Whom the gateway believes where it connects to, and what it shows of itself: as the files have it now. */
export type Trust = {
  /** By the tracking server's id, which the one at `UPSTREAM_URL` has none of; absent: the configuration holds. */
  readonly upstreams: ReadonlyMap<string | undefined, () => UpstreamTls>
  /** By the provider's id: PEM of the authorities that alone may vouch for it. */
  readonly authorities: ReadonlyMap<string, () => string>
  /** Looks whether the files have changed. Never rejects. */
  poll(): Promise<void>
  stop(): void
}

export type TrustOptions = {
  readonly config: Pick<Config, 'upstreamTls' | 'upstreams' | 'providers'>
  readonly log: ProgramLog
  readonly pollMs?: number | undefined
}

/**
 * Follows UPSTREAM_CA_FILE, its certificate, and the providers' CA_FILEs. New connections are made by what the files
 * hold; those that are open go on. A file that is of no use is logged, and what it held before goes on to count.
 */
export function followTrust({ config, log, pollMs }: TrustOptions): Trust {
  const following: FollowedFiles[] = []
  const follow = <T extends object>(name: string, first: T, files: Files<T>): (() => T) => {
    let current = first
    const followed = followFiles<T>({
      ...{ ...files, pollMs },
      onChange: (value) => {
        current = value
        log.info({ name }, 'the renewed file counts from now on')
      },
      onFault: (fault) =>
        log.warn({ name, fault }, 'a file is of no use; what it held before goes on to count'),
    })
    followed.start()
    following.push(followed)
    return () => current
  }
  const authorities = new Map<string, () => string>()
  for (const { id, authorities: pem, authoritiesFile: path } of config.providers) {
    if (pem === undefined || path === undefined) continue
    const read = follow(`CA_FILE of ${id}`, { pem }, { paths: [path], first: [pem], judge: judgeAuthorities })
    authorities.set(id, () => read().pem)
  }
  const upstreams = new Map<string | undefined, () => UpstreamTls>()
  for (const { id, upstreamTls } of [{ ...config, id: undefined }, ...config.upstreams]) {
    const followed = followUpstream(
      id === undefined ? 'UPSTREAM_' : `UPSTREAM_${id.toUpperCase()}_`,
      upstreamTls,
      follow,
    )
    if (followed !== undefined) upstreams.set(id, followed)
  }
  return {
    upstreams,
    authorities,
    poll: async () => void (await Promise.all(following.map(({ poll }) => poll()))),
    stop: () => {
      for (const { stop } of following) stop()
    },
  }
}

type Files<T> = {
  readonly paths: readonly (string | undefined)[]
  readonly first: Contents
  readonly judge: (contents: Contents) => T | string
}

type Follow = <T extends object>(name: string, first: T, files: Files<T>) => () => T

function followUpstream(prefix: string, tls: UpstreamTls, follow: Follow): (() => UpstreamTls) | undefined {
  const { files, authorities, certificate } = tls
  if (files === undefined) return undefined
  return follow<UpstreamTls>(`${prefix}CA_FILE, ${prefix}CERT_FILE, ${prefix}KEY_FILE`, tls, {
    paths: [files.caFile, files.certFile, files.keyFile],
    first: [authorities, certificate?.cert, certificate?.key],
    judge: judgeUpstream,
  })
}

const NO_AUTHORITIES = 'It holds no certificates in PEM, or one that cannot be read'

function judgeAuthorities([pem]: Contents): { readonly pem: string } | string {
  return pem === undefined || readAuthorities(pem) === undefined ? NO_AUTHORITIES : { pem }
}

function judgeUpstream([authorities, cert, key]: Contents): UpstreamTls | string {
  if (authorities !== undefined && readAuthorities(authorities) === undefined) return NO_AUTHORITIES
  if (cert === undefined || key === undefined) return { authorities, certificate: undefined }
  const certificate = readCertificate(cert, key)
  return 'problem' in certificate ? `One of them ${certificate.problem}` : { authorities, certificate }
}
