import type { Grant } from './grants.ts'
import { type GrantDocument, TARGETS } from './policy-schema.ts'

/** The grant that a file's words say. Its days and times must exist, see {@link readExpiry}. */
export function readGrant(grant: GrantDocument): Grant {
  const [resourceType = 'experiment'] = TARGETS.filter((target) => grant[target] !== undefined)
  const target = grant[resourceType] ?? '*'
  return {
    resourceType,
    ...(target === '*'
      ? { match: 'any', pattern: '*' }
      : 'id' in target
        ? { match: 'exact', pattern: target.id }
        : { match: 'name', pattern: target.name }),
    level: grant.level,
    expiresAt: grant.expires === undefined ? undefined : readExpiry(grant.expires),
  }
}

const DAY = 86_400

/** @returns Seconds since the epoch; undefined for a day or time of day that does not exist. */
export function readExpiry(text: string): number | undefined {
  const day = text.slice(0, 10)
  const midnight = Date.parse(day)
  // Date.parse takes 30 February for 2 March.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return undefined
  if (text === day) return midnight / 1000 + DAY
  const moment = Date.parse(text)
  return Number.isNaN(moment) ? undefined : Math.floor(moment / 1000)
}
