import { type Call, memberOf } from './call.ts'
import {
  type JsonDocument,
  type JsonMember,
  type JsonNode,
  jsonName,
  readJsonObject,
  type Splice,
  splice,
} from './json.ts'
import { isObject } from './lookup.ts'
import type { LocatorKind, Operation } from './operation.ts'
import { stepOf } from './step.ts'

/** A call with another body: what was judged, with changes of ours. Every byte that was not changed stays. */
export function withChanges(call: Call, body: JsonDocument, changes: readonly Splice[]): Call {
  return withText(call, splice(body.text, changes))
}

function withText(call: Call, text: string): Call {
  const bytes = Buffer.from(text, 'utf8')
  return { ...call, body: readJsonObject(bytes), bytes }
}

/**
 * The call with the fields that were judged in front of their neighbours, on every level, each as it was sent, and those
 * in front that are plain values, so that not even something inside of another stands in their way. MLflow
 * converts a body field by field, and at the first that it cannot convert it leaves out the rest and goes on: an id
 * behind such a field would be judged here and not read there, and what is asked of one experiment would be done to the
 * default one (`_get_request_message` and `_get_experiment`, 2.22 to 3.17).
 */
export function judgedFirst(call: Call): Call {
  if (call.body === undefined) return call
  const { operation } = call
  const stamps = operation.stamps.map(({ path, field }) => [...path, field])
  // In front of what we stamp, too: not even a name of ours may stand in the way of an id.
  return withInFront(withInFront(call, stamps), judgedPaths(operation))
}

function withInFront(call: Call, paths: Paths): Call {
  const { body } = call
  if (body === undefined || isInFront(body.sample, paths)) return call
  const text = inFront(body.text, body.root, paths)
  return text === undefined ? call : withText(call, text)
}

type Paths = readonly (readonly string[])[]

/**
 * True if {@link inFront} would change nothing, told from the value alone. Members have the order of the text in it, but
 * for names that are numbers: those come first, and none of them is a field, so that with one of them this may be false
 * of a text that is in order, never true of one that is not.
 */
function isInFront(value: unknown, paths: Paths): boolean {
  if (paths.length === 0) return true
  if (Array.isArray(value)) return value.every((item) => isInFront(item, paths))
  if (!isObject(value)) return true
  let last: Rank = PLAIN
  for (const key of Object.keys(value)) {
    const below = pathsBelow(paths, jsonName(key))
    const rank =
      below.length === 0 ? OTHER : typeof value[key] === 'object' && value[key] !== null ? LED : PLAIN
    if (rank < last || !isInFront(value[key], tailsOf(below))) return false
    last = rank
  }
  return true
}

/** The order of members: plain values that paths lead to, what paths lead into, and all others. */
const [PLAIN, LED, OTHER] = [0, 1, 2] as const
type Rank = typeof PLAIN | typeof LED | typeof OTHER

function pathsBelow(paths: Paths, name: string): Paths {
  return paths.filter(([step = '']) => stepOf(step).name === name)
}

function tailsOf(paths: Paths): Paths {
  return paths.filter((path) => path.length > 1).map((path) => path.slice(1))
}

/** What a locator reads of a body beside its own field. */
const ALSO_READ: Readonly<Partial<Record<LocatorKind, Paths>>> = {
  // The tags say what kind of thing is made under the name.
  registered_model_name: [['tags']],
  experiment_of_new_endpoint: [['usage_tracking'], ['experiment_id']],
  experiment_of_endpoint: [['usage_tracking'], ['experiment_id'], ['name']],
  gateway_secret_redirected: [['auth_config']],
  gateway_bound: [['resource_type']],
  scorer: [['experiment_id']],
  whole_scorer: [['experiment_id'], ['version']],
  dataset_home: [['experiment_ids']],
}

/** Where in a body a row finds what it is about. What may be absent and is nested asks for more, never for less. */
function judgedPaths({ needs }: Operation): Paths {
  return needs.flatMap((need) => {
    if ((need.kind !== 'resource' && need.kind !== 'narrow') || need.locator.selector.in !== 'args') return []
    const { names, optional } = need.locator.selector
    const paths = names.filter((path) => path.length === 1 || !optional || need.kind === 'narrow')
    return [...paths, ...(ALSO_READ[need.locator.kind] ?? [])]
  })
}

