import { Redis } from 'ioredis'
import { GatewayError } from '../errors.ts'

/**
 * A connection to Redis that answers soon or not at all, and connects again by itself. While it is known to be lost,
 * whoever asks is told so at once.
 */
export type RedisConnection = {
  /**
   * Runs a script atomically. The answer is this very question's: on one connection they are told apart by their order
   * alone, so one that went missing on the way would give everybody the answer of somebody else.
   *
   * @throws {GatewayError} `ERR_STORE_UNAVAILABLE`
   */
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
const RETRY_MAX_MS = 1000

/** Faults in a row after which nobody waits for the connection any more: one alone is often mended at the next try. */
const LOST_AFTER = 2

/** Opens the connection in the background: whoever asks before it stands is told that it does not. */
export function openRedis({ url, ca, scripts, onState }: RedisOptions): RedisConnection {
  const client = new Redis(url, {
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    // One that has swallowed a question is not asked another.
    socketTimeout: COMMAND_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    // What was asked while the connection was down would be done later, when whoever asked has long been refused.
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: true,
    retryStrategy: (times) => Math.min(RETRY_MS * times, RETRY_MAX_MS),
    ...(url.startsWith('rediss:') && ca !== undefined ? { tls: { ca } } : {}),
    scripts: Object.fromEntries(
      scripts.map(({ name, lua, keys }) => [name, { lua: marked(lua), numberOfKeys: keys }]),
    ),
  })
  let faults = 0
  client.on('error', (fault) => {
    faults += 1
    if (faults === 1) onState?.('lost', fault)
  })
  client.on('ready', () => {
    if (faults > 0) onState?.('back')
    faults = 0
  })
  let asked = 0
  const ask = async (question: (mark: string) => Promise<unknown>): Promise<unknown> => {
    if (faults >= LOST_AFTER) throw new Error('the connection is lost')
    const mark = String(asked++)
    const answer: unknown = await question(mark)
    const [answered, value] = Array.isArray(answer) ? (answer as readonly unknown[]) : [answer]
    if (answered === mark) return value
    client.disconnect(true)
    throw new Error('the answer is to another question')
  }
  return {
    run: (script, keys, args) =>
      asStore(() => ask((mark) => command(client, script.name)(...keys, ...args, mark))),
    ping: () => asStore(async () => void (await ask((mark) => client.ping(mark)))),
    close: async () => {
      // A connection that is being tried again would never say goodbye.
      client.disconnect()
    },
  }
}

/** The script with one more argument, which comes back before its answer. */
function marked(lua: string): string {
  return `local function answer()\n${lua}\nend\nreturn { ARGV[#ARGV], answer() }`
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
