import { GatewayError } from '../errors.ts'
import { type Call, memberOf } from './call.ts'
import type { JsonNode, Splice } from './json.ts'
import { splice } from './json.ts'
import { readJsonTexts } from './json-text.ts'
import { isObject } from './lookup.ts'
import { setField, setMember, withChanges } from './rewrite.ts'

/** The tag that MLflow takes for who did it. */
const USER_TAG = 'mlflow.user'

/**
 * Where a body holds tags in a text: `tags`, the text being the tags; `records`, each of the list in the text having
 * `tags` of its own.
 */
export type TaggedText = { readonly field: string; readonly each: boolean }

/** Parses the notation of the catalogue: `tags!` or `records![].tags`. */
export function parseTaggedText(text: string): TaggedText {
  const [, field = '', each] = /^(\w+)!(\[\]\.tags)?$/.exec(text) ?? []
  if (field === '') throw new Error(`Not a text with tags: ${text}`)
  return { field, each: each !== undefined }
}

/**
 * Makes the caller who they are in the tags that a text in the body holds: for evaluation datasets and their records
 * MLflow takes `created_by` from there (`create_dataset`, `upsert_dataset_records`, 3.17.2). No other byte of the text
 * changes: MLflow tells records apart by what their inputs look like.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for tags that are no map, or a text that is no JSON.
 */
export function withAuthorTag(call: Call, { field, each }: TaggedText, username: string): Call {
  const { body } = call
  if (body === undefined) return call
  const given = memberOf(body.value, field) ?? undefined
  if (given === undefined && each) return call
  const [text] = readJsonTexts([given ?? '{}'], field)
  if (text === undefined) return call
  const changes = each
    ? items(text, field).map((record) => taggedWith(record, field, username))
    : [setMember(placed(text.value, text.node, field), USER_TAG, JSON.stringify(username))]
  const { start, end } = text.node
  const changed = splice(text.source, changes)
  const grown = changed.length - text.source.length
  return withChanges(call, body, [setField(body, field, JSON.stringify(changed.slice(start, end + grown)))])
}

type Placed = Parameters<typeof setMember>[0]

function placed(value: unknown, node: JsonNode | undefined, field: string): Placed {
  if (!isObject(value) || node === undefined) throw notAMap(field)
  return { value, node }
}

function items({ value, node }: { value: unknown; node: JsonNode }, field: string): readonly Placed[] {
  if (!Array.isArray(value)) throw notAMap(field)
  return value.map((item: unknown, index) => placed(item, node.items?.[index], field))
}

function taggedWith(record: Placed, field: string, username: string): Splice {
  const tags = record.value['tags'] ?? undefined
  if (tags === undefined) return setMember(record, 'tags', JSON.stringify({ [USER_TAG]: username }))
  const own = placed(tags, record.node.members?.get('tags'), field)
  return setMember(own, USER_TAG, JSON.stringify(username))
}

function notAMap(field: string): GatewayError {
  return new GatewayError(
    'ERR_INVALID_PARAMETER',
    `Invalid value for parameter '${field}': records, and tags as an object, are expected`,
  )
}
