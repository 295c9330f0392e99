import type { Config, UpstreamConfig } from '../config.ts'
import { isLoopback, secretWeakness } from './checks.ts'
import type { FaultList } from './fault.ts'
import type { GatewayVariables } from './schema.ts'

/** Adds the faults that no single variable shows. */
export function checkAgreement(config: Config, variables: GatewayVariables, faults: FaultList): void {
  const weakness = secretWeakness(config.gatewaySecret)
  if (weakness !== undefined) {
    faults.add('GATEWAY_SECRET', weakness, 'Set it to the output of: openssl rand -base64 48')
  }
  const { protocol } = config.publicUrl
  checkUpstream('', config, config, variables, faults)
  for (const each of config.upstreams)
    checkUpstream(`UPSTREAM_${each.id.toUpperCase()}_`, each, config, variables, faults)
  if (protocol === 'http:' && variables.TLS_CERT_FILE !== undefined) {
    const remedy = 'Begin it with https, or remove TLS_CERT_FILE.'
    faults.add('PUBLIC_URL', 'is plain http although TLS_CERT_FILE is set', remedy)
  }
  if (protocol === 'http:' && config.httpRedirectPort !== undefined) {
    const remedy = 'Begin PUBLIC_URL with https, or remove it.'
    faults.add('HTTP_REDIRECT_PORT', 'is set although PUBLIC_URL is plain http', remedy)
  }
  if (config.sessionIdleTtl > config.sessionAbsoluteTtl) {
    faults.add('SESSION_IDLE_TTL', 'is longer than SESSION_ABSOLUTE_TTL', 'Make it at most as long.')
  }
  if (config.sessionTokenTtl > config.sessionIdleTtl) {
    faults.add('SESSION_TOKEN_TTL', 'is longer than SESSION_IDLE_TTL', 'Make it at most as long.')
  }
  if (isSamePort(config.metricsPort, config.port)) {
    faults.add('METRICS_PORT', 'is the same as PORT', 'Choose another port: metrics are not for the public.')
  }
  if ([config.port, config.metricsPort].some((other) => isSamePort(config.httpRedirectPort, other))) {
    faults.add('HTTP_REDIRECT_PORT', 'is the same as PORT or METRICS_PORT', 'Choose another port.')
  }
  if (!config.auditStdout && config.auditFile === undefined && config.auditStoreDays === 0) {
    const remedy = 'Leave it true, or set AUDIT_FILE, or AUDIT_STORE_DAYS to more than 0.'
    faults.add('AUDIT_STDOUT', 'is false and no other place is left for audit events', remedy)
  }
}

/** @param prefix Of its variables; none for the one at `UPSTREAM_URL`. */
function checkUpstream(
  prefix: string,
  { publicUrl: { protocol, hostname }, upstreamUrl }: UpstreamConfig,
  { publicUrl, upstreams }: Config,
  variables: GatewayVariables,
  faults: FaultList,
): void {
  if (protocol === 'http:' && !isLoopback(hostname) && !variables.ALLOW_HTTP_PUBLIC_URL) {
    const remedy = 'Use https. Where that cannot be, ALLOW_HTTP_PUBLIC_URL=true permits it.'
    const problem = 'is plain http, so that cookies and tokens can be read on the way'
    faults.add(`${prefix}PUBLIC_URL`, problem, remedy)
  }
  const own = [publicUrl, ...upstreams.map((each) => each.publicUrl)].map(({ origin }) => origin)
  if (own.includes(upstreamUrl.origin)) {
    const remedy = 'Set it to the address of the tracking server.'
    faults.add(`${prefix || 'UPSTREAM_'}URL`, 'is the gateway itself, by PUBLIC_URL', remedy)
  }
}

function isSamePort(port: number | undefined, other: number | undefined): boolean {
  return port !== undefined && port !== 0 && port === other
}
