import { compileGlob } from './glob.ts'

/** Something that is held on names that a pattern matches. */
export type NameRule<T> = { readonly pattern: string; readonly value: T }

/** Finds the rules whose pattern matches a name. */
export type NameIndex<T> = (name: string) => readonly T[]

type Entry<T> = { readonly matches: (name: string) => boolean; readonly value: T }
type ByLength<T> = ReadonlyMap<number, ReadonlyMap<string, readonly Entry<T>[]>>

/** Fewer than these are tried one after the other: that is faster. */
const WORTH_AN_INDEX = 16

/**
 * Finds them without trying each: of every pattern the longest piece without `*` is looked for in the name by its length,
 * at the start, at the end or anywhere, and only patterns whose piece is there are tried. So 10,000 patterns cost about as
 * much as 10 (field report 92).
 */
export function createNameIndex<T>(rules: readonly NameRule<T>[]): NameIndex<T> {
  const entries = rules.map(({ pattern, value }) => ({ pattern, value, matches: compileGlob(pattern) }))
  if (rules.length < WORTH_AN_INDEX) return (name) => matching(entries, name)
  const placed = Map.groupBy(
    entries.map((entry) => ({ entry, ...longestPiece(entry.pattern) })),
    ({ place }) => place,
  )
  const [starts, ends, inner] = (['start', 'end', 'inside'] as const).map((place) =>
    byLength(placed.get(place) ?? []),
  ) as [ByLength<T>, ByLength<T>, ByLength<T>]
  const firsts = new Set([...inner.values()].flatMap((pieces) => [...pieces.keys()].map((piece) => piece[0])))
  return (name) => {
    const found: T[] = []
    for (const [length, pieces] of starts) collect(pieces.get(name.slice(0, length)), name, found)
    for (const [length, pieces] of ends)
      if (length <= name.length) collect(pieces.get(name.slice(name.length - length)), name, found)
    if (inner.size > 0) collectInside(inner, firsts, name, found)
    return found
  }
}

function matching<T>(entries: readonly Entry<T>[], name: string): readonly T[] {
  const found: T[] = []
  collect(entries, name, found)
  return found
}

function collect<T>(entries: readonly Entry<T>[] | undefined, name: string, found: T[]): void {
  if (entries === undefined) return
  for (const entry of entries) if (entry.matches(name)) found.push(entry.value)
}

/** A piece that is there twice leads to its patterns once: a value more would change nothing, but cost. */
function collectInside<T>(
  inner: ByLength<T>,
  firsts: ReadonlySet<string | undefined>,
  name: string,
  found: T[],
): void {
  const seen = new Set<readonly Entry<T>[]>()
  for (let at = 0; at < name.length; at++) {
    if (!firsts.has(name[at])) continue
    for (const [length, pieces] of inner) {
      const entries = pieces.get(name.slice(at, at + length))
      if (entries === undefined || seen.has(entries)) continue
      seen.add(entries)
      collect(entries, name, found)
    }
  }
}

type Piece = { readonly place: 'start' | 'end' | 'inside'; readonly piece: string }

/** Of `*` alone it is nothing, at the start of every name. */
function longestPiece(pattern: string): Piece {
  const pieces = pattern.split('*')
  let longest: Piece = { place: 'start', piece: pieces[0] ?? '' }
  for (const [index, piece] of pieces.entries()) {
    if (piece.length <= longest.piece.length) continue
    longest = { place: index === pieces.length - 1 ? 'end' : 'inside', piece }
  }
  return longest
}

function byLength<T>(placed: readonly { readonly piece: string; readonly entry: Entry<T> }[]): ByLength<T> {
  const lengths = Map.groupBy(placed, ({ piece }) => piece.length)
  return new Map(
    [...lengths].map(([length, ofLength]) => {
      const pieces = Map.groupBy(ofLength, ({ piece }) => piece)
      return [length, new Map([...pieces].map(([piece, of]) => [piece, of.map(({ entry }) => entry)]))]
    }),
  )
}
