import { createHash } from 'node:crypto'
import {
  type GrantType,
  type Level,
  RESOURCE_TYPES,
  type ResourceType,
  TIERS,
  type Tier,
} from '../../src/policy/grants.ts'
import type { Things } from './seed.ts'

export type GrantedLevel = Exclude<Level, 'NO_PERMISSIONS'>

/** What an account holds on one's own things, or on all of a type; a sub-resource type's grant is always on all. */
export type AccountGrant = {
  readonly type: GrantType
  readonly level: GrantedLevel
  readonly on?: 'own' | 'all'
}

export type Account = {
  readonly name: string
  readonly isAdmin: boolean
  readonly grants: readonly AccountGrant[]
  /** For the record: `READ on everything of one's own`. */
  readonly says: string
}

export const ADMIN: Account = { name: 'admin', isAdmin: true, grants: [], says: 'admin' }
export const LEVELS = ['READ', 'USE', 'EDIT', 'MANAGE', 'DENY'] as const satisfies readonly GrantedLevel[]

const onAll = (level: GrantedLevel, on: 'own' | 'all' = 'own'): AccountGrant[] =>
  RESOURCE_TYPES.map((type) => ({ type, level, on }))

/** Who holds nothing, each level on everything of one's own, and the administrator. */
export const PLAIN_ACCOUNTS: readonly Account[] = [
  { name: 'none', isAdmin: false, grants: [], says: 'no grant' },
  ...LEVELS.map((level) => ({
    ...{ name: level.toLowerCase(), isAdmin: false, grants: onAll(level), says: level },
  })),
  ADMIN,
]

/** Who holds a level on all there is, and those for whom it is another on one's own. */
export const WILDCARD_ACCOUNTS: readonly Account[] = [
  ...(['READ', 'EDIT', 'MANAGE', 'DENY'] as const).map((level) => ({
    ...{ name: `all-${level.toLowerCase()}`, isAdmin: false, grants: onAll(level, 'all') },
    says: `${level} on all`,
  })),
  ...(
    [
      ['MANAGE', 'DENY'],
      ['DENY', 'MANAGE'],
      ['READ', 'EDIT'],
      ['EDIT', 'READ'],
    ] as const
  ).map(([all, own]) => ({
    ...{ name: `all-${all.toLowerCase()}-own-${own.toLowerCase()}`, isAdmin: false },
    ...{ grants: [...onAll(all, 'all'), ...onAll(own)], says: `${all} on all, ${own} on one's own` },
  })),
]

/** Who holds a level on all of one's own save one type, on which they hold nothing or are denied. */
export const LACKING_ACCOUNTS: readonly Account[] = RESOURCE_TYPES.flatMap((type) =>
  ([undefined, 'DENY'] as const).map((held) => lacking(type, held)),
)

function lacking(type: ResourceType, held: 'DENY' | undefined): Account {
  const others = onAll('MANAGE').filter((grant) => grant.type !== type)
  return {
    name: `manage-${type}-${held?.toLowerCase() ?? 'none'}`,
    isAdmin: false,
    grants: held === undefined ? others : [...others, { type, level: held }],
    says: `MANAGE, but ${held ?? 'nothing'} on ${type}`,
  }
}

/** What somebody holds on all of one's own, and on one sub-resource type. */
const HELD_AND_TIER = [
  ...(['READ', 'EDIT', 'MANAGE', 'DENY'] as const).map((tier) => ['READ', tier] as const),
  ...(['READ', 'DENY'] as const).map((tier) => ['EDIT', tier] as const),
  ['MANAGE', 'DENY'],
] as const

/** Who holds a level on all of one's own and another on everything of one sub-resource type. */
export const TIER_ACCOUNTS: readonly Account[] = TIERS.flatMap((tier) =>
  HELD_AND_TIER.map(([held, level]) => tiered(tier, level, held)),
)

function tiered(tier: Tier, level: GrantedLevel, held: GrantedLevel): Account {
  return {
    name: `${held.toLowerCase()}-${tier}-${level.toLowerCase()}`,
    isAdmin: false,
    grants: [...onAll(held), { type: tier, level }],
    says: `${held}, and ${level} on ${tier}`,
  }
}

/** What a grant of MLflow's on a thing names it by; the gateway takes the same. */
export function keyOf({ type, on }: AccountGrant, things: Things): string {
  if (on === 'all') return '*'
  const keys: Partial<Record<GrantType, string>> = {
    experiment: things.experiment,
    registered_model: things.model,
    prompt: things.prompt,
    scorer: `${things.experiment}/${things.scorer}`,
    gateway_secret: things.secret,
    gateway_endpoint: things.endpoint,
    gateway_model_definition: things.definition,
    mcp_server: things.mcpServer,
  }
  return keys[type] ?? '*'
}

/** Long enough for MLflow, and of no use anywhere else. */
export function passwordOf({ name }: Account): string {
  return createHash('sha256').update(name).digest('hex').slice(0, 24)
}
