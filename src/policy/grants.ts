/** MLflow's own levels (mlflow/server/auth/permissions.py, 3.17.2). `DENY` outweighs every other grant. */
export type Level = 'READ' | 'USE' | 'EDIT' | 'MANAGE' | 'DENY' | 'NO_PERMISSIONS'

/**
 * What an operation does with a resource; each asks for one level, see `decide.ts`. `not_denied` asks for nothing but
 * that no grant denies.
 */
export type Action = 'read' | 'use' | 'update' | 'delete' | 'manage' | 'create' | 'not_denied'

/** Resource types whose grants can name one resource (mlflow/server/auth/permissions.py, 3.17.2). */
export const RESOURCE_TYPES = [
  'experiment',
  'registered_model',
  'prompt',
  'scorer',
  'gateway_secret',
  'gateway_endpoint',
  'gateway_model_definition',
  'mcp_server',
] as const

export type ResourceType = (typeof RESOURCE_TYPES)[number]

/**
 * Sub-resource types: what lies in a resource and is judged by it, unless a grant on the sub-resource type says
 * otherwise. Such a grant is on all of them (`*`).
 */
export const TIERS = [
  'run',
  'trace',
  'assessment',
  'logged_model',
  'review_queue',
  'registered_model_version',
  'prompt_version',
  'scorer_version',
  'mcp_server_version',
] as const

export type Tier = (typeof TIERS)[number]

/** Everything a grant can be on. `workspace` is the workspace of the role that holds it: `USE` makes a member, `MANAGE` its administrator. */
export const GRANT_TYPES = [...RESOURCE_TYPES, ...TIERS, 'workspace'] as const

export type GrantType = (typeof GRANT_TYPES)[number]

/** True for the types whose grants are on all (`*`) or on nothing. */
export function isWildcardOnly(type: GrantType): boolean {
  return type === 'workspace' || TIERS.some((tier) => tier === type)
}

/** Levels that a grant on the type may give. */
export function levelsOf(type: GrantType): readonly Level[] {
  return type === 'workspace' ? ['USE', 'MANAGE'] : ['READ', 'USE', 'EDIT', 'MANAGE', 'DENY']
}

/**
 * How a grant's pattern is read. `exact` compares with the grant key (an experiment's id, a model's name) byte by
 * byte; `name` is a glob over the name (`*` matches any run of characters, `/` included); `any` covers all.
 * Kept apart from the pattern, so that a model called `*` is only ever that model.
 */
export type Match = 'exact' | 'name' | 'any'

/** What is in no other workspace is in this one; the only one where MLflow keeps none apart. */
export const DEFAULT_WORKSPACE = 'default'

/** A level on a resource, as a role holds it. */
export type Grant = {
  readonly resourceType: GrantType
  readonly match: Match
  readonly pattern: string
  readonly level: Level
  /** Where it counts; in the default workspace if absent. */
  readonly workspace?: string | undefined
  /** Seconds since the epoch; absent for a grant that does not expire. */
  readonly expiresAt?: number | undefined
}

/** @returns e.g. `EDIT on experiment named alpha/*`, with ` in workspace team` where it counts in that one. */
export function describeGrant({ level, resourceType, match, pattern, workspace }: Grant): string {
  if (resourceType === 'workspace') return `${level} on workspace ${workspace ?? DEFAULT_WORKSPACE}`
  const where = workspace === undefined || workspace === DEFAULT_WORKSPACE ? '' : ` in workspace ${workspace}`
  if (match === 'any') return `${level} on every ${resourceType}${where}`
  return `${level} on ${resourceType} ${match === 'exact' ? pattern : `named ${pattern}`}${where}`
}
