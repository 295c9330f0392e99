import type { Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import { type RoleName, renameRole } from './role-edits.ts'
import { type RoleDetails, readRole } from './role-reads.ts'
import * as writes from './role-writes.ts'
import type { Schema } from './schema.ts'

/** One change to a role. */
export type RoleChange =
  | { readonly kind: 'describe'; readonly to: RoleName }
  | { readonly kind: 'grant'; readonly grant: writes.NewGrant }
  | { readonly kind: 'revoke'; readonly grantId: string }
  | { readonly kind: 'assign' | 'unassign'; readonly userId: string }
  | { readonly kind: 'map' | 'unmap'; readonly provider: string; readonly group: string }
  | { readonly kind: 'delete' }

export type GuardedChange = {
  readonly id: string
  readonly isCurrent: (role: RoleDetails) => boolean
  readonly change: RoleChange
  /** Seconds since the epoch. */
  readonly at: number
}

/** See `Roles.change`. @returns The role as it is now; undefined once it is deleted. */
export async function changeRole(
  trx: Transaction<Schema>,
  { id, isCurrent, change, at }: GuardedChange,
): Promise<RoleDetails | undefined> {
  const role = await readRole(trx, { id })
  if (role === undefined) throw new GatewayError('ERR_NOT_FOUND', 'There is no such role')
  if (!isCurrent(role)) {
    const message = 'Somebody has changed this role meanwhile: look at it again, then change it'
    throw new GatewayError('ERR_PRECONDITION_FAILED', message)
  }
  if (change.kind === 'revoke' && !role.grants.some(({ id: own }) => own === change.grantId))
    throw new GatewayError('ERR_NOT_FOUND', 'The role has no such grant')
  await apply(trx, role, change, at)
  return readRole(trx, { id })
}

async function apply(
  trx: Transaction<Schema>,
  { id }: RoleDetails,
  change: RoleChange,
  at: number,
): Promise<void> {
  switch (change.kind) {
    case 'describe':
      return renameRole(trx, id, change.to, at)
    case 'grant':
      await writes.addGrant(trx, id, { grant: change.grant, at })
      return
    case 'revoke':
      return required(await writes.deleteGrant(trx, change.grantId, at), 'The role has no such grant')
    case 'assign':
      return writes.assignRole(trx, { roleId: id, userId: change.userId }, at)
    case 'unassign':
      return required(
        await writes.unassignRole(trx, { roleId: id, userId: change.userId }, at),
        'The role was not given to this person by hand',
      )
    case 'map':
      return writes.mapGroup(trx, { roleId: id, provider: change.provider, group: change.group }, at)
    case 'unmap':
      return required(
        await writes.unmapGroup(trx, { roleId: id, provider: change.provider, group: change.group }, at),
        'The role was not given to this group by hand',
      )
    case 'delete':
      return required(await writes.deleteRole(trx, id, at), 'A personal role goes with its person only')
  }
}

function required(done: boolean, otherwise: string): void {
  if (!done) throw new GatewayError('ERR_NOT_FOUND', otherwise)
}
