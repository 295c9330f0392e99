import type { Selectable } from 'kysely'
import { DEFAULT_WORKSPACE, type Grant } from '../policy/grants.ts'
import type { GrantsTable, Source } from './schema.ts'

/** A grant as a role holds it, with where it came from. Times in seconds since the epoch. */
export type StoredGrant = Grant & {
  readonly id: string
  readonly source: Source
  readonly createdAt: number
  /** Username of who granted it; absent for the policy file. */
  readonly createdBy?: string | undefined
}

export type GrantRow = Selectable<GrantsTable>

/** The grant in a row. */
export function toGrant(row: GrantRow): StoredGrant {
  return {
    id: row.id,
    resourceType: row.resource_type,
    match: row.match,
    pattern: row.pattern,
    level: row.level,
    workspace: row.workspace === DEFAULT_WORKSPACE ? undefined : row.workspace,
    expiresAt: row.expires_at ?? undefined,
    source: row.source,
    createdAt: row.created_at,
    createdBy: row.created_by ?? undefined,
  }
}

/** The columns that say what is granted. */
export function fromGrant(grant: Grant) {
  return {
    resource_type: grant.resourceType,
    match: grant.match,
    pattern: grant.pattern,
    level: grant.level,
    workspace: grant.workspace ?? DEFAULT_WORKSPACE,
    expires_at: grant.expiresAt ?? null,
  }
}
