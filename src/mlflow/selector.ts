/**
 * Where in a request an id stands.
 *
 * - `args`: the query of a GET, the JSON body of anything else, as MLflow's protobuf routes read it
 * - `query`, `path`, `header`: there and nowhere else
 * - `spans`: what the spans of an OTLP export carry, `trace_ids` or `trace_tags`
 * - `filter`: in the search filters and sort keys that stand there, what a field is compared with
 * - `mention`: words that appear in them
 */
export type Selector = {
  readonly in: 'args' | 'query' | 'path' | 'header' | 'spans' | 'filter' | 'mention'
  /** Alternative names of one field; if several are given they must be equal. */
  readonly names: readonly (readonly string[])[]
  /** Of `filter` the fields that lead to an id, of `mention` what is looked for; in lower case. */
  readonly words?: readonly string[]
  /** Absent is allowed, and selects nothing. */
  readonly optional: boolean
  /** In a JSON body an empty text counts as absent, as it does to MLflow. */
  readonly blank?: boolean
  /** As written, for messages. */
  readonly text: string
}

const PLACES: readonly string[] = [
  'args',
  'query',
  'path',
  'header',
  'spans',
  'filter',
  'mention',
] satisfies Selector['in'][]

function isPlace(text: string): text is Selector['in'] {
  return PLACES.includes(text)
}

/**
 * Parses the notation of the catalogue: `run_id|run_uuid`, `metrics[].model_id?`, `query:run_uuid`,
 * `path:artifact_path`, `filter:filter|order_by[]#run_id,mlflow.sourceRun?`. `[]` walks a list, `{}` the keys of a map,
 * `!` what a text holds as JSON (`records![].source`), `?` marks what may be absent,
 * `??` what may also be an empty text.
 */
export function parseSelector(text: string): Selector {
  const optional = text.endsWith('?')
  const blank = text.endsWith('??')
  const bare = text.replace(/\?{1,2}$/, '')
  const [place, rest] = bare.includes(':') ? (bare.split(':', 2) as [string, string]) : ['args', bare]
  if (!isPlace(place)) throw new Error(`No such place in a request: ${text}`)
  const [fields = '', words] = rest.split('#')
  return {
    ...{ in: place, names: fields.split('|').map((name) => name.split('.')), optional, text: rest },
    ...(blank ? { blank } : {}),
    ...(words === undefined ? {} : { words: words.toLowerCase().split(',') }),
  }
}
