import { pino } from 'pino'

/** Where audit lines go. Nothing here waits for a disk or a pipe. */
export type Destination = {
  /** Takes whole lines, each with its line feed. */
  readonly write: (lines: string) => void
  /** Resolves once what was taken is written, or cannot be. */
  readonly flush: () => Promise<void>
  readonly close: () => Promise<void>
}

export type RollingFile = {
  readonly path: string
  /** Size at which the file is rotated, in MB. */
  readonly maxMb: number
  /** Rotated files kept beside the current one. */
  readonly count: number
}

/** What happens to lines that cannot be written. */
export type DestinationEvents = {
  readonly onDrop: (lines: number) => void
  readonly onFault: (fault: unknown) => void
}

type Stream = ReturnType<typeof pino.destination>

/** Bytes that may wait for a slow reader before lines are dropped. */
const BUFFER_LIMIT = 16 * 1024 * 1024

/** How long flushing may take before it is given up: a reader that has stopped must not keep the process alive. */
const FLUSH_LIMIT_MS = 2000

export function openStdout(events: DestinationEvents): Destination {
  return wrap(pino.destination({ fd: 1, sync: false, maxLength: BUFFER_LIMIT }), events)
}

/** The file is `<name>.<number>.<ext>`, readable for its owner only; the numbers go on after a restart. @throws If it cannot be opened. */
export async function openRollingFile(file: RollingFile, events: DestinationEvents): Promise<Destination> {
  const { default: roll } = await import('pino-roll')
  const stream = await roll({
    file: file.path,
    size: `${file.maxMb}m`,
    limit: { count: file.count + 1, removeOtherLogFiles: true },
    mkdir: true,
    mode: 0o600,
    sync: false,
    maxLength: BUFFER_LIMIT,
  })
  await opened(stream)
  return wrap(stream, events)
}

function opened(stream: Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('ready', resolve)
    stream.once('error', reject)
  })
}

function wrap(stream: Stream, { onDrop, onFault }: DestinationEvents): Destination {
  // The stream's own flush asks for fsync, which a pipe refuses; so what is still on its way is followed here.
  let underWay = false
  const settle = () => {
    underWay = false
  }
  stream.on('drain', settle)
  stream.on('error', (fault: unknown) => {
    settle()
    onFault(fault)
  })
  stream.on('drop', (lines: string) => onDrop(countLines(lines)))
  const flush = async () => {
    if (!underWay) return
    await within(FLUSH_LIMIT_MS, (done) => {
      const written = () => {
        stream.off('drain', written)
        stream.off('error', written)
        done()
      }
      stream.on('drain', written)
      stream.on('error', written)
    })
  }
  return {
    write: (lines) => {
      underWay = true
      stream.write(lines)
    },
    flush,
    close: async () => {
      await flush()
      await within(FLUSH_LIMIT_MS, (done) => {
        stream.once('close', done)
        stream.end()
      })
    },
  }
}

function countLines(lines: string): number {
  return lines.split('\n').length - 1
}

function within(limitMs: number, start: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs)
    start(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
