import { GatewayError } from '../errors.ts'
import type { Call } from './call.ts'
import { type JsonDocument, type JsonMember, jsonName, readJsonObject, type Splice, splice } from './json.ts'
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
 * The call with the fields that were judged in front of all others, each as it was sent. MLflow converts a body field
 * by field, and at the first that it cannot convert it leaves out the rest and goes on: an id behind such a field
 * would be judged here and not read there, and what is asked of one experiment would be done to the default one
 * (`_get_request_message` and `_get_experiment`, 2.22 to 3.17).
 */
export function judgedFirst(call: Call): Call {
  const { body, operation } = call
  const members = [...(body?.root.members?.values() ?? [])]
  if (body === undefined || members.length < 2) return call
  const judged = new Set(judgedNames(operation).map((name) => memberAt(body, name)))
  judged.delete(undefined)
  if (members.slice(0, judged.size).every((member) => judged.has(member))) return call
  const ordered = [
    ...members.filter((each) => judged.has(each)),
    ...members.filter((each) => !judged.has(each)),
  ]
  return withText(call, `{${ordered.map(({ keyStart, end }) => body.text.slice(keyStart, end)).join(',')}}`)
}

/** Top-level fields of a body that say what a row is about. What is nested below others asks for more, never for less. */
function judgedNames({ needs }: Operation): readonly string[] {
  return needs.flatMap((need) => {
    if ((need.kind !== 'resource' && need.kind !== 'narrow') || need.locator.selector.in !== 'args') return []
    const names = need.locator.selector.names.flatMap(([name, below]) =>
      name === undefined || below !== undefined ? [] : [name.replace('[]', '')],
    )
    // The tags say what kind of thing is made under the name.
    return need.locator.kind === 'registered_model_name' ? [...names, 'tags'] : names
  })
}

/** A top-level member under either protobuf spelling, and under no other (`run_id_` is no field of MLflow's). */
function memberAt({ value, root }: JsonDocument, name: string): JsonMember | undefined {
  const camel = jsonName(name)
  return Object.hasOwn(value, name) || Object.hasOwn(value, camel) ? root.members?.get(camel) : undefined
}

/** The change that gives a top-level field a value, under whichever spelling it was sent, or adds it. */
export function setField(body: JsonDocument, name: string, json: string): Splice {
  const node = memberAt(body, name)
  if (node) return { start: node.start, end: node.end, text: json }
  const comma = (body.root.members?.size ?? 0) > 0 ? ',' : ''
  const after = body.root.start + 1
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
