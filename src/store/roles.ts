import type { Transaction } from 'kysely'
import { type Carry, createCarry } from './carry.ts'
import type { Database } from './database.ts'
import type { StoredGrant } from './grant-row.ts'
import { type PolicyContent, readPolicy, replacePolicy } from './policy.ts'
import { type Rehearsal, rehearse } from './rehearsal.ts'
import { changeRole, type RoleChange } from './role-change.ts'
import { createRoleEdits, type RoleEdits } from './role-edits.ts'
import { createRoleHoldings, type RoleHoldings } from './role-holdings.ts'
import {
  countRoles,
  idsOfRoles,
  listRoles,
  pageOfRoles,
  type RoleDetails,
  type RoleRecord,
  type RoleSummary,
  type RolesQuery,
  readRole,
} from './role-reads.ts'
import * as writes from './role-writes.ts'
import { type Rules, readRules } from './rules.ts'
import type { Schema } from './schema.ts'

export type { RoleDetails, RoleRecord, RoleSummary } from './role-reads.ts'
export type { NewGrant, NewRole } from './role-writes.ts'

export type Roles = {
  /**
   * @throws {GatewayError} `ERR_ALREADY_EXISTS` for a name that is taken; `ERR_INVALID_PARAMETER` for one that is empty,
   *   over 255 characters or begins as the names of personal roles do.
   */
  readonly create: (role: {
    readonly name: string
    readonly description?: string | undefined
    /** Where its grants count; in the default workspace if absent. */
    readonly workspace?: string | undefined
  }) => Promise<RoleRecord>
  /** Deletes the role with its grants and mappings; a personal role stays. @returns False if there was none. */
  readonly delete: (roleId: string) => Promise<boolean>
  /** Every role but the personal ones, by name. */
  readonly list: () => Promise<readonly RoleRecord[]>
  /** Some of them without their grants, see {@link pageOfRoles}. */
  readonly page: (query: RolesQuery) => Promise<readonly RoleSummary[]>
  /** Those of that name, the personal ones left out; several only where each is in a workspace of its own. */
  readonly idsOf: (name: string) => Promise<readonly string[]>
  /** How many there are, the personal ones left out. */
  readonly count: () => Promise<number>
  readonly get: (name: string) => Promise<RoleDetails | undefined>
  /** The role by its id, with who holds it; a personal one too. */
  readonly details: (id: string) => Promise<RoleDetails | undefined>
  /**
   * Changes a role only as long as it is what the caller has seen, so that two people do not undo each other's work.
   *
   * @throws {GatewayError} `ERR_NOT_FOUND`; `ERR_PRECONDITION_FAILED` if it has changed; `ERR_INVALID_PARAMETER` for what
   *   the policy file owns; as the single changes.
   */
  readonly change: (
    id: string,
    isCurrent: (role: RoleDetails) => boolean,
    change: RoleChange,
  ) => Promise<RoleDetails | undefined>
  /**
   * Adds a grant to the role; one that says the same already is left as it is.
   *
   * @throws {GatewayError} `ERR_NOT_FOUND` if there is no such role.
   */
  readonly grant: (roleId: string, grant: writes.NewGrant) => Promise<StoredGrant>
  /** @returns False if there was no such grant. */
  readonly revokeGrant: (grantId: string) => Promise<boolean>
  /** @throws {GatewayError} `ERR_NOT_FOUND` if there is no such user, or no such role that can be assigned. */
  readonly assign: (userId: string, roleId: string) => Promise<void>
  /** @returns False if the role was not assigned by hand. */
  readonly unassign: (userId: string, roleId: string) => Promise<boolean>
  /**
   * Gives a role to a group of a provider, or with '' of whichever provider is the only one configured.
   *
   * @throws {GatewayError} `ERR_NOT_FOUND` if there is no such role that can be assigned.
   */
  readonly mapGroup: (provider: string, group: string, roleId: string) => Promise<void>
  /** @returns False if the group was not mapped by hand. */
  readonly unmapGroup: (provider: string, group: string, roleId: string) => Promise<boolean>
  /** The role that holds what is granted to this user directly; made when first asked for. */
  readonly personal: (userId: string) => Promise<RoleRecord>
  /**
   * Makes everything that came from the policy file what `policy` says, or nothing of it. Roles keep their ids by name.
   *
   * @returns False if it was so already.
   * @throws {GatewayError} `ERR_INVALID_PARAMETER` if a role of that name was made by hand.
   */
  readonly replacePolicy: (policy: PolicyContent) => Promise<boolean>
  /** What came from the policy file, as it stands now. */
  readonly policy: () => Promise<PolicyContent>
  /** What people can do, and could once the policy were applied, see {@link rehearse}; nothing is changed. */
  readonly rehearse: (
    rehearsal: Pick<Rehearsal, 'policy' | 'userIds' | 'providers'>,
  ) => ReturnType<typeof rehearse>
  /** Everything that says who may do what: the policy file's part, and what was done by hand. */
  readonly rules: () => Promise<Rules>
  readonly carry: Carry
} & RoleEdits &
  RoleHoldings

export function createRoles(db: Database, now: () => number): Roles {
  const write = <T>(step: (trx: Transaction<Schema>) => Promise<T>): Promise<T> =>
    db.transaction().execute(step)
  return {
    create: (role) => write((trx) => writes.createRole(trx, role, now())),
    delete: (roleId) => write((trx) => writes.deleteRole(trx, roleId, now())),
    list: () => listRoles(db),
    page: (query) => pageOfRoles(db, query),
    count: () => countRoles(db),
    idsOf: (name) => idsOfRoles(db, name),
    get: (name) => readRole(db, { name }),
    details: (id) => readRole(db, { id }),
    change: (id, isCurrent, change) => write((trx) => changeRole(trx, { id, isCurrent, change, at: now() })),
    grant: (roleId, grant) => write((trx) => writes.addGrant(trx, roleId, { grant, at: now() })),
    revokeGrant: (grantId) => write((trx) => writes.deleteGrant(trx, grantId, now())),
    assign: (userId, roleId) => write((trx) => writes.assignRole(trx, { userId, roleId }, now())),
    unassign: (userId, roleId) => write((trx) => writes.unassignRole(trx, { userId, roleId }, now())),
    mapGroup: (provider, group, roleId) =>
      write((trx) => writes.mapGroup(trx, { provider, group, roleId }, now())),
    unmapGroup: (provider, group, roleId) =>
      write((trx) => writes.unmapGroup(trx, { provider, group, roleId }, now())),
    personal: (userId) => write((trx) => writes.personalRole(trx, userId, now())),
    replacePolicy: (policy) => write((trx) => replacePolicy(trx, policy, now())),
    policy: () => db.transaction().setAccessMode('read only').execute(readPolicy),
    rehearse: (rehearsal) => rehearse(db, { ...rehearsal, at: now() }),
    rules: () => db.transaction().setAccessMode('read only').execute(readRules),
    carry: createCarry(db, now),
    ...createRoleEdits(db, now),
    ...createRoleHoldings(db, now),
  }
}
