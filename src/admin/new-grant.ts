import { GatewayError } from '../errors.ts'
import { type Grant, isWildcardOnly, levelsOf } from '../policy/grants.ts'

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` for a level or pattern that the type does not have. */
export function readNewGrant(
  body: { readonly resource_type: Grant['resourceType'] } & Pick<Grant, 'match' | 'pattern' | 'level'> & {
      readonly expires_at?: number
    },
  now: number,
): Grant {
  const { resource_type: resourceType, match, pattern, level, expires_at: expiresAt } = body
  const levels = levelsOf(resourceType)
  if (!levels.includes(level)) throw invalid(`On a ${resourceType} the level is one of ${levels.join(', ')}`)
  if (isWildcardOnly(resourceType) && match !== 'any')
    throw invalid(`A grant on ${resourceType} is on all of them: match any`)
  if (match === 'any' && pattern !== '*') throw invalid("With match any the pattern is '*'")
  if (expiresAt !== undefined && expiresAt <= now) throw invalid('expires_at is in the past')
  return { resourceType, match, pattern, level, expiresAt }
}

function invalid(message: string): GatewayError {
  return new GatewayError('ERR_INVALID_PARAMETER', message)
}
