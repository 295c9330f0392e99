import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

/** What a set of files hold, as they hold it; undefined for a file that is not set. */
export type Contents = readonly (string | undefined)[]

export type FollowedFiles = {
  /** Looks whether the files have changed. Never rejects. */
  poll(): Promise<void>
  start(): void
  stop(): void
}

export type FollowedFilesOptions<T> = {
  /** Undefined: not set. */
  readonly paths: readonly (string | undefined)[]
  /** What they held when they were last of use. */
  readonly first: Contents
  /** @returns What to use from now on, or as a sentence why not. */
  readonly judge: (contents: Contents) => T | string
  readonly onChange: (value: T) => void
  /** Once for each state of the files that is of no use. */
  readonly onFault: (fault: string) => void
  readonly pollMs?: number | undefined
}

/** A changed file is noticed this soon, milliseconds. */
const POLL_MS = 10_000

/**
 * Follows files by what they hold: whether they are replaced, renamed into place or behind a link that moves, as
 * Kubernetes does with secrets, makes no difference. Files that belong together and are written one after the other do
 * not fit for a moment, and are taken when they do.
 */
export function followFiles<T extends object>(options: FollowedFilesOptions<T>): FollowedFiles {
  const { paths, judge, onChange, onFault, pollMs = POLL_MS } = options
  let seen = digest(options.first)
  let timer: NodeJS.Timeout | undefined
  let last: Promise<void> = Promise.resolve()
  const look = async () => {
    const contents = await readAll(paths).catch(() => undefined)
    const found = contents === undefined ? 'unreadable' : digest(contents)
    if (found === seen) return
    seen = found
    const value = contents === undefined ? 'A file cannot be read' : judge(contents)
    if (typeof value === 'string') onFault(value)
    else onChange(value)
  }
  // One after the other: of two that overlap, the one that read first might be the last to be heard.
  const poll = () => {
    last = last.then(look)
    return last
  }
  return {
    poll,
    start: () => {
      timer ??= setInterval(() => void poll(), pollMs).unref()
    },
    stop: () => clearInterval(timer),
  }
}

function readAll(paths: readonly (string | undefined)[]): Promise<Contents> {
  return Promise.all(paths.map(async (path) => (path === undefined ? undefined : readFile(path, 'utf8'))))
}

function digest(contents: Contents): string {
  return createHash('sha256')
    .update(JSON.stringify(contents.map((each) => each ?? null)))
    .digest('base64')
}
