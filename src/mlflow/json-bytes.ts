/** Ends a quick reading of JSON: a careful one says what is to be done about it. */
export class Unusual extends Error {
  override readonly name = 'Unusual'
}

/** Bytes of a JSON text, to be looked at one by one or four at once. */
export class JsonBytes {
  readonly bytes: Uint8Array
  readonly words: DataView
  /** The last offset that a word can begin at. */
  readonly lastWord: number

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.words = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.lastWord = bytes.length - 4
  }
}

const codes = (text: string): ReadonlySet<number> => new Set([...text].map((char) => char.charCodeAt(0)))
export const [QUOTE, COMMA, COLON, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [
  0x22, 0x2c, 0x3a, 0x7b, 0x7d, 0x5b, 0x5d,
]
const [BACKSLASH, LOWER_U, ZERO, NINE, MINUS, PLUS, POINT] = [0x5c, 0x75, 0x30, 0x39, 0x2d, 0x2b, 0x2e]
const [SPACE, TAB, NEWLINE, RETURN, FOUR_SPACES] = [0x20, 0x09, 0x0a, 0x0d, 0x20202020]
const ESCAPED = codes('"\\/bfnrt')
const HEX_DIGITS = codes('0123456789abcdefABCDEF')
const [LOWER_E, UPPER_E] = [0x65, 0x45]
const WORDS = ['true', 'false', 'null'].map((word) => Buffer.from(word))

/** The careful reading refuses longer ones. */
const MAX_NUMBER_LENGTH = 400

/** Where the next character is that is no white space. */
export function spaceEnd({ bytes, words, lastWord }: JsonBytes, from: number): number {
  let at = from
  for (;;) {
    const code = bytes[at]
    if (code !== SPACE && code !== NEWLINE && code !== RETURN && code !== TAB) return at
    at++
    while (at <= lastWord && words.getInt32(at, true) === FOUR_SPACES) at += 4
  }
}

/**
 * Where a string, a number or a word ends; -1 for an object or an array.
 *
 * @throws {Unusual} For what JSON has no place for.
 */
export function plainValueEnd(text: JsonBytes, at: number): number {
  const code = text.bytes[at] ?? 0
  if (code === QUOTE) return stringEnd(text, at)
  if (code === OPEN_OBJECT || code === OPEN_ARRAY) return -1
  return code === MINUS || isDigit(code) ? numberEnd(text, at) : wordEnd(text.bytes, at)
}

/**
 * Where a string without escapes ends that begins at `at`, behind its quote.
 *
 * @throws {Unusual} If it holds an escape, or is no string.
 */
export function keyEnd(text: JsonBytes, at: number): number {
  if (text.bytes[at] !== QUOTE) throw new Unusual()
  const end = unescapedEnd(text, at + 1)
  if (text.bytes[end] !== QUOTE) throw new Unusual()
  return end + 1
}

function stringEnd(text: JsonBytes, at: number): number {
  let end = unescapedEnd(text, at + 1)
  while (text.bytes[end] === BACKSLASH) end = unescapedEnd(text, escapeEnd(text.bytes, end + 1))
  if (text.bytes[end] !== QUOTE) throw new Unusual()
  return end + 1
}

/** Where the next quote, backslash or control character is. */
function unescapedEnd({ bytes, words, lastWord }: JsonBytes, from: number): number {
  let at = from
  while (at <= lastWord && isUnescaped(words.getInt32(at, true))) at += 4
  for (;;) {
    const code = bytes[at]
    if (code === undefined || code === QUOTE || code === BACKSLASH || code < SPACE) return at
    at++
  }
}

/**
 * True if none of four bytes is a quote, a backslash or a control character. With its second bit turned, a quote and the
 * control characters are below 0x21, and nothing else is. The lowest byte that is below a bound is left with its
 * highest bit set by the subtraction; bytes that had it set before are masked.
 */
function isUnescaped(word: number): boolean {
  const turned = word ^ 0x02020202
  const slashes = word ^ 0x5c5c5c5c
  return ((((turned - 0x21212121) & ~turned) | ((slashes - 0x01010101) & ~slashes)) & 0x80808080) === 0
}

/** Where an escape ends whose backslash stands before `at`. */
function escapeEnd(bytes: Uint8Array, at: number): number {
  const code = bytes[at] ?? 0
  if (ESCAPED.has(code)) return at + 1
  if (code !== LOWER_U) throw new Unusual()
  for (let digit = at + 1; digit <= at + 4; digit++) {
    if (!HEX_DIGITS.has(bytes[digit] ?? 0)) throw new Unusual()
  }
  return at + 5
}

function wordEnd(bytes: Uint8Array, at: number): number {
  for (const word of WORDS) {
    const end = at + word.length
    if (isSame(word, 0, word.length, bytes, at, end)) return end
  }
  throw new Unusual()
}

function numberEnd(text: JsonBytes, start: number): number {
  const { bytes } = text
  let at = bytes[start] === MINUS ? start + 1 : start
  at = bytes[at] === ZERO ? at + 1 : digitsEnd(text, at)
  if (bytes[at] === POINT) at = digitsEnd(text, at + 1)
  const code = bytes[at]
  if (code === LOWER_E || code === UPPER_E) {
    const sign = bytes[at + 1]
    at = digitsEnd(text, sign === MINUS || sign === PLUS ? at + 2 : at + 1)
  }
  if (at - start > MAX_NUMBER_LENGTH) throw new Unusual()
  return at
}

function digitsEnd({ bytes, words, lastWord }: JsonBytes, start: number): number {
  let at = start
  while (at <= lastWord && areDigits(words.getInt32(at, true))) at += 4
  while (isDigit(bytes[at] ?? 0)) at++
  if (at === start) throw new Unusual()
  return at
}

/** True of four bytes that are digits: 0x30 to 0x39, so that six more do not reach 0x40. */
function areDigits(word: number): boolean {
  return (word & 0xf0f0f0f0) === 0x30303030 && ((word + 0x06060606) & 0xf0f0f0f0) === 0x30303030
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE
}

/** True if the same bytes are there in both. */
export function isSame(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false
  for (let at = aStart; at < aEnd; at++) if (a[at] !== b[bStart + at - aStart]) return false
  return true
}

/** True if `length` bytes at two places of the text are the same. */
export function isRepeated({ bytes, words }: JsonBytes, a: number, b: number, length: number): boolean {
  if (a + length > bytes.length || b + length > bytes.length) return false
  const last = length - 4
  if (last < 0) return isSame(bytes, a, a + length, bytes, b, b + length)
  for (let at = 0; at < last; at += 4) {
    if (words.getInt32(a + at, true) !== words.getInt32(b + at, true)) return false
  }
  return words.getInt32(a + last, true) === words.getInt32(b + last, true)
}
