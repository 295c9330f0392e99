import { Redis } from 'ioredis'
import { GatewayError } from '../errors.ts'

/** A connection to Redis that answers soon or not at all, and connects again by itself. */
export type RedisConnection = {
  /** Runs a script atomically. @throws {GatewayError} `ERR_STORE_UNAVAILABLE` */
  readonly run: (
    script: RedisScript,
    keys: readonly string[],
    args: readonly (string | number)[],
  ) => Promise<unknown>
  /** @throws {GatewayError} `ERR_STORE_UNAVAILABLE` */
  readonly ping: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A Lua script by name; what it does is in `lua`, which Redis keeps after the first time. */
export type RedisScript = { readonly name: string; readonly lua: string; readonly keys: number }

export type RedisOptions = {
  /** `redis://` or `rediss://` (TLS), with user, password and database number as usual. */
  readonly url: string
  /** Certificates, PEM, of those who may vouch for the server; those of the system if absent. */
  readonly ca?: string | undefined
  readonly scripts: readonly RedisScript[]
  /** Told when the connection is lost, and that it is back. */
  readonly onState?: ((state: 'lost' | 'back', fault?: unknown) => void) | undefined
}

/** A request of somebody's waits for this at most; an answer that comes later is of no use to them. */
const COMMAND_TIMEOUT_MS = 2000
const CONNECT_TIMEOUT_MS = 5000
const RETRY_MS = 250
const RETRY_MAX_MS = 2000

/** Opens the connection in the background: whoever asks before it stands is told that it does not. */
export function openRedis({ url, ca, scripts, onState }: RedisOptions): RedisConnection {
  const client = new Redis(url, {
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    // What was asked while the connection was down would be done later, when whoever asked has long been refused.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: true,
    retryStrategy: (times) => Math.min(RETRY_MS * times, RETRY_MAX_MS),
    ...(url.startsWith('rediss:') && ca !== undefined ? { tls: { ca } } : {}),
    scripts: Object.fromEntries(scripts.map(({ name, lua, keys }) => [name, { lua, numberOfKeys: keys }])),
  })
  let isLost = false
  client.on('error', (fault) => {
    if (isLost) return
    isLost = true
    onState?.('lost', fault)
  })
  client.on('ready', () => {
    if (isLost) onState?.('back')
    isLost = false
  })
  return {
    run: (script, keys, args) => asStore(() => command(client, script.name)(...keys, ...args)),
    ping: async () => {
      await asStore(() => client.ping())
    },
    close: async () => {
      // A connection that is being tried again would never say goodbye.
      client.disconnect()
    },
  }
}

type Command = (...args: readonly (string | number)[]) => Promise<unknown>

function command(client: Redis, name: string): Command {
  const found: unknown = Reflect.get(client, name)
  if (typeof found !== 'function') throw new TypeError(`Redis knows no script ${name}`)
  return (...args) => Reflect.apply(found, client, args) as Promise<unknown>
}

async function asStore<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    throw new GatewayError('ERR_STORE_UNAVAILABLE', 'Redis does not answer at the moment; try again', {
      cause,
    })
  }
}
