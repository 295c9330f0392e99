import { isUtf8 } from 'node:buffer'
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  isRepeated,
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

/** A row that was read, as a model of those that differ from it in plain values only. */
type Model = {
  readonly start: number
  readonly end: number
  /** Start and end of every plain value in it, in order. */
  readonly values: readonly number[]
  /** Of each member that is looked for, where its value starts and ends, and after how many values that is. */
  readonly members: readonly number[]
}

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
  /** Of the row at hand, as in {@link Model}; `undefined` outside of the list. */
  #values: number[] | undefined
  #model: Model | undefined
  #modelMembers: number[] = []
  /** How much further than in the model a place is, by the number of values before it. */
  readonly #shifts: number[] = []

  constructor(bytes: Uint8Array, field: string, names: readonly string[]) {
    this.#text = new JsonBytes(bytes)
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
    const [start, before] = [this.#at, values.length / 2]
    this.#value(ROW + 1)
    for (let index = 0; index < this.#names.length; index++) {
      const name = this.#names[index]
      if (name === undefined || !this.#isKey(key, name)) continue
      const member = [start, this.#at, before, values.length / 2]
      for (let part = 0; part < 4; part++) this.#modelMembers[4 * index + part] = member[part] ?? -1
    }
  }

  #readRows(): void {
    if (this.#bytes[this.#at] !== OPEN_ARRAY) throw new Unusual()
    this.#at++
    for (let code = this.#skipSpace(); code !== CLOSE_ARRAY; code = this.#skipComma(CLOSE_ARRAY)) {
      if (code !== OPEN_OBJECT) throw new Unusual()
      const start = this.#at
      if (this.#model === undefined || !this.#isLike(this.#model)) this.#readRow(start)
      this.#rows.push({ start, end: this.#at })
    }
    this.#at++
  }

  #readRow(start: number): void {
    const values: number[] = []
    this.#at = start
    this.#values = values
    this.#modelMembers = new Array<number>(4 * this.#names.length).fill(-1)
    this.#object(ROW)
    this.#values = undefined
    const members = this.#modelMembers
    this.#model = { start, end: this.#at, values, members }
    for (let at = 0; at < members.length; at += 4)
      this.#members.push(members[at] ?? -1, members[at + 1] ?? -1)
  }

  /**
   * Skips a row that differs from the model in plain values only, and so has the same keys at the same depths. Rows of a
   * list mostly do, and to compare is quicker than to read.
   */
  #isLike({ start, end, values, members }: Model): boolean {
    const [text, shifts] = [this.#text, this.#shifts]
    let from = start
    let shift = this.#at - start
    shifts[0] = shift
    for (let index = 0; index < values.length; index += 2) {
      const to = values[index] ?? 0
      if (!isRepeated(text, from, from + shift, to - from)) return false
      const valueEnd = plainValueEnd(text, to + shift)
      if (valueEnd === -1) return false
      from = values[index + 1] ?? 0
      shift = valueEnd - from
      shifts[index / 2 + 1] = shift
    }
    if (!isRepeated(text, from, from + shift, end - from)) return false
    this.#at = end + shift
    for (let at = 0; at < members.length; at += 4) {
      const memberStart = members[at] ?? -1
      if (memberStart === -1) this.#members.push(-1, -1)
      else
        this.#members.push(
          memberStart + (shifts[members[at + 2] ?? 0] ?? 0),
          (members[at + 1] ?? 0) + (shifts[members[at + 3] ?? 0] ?? 0),
        )
    }
    return true
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
