import { type Chain, type ChainedEvent, lineOf } from './chain.ts'
import {
  type Destination,
  type DestinationEvents,
  openRollingFile,
  openStdout,
  type RollingFile,
} from './destination.ts'
import type { AuditEvent } from './event.ts'

export type EventStore = {
  /** Keeps a batch whole or not at all. */
  readonly append: (events: readonly ChainedEvent[]) => Promise<void>
  /** Notes that nothing more comes. */
  readonly end?: (() => Promise<void>) | undefined
}

export type AuditSinkOptions = {
  /** Gives each event its place, when it is written. */
  readonly chain: Chain
  readonly stdout?: boolean | undefined
  readonly file?: RollingFile | undefined
  readonly store?: EventStore | undefined
  /** How long events may wait before they are written. */
  readonly batchMs?: number | undefined
  /** Most events that may wait for the store; further ones are dropped and counted. */
  readonly queueLimit?: number | undefined
  /** Told of destinations that fail, for the log; the events are tried again or counted as dropped. */
  readonly onFault?: ((fault: unknown) => void) | undefined
}

export type AuditSink = {
  /** Takes an event and returns at once. Never throws: a full queue counts it as dropped. */
  readonly record: (event: AuditEvent) => void
  /** Resolves once everything taken before is written wherever it can be. */
  readonly flush: () => Promise<void>
  /** How many times an event did not reach one of its destinations, since the start. */
  readonly dropped: () => number
  /** Flushes and ends the destinations. Events recorded afterwards count as dropped. */
  readonly close: () => Promise<void>
}

/** Events put into one write or one statement: what is serialised at once holds up every request in flight. */
const SLICE = 250

/** How long a store that failed is left alone when no further event comes. */
const RETRY_MS = 1000

/**
 * The record's way out of the request's path: events are queued, then written in batches to standard output, to a
 * rotated file and to the store, each independent of the others.
 *
 * @throws If the file cannot be opened.
 */
export async function createAuditSink(options: AuditSinkOptions): Promise<AuditSink> {
  const { chain, store, batchMs = 200, queueLimit = 10_000, onFault = () => {} } = options
  let dropped = 0
  const drop = (count: number) => {
    dropped += count
  }
  const destinations = await openDestinations(options, { onDrop: drop, onFault })
  const stored = store === undefined ? undefined : createStoreQueue({ store, queueLimit, drop, onFault })
  const queue: AuditEvent[] = []
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> = Promise.resolve()
  let closed = false

  const writeQueued = async () => {
    // What comes meanwhile waits for the next batch: there is always a little, and a transaction for a little costs as much.
    let left = queue.length
    do {
      const slice = queue.splice(0, Math.min(SLICE, left)).map(chain.add)
      left -= slice.length
      writeLines(slice, destinations)
      await stored?.add(slice)
      await new Promise(setImmediate)
    } while (left > 0)
  }
  const writeSoon = () => {
    clearTimeout(timer)
    timer = undefined
    writing = writing.then(writeQueued).catch(onFault).then(tryAgainLater)
    return writing
  }
  const tryAgainLater = () => {
    if (!closed && stored?.waiting() === true) timer ??= setTimeout(writeSoon, RETRY_MS).unref()
  }

  const flush = async () => {
    await writeSoon()
    await Promise.all(destinations.map((destination) => destination.flush()))
  }
  return {
    record: (event) => {
      if (closed || queue.length >= queueLimit) {
        drop(1)
        return
      }
      queue.push(event)
      if (queue.length === SLICE) writeSoon()
      else timer ??= setTimeout(writeSoon, batchMs).unref()
    },
    flush,
    dropped: () => dropped,
    close: async () => {
      if (closed) return
      closed = true
      await flush()
      await stored?.end()
      await Promise.all(destinations.map((destination) => destination.close()))
    },
  }
}

async function openDestinations(
  { stdout = false, file }: AuditSinkOptions,
  events: DestinationEvents,
): Promise<readonly Destination[]> {
  const opened: Destination[] = []
  if (stdout) opened.push(openStdout(events))
  if (file !== undefined) opened.push(await openRollingFile(file, events))
  return opened
}

function writeLines(events: readonly ChainedEvent[], destinations: readonly Destination[]): void {
  if (events.length === 0 || destinations.length === 0) return
  const lines = events.map(lineOf).join('')
  for (const destination of destinations) destination.write(lines)
}

type StoreQueueOptions = {
  readonly store: EventStore
  readonly queueLimit: number
  readonly drop: (count: number) => void
  readonly onFault: (fault: unknown) => void
}

/** Events wait here while the store fails: the oldest are kept, and tried again with every batch. */
function createStoreQueue({ store, queueLimit, drop, onFault }: StoreQueueOptions) {
  const waiting: ChainedEvent[] = []
  const append = async () => {
    while (waiting.length > 0) {
      const slice = waiting.slice(0, SLICE)
      await store.append(slice)
      waiting.splice(0, slice.length)
    }
  }
  return {
    waiting: () => waiting.length > 0,
    /** Never rejects. */
    add: async (events: readonly ChainedEvent[]) => {
      const room = Math.max(0, queueLimit - waiting.length)
      waiting.push(...events.slice(0, room))
      drop(Math.max(0, events.length - room))
      await append().catch(onFault)
    },
    /** Gives up what could not be stored, and counts it; if there is none, the store hears that this was all. Never rejects. */
    end: async () => {
      const lost = waiting.splice(0).length
      drop(lost)
      if (lost === 0) await store.end?.().catch(onFault)
    },
  }
}
