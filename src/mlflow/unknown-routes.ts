import type { Operation } from './operation.ts'

/** Requests for what looks like MLflow's own, but is in no row of the catalogue: refused, counted, and named. */
export type UnknownRoutes = {
  /** Counts a request; `undefined` if its address is not one that MLflow would have. */
  count(method: string, rawUrl: string): string | undefined
  /** Puts a name that `count` gave on the list. */
  name(name: string): void
  refused(): number
  /** The newest last, few, and each without any id or name of somebody's in it. */
  lately(): readonly string[]
}

/** Names that are kept. */
const KEPT = 16

/** A word as MLflow's routes are made of: no id, and nothing that somebody could say something with. */
const WORD = /^[a-z][a-z-]{1,29}$/
const VALUE = '<>'
/** Deeper than any route. */
const MAX_SEGMENTS = 12

export function createUnknownRoutes(catalogue: readonly Operation[]): UnknownRoutes {
  const prefixes = new Set<string>()
  const words = new Set<string>()
  for (const { segments } of catalogue.flatMap(({ paths }) => paths)) {
    let prefix = ''
    for (const segment of segments) {
      if (segment.kind === 'literal') words.add(segment.text)
      prefix += `/${segment.kind === 'literal' ? segment.text : VALUE}`
      prefixes.add(prefix)
    }
  }
  const lately = new Set<string>()
  let refused = 0
  return {
    count: (method, rawUrl) => {
      const path = rawUrl.split(/[?#]/, 1)[0] ?? ''
      if (!prefixes.has(`/${path.split('/', 2)[1]}`)) return undefined
      refused += 1
      return `${method} ${mask(path, prefixes, words)}`
    },
    name: (name) => {
      lately.delete(name)
      lately.add(name)
      const [oldest] = lately
      if (lately.size > KEPT && oldest !== undefined) lately.delete(oldest)
    },
    refused: () => refused,
    lately: () => [...lately],
  }
}

/**
 * The path as far as it is made of words of the catalogue, and the first word that is not; whatever else is in it could be
 * an id, or the name of something that not everybody may know of.
 */
function mask(path: string, prefixes: ReadonlySet<string>, words: ReadonlySet<string>): string {
  let known = ''
  let isOff = false
  const parts = path
    .slice(1)
    .split('/', MAX_SEGMENTS)
    .map((text) => {
      if (!isOff && prefixes.has(`${known}/${text}`)) {
        known += `/${text}`
        return text
      }
      if (!isOff && prefixes.has(`${known}/${VALUE}`)) {
        known += `/${VALUE}`
        return VALUE
      }
      const isFirst = !isOff
      isOff = true
      return words.has(text) || (isFirst && WORD.test(text)) ? text : VALUE
    })
  return `/${parts.join('/')}`
}
