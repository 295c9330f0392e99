import { type Access, satisfies } from '../policy/access.ts'
import type { Tier } from '../policy/grants.ts'
import { type JsonNode, type Splice, splice } from './json.ts'
import { readAnswer } from './json-answer.ts'
import { isReadable, type RowKind, seesAllRows } from './list-rows.ts'
import { isObject, type Lookup } from './lookup.ts'
import type { UpstreamResponse } from './upstream.ts'

/** Something in an answer that not everybody who gets the answer may see. Administrators see all. */
export type Withholding = {
  /** Leads to the objects it is in, as in a selector: `endpoint`, `model_mappings[]`; empty for the answer itself. */
  readonly at: readonly string[]
  /** The members of those objects that are left out, or the objects as a whole. */
  readonly drop: readonly string[] | 'whole'
  readonly unless: Showing
  /** Only of those whose member is that: `key=mlflow.sourceRun`. */
  readonly where?: { readonly field: string; readonly is: string } | undefined
}

/**
 * To whom it is shown: who can read what the object is about, taken for a row of that kind (`list-rows.ts`; what does
 * not say what it is about is shown to nobody); who is denied no sub-resource of that type; or administrators alone.
 */
export type Showing =
  | { readonly row: RowKind }
  | { readonly tier: Tier | 'scorer' }
  | { readonly admin: true }

/**
 * Makes one.
 *
 * @param at As `endpoints[].model_mappings[]`, see {@link Withholding}.
 * @param where As `key=mlflow.sourceRun`.
 */
export function withheld(
  at: string,
  drop: Withholding['drop'],
  unless: Showing,
  where?: `${string}=${string}`,
): Withholding {
  const [field = '', is = ''] = where?.split('=', 2) ?? []
  return {
    at: at === '' ? [] : at.split('.'),
    drop,
    unless,
    where: where === undefined ? undefined : { field, is },
  }
}

type Reading = { readonly access: Access; readonly lookup: Lookup }

/** True if an answer may hold what these grants do not show. If not, it can pass unread. */
export function mayWithhold(rules: readonly Withholding[], access: Access): boolean {
  return rules.some(({ unless }) => !showsAll(unless, access))
}

function showsAll(unless: Showing, access: Access): boolean {
  if ('row' in unless) return seesAllRows(unless.row, access)
  return 'tier' in unless && satisfies(access.levelOfAll(unless.tier) ?? 'READ', 'READ')
}

/**
 * The answer without what the caller may not see. All else stays as MLflow wrote it, byte for byte; an answer that is
 * no success passes whole.
 *
 * @throws {GatewayError} `ERR_UPSTREAM_INVALID` for an answer that cannot be read: it does not leave unread.
 */
export async function withhold(
  response: UpstreamResponse,
  rules: readonly Withholding[],
  reading: Reading,
): Promise<UpstreamResponse> {
  if (response.status < 200 || response.status >= 300) return response
  const { text, value, root } = readAnswer(response.bytes)
  const gone = new Map<JsonNode, Set<JsonNode>>()
  for (const { at, drop, unless, where } of rules) {
    if (showsAll(unless, reading.access)) continue
    for (const place of placesAt({ value, node: root, parent: undefined }, at)) {
      if (where !== undefined && (place.value as Record<string, unknown>)[where.field] !== where.is) continue
      if ('row' in unless && (await isReadable(unless.row, place.value, reading))) continue
      for (const [parent, node] of left(place, drop))
        gone.set(parent, (gone.get(parent) ?? new Set()).add(node))
    }
  }
  if (gone.size === 0) return response
  const changes = [...gone].flatMap(([parent, nodes]) => removals(parent, nodes))
  return { ...response, bytes: Buffer.from(splice(text, outermost(changes))) }
}

/** A value of an answer, and what it lies in. */
type Place = { readonly value: unknown; readonly node: JsonNode; readonly parent: JsonNode | undefined }

/** The objects that the path leads to; what is of another kind is passed over, and holds nothing. */
function placesAt(place: Place, path: readonly string[]): readonly Place[] {
  const { value, node } = place
  if (!isObject(value)) return []
  const [step, ...others] = path
  if (step === undefined) return [place]
  const name = step.replace('[]', '')
  const [inner, member] = [value[name], node.members?.get(name)]
  if (member === undefined) return []
  if (!step.endsWith('[]')) return placesAt({ value: inner, node: member, parent: node }, others)
  return (member.items ?? []).flatMap((item, index) =>
    placesAt({ value: (inner as readonly unknown[])[index], node: item, parent: member }, others),
  )
}

/** What is left out of a place, each with what it lies in. */
function left(
  { node, parent }: Place,
  drop: Withholding['drop'],
): readonly (readonly [JsonNode, JsonNode])[] {
  if (drop === 'whole') return parent === undefined ? [] : [[parent, node]]
  return drop.flatMap((name) => {
    const member = node.members?.get(name)
    return member === undefined ? [] : [[node, member] as const]
  })
}

/** Takes members or items out of what they lie in, with one comma for each. */
function removals({ members, items }: JsonNode, gone: ReadonlySet<JsonNode>): readonly Splice[] {
  const parts = members === undefined ? (items ?? []) : [...members.values()]
  const spans = parts.map((node) => ({
    start: 'keyStart' in node ? (node.keyStart as number) : node.start,
    end: node.end,
    isGone: gone.has(node),
  }))
  const lastKept = spans.findLastIndex(({ isGone }) => !isGone)
  return spans.flatMap(({ start, end, isGone }, index) => {
    if (!isGone) return []
    // Up to the next one, and behind the last that stays from its end on.
    if (index < lastKept) return [{ start, end: spans[index + 1]?.start ?? end, text: '' }]
    return [{ start: spans[index - 1]?.end ?? start, end, text: '' }]
  })
}

/** Without the changes inside of others. */
function outermost(changes: readonly Splice[]): readonly Splice[] {
  let end = -1
  return [...changes]
    .sort((a, b) => a.start - b.start || b.end - a.end)
    .filter((change) => {
      if (change.end <= end) return false
      end = change.end
      return true
    })
}
