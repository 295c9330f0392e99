/** One step of a selector's path: a member, and how what it holds is looked at, from the outside in. */
export type Step = { readonly field: string; readonly marks: readonly Mark[] }

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
  const step = { field, marks: [...text.slice(field.length).matchAll(MARKS)].map(([mark]) => mark as Mark) }
  STEPS.set(text, step)
  return step
}
