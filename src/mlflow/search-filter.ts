import { GatewayError } from '../errors.ts'

/** One comparison of a search filter. */
export type Comparison = {
  /** What is compared, without quotes: `run_id`, `attributes.run_id`, `metadata.mlflow.sourceRun`. */
  readonly name: string
  /** What it must be equal to, or one of; `undefined` for every other comparison. */
  readonly values: readonly string[] | undefined
}

/** A quoted text that ends at its next quote; what another reader takes for an escape is in none. */
const TEXT = /'[^'\\]*'(?!')|"[^"\\]*"(?!")/
const NAME =
  /(?:[A-Za-z_][\w-]*|`[^`\\]*`(?!`)|"[^"\\]*"(?!"))(?:\.(?:[\w-]+|`[^`\\]*`(?!`)|"[^"\\]*"(?!")))*/
const NUMBER = /-?\d+(?:\.\d+)?/
const LIST = new RegExp(`\\(\\s*(?:${TEXT.source})(?:\\s*,\\s*(?:${TEXT.source}))*\\s*\\)`)
const COMPARATOR = /!=|<=|>=|=|<|>|\b(?:NOT\s+IN|IN|I?LIKE|RLIKE)\b/
const COMPARISON = new RegExp(
  `\\s*(?<name>${NAME.source})\\s*(?:(?<test>\\bIS\\s+(?:NOT\\s+)?NULL\\b)|(?<comparator>${COMPARATOR.source})\\s*(?<value>${LIST.source}|${TEXT.source}|${NUMBER.source}))\\s*`,
  'iy',
)
const AND = /AND\b/iy

/**
 * Reads a filter of MLflow's searches (`mlflow/utils/search_utils.py`, 3.17.2), as far as everybody must read it alike:
 * comparisons joined by AND, of a name with a quoted text, a list of those, or a number.
 *
 * @returns `undefined` for anything else. Empty for no filter.
 */
export function readFilter(text: string): readonly Comparison[] | undefined {
  const found: Comparison[] = []
  if (text.trim() === '') return found
  for (let at = 0; ; ) {
    COMPARISON.lastIndex = at
    const groups = COMPARISON.exec(text)?.groups
    if (groups?.['name'] === undefined) return undefined
    found.push({ name: groups['name'].replace(/[`"]/g, ''), values: valuesOf(groups) })
    at = COMPARISON.lastIndex
    if (at === text.length) return found
    AND.lastIndex = at
    if (!AND.test(text)) return undefined
    at = AND.lastIndex
  }
}

function valuesOf({
  comparator,
  value = '',
}: Readonly<Record<string, string>>): readonly string[] | undefined {
  const isEqual = comparator === '=' && !/^-?\d|^\(/.test(value)
  const isOneOf = comparator?.toUpperCase() === 'IN' && value.startsWith('(')
  if (!isEqual && !isOneOf) return undefined
  return [...value.matchAll(new RegExp(TEXT.source, 'g'))].map(([quoted]) => quoted.slice(1, -1))
}

/**
 * The ids that some fields are compared with, in filters or sort keys. What is not known to select on a field without
 * being read does not hold its name; so what does, and is no plain comparison with ids, is refused: it would tell by
 * the rows that come back what the field holds where it may not be read.
 *
 * @param fields In lower case.
 * @throws {GatewayError} `ERR_PERMISSION_DENIED` (reason `filter_not_judged`).
 */
export function idsComparedWith(texts: readonly string[], fields: readonly string[]): readonly string[] {
  return texts.flatMap((text) => {
    const [field] = wordsIn(text, fields)
    if (field === undefined) return []
    const comparisons = readFilter(text)
    if (comparisons === undefined) throw notJudged(field)
    return comparisons
      .filter(({ name }) => fields.some((each) => isOf(name, each)))
      .flatMap(({ values }) => {
        if (values === undefined) throw notJudged(field)
        return values
      })
  })
}

/** The words that appear in a text, in whatever case. */
export function wordsIn(text: string, words: readonly string[]): readonly string[] {
  const lower = text.toLowerCase()
  return words.filter((word) => lower.includes(word))
}

function notJudged(field: string): GatewayError {
  const message = `Permission denied: of searches by '${field}' only ${field} = '<id>' and ${field} IN ('<id>', ...), joined with others by AND, can be judged`
  return new GatewayError('ERR_PERMISSION_DENIED', message, { reason: 'filter_not_judged' })
}

/**
 * True for a name that leads to the field: MLflow looks at what stands behind the first dot, in any case and often
 * whatever stands before it (`tags.run_id` of a trace is its run: `_replace_key_to_tag_or_metadata`, 3.17.2).
 */
function isOf(name: string, field: string): boolean {
  const lower = name.toLowerCase()
  return lower === field || lower.endsWith(`.${field}`)
}
