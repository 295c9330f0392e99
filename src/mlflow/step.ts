import { jsonName } from './json-name.ts'

/** One step of a selector's path: a member, and how what it holds is looked at, from the outside in. */
export type Step = {
  readonly field: string
  /** The field's JSON name, see {@link jsonName}. */
  readonly name: string
  readonly marks: readonly Mark[]
}

/** `[]`: each of a list. `{}`: the keys of a map. `!`: what a text holds as JSON. */
export type Mark = '[]' | '{}' | '!'

const MARKS = /\[\]|\{\}|!/g

/** Steps stand in the catalogue and nowhere else, so there are only so many. */
const STEPS = new Map<string, Step>()

/** Reads a step such as `trace_ids[]`, `tags!{}` or `records![]`. */
export function stepOf(text: string): Step {
  const known = STEPS.get(text)
  if (known !== undefined) return known
  const end = text.search(MARKS)
  const field = end === -1 ? text : text.slice(0, end)
  const marks = [...text.slice(field.length).matchAll(MARKS)].map(([mark]) => mark as Mark)
  const step = { field, name: jsonName(field), marks }
  STEPS.set(text, step)
  return step
}
