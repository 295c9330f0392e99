import { readPlainUrl } from './checks.ts'
import type { FaultList } from './fault.ts'
import type { GatewayVariables } from './schema.ts'

/** Where traces of the gateway's own requests go, and which. */
export type TracesConfig = {
  /** Takes OTLP by HTTP, in protobuf. */
  readonly endpoint: URL
  /** Sent along; often holds a secret. */
  readonly headers: Readonly<Record<string, string>>
  readonly serviceName: string
  readonly resource: Readonly<Record<string, string>>
  readonly sampler: GatewayVariables['OTEL_TRACES_SAMPLER']
  /** From 0 to 1; what samplers by ratio take of all. */
  readonly ratio: number
  /** Traces that TRUSTED_PROXIES have begun are continued. */
  readonly continueFromProxies: boolean
}

/** @returns Undefined if no traces are wanted: no endpoint is named, as the OpenTelemetry specification has it. */
export function readTraces(variables: GatewayVariables, faults: FaultList): TracesConfig | undefined {
  const endpoint = readEndpoint(variables, faults)
  if (endpoint === undefined) return undefined
  const continueFromProxies = variables.TRACE_CONTEXT_FROM_PROXIES
  if (continueFromProxies && variables.TRUSTED_PROXIES.length === 0) {
    const remedy = 'Set TRUSTED_PROXIES to the addresses of the proxies that begin traces.'
    faults.add('TRACE_CONTEXT_FROM_PROXIES', 'is on and TRUSTED_PROXIES is empty', remedy)
  }
  return {
    endpoint,
    headers: readPairs('OTEL_EXPORTER_OTLP_HEADERS', variables, faults),
    serviceName: variables.OTEL_SERVICE_NAME,
    resource: readPairs('OTEL_RESOURCE_ATTRIBUTES', variables, faults),
    sampler: variables.OTEL_TRACES_SAMPLER,
    ratio: Number(variables.OTEL_TRACES_SAMPLER_ARG ?? 1),
    continueFromProxies,
  }
}

/** The one for traces is taken as it stands, the one for everything has the path of traces added (OTLP specification). */
function readEndpoint(variables: GatewayVariables, faults: FaultList): URL | undefined {
  const { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ofTraces, OTEL_EXPORTER_OTLP_ENDPOINT: ofAll } = variables
  if (ofTraces !== undefined) return readPlainUrl('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', ofTraces, faults)
  if (ofAll === undefined) return undefined
  const url = readPlainUrl('OTEL_EXPORTER_OTLP_ENDPOINT', ofAll, faults)
  return new URL(`${url.href.replace(/\/$/, '')}/v1/traces`)
}

/** `key=value,key=value`, values percent-encoded where they must be (W3C Baggage, as OpenTelemetry writes them). */
function readPairs(
  name: 'OTEL_EXPORTER_OTLP_HEADERS' | 'OTEL_RESOURCE_ATTRIBUTES',
  variables: GatewayVariables,
  faults: FaultList,
): Readonly<Record<string, string>> {
  const entries = (variables[name] ?? '').split(',').filter((entry) => entry.trim() !== '')
  const pairs = entries.map((entry) => readPair(entry))
  const wrong = pairs.indexOf(undefined)
  if (wrong !== -1) {
    const remedy = 'Write it as key=value,key=value; a comma or blank in a value as %2C or %20.'
    faults.add(name, `has an entry (number ${wrong + 1}) that is no key=value`, remedy)
  }
  return Object.fromEntries(pairs.filter((pair) => pair !== undefined))
}

function readPair(entry: string): readonly [string, string] | undefined {
  const [, key, value] = /^\s*([\w!#$%&'*+.^`|~/-]+)\s*=\s*([\x21-\x7e ]*?)\s*$/.exec(entry) ?? []
  if (key === undefined || value === undefined) return undefined
  try {
    const decoded = decodeURIComponent(value)
    return /\p{Cc}/u.test(decoded) ? undefined : [key, decoded]
  } catch {
    return undefined
  }
}
