import { createMetrics, type Metrics } from './audit/metrics.ts'
import type { MlflowServices } from './mlflow/services.ts'
import type { UnknownRoutes } from './mlflow/unknown-routes.ts'
import type { Parts } from './parts.ts'

type Options = {
  readonly unknown: UnknownRoutes
  /** Whether each part of the gateway works, by its name. */
  readonly partsWork: () => Promise<Readonly<Record<string, boolean>>>
}

/** The metrics of all parts, of every tracking server. */
export function createCounters(parts: Parts, { unknown, partsWork }: Options): Metrics {
  const { sink, lockdown, measurements, store, policy, transport, tracing, now } = parts
  const { certificate } = transport
  const servers: readonly MlflowServices[] = [parts, ...parts.further]
  return createMetrics({
    auditDropped: sink.dropped,
    cacheSizes: () => sumOf(servers.map(({ workspaces }) => workspaces.sizes())),
    unknownRoutes: unknown.refused,
    upstreamVersions: () =>
      servers.map(({ server: { id }, version }) => ({ id, version: version.current() })),
    lockdown: () => lockdown.current()?.mode,
    measurements,
    operating: {
      parts: partsWork,
      sessions: store.sessions.count,
      accessTokens: store.tokens.count,
    },
    policyFileOk: policy && (() => policy.state().ok),
    traces: tracing?.counts,
    certificateExpiry: certificate && (() => certificate.current().expiresAt - now()),
  })
}

/** Adds them up, kind by kind. */
function sumOf(sizes: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const [kind, size] of sizes.flatMap(Object.entries<number>)) sums[kind] = (sums[kind] ?? 0) + size
  return sums
}
