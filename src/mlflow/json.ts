import { isUtf8 } from 'node:buffer'
import { GatewayError } from '../errors.ts'
import { jsonName } from './json-name.ts'
import { plainObject } from './json-plain.ts'
import { withoutRepeats } from './json-repeats.ts'
import { assertModest, MAX_DEPTH, MAX_NUMBER_LENGTH, MAX_VALUES, tooDeep } from './json-size.ts'

export { jsonName } from './json-name.ts'

/** A value's place in the text (UTF-16 offsets, end exclusive), with the places of what it holds. */
export type JsonNode = {
  readonly start: number
  readonly end: number
  /** By name (of a request: by {@link jsonName}, so that `run_id` and `runId` are one member); in order. Present on objects. */
  readonly members?: ReadonlyMap<string, JsonMember>
  /** Present on arrays. */
  readonly items?: readonly JsonNode[]
}

/** A member's value, its key, and where that begins: `text.slice(keyStart, end)` is the member as it was sent. */
export type JsonMember = JsonNode & { readonly key: string; readonly keyStart: number }

/** A JSON object read in the only way it can be read, and the text it came from. */
export type JsonDocument = {
  readonly text: string
  readonly value: Readonly<Record<string, unknown>>
  /**
   * The value, but for rows of lists that differ from an earlier one of the list in texts, numbers, booleans and nulls only: for
   * questions about keys and about what lies in what. It may be there long before the value is.
   */
  readonly sample: Readonly<Record<string, unknown>>
  /** The lists of the sample that have more rows in the value; all else is the same in both. */
  readonly shortened: ReadonlySet<unknown>
  readonly root: JsonNode
}

const NONE: ReadonlySet<unknown> = new Set()

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Refuses a field's name that holds a NUL character: upb, which reads protobuf for MLflow, ends a name there, so that
 * `run_id\0x` is `run_id` to MLflow and nothing to us.
 *
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST`
 */
export function assertWholeName(name: string): void {
  if (!name.includes('\0')) return
  throw ambiguous(`The name of the field ${JSON.stringify(name.slice(0, 100))} holds a NUL character`)
}

/**
 * Reads a body that every JSON parser must read alike: UTF-8 without a byte order mark, one object at the top, no key
 * twice in an object, under either protobuf spelling (field report 1), none with a NUL in it, nothing after it.
 *
 * @param maxValues Most values in it.
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST`; `ERR_BODY_TOO_LARGE` for more values.
 */
export function readJsonObject(bytes: Uint8Array, maxValues = MAX_VALUES): JsonDocument {
  // Fewer bytes than values are allowed hold fewer values.
  if (bytes.length > maxValues) assertModest(bytes, maxValues)
  if (!isUtf8(bytes)) return scanJsonObject(bytes, maxValues)
  return (
    (bytes.length < REPETITIVE_BYTES ? undefined : repetitiveDocument(bytes)) ??
    plainDocument(bytes) ??
    scanJsonObject(bytes, maxValues)
  )
}

/** Shorter texts are read as soon as looked through. */
const REPETITIVE_BYTES = 1024

function plainDocument(bytes: Uint8Array): JsonDocument | undefined {
  const text = utf8.decode(bytes)
  const value = plainObject(bytes, text)
  return value && new PlainDocument(text, value)
}

/** Most bodies are forwarded as they came, and nobody asks where in them a value lies. */
class PlainDocument implements JsonDocument {
  readonly text: string
  readonly value: JsonDocument['value']
  readonly shortened = NONE
  #root: JsonNode | undefined

  constructor(text: string, value: JsonDocument['value']) {
    this.text = text
    this.value = value
  }

  get sample(): JsonDocument['sample'] {
    return this.value
  }

  get root(): JsonNode {
    this.#root ??= new Scanner(this.text, jsonName).scan()
    return this.#root
  }
}

