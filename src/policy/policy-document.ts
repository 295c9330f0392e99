import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml'

/** One thing wrong with a policy file. */
export type PolicyFault = {
  /** Counted from 1. */
  readonly line: number
  /** Where in the file's structure, e.g. `roles[0].grants[1].level`; empty for a fault of the YAML itself. */
  readonly place: string
  /** What is wrong, as the rest of a sentence that begins with the place. */
  readonly problem: string
  /** What to do, as a sentence. */
  readonly remedy: string
}

export type Path = readonly (string | number)[]

/** A YAML text as plain values, and the faults found in it so far. */
export type PolicyDocumentReader = {
  /** As far as it could be read; to be trusted only while there are no faults. */
  readonly value: unknown
  readonly add: (path: Path, problem: string, remedy: string) => void
  /** Where something is, as faults say it. */
  readonly at: (path: Path) => Pick<PolicyFault, 'line' | 'place'>
  /** In the order of their lines. */
  readonly faults: () => readonly PolicyFault[]
}

/** The part of JSON Schema that the policy's schema is written in. */
type JsonSchema = {
  readonly type?: string
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly { readonly required: readonly string[] }[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly expect?: string
}

/**
 * Reads a YAML text and checks it against a schema, reporting all that is wrong rather than the first of it.
 *
 * Keys are text whatever they look like, and nothing stands for something else: no aliases, no tags, one document.
 */
export function readPolicyDocument(text: string, schema: TSchema): PolicyDocumentReader {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    resolveKnownTags: false,
    stringKeys: true,
  })
  const faults: PolicyFault[] = []
  const addAt = (offset: number, fault: Omit<PolicyFault, 'line'>) => {
    faults.push({ line: lines.linePos(offset).line, ...fault })
  }
  const at = (path: Path) => ({
    line: lines.linePos(offsetOf(document.contents, path)).line,
    place: describePath(path),
  })
  const add = (path: Path, problem: string, remedy: string) => {
    faults.push({ ...at(path), problem, remedy })
  }
  for (const error of [...document.errors, ...document.warnings]) {
    addAt(error.pos[0], { place: '', ...describeYamlError(error) })
  }
  visit(document, {
    Alias: (_key, node) => addAt(node.range?.[0] ?? 0, { place: '', ...describeAlias(node.source) }),
  })
  const value = plain(document.contents)
  // After a fault of syntax the rest is not what was meant, and would only be confusing to hear about.
  const broken = document.errors.some((error) => error.code !== 'DUPLICATE_KEY')
  if (!broken) checkNode(schema as JsonSchema, value, { path: [], add })
  return { value, add, at, faults: () => faults.toSorted((a, b) => a.line - b.line) }
}

/** Stands for an alias, which has been reported where it is. */
const ALIAS = Symbol('alias')

function plain(node: unknown): unknown {
  if (isAlias(node)) return ALIAS
  if (isScalar(node)) return node.value
  if (isSeq(node)) return node.items.map(plain)
  if (isMap(node)) return Object.fromEntries(node.items.map(({ key, value }) => [keyText(key), plain(value)]))
  return null
}

function keyText(key: unknown): string {
  return String(isScalar(key) ? key.value : key)
}

type Place = { readonly path: Path; readonly add: PolicyDocumentReader['add'] }

function checkNode(schema: JsonSchema, value: unknown, place: Place): void {
  if (value === ALIAS) return
  const { path, add } = place
  if (schema.type === 'object' && isRecord(value)) checkRecord(schema, value, place)
  else if (schema.type === 'array' && Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      checkNode(schema.items ?? {}, item, { path: [...path, index], add })
    }
  } else if (!Value.Check(schema, value)) {
    add(path, `is not ${schema.expect ?? 'what belongs here'}`, `Make it ${schema.expect ?? 'valid'}.`)
  }
}

function checkRecord(
  schema: JsonSchema,
  value: Readonly<Record<string, unknown>>,
  { path, add }: Place,
): void {
  const { properties = {}, patternProperties = {}, required = [], oneOf = [] } = schema
  const [anyProperty] = Object.values(patternProperties)
  for (const [key, item] of Object.entries(value)) {
    const expected = Object.hasOwn(properties, key) ? properties[key] : anyProperty
    const place = { path: [...path, key], add }
    if (expected !== undefined) checkNode(expected, item, place)
    else add(place.path, 'is not known here', `Use ${Object.keys(properties).join(', ')} only.`)
  }
  for (const key of required) {
    if (!Object.hasOwn(value, key)) {
      add(path, `has no ${key}`, `Add ${key}: ${properties[key]?.expect ?? 'it'}.`)
    }
  }
  const choices = oneOf.flatMap((choice) => choice.required)
  const chosen = choices.filter((key) => Object.hasOwn(value, key))
  if (choices.length > 0 && chosen.length !== 1) {
    const problem = chosen.length === 0 ? 'is on nothing' : `is on ${chosen.join(' and ')} at once`
    add(path, problem, `Give it exactly one of ${choices.join(', ')}.`)
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Where the last step of the path begins: a map's key, a list's item, or as near to it as there is something. */
function offsetOf(contents: Node | null, path: Path): number {
  let node: unknown = contents
  let offset = contents?.range?.[0] ?? 0
  for (const step of path) {
    let begin: unknown
    if (isMap(node)) {
      // The last of several with one key is the one whose value was kept.
      const pair = node.items.findLast(({ key }) => keyText(key) === step)
      begin = pair?.key
      node = pair?.value
    } else if (isSeq(node)) {
      begin = node.items[Number(step)]
      node = begin
    }
    if (isScalar(begin) || isMap(begin) || isSeq(begin) || isAlias(begin)) offset = begin.range?.[0] ?? offset
  }
  return offset
}

function describePath(path: Path): string {
  if (path.length === 0) return 'the file'
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`))
    .join('')
}

function describeYamlError({ code, message }: YAMLError): Pick<PolicyFault, 'problem' | 'remedy'> {
  switch (code) {
    case 'DUPLICATE_KEY':
      return { problem: 'a key is given twice in one map', remedy: 'Keep one of the two.' }
    case 'TAG_RESOLVE_FAILED':
      return {
        problem: 'a tag is used',
        remedy: 'Remove the word that begins with !, or put the value in quotes.',
      }
    case 'MULTIPLE_DOCS':
      return {
        problem: 'there is a second document',
        remedy: 'Keep one policy in one file: remove what follows ---.',
      }
    default:
      return {
        problem: `not valid YAML: ${message}`,
        remedy: 'Correct the YAML; a * at the start needs quotes.',
      }
  }
}

function describeAlias(name: string): Pick<PolicyFault, 'problem' | 'remedy'> {
  return {
    problem: `*${name} refers to another place`,
    remedy: `Put it in quotes if it is a pattern: "*${name}". Else write out what it stands for.`,
  }
}
