import { setTimeout as delay } from 'node:timers/promises'
import { lineOf } from '../audit/chain.ts'
import type { StoredEvent, StoredLine } from '../store/audit-query.ts'
import type { Store } from '../store/store.ts'
import { type AuditFilter, columnsOf } from './audit.ts'
import { type Cli, type Outcome, printable } from './command.ts'
import { withStore } from './store-access.ts'

export type TailOptions = AuditFilter & {
  readonly limit?: number
  readonly follow?: boolean
  readonly json?: boolean
}

/** Milliseconds between two looks. */
const LOOK_EVERY_MS = 1000

/**
 * Milliseconds for which earlier numbers than the newest are looked for too: several gateways write at once, and on
 * PostgreSQL one that drew its number first may commit last.
 */
const COMMITTED_WITHIN_MS = 10_000

/** Events in memory at a time. */
const PAGE = 500

/** Writes the newest events, oldest first, and with `follow` each further one until it is told to stop. */
export function tail(
  cli: Cli,
  { limit = 10, follow = false, json = false, ...filter }: TailOptions,
): Promise<Outcome> {
  const write = async (lines: readonly StoredLine[]) => {
    cli.out(lines.map((line) => (json ? lineOf(line) : textOf(line))).join(''))
    await cli.drained?.()
  }
  return withStore(cli, async ({ audit }) => {
    const newest = await newestNumber(audit)
    const { events } = await audit.page({ ...filter, limit })
    const oldest = events.at(-1)?.number
    const first = oldest === undefined ? [] : await audit.lines({ ...filter, limit }, oldest - 1)
    const followed = createFollowed(audit, filter, newest, first)
    await write(first)
    const stop = follow ? cli.stopped?.() : AbortSignal.abort()
    while (stop?.aborted !== true) {
      await delay(LOOK_EVERY_MS, undefined, stop && { signal: stop }).catch(() => undefined)
      await followed(write)
    }
    return { text: '', json: undefined }
  })
}

async function newestNumber(audit: Pick<Store['audit'], 'page'>): Promise<number> {
  return (await audit.page({ limit: 1 })).events[0]?.number ?? 0
}

/** @returns What hands over the events that have come since it was last called, each once. */
function createFollowed(
  audit: Pick<Store['audit'], 'page' | 'lines'>,
  { since, until, user, operation, effect, reason }: AuditFilter,
  newest: number,
  written: readonly StoredLine[],
) {
  const query = { since, until, user, operation, effect, reason, limit: PAGE }
  const seen = new Set(written.map(({ number }) => number))
  /** Up to where everything there will ever be has been handed over; and what was the newest, when. */
  let settled = newest
  const marks: { readonly newest: number; readonly atMs: number }[] = []
  return async (write: (lines: readonly StoredLine[]) => Promise<void>): Promise<void> => {
    const mark = { newest: await newestNumber(audit), atMs: performance.now() }
    for (let after = settled; ; ) {
      const page = await audit.lines(query, after)
      await write(page.filter(({ number }) => !seen.has(number)))
      for (const { number } of page) seen.add(number)
      after = page.at(-1)?.number ?? after
      if (page.length < PAGE) break
    }
    marks.push(mark)
    while (marks[0] !== undefined && marks[0].atMs <= mark.atMs - COMMITTED_WITHIN_MS) {
      settled = Math.max(settled, marks.shift()?.newest ?? 0)
    }
    for (const number of seen) if (number <= settled) seen.delete(number)
  }
}

function textOf({ text }: StoredLine): string {
  // Written by the gateway only, as in `AuditEvents.query`.
  const columns = columnsOf(JSON.parse(text) as StoredEvent)
  return `${columns.map((column) => printable(column) || '-').join('  ')}\n`
}