function repetitiveDocument(bytes: Uint8Array): JsonDocument | undefined {
  const repetitive = withoutRepeats(bytes)
  const sample = repetitive && plainObject(repetitive.sample, utf8.decode(repetitive.sample))
  if (repetitive === undefined || sample === undefined) return undefined
  return new RepetitiveDocument(bytes, sample, new Set(repetitive.lists.map((key) => sample[key])))
}

/** Of most batches nobody asks for more than a sample has. */
class RepetitiveDocument implements JsonDocument {
  readonly sample: JsonDocument['sample']
  readonly shortened: JsonDocument['shortened']
  readonly #bytes: Uint8Array
  #whole: JsonDocument | undefined

  constructor(bytes: Uint8Array, sample: JsonDocument['sample'], shortened: JsonDocument['shortened']) {
    this.#bytes = bytes
    this.sample = sample
    this.shortened = shortened
  }

  get text(): string {
    return this.#read().text
  }

  get value(): JsonDocument['value'] {
    return this.#read().value
  }

  get root(): JsonNode {
    return this.#read().root
  }

  #read(): JsonDocument {
    if (this.#whole === undefined) {
      const text = utf8.decode(this.#bytes)
      this.#whole = new PlainDocument(text, JSON.parse(text))
    }
    return this.#whole
  }
}

/**
 * Reads the same and refuses the same as {@link readJsonObject}, but looks for the place of every value at once: for
 * what is not plain, and for what will be cut up in any case.
 *
 * @param nameOf Which keys are one member.
 * @throws {GatewayError} See {@link readJsonObject}.
 */
export function scanJsonObject(
  bytes: Uint8Array,
  maxValues = MAX_VALUES,
  nameOf: (key: string) => string = jsonName,
): JsonDocument {
  assertModest(bytes, maxValues)
  const text = decode(bytes)
  if (text.charCodeAt(0) === 0xfeff) throw ambiguous('The body starts with a byte order mark')
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    // A string that holds JSON is decoded a second time by MLflow (field report 89).
    throw ambiguous('The body must be a JSON object')
  }
  const scanner = new Scanner(text, nameOf)
  const root = scanner.scan()
  const trusted = (scanner.hasEscapedKey ? valueAt(root, text) : value) as Record<string, unknown>
  return { text, value: trusted, sample: trusted, shortened: NONE, root }
}

/**
 * The value, from its parts. `JSON.parse` of V8 13.6 to 14 (Node 24 to 26) gives a key that is written with an escape
 * the name of an earlier object's key that looks like its first letters: whoever sends both hides a field from us.
 */
function valueAt(node: JsonNode, text: string): unknown {
  if (node.members) {
    return Object.fromEntries(
      Array.from(node.members.values(), (member) => [member.key, valueAt(member, text)]),
    )
  }
  return node.items
    ? node.items.map((item) => valueAt(item, text))
    : JSON.parse(text.slice(node.start, node.end))
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw ambiguous('The body is not valid UTF-8', cause)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw ambiguous('The body is not valid JSON', cause)
  }
}

function ambiguous(message: string, cause?: unknown): GatewayError {
  return new GatewayError('ERR_AMBIGUOUS_REQUEST', message, cause === undefined ? {} : { cause })
}

