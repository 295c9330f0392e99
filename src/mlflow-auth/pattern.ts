import { GatewayError } from '../errors.ts'
import { EXPERIMENT_ID } from '../mlflow/locate.ts'
import {
  GRANT_TYPES,
  type Grant,
  type GrantType,
  isWildcardOnly,
  type Level,
  levelsOf,
} from '../policy/grants.ts'
import type { GrantTarget } from '../store/role-edits.ts'

const NAME = 'name:'
const EXACT = 'exact:'

/**
 * A grant's pattern as MLflow shows it: `*` for all, a key for one. MLflow has no name patterns; here one is written
 * `name:alpha/*`, and a key that would read as something else `exact:*`.
 */
export function writePattern({ match, pattern }: Pick<Grant, 'match' | 'pattern'>): string {
  if (match === 'any') return '*'
  if (match === 'name') return NAME + pattern
  return pattern === '*' || pattern.startsWith(NAME) || pattern.startsWith(EXACT) ? EXACT + pattern : pattern
}

/**
 * Reads what {@link writePattern} writes, for a type that takes it.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` for a pattern that nothing of the type could ever match.
 */
export function readPattern(resourceType: GrantType, text: string): GrantTarget {
  if (text === '*') return { resourceType, match: 'any', pattern: '*' }
  if (isWildcardOnly(resourceType))
    throw invalid(`A permission on ${resourceType} is on all of them: its pattern is *`)
  if (text.startsWith(NAME)) {
    const pattern = text.slice(NAME.length)
    if (pattern === '') throw invalid(`${NAME} is followed by a name, in which * stands for any characters`)
    return { resourceType, match: 'name', pattern }
  }
  return exactly(resourceType, text.startsWith(EXACT) ? text.slice(EXACT.length) : text)
}

/** The one with that key. @throws {GatewayError} `ERR_INVALID_PARAMETER` for what cannot be a key of the type. */
export function exactly(resourceType: GrantType, pattern: string): GrantTarget {
  const key = KEYS[resourceType] ?? ANY_KEY
  if (!key.form.test(pattern)) throw invalid(`${resourceType} is given by ${key.is}, or * for all`)
  return { resourceType, match: 'exact', pattern }
}

type Key = { readonly form: RegExp; readonly is: string }

const ANY_KEY: Key = { form: /^[^\p{Cc}]{1,1000}$/u, is: 'its id or name' }

const KEYS: Readonly<Partial<Record<GrantType, Key>>> = {
  experiment: { form: EXPERIMENT_ID, is: 'its id (by its name it is name:alpha/one)' },
  scorer: {
    form: /^(?:0|[1-9][0-9]{0,19})\/[^\p{Cc}]{1,1000}$/u,
    is: 'the experiment id, a slash, and the name in URL encoding',
  },
}

/** @throws {GatewayError} `ERR_INVALID_PARAMETER`, naming the types there are. */
export function readType(text: string): GrantType {
  const found = GRANT_TYPES.find((type) => type === text)
  if (found === undefined) throw invalid(`resource_type is one of ${[...GRANT_TYPES].sort().join(', ')}`)
  return found
}

/** @throws {GatewayError} `ERR_INVALID_PARAMETER`, naming the levels the type takes. */
export function readLevel(resourceType: GrantType, text: string): Level {
  const found = levelsOf(resourceType).find((level) => level === text)
  if (found === undefined)
    throw invalid(`On ${resourceType} the permission is one of ${levelsOf(resourceType).join(', ')}`)
  return found
}

function invalid(message: string): GatewayError {
  return new GatewayError('ERR_INVALID_PARAMETER', message)
}
