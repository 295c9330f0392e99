import { isUtf8 } from 'node:buffer'
import { JsonBytes, QUOTE, Unusual } from './json-bytes.ts'
import { JsonWalk, nameOf } from './json-walk.ts'
import { RowModels } from './row-models.ts'

/** Where a value lies: offsets of bytes, end exclusive. */
export type Span = { readonly start: number; readonly end: number }

/** Where in an answer its rows lie, and of each the members that were looked for. */
export type ListScan = {
  /** The array of rows; `undefined` if the answer has no such member. */
  readonly list: Span | undefined
  /** The string that leads to the next page, with its quotes; `undefined` if there is none. */
  readonly next: Span | undefined
  readonly rows: readonly Span[]
  /** Row by row and name by name, where the member's value starts and ends; -1 twice for one that is not there. */
  readonly members: readonly number[]
}

/**
 * Finds the rows of a list without making anything of it, in one pass over the bytes. It knows all of JSON's grammar, and
 * whatever the careful reading (`readAnswer`) refuses or takes a second look at, it leaves to that: so what it finds is
 * there, in this one way.
 *
 * @param field The member of the answer that holds the rows.
 * @param names Of a row, the members that are looked for.
 * @returns `undefined` for an answer that has to be read carefully: one that is not JSON, is nested too deep, has a key
 * that is there twice or is written with an escape, rows that are no objects, or a page token that is no string.
 */
export function scanList(bytes: Uint8Array, field: string, names: readonly string[]): ListScan | undefined {
  if (!isUtf8(bytes)) return undefined
  try {
    return scanned(new JsonBytes(bytes), field, names)
  } catch (fault) {
    if (fault instanceof Unusual) return undefined
    throw fault
  }
}

const NEXT_PAGE = nameOf('next_page_token')

/** @throws {Unusual} */
function scanned(text: JsonBytes, field: string, members: readonly string[]): ListScan {
  const walk = new JsonWalk(text)
  const models = new RowModels(text)
  const listName = nameOf(field)
  const names = members.map(nameOf)
  let list: Span | undefined
  let next: Span | undefined
  const rows: Span[] = []
  const found: number[] = []
  const row = (start: number) => {
    const end = models.recognize(start, found)
    if (end === -1) readRow()
    else walk.at = end
    rows.push({ start, end: walk.at })
  }
  const readRow = () => {
    const model = walk.row(names)
    models.add(model)
    const { members: places } = model
    for (let at = 0; at < places.length; at += 4) found.push(places[at] ?? -1, places[at + 1] ?? -1)
  }
  walk.root((key) => {
    const start = walk.at
    if (walk.isKey(key, listName)) {
      walk.rows(row)
      list = { start, end: walk.at }
      return
    }
    const { code } = walk
    const isNext = walk.isKey(key, NEXT_PAGE)
    walk.rootValue()
    if (!isNext) return
    if (code !== QUOTE) throw new Unusual()
    next = { start, end: walk.at }
  })
  return { list, next, rows, members: found }
}
