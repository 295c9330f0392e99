import type { AuditedResource } from '../audit/event.ts'
import type { Grant } from '../policy/grants.ts'
import { placeOf } from '../policy/workspace-name.ts'
import type { StoredGrant } from '../store/grant-row.ts'
import type { Person } from '../store/people.ts'
import type { PlacedRole } from '../store/role-holdings.ts'
import type { AuthServices } from './ask.ts'
import { writePattern } from './pattern.ts'

/** Numbers by the store's ids, see `public-ids.ts`. */
export type Numbers = ReadonlyMap<string, number>

/** Numbers for all that the answer names. */
export function numbersFor(
  { store }: Pick<AuthServices, 'store'>,
  roles: readonly PlacedRole[],
  userIds: readonly string[] = [],
): Promise<Numbers> {
  return store.publicIds.numbersOf([
    ...userIds,
    ...roles.flatMap(({ placeId, ownerUserId, grants }) => [
      ...[placeId, ...(ownerUserId === undefined ? [] : [ownerUserId])],
      ...grants.map((grant) => grant.id),
    ]),
  ])
}

export function numberOf(numbers: Numbers, id: string): number {
  const number = numbers.get(id)
  if (number === undefined) throw new Error('something in the answer was given no number')
  return number
}

/** The entities of mlflow/server/auth/entities.py (3.17.2), field by field. */
export function userJson(
  { id, username }: Pick<Person, 'id' | 'username'>,
  isAdmin: boolean,
  numbers: Numbers,
) {
  return { id: numberOf(numbers, id), username, is_admin: isAdmin }
}

export function roleJson(role: PlacedRole, numbers: Numbers) {
  return {
    id: numberOf(numbers, role.placeId),
    name: roleName(role, numbers),
    workspace: placeOf(role.workspace).workspace,
    description: role.description ?? null,
    permissions: permissionsJson(role, numbers),
  }
}

/** MLflow's pages tell the permissions somebody has directly by the name of the role that holds them. */
function roleName({ name, ownerUserId }: PlacedRole, numbers: Numbers): string {
  return ownerUserId === undefined ? name : `__user_${numberOf(numbers, ownerUserId)}__`
}

/** In the order in which they were first shown. */
export function permissionsJson(role: PlacedRole, numbers: Numbers) {
  return role.grants.map((grant) => permissionJson(grant, role, numbers)).sort((a, b) => a.id - b.id)
}

export function permissionJson(grant: StoredGrant, { placeId }: PlacedRole, numbers: Numbers) {
  return {
    id: numberOf(numbers, grant.id),
    role_id: numberOf(numbers, placeId),
    resource_type: grant.resourceType,
    resource_pattern: writePattern(grant),
    permission: grant.level,
  }
}

/** One row for each grant of each role: what an Account page shows. */
export function heldPermissions(roles: readonly PlacedRole[], numbers: Numbers) {
  return roles.flatMap((role) =>
    role.grants.map((grant) => ({
      role_id: numberOf(numbers, role.placeId),
      role_name: roleName(role, numbers),
      workspace: placeOf(role.workspace).workspace,
      resource_type: grant.resourceType,
      resource_pattern: writePattern(grant),
      permission: grant.level,
    })),
  )
}

/** Numbers of users stay below this for longer than anybody will run this. */
const USERS = 2 ** 26

/** An assignment has no row of its own that lasts, and no request names one; its number is made of the other two. */
export function assignmentJson(userId: string, roleId: string, numbers: Numbers) {
  const [user, role] = [numberOf(numbers, userId), numberOf(numbers, roleId)]
  return { id: role * USERS + user, user_id: user, role_id: role }
}

/** How the record names what a change was about. */
export const audited = {
  user: ({ id, username }: Person): AuditedResource => ({ type: 'user', id, name: username }),
  role: ({ id, name }: PlacedRole): AuditedResource => ({ type: 'role', id, name }),
  grant: (grant: Grant): AuditedResource => ({
    type: grant.resourceType,
    id: writePattern(grant),
    name: grant.level,
  }),
}
