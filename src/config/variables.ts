import type { Static, TObject, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import type { FaultList } from './fault.ts'
import type { Note } from './note.ts'

/** Where variables come from: the process's environment and, for `*_FILE`, its file system. */
export type Source = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Reads a text file as UTF-8; throws if it cannot. */
  readonly readFile: (path: string) => string
}

/** A variable's schema with its {@link Note}. Every property of the schemas in `schema.ts` is one. */
export type Variable = TSchema &
  Note & {
    readonly type?: string
    readonly enum?: readonly string[]
    readonly items?: TSchema
    readonly default?: unknown
    readonly minimum?: number
    readonly maximum?: number
  }

/** The variables of a schema, in its order, with their full names. */
export function variablesOf(
  schema: TObject,
  prefix = '',
): { key: string; name: string; variable: Variable }[] {
  return Object.entries(schema.properties).map(([key, variable]) => {
    return { key, name: `${prefix}${key}`, variable: variable as Variable }
  })
}

/** What the variable must be, to follow "Set it to". */
export function expectation(variable: Variable): string {
  if (variable.expect !== undefined) return variable.expect
  if (variable.enum !== undefined) return `one of ${variable.enum.join(', ')}`
  if (variable.type === 'boolean') return 'true or false'
  if (variable.type === 'integer') return `a whole number from ${variable.minimum} to ${variable.maximum}`
  if (variable.type === 'array') return 'a comma-separated list'
  return 'a text'
}

/**
 * Reads every variable of a schema. A variable with a fault gets a stand-in (its default, or its example if it is
 * required), so that what depends on it can still be checked; the result is of use only if `faults` stays empty.
 *
 * @param prefix What the names in the environment carry before the schema's own, e.g. `OIDC_CORP_`.
 */
export function readVariables<S extends TObject>(
  schema: S,
  prefix: string,
  source: Source,
  faults: FaultList,
): Static<S> {
  const values: Record<string, unknown> = {}
  const required = new Set<string>(schema.required)
  for (const { key, name, variable } of variablesOf(schema, prefix)) {
    const given = readText(name, variable, source, faults)
    const value = given === undefined ? undefined : checked(name, variable, given, faults)
    if (given === undefined && required.has(key) && variable.default === undefined) {
      faults.add(name, 'is not set', remedy(variable))
    }
    const settled = value ?? variable.default ?? (required.has(key) ? variable.example : undefined)
    if (settled !== undefined) values[key] = structuredClone(settled)
  }
  return values as Static<S>
}

/** The text of a variable: from the environment, or for secrets from the file that NAME_FILE names. Blank means not set. */
function readText(name: string, variable: Variable, source: Source, faults: FaultList): string | undefined {
  const direct = source.env[name] || undefined
  const path = variable.secret === true ? source.env[`${name}_FILE`] || undefined : undefined
  if (path === undefined) return variable.secret === true ? direct : direct?.trim() || undefined
  if (direct !== undefined) {
    faults.add(name, `and ${name}_FILE are both set`, 'Keep one of the two.')
    return undefined
  }
  const content = readSecretFile(path, source)
  if (content !== undefined && content !== '') return content
  const problem = content === undefined ? 'names a file that cannot be read' : 'names a file that is empty'
  faults.add(`${name}_FILE`, problem, `Put the value of ${name} into it, readable for the gateway's user.`)
  return undefined
}

function readSecretFile(path: string, source: Source): string | undefined {
  try {
    return source.readFile(path).replace(/\r?\n$/, '')
  } catch {
    return undefined
  }
}

function checked(name: string, variable: Variable, given: string, faults: FaultList): unknown {
  const value = parse(variable, given)
  if (/\p{Cc}/u.test(given)) {
    faults.add(name, 'holds a line break or another control character', remedy(variable))
  } else if (!Value.Check(variable, value)) {
    faults.add(name, `is not ${expectation(variable)}`, remedy(variable))
  } else if (variable.placeholder === true && isPlaceholder(variable, given)) {
    faults.add(name, 'still holds a placeholder', remedy(variable))
  } else {
    return value
  }
  return undefined
}

/** Text → the type the schema asks for, in one spelling each; what does not parse stays text, which the schema refuses. */
function parse(variable: Variable, given: string): unknown {
  switch (variable.type) {
    case 'integer':
      return /^\d{1,15}$/.test(given) ? Number(given) : given
    case 'boolean':
      return given === 'true' ? true : given === 'false' ? false : given
    case 'array':
      return given
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '')
    default:
      return given
  }
}

/** The value of `.env.example`, or what people type when they mean to replace it later (CVE-2026-2635). */
function isPlaceholder(variable: Variable, given: string): boolean {
  return given === variable.example || /^change[-_. ]?(?:me|it)/i.test(given)
}

function remedy(variable: Variable): string {
  const example =
    variable.placeholder === true || variable.example === undefined ? '' : `, e.g. ${variable.example}`
  return `Set it to ${expectation(variable)}${example}.`
}
