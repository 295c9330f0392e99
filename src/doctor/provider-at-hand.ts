import type { ProviderConfig } from '../config.ts'
import { createEgress, type Egress } from '../identity/provider-fetch.ts'
import { type Check, type Finding, skipped } from './check.ts'
import { type Reached, reach } from './reach.ts'
import type { Setup } from './setup.ts'

/** What a provider says of itself (OIDC Discovery 1.0 §3); nothing in it has been checked. */
export type Metadata = Readonly<Record<string, unknown>>

/** A provider as the checks of it share it. */
export type ProviderAtHand = {
  readonly config: ProviderConfig
  /** How its variables begin, e.g. `OIDC_CORP_`. */
  readonly prefix: string
  readonly egress: Egress
  /** Read once. */
  readonly discovery: () => Promise<Discovery>
}

/** What came of asking for the discovery document. */
export type Discovery = { readonly reached: Reached; readonly metadata: Metadata | undefined }

/** Milliseconds for the discovery, of which the checks that need it have to have something left. */
const DISCOVERY_MS = 3000

/** The provider, which is asked for its discovery document once. */
export function openProvider({ fetch, nowMs }: Setup, config: ProviderConfig): ProviderAtHand {
  const egress = createEgress(config, fetch)
  const discover = async (): Promise<Discovery> => {
    const url = `${config.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const init = { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(DISCOVERY_MS) }
    const reached = await reach(egress.fetch, url, init, nowMs)
    return { reached, metadata: 'fault' in reached ? undefined : readMetadata(reached) }
  }
  let discovery: Promise<Discovery> | undefined
  return {
    config,
    prefix:
      config.kind === 'google'
        ? 'GOOGLE_'
        : config.id === 'oidc'
          ? 'OIDC_'
          : `OIDC_${config.id.toUpperCase()}_`,
    egress,
    discovery: () => {
      discovery ??= discover()
      return discovery
    },
  }
}

/** The object in an answer; undefined if it is no such answer. */
export function readMetadata({ response, text }: { response: Response; text: string }): Metadata | undefined {
  if (response.status !== 200) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Metadata) : undefined
  } catch {
    return undefined
  }
}

/** What follows from a discovery that failed, or was somebody else's, would only confuse. */
export function needing(
  provider: ProviderAtHand,
  judge: (metadata: Metadata, signal: AbortSignal) => Finding | Promise<Finding>,
): Check['run'] {
  return async (signal) => {
    const { metadata } = await provider.discovery()
    if (metadata === undefined || !isIssuer(provider.config, metadata)) {
      return skipped('not known: the discovery failed')
    }
    return judge(metadata, signal)
  }
}

/** Where an issuer is a bare origin, the slash at its end is the provider's choice. */
export function isIssuer({ issuer }: ProviderConfig, { issuer: announced }: Metadata): boolean {
  if (typeof announced !== 'string') return false
  return (
    announced === issuer ||
    (URL.parse(issuer)?.pathname === '/' && URL.parse(announced)?.href === URL.parse(issuer)?.href)
  )
}

/** What the gateway itself calls. */
const CALLED = ['token_endpoint', 'jwks_uri', 'userinfo_endpoint'] as const

/** The endpoints that the gateway would have to call and does not. */
export function foreignEndpoints(egress: Egress, metadata: Metadata): readonly (typeof CALLED)[number][] {
  return CALLED.filter((name) => metadata[name] !== undefined && !egress.permits(String(metadata[name])))
}

/** What others wrote, for a line of text. */
export function short(value: unknown): string {
  return typeof value === 'string' ? value.replace(/\p{Cc}+/gu, ' ').slice(0, 200) : `no text`
}