/** The text of a value with what the paths lead to in front; `undefined` if it is so already. */
function inFront(text: string, { members, items }: JsonNode, paths: Paths): string | undefined {
  if (paths.length === 0) return undefined
  if (items !== undefined) {
    const inner = items.map((item) => inFront(text, item, paths))
    if (inner.every((each) => each === undefined)) return undefined
    return `[${items.map((item, index) => inner[index] ?? text.slice(item.start, item.end)).join(',')}]`
  }
  const plain: string[] = []
  const led: string[] = []
  const others: string[] = []
  let isChanged = false
  for (const [name, { keyStart, ...node }] of members ?? []) {
    const below = pathsBelow(paths, name)
    const isLed = below.length > 0
    const value = inFront(text, node, tailsOf(below))
    const isPlain = isLed && node.members === undefined && node.items === undefined
    isChanged ||= value !== undefined || (isLed && others.length > 0) || (isPlain && led.length > 0)
    const member = text.slice(keyStart, node.start) + (value ?? text.slice(node.start, node.end))
    const place = isPlain ? plain : isLed ? led : others
    place.push(member)
  }
  return isChanged ? `{${[...plain, ...led, ...others].join(',')}}` : undefined
}

/** A top-level member under either protobuf spelling, and under no other (`run_id_` is no field of MLflow's). */
export function memberAt({ value, root }: JsonDocument, name: string): JsonMember | undefined {
  return memberNode({ value, node: root }, name)
}

/** An object of a body, and its place in the text. */
export type Placed = { readonly value: Readonly<Record<string, unknown>>; readonly node: JsonNode }

function memberNode({ value, node }: Placed, name: string): JsonMember | undefined {
  const camel = jsonName(name)
  return Object.hasOwn(value, name) || Object.hasOwn(value, camel) ? node.members?.get(camel) : undefined
}

/** The change that gives a top-level field a value, under whichever spelling it was sent, or adds it. */
export function setField({ value, root }: JsonDocument, name: string, json: string): Splice {
  return setMember({ value, node: root }, name, json)
}

/** The change that gives a field of an object a value, under whichever spelling it was sent, or adds it. */
export function setMember(object: Placed, name: string, json: string): Splice {
  const member = memberNode(object, name)
  if (member) return { start: member.start, end: member.end, text: json }
  const comma = (object.node.members?.size ?? 0) > 0 ? ',' : ''
  const after = object.node.start + 1
  return { start: after, end: after, text: `${JSON.stringify(name)}:${json}${comma}` }
}

/** Sources of assessments that are no people: their ids say which model or code it was. */
const MACHINES: readonly unknown[] = ['LLM_JUDGE', 'AI_JUDGE', 'CODE']

/**
 * Makes the caller the source of every assessment of a person's, as a bare server takes whatever the client says.
 *
 * @param path Where the sources are: `assessment.source`, `trace.trace_info.assessments[].source`.
 */
export function asSource(call: Call, path: readonly string[], username: string): Call {
  const { body } = call
  if (body === undefined || !objectsIn(body.value, path).some(isPerson)) return call
  const changes = objectsAt({ value: body.value, node: body.root }, path)
    .filter(({ value }) => isPerson(value))
    .map((source) => setMember(source, 'source_id', JSON.stringify(username)))
  return changes.length === 0 ? call : withChanges(call, body, changes)
}

function isPerson(source: Readonly<Record<string, unknown>>): boolean {
  return !MACHINES.includes(memberOf(source, 'source_type'))
}

/** What {@link objectsAt} finds, without the places in the text, which take longer to find. */
export function objectsIn(
  object: Readonly<Record<string, unknown>>,
  path: readonly string[],
): readonly Readonly<Record<string, unknown>>[] {
  const [step, ...others] = path
  if (step === undefined) return [object]
  return [memberOf(object, step.replace('[]', ''))]
    .flat()
    .flatMap((value) => (isObject(value) ? objectsIn(value, others) : []))
}

/** The objects that a path leads to; `[]` walks a list. What was not sent, or is of another type, leads nowhere. */
export function objectsAt(object: Placed, path: readonly string[]): readonly Placed[] {
  const [step, ...others] = path
  if (step === undefined) return [object]
  const name = step.replace('[]', '')
  const member = memberOf(object.value, name)
  const node = memberNode(object, name)
  const found = Array.isArray(member)
    ? member.map((value: unknown, index) => ({ value, node: node?.items?.[index] }))
    : [{ value: member, node }]
  return found.flatMap(({ value, node: at }) =>
    isObject(value) && at !== undefined ? objectsAt({ value, node: at }, others) : [],
  )
}
