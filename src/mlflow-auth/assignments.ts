import { assertNotLonger } from '../admin/limits.ts'
import { GatewayError } from '../errors.ts'
import type { PlacedRole } from '../store/role-holdings.ts'
import { type Ask, askedPerson, askedRole, type Done } from './ask.ts'
import { assignmentJson, audited } from './wire.ts'

export async function assignRole(ask: Ask): Promise<Done> {
  const { store, config } = ask.services
  const [person, role] = [await askedPerson(ask), await assignableRole(ask)]
  await assertNotLonger(ask.caller, role.workspace, role.grants, ask.services)
  const holdings = await store.roles.holdings(config.providers, { userId: person.id })
  if (holdings.some(({ roleId, kind }) => roleId === role.id && kind === 'assigned'))
    throw new GatewayError('ERR_ALREADY_EXISTS', 'This user has been assigned that role already')
  await store.roles.assign(person.id, role.id)
  const numbers = await store.publicIds.numbersOf([person.id, role.id])
  return {
    answer: { assignment: assignmentJson(person.id, role.id, numbers) },
    changed: 'role_changed',
    workspace: role.workspace,
    resources: [audited.role(role), audited.user(person)],
  }
}

export async function unassignRole(ask: Ask): Promise<Done> {
  const { store, config } = ask.services
  const [person, role] = [await askedPerson(ask), await assignableRole(ask)]
  if (!(await store.roles.unassign(person.id, role.id))) {
    const holdings = await store.roles.holdings(config.providers, { userId: person.id })
    throw notAssigned(holdings.find(({ roleId }) => roleId === role.id)?.kind)
  }
  return {
    answer: {},
    changed: 'role_changed',
    workspace: role.workspace,
    resources: [audited.role(role), audited.user(person)],
  }
}

/** Who holds the role in any way: also by a group or by name. */
export async function listRoleUsers(ask: Ask): Promise<Done> {
  const { store, config } = ask.services
  const role = await askedRole(ask)
  const holdings = await store.roles.holdings(config.providers, { roleId: role.id })
  const userIds = [...new Set(holdings.map(({ userId }) => userId))]
  const numbers = await store.publicIds.numbersOf([role.id, ...userIds])
  return { answer: { assignments: userIds.map((userId) => assignmentJson(userId, role.id, numbers)) } }
}

function notAssigned(kind: string | undefined): GatewayError {
  if (kind === undefined) return new GatewayError('ERR_NOT_FOUND', 'This user does not have that role')
  const by = kind === 'group' ? 'a group of theirs, and ends with it' : 'the policy file; change it there'
  return new GatewayError('ERR_PERMISSION_DENIED', `This user has that role by ${by}`, {
    reason: 'not_assigned',
  })
}

async function assignableRole(ask: Ask): Promise<PlacedRole> {
  const role = await askedRole(ask)
  if (role.ownerUserId === undefined) return role
  throw new GatewayError('ERR_INVALID_PARAMETER', 'This role is one user’s own: it cannot be given or taken')
}
