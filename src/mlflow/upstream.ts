import type { IncomingMessage, ServerResponse } from 'node:http'
import { buildConnector, type Dispatcher, Pool } from 'undici'
import type { UpstreamTls } from '../config/pem-files.ts'
import { GatewayError } from '../errors.ts'
import { collect } from './collect.ts'
import { relay } from './relay.ts'

/** A request as it leaves for MLflow. Header names and values alternate. */
export type UpstreamRequest = {
  readonly method: string
  /** Path and query, built from what was judged. */
  readonly target: string
  readonly headers: readonly string[]
  readonly body: Uint8Array | IncomingMessage | undefined
  /** Seconds that MLflow may stay silent, where that is more than `idleTimeout`. */
  readonly patience?: number | undefined
  /** The path without the values in it, for traces. */
  readonly template?: string | undefined
  /** MLflow would add a span of its own to the trace that `traceparent` names: none of ours must be in it. */
  readonly joinsTrace?: boolean | undefined
}

/** An answer that was read whole. */
export type UpstreamResponse = {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly bytes: Buffer
}

/** What became of an answer that was passed on. */
export type Relayed = { readonly status: number; readonly bytesOut: number }

/** The tracking server, as the gateway reaches it. All failures are {@link GatewayError}s without its address. */
export type Upstream = {
  /**
   * Asks with the gateway's own authority; used by look-ups only. `body` is `undefined` if it is not JSON.
   *
   * @param headers Further ones, names and values alternating.
   */
  getJson(
    target: string,
    headers?: readonly string[],
  ): Promise<{ readonly status: number; readonly body: unknown }>
  /**
   * Sends and reads the answer whole, up to `bufferLimit` bytes.
   *
   * @param client Whose going away ends it; without one it is carried through whoever waits for it.
   */
  send(request: UpstreamRequest, client?: ServerResponse): Promise<UpstreamResponse>
  /** Sends and passes the answer on as it comes, with back-pressure both ways. */
  pipe(request: UpstreamRequest, response: ServerResponse, addHeaders: readonly string[]): Promise<Relayed>
  close(): Promise<void>
}

export type UpstreamOptions = {
  readonly url: URL
  /** `Host` of every request; the URL's own if absent. */
  readonly host?: string | undefined
  /** How an https server is known, and what is shown to it. */
  readonly tls?: UpstreamTls | undefined
  /** The same where it may change: asked for each new connection. Goes before `tls`. */
  readonly currentTls?: (() => UpstreamTls) | undefined
  /** Seconds without a byte from MLflow before it counts as too slow. There is no total limit. */
  readonly idleTimeout: number
  /** Most bytes of an answer that is read whole. */
  readonly bufferLimit?: number
  readonly connections?: number
  /** A new connection is open. */
  readonly onConnect?: (() => void) | undefined
  /** Told how many milliseconds it took until the head of an answer. */
  readonly onAnswer?: ((purpose: 'request' | 'look_up', ms: number) => void) | undefined
}

const DEFAULT_BUFFER_LIMIT = 64 * 1024 * 1024

export function createUpstream(options: UpstreamOptions): Upstream {
  const idleTimeoutMs = options.idleTimeout * 1000
  const pool = new Pool(options.url.origin, {
    connections: options.connections ?? 256,
    pipelining: 1,
    headersTimeout: idleTimeoutMs,
    bodyTimeout: idleTimeoutMs,
    connect: connectorFor(options, Math.min(idleTimeoutMs, 10_000)),
  })
  if (options.onConnect !== undefined) pool.on('connect', options.onConnect)
  const host = options.host ?? options.url.host
  const prefix = options.url.pathname.replace(/\/$/, '')
  const limit = options.bufferLimit ?? DEFAULT_BUFFER_LIMIT

  const dispatchOptions = (request: UpstreamRequest): Dispatcher.DispatchOptions => ({
    path: prefix + request.target,
    method: request.method,
    headers: ['host', host, ...request.headers],
    body: (request.body ?? null) as Dispatcher.DispatchOptions['body'] & {},
    ...patient(request.patience, options.idleTimeout),
  })

  const onAnswer = options.onAnswer ?? (() => {})
  const ask = async (
    purpose: 'request' | 'look_up',
    request: UpstreamRequest,
    client?: ServerResponse,
  ): Promise<UpstreamResponse> => {
    const sent = performance.now()
    const onHead = () => onAnswer(purpose, performance.now() - sent)
    try {
      return await collect(pool, dispatchOptions(request), { limit, client, onHead })
    } catch (fault) {
      throw asGatewayError(fault)
    }
  }

  return {
    send: (request, client) => ask('request', request, client),
    getJson: async (target, headers = []) => {
      const { status, bytes } = await ask('look_up', {
        method: 'GET',
        target,
        headers: ['accept', 'application/json', ...headers],
        body: undefined,
      })
      return { status, body: parseJson(bytes) }
    },
    pipe: (request, response, addHeaders) => {
      const sent = performance.now()
      const onHead = () => onAnswer('request', performance.now() - sent)
      const asFault = asGatewayError
      return relay(pool, dispatchOptions(request), response, { addHeaders, onHead, asFault })
    },
    close: () => pool.destroy(),
  }
}

function connectorFor({ tls, currentTls }: UpstreamOptions, timeout: number): Pool.Options['connect'] & {} {
  if (currentTls === undefined) return { timeout, ...tlsOptions(tls) }
  let [made, connect] = [currentTls(), buildConnector({ timeout, ...tlsOptions(currentTls()) })]
  return (options, callback) => {
    const now = currentTls()
    // Anew, and not only with other options: it resumes TLS sessions, in which no certificate is shown again.
    if (now !== made) [made, connect] = [now, buildConnector({ timeout, ...tlsOptions(now) })]
    connect(options, callback)
  }
}

function tlsOptions({ authorities, certificate }: Partial<UpstreamTls> = {}) {
  return {
    ...(authorities === undefined ? {} : { ca: authorities }),
    ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
  }
}

function patient(patience: number | undefined, idleTimeout: number) {
  if (patience === undefined || patience <= idleTimeout) return {}
  return { headersTimeout: patience * 1000, bodyTimeout: patience * 1000 }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'])

/** Names the fault without the upstream's address, which stays in `cause` for the log. */
export function asGatewayError(fault: unknown): GatewayError {
  if (fault instanceof GatewayError) return fault
  const code = typeof fault === 'object' && fault !== null && 'code' in fault ? String(fault.code) : ''
  return TIMEOUTS.has(code)
    ? new GatewayError('ERR_UPSTREAM_TIMEOUT', 'The tracking server did not answer in time', { cause: fault })
    : new GatewayError(
        'ERR_UPSTREAM_UNREACHABLE',
        'The tracking server cannot be reached; try again shortly',
        { cause: fault },
      )
}
