import { GatewayError } from '../errors.ts'
import { type Call, memberOf } from './call.ts'
import { hasPromptTag, isObject, PROMPT_TAG, type RegistryKind } from './lookup.ts'

/**
 * Whether the tags of a request to create make it a prompt. MLflow keeps the last of several, others the first; and a
 * tag that it cannot convert hides those behind it, so that what was judged as a prompt would become a model.
 *
 * @throws {GatewayError} `ERR_AMBIGUOUS_REQUEST` if that could be read in two ways.
 */
export function announcedKind(call: Call): RegistryKind {
  const given = memberOf(call.body?.value ?? {}, 'tags')
  const tags: readonly unknown[] = Array.isArray(given) ? given : []
  const marks = tags.filter((tag) => isObject(tag) && tag['key'] === PROMPT_TAG)
  if (marks.length === 0) return 'registered_model'
  if (marks.length > 1 || !tags.every(isPlainTag)) {
    const message = `The tag ${PROMPT_TAG} must be given once, among tags of a key and a value`
    throw new GatewayError('ERR_AMBIGUOUS_REQUEST', message)
  }
  return hasPromptTag({ tags: marks }) ? 'prompt' : 'registered_model'
}

function isPlainTag(tag: unknown): boolean {
  if (!isObject(tag)) return false
  return Object.entries(tag).every(
    ([field, text]) =>
      (field === 'key' || field === 'value') && typeof text === 'string' && text.isWellFormed(),
  )
}
