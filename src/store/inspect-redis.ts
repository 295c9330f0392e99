import { Redis } from 'ioredis'
import type { RedisOptions } from './redis.ts'

/** What a Redis looks like from outside. */
export type RedisState = {
  /** What goes when memory runs out, e.g. `noeviction`; undefined if it does not say. */
  readonly policy: string | undefined
  /** Bytes; 0 is no limit. */
  readonly maxMemory: number | undefined
  /** False: it is a replica, which takes no changes. */
  readonly isPrimary: boolean
  /** Milliseconds since the epoch, by its clock, and by ours at that moment. */
  readonly clock: { readonly itsMs: number; readonly oursMs: number }
}

const TIMEOUT_MS = 3000

/**
 * Looks at a Redis by reading alone: it connects once and does not try again.
 *
 * @throws {Error} Of ioredis, if it does not answer or lets us not in.
 */
export async function inspectRedis(
  { url, ca }: Pick<RedisOptions, 'url' | 'ca'>,
  nowMs: () => number,
): Promise<RedisState> {
  const client = new Redis(url, {
    ...{ lazyConnect: true, connectTimeout: TIMEOUT_MS, commandTimeout: TIMEOUT_MS },
    ...{ maxRetriesPerRequest: 0, retryStrategy: () => null },
    ...(url.startsWith('rediss:') && ca !== undefined ? { tls: { ca } } : {}),
  })
  const faults: unknown[] = []
  client.on('error', (error) => faults.push(error))
  try {
    await client.connect()
    await client.ping()
    const sent = nowMs()
    const [seconds, micros] = await client.time()
    const oursMs = (sent + nowMs()) / 2
    // Not CONFIG GET, which hosted ones forbid.
    const info = `${await client.info('memory')}\n${await client.info('replication')}`
    const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
    const maxMemory = field('maxmemory')
    return {
      policy: field('maxmemory_policy'),
      maxMemory: maxMemory === undefined ? undefined : Number(maxMemory),
      isPrimary: field('role') !== 'slave',
      clock: { itsMs: Number(seconds) * 1000 + Number(micros) / 1000, oursMs },
    }
  } catch (error) {
    // "Connection is closed" hides what closed it.
    throw faults[0] ?? error
  } finally {
    client.disconnect()
  }
}
