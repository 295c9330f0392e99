import { hostname } from 'node:os'
import { type Chain, type ChainKey, createChain, createChainKey } from './audit/chain.ts'
import { createMeasurements, type Measurements } from './audit/measurements.ts'
import type { ProgramLog } from './audit/program-log.ts'
import { type AuditSink, createAuditSink } from './audit/sink.ts'
import type { Config } from './config.ts'
import { createIdentity, type Identity } from './identity/identity.ts'
import { createLimits, type Limits } from './limits/limits.ts'
import { createServices, type MlflowServices, mainServer, type TrackingServer } from './mlflow/services.ts'
import type { Transport } from './network/transport.ts'
import { followTrust } from './network/trust.ts'
import { createDirectory, type Directory } from './policy/directory.ts'
import { followLockdown, type Lockdown } from './policy/lockdown.ts'
import type { PolicyWatch } from './policy/policy-watch.ts'
import { openStore, type Store } from './store/store.ts'
import type { Tracing } from './tracing/tracing.ts'

/** What the gateway consists of, put together once; the plugins are its face. */
export type Parts = MlflowServices & {
  /** Of the further tracking servers; the rest is of the one at `UPSTREAM_URL`, or of all. */
  readonly further: readonly MlflowServices[]
  readonly config: Config
  readonly store: Store
  readonly chainKey: ChainKey
  readonly directory: Directory
  readonly lockdown: Lockdown
  readonly identity: Identity
  readonly limits: Limits
  readonly measurements: Measurements
  readonly sink: AuditSink
  readonly policy: PolicyWatch | undefined
  readonly transport: Transport
  /** Absent where no traces are kept. */
  readonly tracing: Tracing | undefined
  /** Seconds since the epoch. */
  readonly now: () => number
}

export type PartsOptions = {
  readonly config: Config
  readonly now: () => number
  readonly fetch: typeof fetch
  /** Milliseconds, never going back: what rates are counted by. */
  readonly nowMs: () => number
  readonly onStatement?: ((sql: string) => void) | undefined
  /** How often changes made by other processes are looked for. */
  readonly pollMs: number
  readonly log: ProgramLog
  readonly tracing: Tracing | undefined
  /** Given what closes a part as soon as that is open; to be called in the opposite order. */
  readonly onOpened: (close: () => unknown) => void
}

/**
 * Opens the store, bringing its schema up to date, and everything that works on it. Providers and MLflow are reached on
 * first use.
 *
 * @throws If the store cannot be opened, or was made with another `GATEWAY_SECRET`.
 */
export async function createParts(options: PartsOptions): Promise<Omit<Parts, 'policy' | 'transport'>> {
  const { config, now, nowMs, fetch, pollMs, log, tracing, onOpened } = options
  const onFault = (err: unknown) => log.warn({ err }, 'something in the background failed')
  const store = await openStore({
    ...{ databaseUrl: config.databaseUrl, postgres: config.postgres, now },
    redis: config.redis && { ...config.redis, onState: (state, fault) => noteRedis(log, state, fault) },
    onStatement: options.onStatement,
  })
  onOpened(store.close)
  const outageGrace = config.storeOutageGrace
  const directory = createDirectory({ store, config, now, pollMs, outageGrace, onError: onFault })
  await directory.refresh()
  directory.start()
  onOpened(directory.stop)
  const lockdown = await followLockdown({ store, directory, onFault })
  onOpened(lockdown.stop)
  const measurements = createMeasurements()
  const trust = followTrust({ config, log })
  onOpened(trust.stop)
  const identity = await createIdentity({
    ...{ config, measurements, store, directory, fetch, now, onFault },
    authorities: trust.authorities,
  })
  const servicesOf = (server: TrackingServer) => {
    const currentTls = trust.upstreams.get(server.id)
    const made = createServices({ config, server, store, directory, measurements, tracing, currentTls })
    const { upstream, publicUpstream, transferUpstream, artifactUpstream } = made.services
    const opened = [upstream, publicUpstream, transferUpstream, artifactUpstream]
    onOpened(() => Promise.all(opened.map((each) => each.close())))
    return made
  }
  const chainKey = createChainKey(config.gatewaySecret)
  const sink = await createAuditSink({ ...sinkOptions(config, store, chainKey), onFault })
  const limits = createLimits({ config, redis: store.redis, nowMs })
  return {
    config,
    store,
    chainKey,
    directory,
    lockdown,
    identity,
    ...servicesOf(mainServer(config)),
    further: config.upstreams.map(servicesOf),
    limits,
    measurements,
    sink,
    tracing,
    now,
  }
}

type SinkOptions = Omit<Parameters<typeof createAuditSink>[0], 'onFault'>

function sinkOptions(config: Config, { audit }: Store, chainKey: ChainKey): SinkOptions {
  const chain: Chain = createChain(chainKey, `gateway@${hostname()}`)
  const { auditFile: path, auditFileMaxMb: maxMb, auditFileCount: count } = config
  return {
    chain,
    stdout: config.auditStdout,
    file: path === undefined ? undefined : { path, maxMb, count },
    store:
      config.auditStoreDays > 0
        ? { append: (events) => audit.append(chain, events), end: () => audit.end(chain) }
        : undefined,
  }
}

function noteRedis(log: PartsOptions['log'], state: 'lost' | 'back', err: unknown): void {
  if (state === 'back') log.info({}, 'Redis answers again')
  else log.warn({ err }, 'Redis does not answer: nobody can sign in, and each replica counts by itself')
}
