import type { JsonNode } from './json.ts'
import { readAnswer, unreadableAnswer } from './json-answer.ts'
import { type ListScan, type Span, scanList } from './list-scan.ts'
import { isObject } from './lookup.ts'

/** The answer to a list, and where in its bytes the rows are. */
export type ListAnswer = {
  /** UTF-8, as it came. */
  readonly bytes: Buffer
  /** The array of rows, or what is there in its place; `undefined` if nothing is. */
  readonly list: Span | undefined
  readonly rows: readonly Span[]
  /** A row with no more than the members that were asked for; of one that is no object, what is there in its place. */
  readonly row: (index: number) => unknown
  /** MLflow's token for the next page; empty if there is none. */
  readonly next: string
}

/**
 * Reads the answer to a list: quickly if it is as MLflow's are, else carefully, with the same result.
 *
 * @param field The member that holds the rows.
 * @param names The members of a row that are of interest.
 * @throws {GatewayError} `ERR_UPSTREAM_INVALID`, see {@link readAnswer}; or if these are no rows, or the token is no string.
 */
export function readList(bytes: Buffer, field: string, names: readonly string[]): ListAnswer {
  const scan = scanList(bytes, field, names)
  return scan === undefined ? readListCarefully(bytes, field, names) : listScanned(bytes, scan, names)
}

function listScanned(
  bytes: Buffer,
  { list, rows, next, members }: ListScan,
  names: readonly string[],
): ListAnswer {
  const valueAt = (place: number) => {
    const start = members[place] ?? -1
    return start === -1 ? undefined : parsed(bytes, start, members[place + 1] ?? start)
  }
  return {
    bytes,
    list,
    rows,
    row: (index) => {
      const row: Record<string, unknown> = {}
      let place = 2 * names.length * index
      for (const name of names) {
        row[name] = valueAt(place)
        place += 2
      }
      return row
    },
    next: next === undefined ? '' : String(parsed(bytes, next.start, next.end)),
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c]

/** A value whose syntax is known to be right. A string is a copy: part of a larger one would keep all of that in memory. */
function parsed(bytes: Buffer, start: number, end: number): unknown {
  const isPlain = bytes[start] === QUOTE && !holdsBackslash(bytes, start, end)
  return isPlain ? bytes.toString('utf8', start + 1, end - 1) : JSON.parse(bytes.toString('utf8', start, end))
}

function holdsBackslash(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] === BACKSLASH) return true
  return false
}

/** The same by the reader that makes something of all there is. */
export function readListCarefully(bytes: Buffer, field: string, names: readonly string[]): ListAnswer {
  const { text, value, root } = readAnswer(bytes)
  const rows = value[field] ?? []
  const next = value['next_page_token'] ?? ''
  if (!Array.isArray(rows) || typeof next !== 'string') throw unreadableAnswer()
  const list = root.members?.get(field)
  const [listSpan, ...rowSpans] = bytesOf(text, list === undefined ? [] : [list, ...(list.items ?? [])])
  const row = (index: number) => {
    const whole: unknown = rows[index]
    if (!isObject(whole)) return whole
    return Object.fromEntries(
      names.map((name) => [name, Object.hasOwn(whole, name) ? whole[name] : undefined]),
    )
  }
  return { bytes, list: listSpan, rows: rowSpans, row, next }
}

/** Places in a text as places in its UTF-8. */
function bytesOf(text: string, nodes: readonly JsonNode[]): readonly Span[] {
  let [at, bytesBefore] = [0, 0]
  const offset = (to: number) => {
    bytesBefore += to < at ? -Buffer.byteLength(text.slice(to, at)) : Buffer.byteLength(text.slice(at, to))
    at = to
    return bytesBefore
  }
  return nodes.map(({ start, end }) => ({ start: offset(start), end: offset(end) }))
}
