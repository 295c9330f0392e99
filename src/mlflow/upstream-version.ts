import type { UnknownRoutes } from './unknown-routes.ts'
import type { Upstream } from './upstream.ts'
import { KNOWN_VERSIONS, type KnownVersion, knownNear } from './version.ts'

/** What the tracking server said of itself. */
export type UpstreamVersion = {
  /** As MLflow writes it; `undefined` until it could be read. What was read stays, however long the server is away. */
  current(): string | undefined
  /** Reads it now. Never rejects: without an answer, or with one that is no version, everything stays as it was. */
  read(): Promise<void>
  /** Reads it soon: there is a new connection, so perhaps another server at its end. At most once per `minIntervalMs`. */
  readSoon(): void
  /**
   * @param listener Told at once, and at every change, which known versions the server is like: itself or the two
   *   around it, all of them while nothing is known. Also the version.
   */
  follow(listener: VersionListener): void
  stop(): void
}

export type VersionListener = (like: readonly KnownVersion[], version: string | undefined) => void

type Options = {
  readonly upstream: Pick<Upstream, 'send'>
  readonly minIntervalMs?: number
}

/** Nothing else asks so, which tells these requests apart in the log of the tracking server. */
const HEADERS = ['accept', 'text/plain']

/** Follows the version of the tracking server (`GET /version`, MLflow 2.22 to 3.17). */
export function createUpstreamVersion({ upstream, minIntervalMs = 1000 }: Options): UpstreamVersion {
  const listeners: VersionListener[] = []
  let current: string | undefined
  let like: readonly KnownVersion[] = KNOWN_VERSIONS
  let reading: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let lastMs = Number.NEGATIVE_INFINITY

  const ask = async () => {
    const text = await askVersion(upstream).catch(() => undefined)
    const near = text === undefined ? undefined : knownNear(text)
    if (text === undefined || near === undefined || text === current) return
    current = text
    like = near.neighbours
    for (const listener of listeners) listener(like, current)
  }
  const read = () => {
    lastMs = performance.now()
    reading ??= ask().finally(() => {
      reading = undefined
    })
    return reading
  }
  return {
    current: () => current,
    read,
    readSoon: () => {
      if (timer !== undefined) return
      const waitMs = Math.max(0, lastMs + minIntervalMs - performance.now())
      timer = setTimeout(() => {
        timer = undefined
        void read()
      }, waitMs).unref()
    },
    follow: (listener) => {
      listeners.push(listener)
      listener(like, current)
    },
    stop: () => clearTimeout(timer),
  }
}

async function askVersion(upstream: Pick<Upstream, 'send'>): Promise<string | undefined> {
  const { status, bytes } = await upstream.send({
    ...{ method: 'GET', target: '/version', headers: HEADERS, body: undefined },
  })
  return status === 200 ? bytes.toString('latin1').trim() : undefined
}

/** For `/readyz`: the version, whether the catalogue knows it or which ones it is judged as, and what was refused as unknown. */
export function describeVersion(
  { current }: Pick<UpstreamVersion, 'current'>,
  { refused, lately }: Pick<UnknownRoutes, 'refused' | 'lately'>,
): object {
  const version = current()
  const near = version === undefined ? undefined : knownNear(version)
  return {
    version: version ?? 'not read yet',
    catalogue: {
      knowsVersion: near?.isKnown ?? false,
      judgedAs: near?.neighbours ?? KNOWN_VERSIONS,
    },
    unknownRoutes: { refused: refused(), lately: lately() },
  }
}
