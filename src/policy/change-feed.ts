import { CHANGES_KEPT, type Change, type ChangeKind, type Changes } from '../store/changes.ts'

/** What was changed, by this process or another. Key `*`: anything of that kind may have. */
export type DirectoryChange = Pick<Change, 'kind' | 'key'>

const EVERY_KIND = [
  'user',
  'role',
  'groups',
  'token',
  'session',
  'keys',
  'lockdown',
  'experiment',
  'model',
] as const satisfies readonly ChangeKind[]

export type ChangeFeedOptions = {
  readonly changes: Pick<Changes, 'since' | 'latest'>
  readonly now: () => number
  readonly follow: (change: DirectoryChange) => void
}

export type ChangeFeed = {
  /** Passes on every change made before the call. */
  readonly read: () => Promise<void>
  /** When that was last done, seconds since the epoch. */
  readonly lastReadAt: () => number | undefined
}

/** The last change that was followed, as far as it is known what it was. */
type Position = Pick<Change, 'seq'> & Partial<Change>

function isSame(
  change: Change | undefined,
  { seq, kind = change?.kind, key = change?.key }: Position,
): boolean {
  return change?.seq === seq && change.kind === kind && change.key === key
}

/** Reads the store's changes from where it last stopped, one read at a time. */
export function createChangeFeed({ changes, now, follow }: ChangeFeedOptions): ChangeFeed {
  let position: Position | undefined
  let lastReadAt: number | undefined
  let running: Promise<void> | undefined
  let queued: Promise<void> | undefined

  const readOnce = async () => {
    const startedAt = now()
    if (position === undefined || startedAt - (lastReadAt ?? 0) > CHANGES_KEPT / 2) {
      // First read, or some changes may be gone unread: whatever is in memory cannot be trusted.
      await forgetAll()
    } else {
      await followFrom(position)
    }
    lastReadAt = startedAt
  }

  const forgetAll = async () => {
    position = { seq: await changes.latest() }
    for (const kind of EVERY_KIND) follow({ kind, key: '*' })
  }

  const followFrom = async (last: Position) => {
    const isFirst = last.seq === 0
    const read = await changes.since(isFirst ? 0 : last.seq - 1)
    // Not the history it was: a standby took over without the latest changes, or a backup. Its numbers mean other things.
    if (!isFirst && !isSame(read[0], last)) return forgetAll()
    for (const change of isFirst ? read : read.slice(1)) {
      position = change
      follow(change)
    }
  }

  const read = (): Promise<void> => {
    if (running === undefined) {
      running = readOnce().finally(() => {
        running = undefined
      })
      return running
    }
    // The read under way may have passed what the caller has just changed: one more, shared by all who wait.
    const next = () => {
      queued = undefined
      return read()
    }
    queued ??= running.then(next, next)
    return queued
  }

  return { read, lastReadAt: () => lastReadAt }
}

/** Runs `step` between `start` and `stop`, one at a time, with `pauseMs` in between; does not keep the process alive. */
export function createPoll(
  step: () => Promise<void>,
  pauseMs: () => number,
): { readonly start: () => void; readonly stop: () => void } {
  let timer: NodeJS.Timeout | undefined
  let current = 0
  const tick = async (round: number) => {
    await step()
    if (round === current) timer = setTimeout(tick, pauseMs(), round).unref()
  }
  const stop = () => {
    current += 1
    clearTimeout(timer)
  }
  return {
    start: () => {
      stop()
      void tick(current)
    },
    stop,
  }
}
