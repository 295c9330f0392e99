import type { Generated } from 'kysely'
import type { GrantType, Level, Match, ResourceType } from '../policy/grants.ts'

/**
 * One type per table, as the rows are stored. Times are whole seconds since the epoch, flags are 0 or 1, ids are UUIDs
 * in text: the same in every SQL dialect, so that a row reads alike wherever it is kept.
 */
export type Schema = {
  users: UsersTable
  identities: IdentitiesTable
  claimed_names: ClaimedNamesTable
  user_groups: UserGroupsTable
  roles: RolesTable
  grants: GrantsTable
  role_assignments: RoleAssignmentsTable
  group_roles: GroupRolesTable
  user_roles_by_name: UserRolesByNameTable
  settings: SettingsTable
  sessions: SessionsTable
  logout_tokens: LogoutTokensTable
  access_tokens: AccessTokensTable
  signing_keys: SigningKeysTable
  audit_events: AuditEventsTable
  audit_chains: AuditChainsTable
  changes: ChangesTable
  public_ids: PublicIdsTable
  jobs: JobsTable
  access_requests: AccessRequestsTable
}

/** Who put a row there: a person, the policy file, or the gateway on behalf of somebody who created a resource. */
export type Source = 'manual' | 'policy' | 'creator'

export type UsersTable = {
  id: string
  /** For people to read, unique here; never what a person is recognised by. */
  username: string
  display_name: string | null
  email: string | null
  disabled: number
  /** Set for a person an admin added who has not signed in yet: who may take this row over, once. */
  pending_provider: string | null
  pending_username: string | null
  created_at: number
  last_seen_at: number | null
  /** The username as MLflow compares names, see `comparableName`. */
  comparable_name: string
}

/** Issuer **and** subject are the person (OIDC Core 1.0 §5.7); everything else here may change at the provider. */
export type IdentitiesTable = {
  issuer: string
  subject: string
  user_id: string
  provider: string
  claimed_username: string
  created_at: number
}

/**
 * Who came first under a name at a provider. What is configured by name (policy file, ADMIN_USERS) counts for that
 * person only: a name given to somebody else later carries nothing over.
 */
export type ClaimedNamesTable = {
  provider: string
  username: string
  user_id: string
  claimed_at: number
}

export type UserGroupsTable = {
  user_id: string
  provider: string
  group_name: string
}

export type RolesTable = {
  id: string
  workspace: string
  name: string
  description: string | null
  /** Set for the personal role of a user, which holds what was granted to that user directly. */
  owner_user_id: string | null
  source: Source
  created_at: number
}

export type GrantsTable = {
  id: string
  role_id: string
  workspace: string
  resource_type: GrantType
  match: Match
  pattern: string
  level: Level
  expires_at: number | null
  source: Source
  created_at: number
  created_by: string | null
}

export type RoleAssignmentsTable = {
  user_id: string
  role_id: string
  source: Source
}

/** `provider` is '' for a mapping written without one; it counts only while a single provider is configured. */
export type GroupRolesTable = {
  provider: string
  group_name: string
  role_id: string
  source: Source
}

/** Roles given to a name rather than a person: they hold from the first sign-in on. `provider` as in `group_roles`. */
export type UserRolesByNameTable = {
  provider: string
  username: string
  role_id: string
  source: Source
}

export type SettingsTable = {
  name: string
  value: string
}

export type SessionsTable = {
  /** SHA-256 of the session id, base64url: who reads this table cannot use what it finds. */
  id: string
  user_id: string
  data: string
  idle_expires_at: number
  absolute_expires_at: number
  created_at: number
  /** An ended session keeps its row until it would have expired, so that a late save cannot bring it back. */
  revoked: number
  /** What its provider ends it by, see `providerSessionKey`; null where that gave no `sid`. */
  provider_session: string | null
}

/** Logout tokens of providers that have been used. */
export type LogoutTokensTable = {
  /** SHA-256 of issuer and `jti`, base64url. */
  id: string
  /** From then on the token itself is too old to be taken. */
  expires_at: number
}

export type AccessTokensTable = {
  jti: string
  user_id: string
  name: string
  /** Scopes with spaces between them (RFC 6749 §3.3); empty for all its owner may do. */
  scope: string
  created_at: number
  expires_at: number
  revoked_at: number | null
  last_used_at: number | null
  created_by: string | null
}

export type SigningKeysTable = {
  kid: string
  alg: string
  public_jwk: string
  private_sealed: string
  created_at: number
  retired_at: number | null
}

export type AuditEventsTable = {
  id: Generated<number>
  at: number
  request_id: string | null
  user_id: string | null
  username: string | null
  operation: string | null
  effect: string
  reason: string | null
  status: number | null
  /** The whole event as JSON. */
  event: string
  /** Number of its chain, its place there, and what proves it; null for events from before there were chains. */
  chain: number | null
  seq: number | null
  digest: string | null
}

/** What a process recorded, from its start to its end. A row stays when its events are gone: its absence would tell nothing. */
export type AuditChainsTable = {
  /** Counts without a gap over all chains. */
  number: number
  id: string
  origin: string
  /** Which secret it was made under. */
  key_id: string
  began_at: number
  /** Up to this id, events may stand in no chain: they are older than the first one. */
  unchained_until: number
  /** Over all above. */
  opening_seal: string
  last_seq: number
  last_digest: string
  /** Number of the newest chain when this one was last written to. */
  chains_seen: number
  /** Null while it goes on, and for good if the process could not say that it ended. */
  ended_at: number | null
  /** Over the five above, and the number and id. */
  head_seal: string
  /** The last event that retention has taken, 0 and '' if none. */
  pruned_seq: number
  pruned_digest: string
  /** Over the two above, and the number and id. */
  pruned_seal: string
}

/** What other processes must forget; written in the transaction of the change itself. */
export type ChangesTable = {
  seq: Generated<number>
  kind: string
  key: string
  at: number
}

/** Numbers that MLflow's clients know users, roles and grants by; the ids are of any of these tables. */
export type PublicIdsTable = {
  number: Generated<number>
  id: string
}

/** Whose a job of MLflow's is. */
export type JobsTable = {
  job_id: string
  user_id: string
  created_at: number
}

export type AccessRequestsTable = {
  id: string
  user_id: string
  resource_type: GrantType
  key: string
  level: Level
  note: string
  workspace: string
  state: 'open' | 'granted' | 'declined' | 'withdrawn'
  created_at: number
  decided_at: number | null
  decided_by: string | null
  /** Of what the request is about; null if nothing was found by what it names. */
  about_type: ResourceType | null
  about_key: string | null
  answer: string
}
