import { GatewayError } from '../errors.ts'
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
import type { Operation } from './operation.ts'

/** A call with another body: what was judged, with changes of ours. Every byte that was not changed stays. */
export function withChanges(call: Call, body: JsonDocument, changes: readonly Splice[]): Call {
  return withText(call, splice(body.text, changes))
}

function withText(call: Call, text: string): Call {
  const bytes = Buffer.from(text, 'utf8')
  return { ...call, body: readJsonObject(bytes), bytes }
}

/**
 * The call with the fields that were judged in front of their neighbours, on every level, each as it was sent. MLflow
 * converts a body field by field, and at the first that it cannot convert it leaves out the rest and goes on: an id
 * behind such a field would be judged here and not read there, and what is asked of one experiment would be done to the
 * default one (`_get_request_message` and `_get_experiment`, 2.22 to 3.17).
 */
export function judgedFirst(call: Call): Call {
  const { body, operation } = call
  if (body === undefined) return call
  const text = inFront(body.text, body.root, judgedPaths(operation))
  return text === undefined ? call : withText(call, text)
}

type Paths = readonly (readonly string[])[]

/** Where in a body a row finds what it is about. What may be absent and is nested asks for more, never for less. */
function judgedPaths({ needs }: Operation): Paths {
  return needs.flatMap((need) => {
    if ((need.kind !== 'resource' && need.kind !== 'narrow') || need.locator.selector.in !== 'args') return []
    const { names, optional } = need.locator.selector
    const paths = names.filter((path) => path.length === 1 || !optional || need.kind === 'narrow')
    // The tags say what kind of thing is made under the name.
    return need.locator.kind === 'registered_model_name' ? [...paths, ['tags']] : paths
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
  const led: string[] = []
  const others: string[] = []
  let isChanged = false
  for (const [name, { keyStart, ...node }] of members ?? []) {
    const below = paths.filter(([step = '']) => jsonName(step.replace(/\[\]$|\{\}$/, '')) === name)
    const isLed = below.length > 0
    const rest = below.map((path) => path.slice(1)).filter((path) => path.length > 0)
    const value = inFront(text, node, rest)
    isChanged ||= value !== undefined || (isLed && others.length > 0)
    const member = text.slice(keyStart, node.start) + (value ?? text.slice(node.start, node.end))
    if (isLed) led.push(member)
    else others.push(member)
  }
  return isChanged ? `{${[...led, ...others].join(',')}}` : undefined
}

/** A top-level member under either protobuf spelling, and under no other (`run_id_` is no field of MLflow's). */
function memberAt({ value, root }: JsonDocument, name: string): JsonMember | undefined {
  return memberNode({ value, node: root }, name)
}

/** An object of a body, and its place in the text. */
type Placed = { readonly value: Readonly<Record<string, unknown>>; readonly node: JsonNode }

function memberNode({ value, node }: Placed, name: string): JsonMember | undefined {
  const camel = jsonName(name)
  return Object.hasOwn(value, name) || Object.hasOwn(value, camel) ? node.members?.get(camel) : undefined
}

/** The change that gives a top-level field a value, under whichever spelling it was sent, or adds it. */
export function setField({ value, root }: JsonDocument, name: string, json: string): Splice {
  return setMember({ value, node: root }, name, json)
}

function setMember(object: Placed, name: string, json: string): Splice {
  const member = memberNode(object, name)
  if (member) return { start: member.start, end: member.end, text: json }
  const comma = (object.node.members?.size ?? 0) > 0 ? ',' : ''
  const after = object.node.start + 1
  return { start: after, end: after, text: `${JSON.stringify(name)}:${json}${comma}` }
}

/**
 * Makes the caller the author of a new run: `user_id` and the tag `mlflow.user` are what MLflow shows, and a bare
 * server takes whatever the client says.
 */
export function asAuthor(call: Call, username: string): Call {
  const { body } = call
  if (body === undefined) throw new GatewayError('ERR_INVALID_PARAMETER', 'The request has no body')
  const kept = tagTexts(body).filter(({ key }) => key !== USER_TAG)
  // Ours first: a tag that MLflow cannot convert ends its reading of the body.
  const tags = [JSON.stringify({ key: USER_TAG, value: username }), ...kept.map(({ text }) => text)]
  return withChanges(call, body, [
    setField(body, 'user_id', JSON.stringify(username)),
    setField(body, 'tags', `[${tags.join(',')}]`),
  ])
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
  if (body === undefined) return call
  const changes = objectsAt({ value: body.value, node: body.root }, path)
    .filter(({ value }) => !MACHINES.includes(memberOf(value, 'source_type')))
    .map((source) => setMember(source, 'source_id', JSON.stringify(username)))
  return changes.length === 0 ? call : withChanges(call, body, changes)
}

function objectsAt(object: Placed, path: readonly string[]): readonly Placed[] {
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

const USER_TAG = 'mlflow.user'

function tagTexts(body: JsonDocument): { key: unknown; text: string }[] {
  const node = memberAt(body, 'tags')
  const tags = body.value['tags']
  if (node === undefined || tags === null) return []
  if (!Array.isArray(tags) || node.items === undefined) {
    throw new GatewayError('ERR_INVALID_PARAMETER', "Invalid value for parameter 'tags': a list is expected")
  }
  return node.items.map((item, index) => ({
    key: (tags[index] as { key?: unknown } | null)?.key,
    text: body.text.slice(item.start, item.end),
  }))
}
