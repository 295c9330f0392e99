import { jsonName } from './json-name.ts'
import { MAX_DEPTH, MAX_NUMBER_LENGTH } from './json-size.ts'

/**
 * The object that a text holds, if a glance tells that every parser reads it alike: no key twice in an object,
 * none under both protobuf spellings, wherever, none written with an escape, no number too long, not too deep.
 *
 * A repeated key is found by counting. `JSON.parse` keeps every string of a text but those of a member that another of
 * the same name replaces, so that there are as many in the value as in the text only if no key is there twice.
 *
 * @param bytes The text in UTF-8.
 * @returns `undefined` for whatever else: it may be right, or be refused, which is for a scan to tell.
 */
export function plainObject(bytes: Uint8Array, text: string): Readonly<Record<string, unknown>> | undefined {
  const value = parsed(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  if (mayHoldLongNumber(bytes) || inheritsKeys()) return undefined
  const strings = text.includes('\\') ? stringsAmongEscapes(bytes) : quotesIn(bytes) / 2
  return new Glance().stringsIn(value, 0) === strings ? (value as Record<string, unknown>) : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** True if `for..in` would tell of more than an object's own keys. */
function inheritsKeys(): boolean {
  for (const _ in Object.prototype) return true
  return false
}

/** Counts the strings of a value, keys and texts alike; `NaN`, which no count is equal to, for what is not plain. */
class Glance {
  /** Of the last object on each level: those of a list mostly have the same keys, which need looking at only once. */
  readonly #last: (readonly string[])[] = []
  /** Of the whole value: where each name has one key only, no object has two of one name. */
  readonly #keys = new Set<string>()
  readonly #names = new Set<string>()

  stringsIn(value: unknown, depth: number): number {
    if (typeof value === 'string') return 1
    if (typeof value !== 'object' || value === null) return 0
    if (depth >= MAX_DEPTH) return Number.NaN
    if (!Array.isArray(value)) return this.#inObject(value as Record<string, unknown>, depth)
    let strings = 0
    for (const item of value) strings += this.stringsIn(item, depth + 1)
    return strings
  }

  #inObject(object: Readonly<Record<string, unknown>>, depth: number): number {
    const last = this.#last[depth] ?? []
    let strings = 0
    let at = 0
    let areKnown = true
    for (const key in object) {
      if (key !== last[at++]) areKnown = false
      strings += 1 + this.stringsIn(object[key], depth + 1)
    }
    if (areKnown) return strings
    const keys = Object.keys(object)
    this.#last[depth] = keys
    return keys.every((key) => this.#isOnlyKeyOfItsName(key)) ? strings : Number.NaN
  }

  #isOnlyKeyOfItsName(key: string): boolean {
    if (this.#keys.has(key)) return true
    const name = jsonName(key)
    if (this.#names.has(name)) return false
    this.#keys.add(key)
    this.#names.add(name)
    return true
  }
}

const codeOf = (char: string): number => char.charCodeAt(0)
const [QUOTE, BACKSLASH, COLON] = [codeOf('"'), codeOf('\\'), codeOf(':')]
const SPACE: ReadonlySet<number | undefined> = new Set([...' \t\n\r'].map(codeOf))

/** How many strings a JSON text has; `NaN` if a key is written with an escape, which V8 does not always read right. */
function stringsAmongEscapes(bytes: Uint8Array): number {
  let strings = 0
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== QUOTE) continue
    strings++
    let isEscaped = false
    for (at++; at < bytes.length && bytes[at] !== QUOTE; at++) {
      if (bytes[at] !== BACKSLASH) continue
      isEscaped = true
      at++
    }
    if (isEscaped && isKey(bytes, at)) return Number.NaN
  }
  return strings
}

/** True of the string that ends there if it is a member's name. */
function isKey(bytes: Uint8Array, end: number): boolean {
  let at = end + 1
  while (SPACE.has(bytes[at])) at++
  return bytes[at] === COLON
}

/** How many quotes there are. Four bytes at a time: that they are counted is most of what reading a body adds to parsing it. */
function quotesIn(bytes: Uint8Array): number {
  const { buffer, byteOffset, length } = bytes
  const lead = Math.min(-byteOffset & 3, length)
  const words = new Int32Array(buffer, byteOffset + lead, (length - lead) >> 2)
  return (
    quotesInWords(words) +
    quotesBetween(bytes, 0, lead) +
    quotesBetween(bytes, lead + words.byteLength, length)
  )
}

function quotesInWords(words: Int32Array): number {
  let quotes = 0
  for (let at = 0; at < words.length; at++) {
    // A byte that is a quote becomes 0, and of all bytes only such has its highest bit set in `marks`.
    const word = (words[at] ?? 0) ^ 0x22222222
    const marks = ~(((word & 0x7f7f7f7f) + 0x7f7f7f7f) | word | 0x7f7f7f7f)
    quotes += Math.imul(marks >>> 7, 0x01010101) >>> 24
  }
  return quotes
}

function quotesBetween(bytes: Uint8Array, start: number, end: number): number {
  let quotes = 0
  for (let at = start; at < end; at++) if (bytes[at] === QUOTE) quotes++
  return quotes
}

const NUMERIC = new Uint8Array(256)
for (const char of '0123456789+-.eE') NUMERIC[codeOf(char)] = 1

/** A number that is too long lies over two neighbouring bytes of so many apart. */
const STRIDE = MAX_NUMBER_LENGTH / 2

/** True if there is a number longer than {@link MAX_NUMBER_LENGTH}, or what looks like one. */
function mayHoldLongNumber(bytes: Uint8Array): boolean {
  for (let at = STRIDE; at < bytes.length; at += STRIDE) {
    if (isNumeric(bytes, at) && isNumericBetween(bytes, at - STRIDE, at)) return true
  }
  return false
}

function isNumericBetween(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (!isNumeric(bytes, at)) return false
  return true
}

function isNumeric(bytes: Uint8Array, at: number): boolean {
  return NUMERIC[bytes[at] ?? 0] === 1
}
