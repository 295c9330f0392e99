import type { Schema } from './schema.ts'

/** Every table with the columns of its primary key, each after those it refers to. */
export const TABLES = {
  users: ['id'],
  identities: ['issuer', 'subject'],
  claimed_names: ['provider', 'username'],
  user_groups: ['user_id', 'provider', 'group_name'],
  roles: ['id'],
  grants: ['id'],
  role_assignments: ['user_id', 'role_id', 'source'],
  group_roles: ['group_name', 'provider', 'role_id', 'source'],
  user_roles_by_name: ['username', 'provider', 'role_id', 'source'],
  settings: ['name'],
  sessions: ['id'],
  logout_tokens: ['id'],
  access_tokens: ['jti'],
  signing_keys: ['kid'],
  access_requests: ['id'],
  jobs: ['job_id'],
  public_ids: ['number'],
  changes: ['seq'],
  audit_chains: ['number'],
  audit_events: ['id'],
} as const satisfies {
  readonly [Table in keyof Schema]: readonly [keyof Schema[Table], ...(keyof Schema[Table])[]]
}

export type TableName = keyof typeof TABLES

/** Tables whose key counts up by itself, with that key. */
export const COUNTED: Readonly<Partial<Record<TableName, string>>> = {
  public_ids: 'number',
  changes: 'seq',
  audit_events: 'id',
}
