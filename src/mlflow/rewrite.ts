import { GatewayError } from '../errors.ts'
import type { Call } from './call.ts'
import { type JsonDocument, jsonName, type Splice, splice } from './json.ts'

/** A call with another body: what was judged, with changes of ours. Every byte that was not changed stays. */
export function withChanges(call: Call, body: JsonDocument, changes: readonly Splice[]): Call {
  return { ...call, bytes: Buffer.from(splice(body.text, changes), 'utf8') }
}

/** The change that gives a top-level field a value, under whichever spelling it was sent, or adds it. */
export function setField(body: JsonDocument, name: string, json: string): Splice {
  const node = body.root.members?.get(jsonName(name))
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
  const tags = [...kept.map(({ text }) => text), JSON.stringify({ key: USER_TAG, value: username })]
  return withChanges(call, body, [
    setField(body, 'user_id', JSON.stringify(username)),
    setField(body, 'tags', `[${tags.join(',')}]`),
  ])
}

const USER_TAG = 'mlflow.user'

function tagTexts(body: JsonDocument): { key: unknown; text: string }[] {
  const node = body.root.members?.get('tags')
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
