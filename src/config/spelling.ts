import type { TObject } from 'typebox'
import type { FaultList } from './fault.ts'
import { GoogleSchema, ProviderSchema } from './provider-schema.ts'
import { GatewaySchema } from './schema.ts'
import { UpstreamSchema } from './upstream-schema.ts'
import { type Source, variablesOf } from './variables.ts'

/** Prefixes nobody else uses: an unknown variable under them is a fault even if it resembles none of ours. */
const OUR_PREFIXES = /^(?:OIDC|GATEWAY|UPSTREAM|AUDIT)_/

/** OpenSSL's, set for every program where a company has an authority of its own; close to TLS_CERT_FILE. */
const OF_OTHERS: ReadonlySet<string> = new Set(['SSL_CERT_FILE', 'SSL_CERT_DIR'])

/** What Kubernetes puts into every container for a Service of that name, e.g. GATEWAY_SERVICE_HOST. */
const KUBERNETES_SERVICE =
  /_SERVICE_(?:HOST|PORT(?:_.*)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/
const KUBERNETES_PORT = /^(?:tcp|udp|sctp):\/\//

/**
 * Adds a fault for every variable that looks meant for the gateway and is not read by it: a misspelt switch that
 * silently stays at its default is worse than no start.
 *
 * @param prefixes Those in use: `OIDC_` for a single provider, else one per id such as `OIDC_CORP_`; `UPSTREAM_STAGING_`.
 */
export function checkSpelling(source: Source, prefixes: Prefixes, faults: FaultList): void {
  const known = knownNames(prefixes)
  for (const [name, value] of Object.entries(source.env)) {
    if (value === undefined || value === '' || known.has(name) || OF_OTHERS.has(name)) continue
    const suggestion = nearest(name, known)
    if (!OUR_PREFIXES.test(name)) {
      if (suggestion !== undefined) addMisspelling(name, suggestion, faults)
    } else if (!KUBERNETES_SERVICE.test(name) && !(name.endsWith('_PORT') && KUBERNETES_PORT.test(value))) {
      addUnknown(name, suggestion, prefixes, faults)
    }
  }
}

type Prefixes = { readonly oidc: readonly string[]; readonly upstream: readonly string[] }

function knownNames({ oidc, upstream }: Prefixes): Set<string> {
  const groups = [
    variablesOf(GatewaySchema),
    variablesOf(GoogleSchema, 'GOOGLE_'),
    ...oidc.map((prefix) => variablesOf(ProviderSchema, prefix)),
    ...upstream.map((prefix) => variablesOf(UpstreamSchema, prefix)),
  ]
  const names = new Set<string>()
  for (const { name, variable } of groups.flat()) {
    names.add(name)
    if (variable.secret === true) names.add(`${name}_FILE`)
  }
  return names
}

function addUnknown(
  name: string,
  suggestion: string | undefined,
  { oidc }: Prefixes,
  faults: FaultList,
): void {
  const id = unlisted(name, 'OIDC', ProviderSchema)
  const upstream = unlisted(name, 'UPSTREAM', UpstreamSchema)
  if (id !== undefined && !oidc.includes(`OIDC_${id.toUpperCase()}_`)) {
    const remedy = `Add ${id} to OIDC_PROVIDERS, or remove the variable.`
    faults.add(name, `belongs to the provider ${id}, which OIDC_PROVIDERS does not list`, remedy)
  } else if (upstream !== undefined) {
    const remedy = `Add ${upstream} to UPSTREAMS, or remove the variable.`
    faults.add(name, `belongs to the tracking server ${upstream}, which UPSTREAMS does not list`, remedy)
  } else if (suggestion !== undefined) {
    addMisspelling(name, suggestion, faults)
  } else if (variablesOf(ProviderSchema, 'OIDC_').some((known) => known.name === name)) {
    faults.add(
      name,
      'is not read while OIDC_PROVIDERS is set',
      'Put the id of a provider into its name, or remove it.',
    )
  } else {
    faults.add(name, 'is not a variable of the gateway', 'Remove it, or look up its name in .env.example.')
  }
}

function addMisspelling(name: string, suggestion: string, faults: FaultList): void {
  faults.add(name, 'is not a variable of the gateway', `Did you mean ${suggestion}?`)
}

/** `corp` for OIDC_CORP_ISSUER and OIDC_CORP_CLIENT_SECRET_FILE. */
function unlisted(name: string, kind: 'OIDC' | 'UPSTREAM', schema: TObject): string | undefined {
  for (const { key, variable } of variablesOf(schema)) {
    const suffix = variable.secret === true ? `${key}(?:_FILE)?` : key
    const match = new RegExp(`^${kind}_([A-Z][A-Z0-9]{0,31})_${suffix}$`).exec(name)
    if (match?.[1] !== undefined) return match[1].toLowerCase()
  }
  return undefined
}

/** The known name at most two edits away. Short names are left alone: too many others are that close to them. */
function nearest(name: string, known: ReadonlySet<string>): string | undefined {
  if (name.length < 8) return undefined
  const close = [...known].filter((candidate) => candidate.length >= 8 && withinEdits(name, candidate, 2))
  return close.sort((a, b) => Number(withinEdits(name, b, 1)) - Number(withinEdits(name, a, 1)))[0]
}

/** True if `a` becomes `b` by at most `limit` insertions, deletions, replacements and swaps of neighbours. */
function withinEdits(a: string, b: string, limit: number): boolean {
  if (Math.abs(a.length - b.length) > limit) return false
  if (a === '' || b === '') return true
  if (a[0] === b[0]) return withinEdits(a.slice(1), b.slice(1), limit)
  if (limit === 0) return false
  return (
    withinEdits(a.slice(1), b.slice(1), limit - 1) ||
    withinEdits(a.slice(1), b, limit - 1) ||
    withinEdits(a, b.slice(1), limit - 1) ||
    (a[0] === b[1] && a[1] === b[0] && withinEdits(a.slice(2), b.slice(2), limit - 1))
  )
}
