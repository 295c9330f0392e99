import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  isSame,
  type JsonBytes,
  keyEnd,
  OPEN_ARRAY,
  OPEN_OBJECT,
  plainValueEnd,
  spaceEnd,
  Unusual,
} from './json-bytes.ts'
import { MAX_DEPTH } from './json-size.ts'
import type { RowModel } from './row-models.ts'

/** The name of a member, as bytes. */
export type Name = { readonly bytes: Uint8Array; readonly tag: number }

export function nameOf(text: string): Name {
  const bytes = Buffer.from(text)
  return { bytes, tag: tagOf(bytes, 0, bytes.length) }
}

/** A key of an object that is open, as a place in the walk's own notes: good until the next one. */
type KeyPlace = number

/** Keys are compared each with each, so an object with more is left to the careful reading. */
const MAX_KEYS = 64
/** How deep these are. */
const [ROOT, LIST, ROW] = [0, 1, 2]

/**
 * Goes through a text of JSON from front to back without making anything of it. It knows all of JSON's grammar, so what it has
 * gone through is as it takes it to be; it gives up ({@link Unusual}) at whatever a careful reading refuses or takes a second
 * look at: a key that is there twice or is written with an escape, a number too long, a text nested too deep.
 */
export class JsonWalk {
  /** Where it is: offset of a byte. */
  at = 0
  readonly #text: JsonBytes
  readonly #bytes: Uint8Array
  /** Of every object that is open, outer ones first: tag, start and end of each key so far. */
  readonly #keys: number[] = []
  #keysEnd = 0
  /** Of the row at hand, as in {@link RowModel}; `undefined` outside of one. */
  #values: number[] | undefined
  #places: number[] = []
  #names: readonly Name[] = []

  constructor(text: JsonBytes) {
    this.#text = text
    this.#bytes = text.bytes
  }

  /** The code of what is there. */
  get code(): number {
    return this.#bytes[this.at] ?? -1
  }

  /** Goes through the text, which is an object. @param member Told of each key, goes through its value. */
  root(member: (key: KeyPlace) => void): void {
    if (this.#skipSpace() !== OPEN_OBJECT) throw new Unusual()
    this.#object(ROOT, member)
    this.#skipSpace()
    if (this.at !== this.#bytes.length) throw new Unusual()
  }

  /** Goes through a value of the root's. */
  rootValue(): void {
    this.#value(LIST)
  }

  /** Goes through a text, a number, a boolean or a null. */
  plainValue(): void {
    const end = plainValueEnd(this.#text, this.at)
    if (end === -1) throw new Unusual()
    this.at = end
  }

  /** True at a list whose first item, if it has any, is an object. */
  isAtRows(): boolean {
    if (this.code !== OPEN_ARRAY) return false
    const first = this.#bytes[spaceEnd(this.#text, this.at + 1)]
    return first === OPEN_OBJECT || first === CLOSE_ARRAY
  }

  /** Goes through a list of objects. @param row Goes through the one that begins there. */
  rows(row: (start: number) => void): void {
    if (this.code !== OPEN_ARRAY) throw new Unusual()
    this.at++
    for (let code = this.#skipSpace(); code !== CLOSE_ARRAY; code = this.#skipComma(CLOSE_ARRAY)) {
      if (code !== OPEN_OBJECT) throw new Unusual()
      row(this.at)
    }
    this.at++
  }

  /** Goes through a row. @param names Its members that are looked for. */
  row(names: readonly Name[]): RowModel {
    const start = this.at
    const values: number[] = []
    const places = new Array<number>(4 * names.length).fill(-1)
    this.#values = values
    this.#places = places
    this.#names = names
    this.#object(ROW)
    this.#values = undefined
    return { start, end: this.at, values, members: places }
  }

  /** True if it is the key of that name. */
  isKey(key: KeyPlace, { tag, bytes }: Name): boolean {
    const keys = this.#keys
    if (keys[key] !== tag) return false
    return isSame(bytes, 0, bytes.length, this.#bytes, keys[key + 1] ?? 0, keys[key + 2] ?? 0)
  }

  /** A key as bytes of the text, without its quotes. */
  keyBytes(key: KeyPlace): Uint8Array {
    return this.#bytes.subarray(this.#keys[key + 1], this.#keys[key + 2])
  }

  #value(depth: number): void {
    if (depth > MAX_DEPTH) throw new Unusual()
    const start = this.at
    const end = plainValueEnd(this.#text, start)
    if (end !== -1) {
      this.at = end
      this.#values?.push(start, end)
    } else if (this.#bytes[start] === OPEN_OBJECT) this.#object(depth)
    else this.#array(depth)
  }

  #object(depth: number, member?: (key: KeyPlace) => void): void {
    const firstKey = this.#keysEnd
    this.at++
    for (let code = this.#skipSpace(); code !== CLOSE_OBJECT; code = this.#skipComma(CLOSE_OBJECT)) {
      this.#key(firstKey)
      const key = this.#keysEnd - 3
      if (this.#skipSpace() !== COLON) throw new Unusual()
      this.at++
      this.#skipSpace()
      if (member !== undefined) member(key)
      else if (depth === ROW && this.#values !== undefined) this.#rowMember(key, this.#values)
      else this.#value(depth + 1)
    }
    this.at++
    this.#keysEnd = firstKey
  }

  #rowMember(key: KeyPlace, values: readonly number[]): void {
    const start = this.at
    const valuesBefore = values.length / 2
    this.#value(ROW + 1)
    for (let index = 0; index < this.#names.length; index++) {
      const name = this.#names[index]
      if (name === undefined || !this.isKey(key, name)) continue
      this.#places[4 * index] = start
      this.#places[4 * index + 1] = this.at
      this.#places[4 * index + 2] = valuesBefore
      this.#places[4 * index + 3] = values.length / 2
    }
  }

  #array(depth: number): void {
    this.at++
    for (let code = this.#skipSpace(); code !== CLOSE_ARRAY; code = this.#skipComma(CLOSE_ARRAY)) {
      this.#value(depth + 1)
    }
    this.at++
  }

  /** Goes on to the next member or item, or to the bracket that closes them; the code of what is there. */
  #skipComma(close: number): number {
    const code = this.#skipSpace()
    if (code === close) return code
    if (code !== COMMA) throw new Unusual()
    this.at++
    const next = this.#skipSpace()
    if (next === close) throw new Unusual()
    return next
  }

  /** Skips a key that is new to its object, and keeps it. */
  #key(firstKey: number): void {
    const start = this.at + 1
    this.at = keyEnd(this.#text, this.at)
    const end = this.at - 1
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

  /** Skips white space; the code of what is there then. */
  #skipSpace(): number {
    this.at = spaceEnd(this.#text, this.at)
    return this.code
  }
}

/** A number that is the same for the same key, and mostly another for another one. */
function tagOf(bytes: Uint8Array, start: number, end: number): number {
  if (start === end) return 0
  const first = bytes[start] ?? 0
  const middle = bytes[(start + end) >> 1] ?? 0
  const last = bytes[end - 1] ?? 0
  return (end - start) ^ (first << 8) ^ (middle << 14) ^ (last << 20)
}
