import { isUtf8 } from 'node:buffer'
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  isSame,
  JsonBytes,
  keyEnd,
  OPEN_ARRAY,
  OPEN_OBJECT,
  plainValueEnd,
  QUOTE,
  spaceEnd,
  Unusual,
} from './json-bytes.ts'
import { MAX_DEPTH } from './json-size.ts'
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
    return new ListScanner(bytes, field, names).scan()
  } catch (fault) {
    if (fault instanceof Unusual) return undefined
    throw fault
  }
}

/** Keys are compared each with each, so an object with more is left to the careful reading. */
const MAX_KEYS = 64
/** How deep these are. */
const [ROOT, LIST, ROW] = [0, 1, 2]

type Key = { readonly bytes: Uint8Array; readonly tag: number }

class ListScanner {
  readonly #text: JsonBytes
  readonly #bytes: Uint8Array
  readonly #field: Key
  readonly #next = keyOf('next_page_token')
  readonly #names: readonly Key[]
  #at = 0
  /** Of every object that is open, outer ones first: tag, start and end of each key so far. */
  readonly #keys: number[] = []
  #keysEnd = 0
  #list: Span | undefined
  #nextPage: Span | undefined
  readonly #rows: Span[] = []
  readonly #members: number[] = []
  readonly #models: RowModels
  /** Of the row at hand, as in {@link RowModel}; `undefined` outside of the list. */
  #values: number[] | undefined
  #places: number[] = []

  constructor(bytes: Uint8Array, field: string, names: readonly string[]) {
    this.#text = new JsonBytes(bytes)
    this.#models = new RowModels(this.#text)
    this.#bytes = bytes
    this.#field = keyOf(field)
    this.#names = names.map(keyOf)
  }

  scan(): ListScan {
    if (this.#skipSpace() !== OPEN_OBJECT) throw new Unusual()
    this.#object(ROOT)
    this.#skipSpace()
    if (this.#at !== this.#bytes.length) throw new Unusual()
    return { list: this.#list, next: this.#nextPage, rows: this.#rows, members: this.#members }
  }

  #value(depth: number): void {
    if (depth > MAX_DEPTH) throw new Unusual()
    const start = this.#at
    const end = plainValueEnd(this.#text, start)
    if (end !== -1) {
      this.#at = end
      this.#values?.push(start, end)
    } else if (this.#bytes[start] === OPEN_OBJECT) this.#object(depth)
    else this.#array(depth)
  }

  #object(depth: number): void {
    const firstKey = this.#keysEnd
    this.#at++
    for (let code = this.#skipSpace(); code !== CLOSE_OBJECT; code = this.#skipComma(CLOSE_OBJECT)) {
      this.#member(depth, firstKey)
    }
    this.#at++
    this.#keysEnd = firstKey
  }

  #member(depth: number, firstKey: number): void {
    this.#key(firstKey)
    const key = this.#keysEnd - 3
    if (this.#skipSpace() !== COLON) throw new Unusual()
    this.#at++
    this.#skipSpace()
    if (depth === ROOT) this.#rootMember(key)
    else if (depth === ROW && this.#values !== undefined) this.#rowMember(key, this.#values)
    else this.#value(depth + 1)
  }

  #rootMember(key: number): void {
    const start = this.#at
    if (this.#isKey(key, this.#field)) {
      this.#readRows()
      this.#list = { start, end: this.#at }
      return
    }
    this.#value(LIST)
    if (!this.#isKey(key, this.#next)) return
    if (this.#bytes[start] !== QUOTE) throw new Unusual()
    this.#nextPage = { start, end: this.#at }
  }

  #rowMember(key: number, values: readonly number[]): void {
    const start = this.#at
    const valuesBefore = values.length / 2
    this.#value(ROW + 1)
    for (let index = 0; index < this.#names.length; index++) {
      const name = this.#names[index]
      if (name === undefined || !this.#isKey(key, name)) continue
      this.#places[4 * index] = start
      this.#places[4 * index + 1] = this.#at
      this.#places[4 * index + 2] = valuesBefore
      this.#places[4 * index + 3] = values.length / 2
    }
  }

  #readRows(): void {
    if (this.#bytes[this.#at] !== OPEN_ARRAY) throw new Unusual()
    this.#at++
    for (let code = this.#skipSpace(); code !== CLOSE_ARRAY; code = this.#skipComma(CLOSE_ARRAY)) {
      if (code !== OPEN_OBJECT) throw new Unusual()
      const start = this.#at
      const end = this.#models.recognize(start, this.#members)
      if (end === -1) this.#readRow()
      else this.#at = end
      this.#rows.push({ start, end: this.#at })
    }
    this.#at++
  }

  #readRow(): void {
    const start = this.#at
    const values: number[] = []
    const places = new Array<number>(4 * this.#names.length).fill(-1)
    this.#values = values
    this.#places = places
    this.#object(ROW)
    this.#values = undefined
    this.#models.add({ start, end: this.#at, values, members: places })
    for (let at = 0; at < places.length; at += 4) this.#members.push(places[at] ?? -1, places[at + 1] ?? -1)
  }

  #array(depth: number): void {
    this.#at++
    for (let code = this.#skipSpace(); code !== CLOSE_ARRAY; code = this.#skipComma(CLOSE_ARRAY)) {
      this.#value(depth + 1)
    }
    this.#at++
  }

  /** Goes on to the next member or item, or to the bracket that closes them; the code of what is there. */
  #skipComma(close: number): number {
    const code = this.#skipSpace()
    if (code === close) return code
    if (code !== COMMA) throw new Unusual()
    this.#at++
    const next = this.#skipSpace()
    if (next === close) throw new Unusual()
    return next
  }

  /** Skips a key that is new to its object, and keeps it. */
  #key(firstKey: number): void {
    const start = this.#at + 1
    this.#at = keyEnd(this.#text, this.#at)
    const end = this.#at - 1
    const tag = tagOf(this.#bytes, start, end)
    const keys = this.#keys
    if (this.#keysEnd - firstKey >= 3 * MAX_KEYS) throw new Unusual()
    for (let known = firstKey; known < this.#keysEnd; known += 3) {
      if (keys[known] !== tag) continue
      if (isSame(this.#bytes, keys[known + 1] ?? 0, keys[known + 2] ?? 0, this.#bytes, start, end))
        throw new Unusual()
    }
    keys[this.#keysEnd] = tag
    keys[this.#keysEnd + 1] = start
    keys[this.#keysEnd + 2] = end
    this.#keysEnd += 3
  }

  /** @param kept Where in `#keys` it is. */
  #isKey(kept: number, { tag, bytes }: Key): boolean {
    const keys = this.#keys
    if (keys[kept] !== tag) return false
    return isSame(bytes, 0, bytes.length, this.#bytes, keys[kept + 1] ?? 0, keys[kept + 2] ?? 0)
  }

  /** Skips white space; the code of what is there then. */
  #skipSpace(): number {
    this.#at = spaceEnd(this.#text, this.#at)
    return this.#bytes[this.#at] ?? -1
  }
}

function keyOf(name: string): Key {
  const bytes = Buffer.from(name)
  return { bytes, tag: tagOf(bytes, 0, bytes.length) }
}

/** A number that is the same for the same key, and mostly another for another one. */
function tagOf(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return 0
  const first = bytes[start] ?? 0
  const middle = bytes[(start + end) >> 1] ?? 0
  const last = bytes[end - 1] ?? 0
  return (end - start) ^ (first << 8) ^ (middle << 14) ^ (last << 20)
}
