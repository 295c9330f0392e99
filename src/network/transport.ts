import type { IncomingMessage } from 'node:http'
import type { ProgramLog } from '../audit/program-log.ts'
import type { Config } from '../config.ts'
import { createNetworks } from './address.ts'
import { type ClientAddresses, createClientAddresses } from './client-address.ts'
import { createDrain, type Drain } from './drain.ts'
import type { ListenerOptions } from './listener.ts'
import { createServedCertificate, type ServedCertificate } from './served-certificate.ts'
import { createUnheardProxies } from './unheard-proxies.ts'

/** How the gateway is reached, put together once. */
export type Transport = {
  readonly addresses: ClientAddresses
  readonly drain: Drain
  /** Undefined: plain http. */
  readonly certificate: ServedCertificate | undefined
  readonly listener: ListenerOptions
  /**
   * Whether a request comes from an allowed network. One that a trusted proxy sent for somebody who cannot be made out
   * does not. Undefined: every request may come.
   */
  readonly isPermitted: ((request: IncomingMessage) => boolean) | undefined
}

export type TransportOptions = {
  readonly config: Pick<Config, 'network' | 'tls' | 'upstreamTimeout'>
  /** Seconds since the epoch. */
  readonly now: () => number
  readonly log: ProgramLog
}

export function createTransport({ config, now, log }: TransportOptions): Transport {
  const { network, tls, upstreamTimeout: idleTimeout } = config
  const isTrusted = createNetworks(network.trustedProxies)
  const { addressHeader: header } = network
  const onUnheard = createUnheardProxies(now, (address) =>
    log.warn(
      { address, header },
      `${header} came from an address that is not in TRUSTED_PROXIES, so it was not believed: if that is your proxy, everybody behind it shares one rate limit; doctor says more`,
    ),
  )
  const addresses = createClientAddresses({ isTrusted, header, onUnheard })
  const certificate =
    tls &&
    createServedCertificate({
      ...{ files: tls.files, first: tls.material, now },
      onChange: (expiresAt) => log.info({ expiresAt }, 'the renewed certificate is served from now on'),
      onFault: (fault) =>
        log.warn({ fault }, 'the certificate on file is of no use; the one before is served'),
    })
  const drain = createDrain()
  const isAllowed = network.allowedNetworks && createNetworks(network.allowedNetworks)
  return {
    addresses,
    drain,
    certificate,
    listener: {
      addresses,
      drain,
      idleTimeout,
      proxies: network.proxyProtocol ? isTrusted : undefined,
      tls: tls && certificate && { certificate, clientCertificates: tls.clientCertificates },
    },
    isPermitted:
      isAllowed &&
      ((request) => {
        const { address, isCertain } = addresses.of(request)
        return isCertain && isAllowed(address)
      }),
  }
}

const DAY = 86_400

/** The part of `/readyz` that is about the certificate; none without one. The gateway is ready with it in any state. */
export function certificatePart(certificate: ServedCertificate | undefined, now: () => number) {
  if (certificate === undefined) return {}
  return {
    certificate: {
      check: () => assertInOrder(certificate, now()),
      reason: 'the certificate has expired, or the files for the next one cannot be used',
      detail: () => ({ expiresInDays: daysToExpiry(certificate, now()) }),
    },
  }
}

/** Whole days until the certificate expires, negative since it has. */
export function daysToExpiry(certificate: ServedCertificate, now: number): number {
  return Math.floor((certificate.current().expiresAt - now) / DAY)
}

/** @throws {Error} If the certificate that is served, or the one that should be, is not in order. */
export async function assertInOrder(certificate: ServedCertificate, now: number): Promise<void> {
  if (certificate.fault() !== undefined) throw new Error('the files cannot be used')
  if (certificate.current().expiresAt <= now) throw new Error('expired')
}