const codes = (text: string): ReadonlySet<number> => new Set([...text].map((char) => char.charCodeAt(0)))
const SPACE = codes(' \t\n\r')
const LITERAL_END = codes(',]} \t\n\r')
const [QUOTE, BACKSLASH, COMMA, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [
  0x22, 0x5c, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d,
]

type Key = { readonly key: string; readonly name: string }

/**
 * Finds where every value lies in a text that `JSON.parse` has accepted, and refuses repeated keys, which
 * `JSON.parse` hides. Because the syntax is known to be right it only has to tell strings, brackets and commas apart.
 */
class Scanner {
  readonly #text: string
  readonly #nameOf: (key: string) => string
  readonly #keys = new Map<string, Key>()
  #at = 0
  /** Known after the scan. */
  hasEscapedKey = false

  constructor(text: string, nameOf: (key: string) => string) {
    this.#text = text
    this.#nameOf = nameOf
  }

  scan(): JsonNode {
    return this.#value(0)
  }

  #value(depth: number): JsonNode {
    if (depth > MAX_DEPTH) throw tooDeep()
    switch (this.#next()) {
      case OPEN_OBJECT:
        return this.#object(depth)
      case OPEN_ARRAY:
        return this.#array(depth)
      case QUOTE:
        return this.#string()
      default:
        return this.#literal()
    }
  }

  #object(depth: number): JsonNode {
    const start = this.#at++
    const members = new Map<string, JsonMember>()
    for (let code = this.#next(); code !== CLOSE_OBJECT; code = this.#next()) {
      if (code === COMMA) {
        this.#at++
        continue
      }
      const keyStart = this.#at
      const { key, name } = this.#key()
      if (members.has(name)) {
        throw ambiguous(
          `The field ${JSON.stringify(name.slice(0, 100))} is given more than once (run_id and runId are one field)`,
        )
      }
      this.#next()
      this.#at++ // the colon
      members.set(name, { key, keyStart, ...this.#value(depth + 1) })
    }
    return { start, end: ++this.#at, members }
  }

  #array(depth: number): JsonNode {
    const start = this.#at++
    const items: JsonNode[] = []
    for (let code = this.#next(); code !== CLOSE_ARRAY; code = this.#next()) {
      if (code === COMMA) this.#at++
      else items.push(this.#value(depth + 1))
    }
    return { start, end: ++this.#at, items }
  }

  /** The key at hand. Keys repeat from item to item, so each spelling is read once. */
  #key(): Key {
    const { start, end } = this.#string()
    const raw = this.#text.slice(start + 1, end - 1)
    const known = this.#keys.get(raw)
    if (known !== undefined) return known
    const isEscaped = raw.includes('\\')
    if (isEscaped) this.hasEscapedKey = true
    const key = isEscaped ? (JSON.parse(`"${raw}"`) as string) : raw
    assertWholeName(key)
    const read = { key, name: this.#nameOf(key) }
    this.#keys.set(raw, read)
    return read
  }

  #string(): JsonNode {
    const start = this.#at++
    for (;;) {
      const quote = this.#text.indexOf('"', this.#at)
      this.#at = quote + 1
      if (!this.#isEscaped(quote)) return { start, end: this.#at }
    }
  }

  /** A quote after an odd number of backslashes belongs to the string. */
  #isEscaped(quote: number): boolean {
    let at = quote
    while (this.#text.charCodeAt(at - 1) === BACKSLASH) at--
    return (quote - at) % 2 === 1
  }

  #literal(): JsonNode {
    const start = this.#at
    while (this.#at < this.#text.length && !LITERAL_END.has(this.#text.charCodeAt(this.#at))) this.#at++
    if (this.#at - start > MAX_NUMBER_LENGTH) {
      throw ambiguous(`The body holds a number of more than ${MAX_NUMBER_LENGTH} digits`)
    }
    return { start, end: this.#at }
  }

  /** Skips white space; the code of the character after it. */
  #next(): number {
    let code = this.#text.charCodeAt(this.#at)
    while (SPACE.has(code)) code = this.#text.charCodeAt(++this.#at)
    return code
  }
}

/** One change to a text: what replaces the characters from `start` to `end`. */
export type Splice = { readonly start: number; readonly end: number; readonly text: string }

/** Applies changes that do not overlap, leaving every other byte as it was (numbers keep their precision). */
export function splice(text: string, changes: readonly Splice[]): string {
  let result = ''
  let at = 0
  for (const change of [...changes].sort((a, b) => a.start - b.start)) {
    result += text.slice(at, change.start) + change.text
    at = change.end
  }
  return result + text.slice(at)
}
