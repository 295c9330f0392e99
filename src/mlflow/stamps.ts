import { GatewayError } from '../errors.ts'
import { type Call, memberOf } from './call.ts'
import { type JsonDocument, readJsonObject } from './json.ts'
import { memberAt, objectsAt, setField, setMember, withChanges } from './rewrite.ts'

/** A field of a body that tells who did it, see {@link parseStamp}. */
export type Stamp = {
  /** The objects that hold it. */
  readonly path: readonly string[]
  readonly field: string
  /** The field is a list of tags, and this is the one. */
  readonly tag: string | undefined
  /** Not where another field of the body says so. */
  readonly unless: { readonly field: string; readonly is: string } | undefined
}

/**
 * Parses the notation of the catalogue: `created_by`; `request.user_id`, in an object that was sent;
 * `items[].completed_by`, in each of them; `tags{mlflow.user}`, one of the tags of a list;
 * `completed_by unless status=PENDING`, but not where another field says so.
 */
export function parseStamp(text: string): Stamp {
  const [, fields = '', tag, other, is = ''] =
    /^([\w.[\]]+)(?:\{([\w.]+)\})?(?: unless (\w+)=(\w+))?$/.exec(text) ?? []
  const path = fields.split('.')
  const field = path.pop() ?? ''
  if (field === '' || field.endsWith('[]')) throw new Error(`Not a field that can be stamped: ${text}`)
  return { path, field, tag, unless: other === undefined ? undefined : { field: other, is } }
}

/**
 * The call with the caller's name in every field that says who did it: a bare server takes whatever the client says.
 * A field is set under the spelling it was sent in, or added; no other byte changes.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for tags that are no list of tags.
 */
export function stamped(call: Call, stamps: readonly Stamp[], username: string): Call {
  return stamps.reduce((each, stamp) => stampedOnce(each, stamp, username), call)
}

function stampedOnce(call: Call, { path, field, tag, unless }: Stamp, username: string): Call {
  const body = call.body ?? readJsonObject(NO_FIELDS)
  if (unless !== undefined && memberOf(body.value, unless.field) === unless.is) return call
  const value = JSON.stringify(username)
  if (tag === undefined) {
    const objects = objectsAt({ value: body.value, node: body.root }, path)
    const changes = objects.map((object) => setMember(object, field, value))
    return changes.length === 0 ? call : withChanges(call, body, changes)
  }
  const kept = tagTexts(body, field).filter(({ key }) => key !== tag)
  // Ours first: a tag that MLflow cannot convert ends its reading of the body.
  const tags = [`{"key":${JSON.stringify(tag)},"value":${value}}`, ...kept.map(({ text }) => text)]
  return withChanges(call, body, [setField(body, field, `[${tags.join(',')}]`)])
}

const NO_FIELDS = Buffer.from('{}')

function tagTexts(body: JsonDocument, field: string): { key: unknown; text: string }[] {
  const node = memberAt(body, field)
  const tags = memberOf(body.value, field)
  if (node === undefined || tags === null) return []
  if (!Array.isArray(tags) || node.items === undefined) {
    throw new GatewayError(
      'ERR_INVALID_PARAMETER',
      `Invalid value for parameter '${field}': a list is expected`,
    )
  }
  return node.items.map((item, index) => ({
    key: (tags[index] as { key?: unknown } | null)?.key,
    text: body.text.slice(item.start, item.end),
  }))
}
