import { type TSchema, Type } from 'typebox'
import type { ConsideredGrant } from '../policy/explain.ts'
import { GRANT_TYPES, type Grant } from '../policy/grants.ts'
import type { StoredGrant } from '../store/grant-row.ts'
import type { RoleVia } from '../store/membership.ts'
import type { Person } from '../store/person.ts'
import type { RoleDetails, RoleSummary } from '../store/roles.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { TokenRecord } from '../store/tokens.ts'
import { WorkspaceWire, workspaceToWire } from './place.ts'

/*
 * How things look in the JSON API: the schema of each, and what makes it of ours. Times are seconds since the epoch.
 */

const Time = Type.Integer({ description: 'Seconds since the epoch.' })
const orNull = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const strict = { additionalProperties: false } as const

/** How a list is asked for in pages, and where the next one begins; `null` after the last. */
export const Paging = {
  after: Type.Optional(Type.String({ description: 'Go on after this one: `next` of the page before.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
}
export const Next = { next: Type.Union([Type.String(), Type.Null()]) }

export const LevelSchema = Type.Enum(['READ', 'USE', 'EDIT', 'MANAGE', 'DENY'])
export const GrantTypeSchema = Type.Enum([...GRANT_TYPES])
const MatchSchema = Type.Enum(['exact', 'name', 'any'], {
  description:
    'exact: the pattern is a key (an id, or a name that is one); name: a glob over names; any: all, pattern *.',
})

/** What a grant is asked for with. */
export const NewGrantSchema = Type.Object(
  {
    resource_type: GrantTypeSchema,
    match: MatchSchema,
    pattern: Type.String({ minLength: 1, maxLength: 1000 }),
    level: LevelSchema,
    expires_at: Type.Optional(Time),
  },
  strict,
)

export const GrantWire = Type.Object({
  id: Type.String(),
  resource_type: GrantTypeSchema,
  match: MatchSchema,
  pattern: Type.String(),
  level: Type.String(),
  expires_at: orNull(Time),
  ...WorkspaceWire,
  source: Type.Enum(['manual', 'policy', 'creator']),
})

export function grantToWire({ id, source, ...grant }: StoredGrant) {
  return { id, ...bareGrantToWire(grant), source }
}

/** A grant that is kept nowhere, as explanations suggest them. */
export function bareGrantToWire({ resourceType, match, pattern, level, expiresAt, workspace }: Grant) {
  return {
    ...{ resource_type: resourceType, match, pattern, level, expires_at: expiresAt ?? null },
    ...workspaceToWire(workspace),
  }
}

export const ViaWire = Type.Object({
  kind: Type.Enum(['assigned', 'personal', 'group', 'name']),
  provider: Type.Optional(Type.String()),
  name: Type.Optional(Type.String()),
})

export function viaToWire(via: RoleVia): object {
  return via
}

/** A grant that is kept nowhere. */
export const BareGrantWire = Type.Omit(GrantWire, ['id', 'source'])

/** A grant that speaks of what was asked about. */
export const ConsideredWire = Type.Object({
  role: Type.String(),
  personal: Type.Boolean(),
  via: Type.Array(ViaWire),
  grant: BareGrantWire,
  decides: Type.Boolean(),
})

export function consideredToWire({ role, personal, via, grant, decides }: ConsideredGrant) {
  return { role, personal, via: via.map(viaToWire), grant: bareGrantToWire(grant), decides }
}

export const RoleSummaryWire = Type.Object({
  id: Type.String(),
  name: Type.String(),
  description: orNull(Type.String()),
  ...WorkspaceWire,
  source: Type.String({ description: 'policy: changed in the policy file only.' }),
  grant_count: Type.Integer(),
})

export function roleSummaryToWire({ id, name, description, workspace, source, grantCount }: RoleSummary) {
  return {
    ...{ id, name, description: description ?? null },
    ...workspaceToWire(workspace),
    ...{ source, grant_count: grantCount },
  }
}

const HeldBy = { source: Type.String() }

export const RoleWire = Type.Object({
  ...RoleSummaryWire.properties,
  grants: Type.Array(GrantWire),
  users: Type.Array(Type.Object({ id: Type.String(), username: Type.String(), ...HeldBy })),
  groups: Type.Array(Type.Object({ provider: Type.String(), name: Type.String(), ...HeldBy })),
  names: Type.Array(Type.Object({ provider: Type.String(), name: Type.String(), ...HeldBy })),
})

export function roleToWire(role: RoleDetails) {
  const { users, groups, names, grants } = role
  const summary = roleSummaryToWire({ ...role, grantCount: grants.length })
  return { ...summary, grants: grants.map(grantToWire), users, groups, names }
}

export const PersonSummaryWire = Type.Object({
  id: Type.String(),
  username: Type.String(),
  display_name: orNull(Type.String()),
  email: orNull(Type.String()),
  provider: orNull(Type.String()),
  disabled: Type.Boolean(),
  created_at: Time,
  last_seen_at: orNull(Time),
})

export function personToWire(person: Person) {
  return {
    id: person.id,
    username: person.username,
    display_name: person.displayName ?? null,
    email: person.email ?? null,
    provider: person.provider ?? null,
    disabled: person.disabled,
    created_at: person.createdAt,
    last_seen_at: person.lastSeenAt ?? null,
  }
}

export const TokenWire = Type.Object({
  id: Type.String(),
  name: Type.String(),
  scope: Type.String({ description: 'Empty: all its owner may do; read: changes nothing.' }),
  created_at: Time,
  expires_at: Time,
  revoked_at: orNull(Time),
  last_used_at: orNull(Time),
})

export function tokenToWire({ jti, name, scope, ...times }: TokenRecord) {
  return {
    id: jti,
    name,
    scope: scope.join(' '),
    created_at: times.createdAt,
    expires_at: times.expiresAt,
    revoked_at: times.revokedAt ?? null,
    last_used_at: times.lastUsedAt ?? null,
  }
}

export const SessionWire = Type.Object({
  id: Type.String({ description: 'What the store knows it by; nobody can sign in with it.' }),
  created_at: Time,
  idle_expires_at: Time,
  expires_at: Time,
})

export function sessionToWire({ id, createdAt, idleExpiresAt, absoluteExpiresAt }: SessionRecord) {
  return { id, created_at: createdAt, idle_expires_at: idleExpiresAt, expires_at: absoluteExpiresAt }
}
