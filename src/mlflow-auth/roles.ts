import { assertNotLonger } from '../admin/limits.ts'
import { GatewayError } from '../errors.ts'
import { satisfies } from '../policy/access.ts'
import { placeOf } from '../policy/workspace-name.ts'
import type { PlacedRole } from '../store/role-holdings.ts'
import { type Ask, askedGrant, askedRole, askedWorkspace, assertByHand, type Done } from './ask.ts'
import { readLevel, readPattern, readType } from './pattern.ts'
import { mayView } from './standing.ts'
import { audited, numbersFor, permissionJson, permissionsJson, roleJson } from './wire.ts'

export async function createRole(ask: Ask): Promise<Done> {
  const { parameters, services } = ask
  const name = parameters.text('name')
  const workspace = askedWorkspace(ask)
  const description = parameters.optionalText('description')
  const made = await services.store.roles.create({ name, description, workspace })
  const role = { ...made, workspace, placeId: made.id }
  return {
    ...(await answerRole(ask, role)),
    changed: 'role_changed',
    workspace: role.workspace,
    resources: [audited.role(role)],
  }
}

export async function getRole(ask: Ask): Promise<Done> {
  return answerRole(ask, await askedRole(ask))
}

/** Those of the workspaces the request names, or all; of them those that the caller may look at. */
export async function listRoles(ask: Ask): Promise<Done> {
  const { parameters, services } = ask
  const workspaces = new Set(parameters.texts('workspace'))
  const isVisible = await mayView(ask)
  const all = await services.store.roles.listAll()
  const roles = all.filter(
    (role) => (workspaces.size === 0 || workspaces.has(placeOf(role.workspace).workspace)) && isVisible(role),
  )
  const numbers = await numbersFor(services, roles)
  return { answer: { roles: roles.map((role) => roleJson(role, numbers)) } }
}

export async function updateRole(ask: Ask): Promise<Done> {
  const { parameters, services } = ask
  const role = await changeableRole(ask)
  const [name, description] = [parameters.optionalText('name'), parameters.optionalText('description')]
  if (name === undefined && description === undefined)
    throw new GatewayError('ERR_INVALID_PARAMETER', 'Give a name or a description')
  await services.store.roles.rename(role.id, { name, description })
  const resources = [audited.role(role), ...(name === undefined ? [] : [audited.role({ ...role, name })])]
  return {
    ...(await answerRole(ask, await askedRole(ask))),
    changed: 'role_changed',
    workspace: role.workspace,
    resources,
  }
}

export async function deleteRole(ask: Ask): Promise<Done> {
  const role = await changeableRole(ask)
  await ask.services.store.roles.delete(role.id)
  return { answer: {}, changed: 'role_changed', workspace: role.workspace, resources: [audited.role(role)] }
}

export async function listRolePermissions(ask: Ask): Promise<Done> {
  const role = await askedRole(ask)
  return { answer: { role_permissions: permissionsJson(role, await numbersFor(ask.services, [role])) } }
}

export async function addRolePermission(ask: Ask): Promise<Done> {
  const { caller, parameters, services } = ask
  const role = await askedRole(ask)
  assertByHand(role, 'This role')
  const type = readType(parameters.text('resource_type'))
  const wanted = {
    ...readPattern(type, parameters.text('resource_pattern')),
    level: readLevel(type, parameters.text('permission')),
  }
  await assertNotLonger(caller, role.workspace, [wanted], services)
  const createdBy = caller.principal.username
  const grant = await services.store.roles.addGrant(role.id, { ...wanted, source: 'manual', createdBy })
  const numbers = await services.store.publicIds.numbersOf([role.placeId, grant.id])
  return {
    answer: { role_permission: permissionJson(grant, role, numbers) },
    changed: 'role_changed',
    workspace: role.workspace,
    resources: [audited.role(role), audited.grant(grant)],
  }
}

export async function removeRolePermission(ask: Ask): Promise<Done> {
  const { role, grant } = await askedGrant(ask)
  assertByHand(grant, 'This permission')
  await ask.services.store.roles.revokeGrant(grant.id)
  return {
    answer: {},
    changed: 'role_changed',
    workspace: role.workspace,
    resources: [audited.role(role), audited.grant(grant)],
  }
}

export async function updateRolePermission(ask: Ask): Promise<Done> {
  const { caller, parameters, services } = ask
  const { role, grant } = await askedGrant(ask)
  assertByHand(grant, 'This permission')
  const level = readLevel(grant.resourceType, parameters.text('permission'))
  if (!satisfies(grant.level, level)) await assertNotLonger(caller, role.workspace, [grant], services)
  await services.store.roles.setLevel([grant.id], { level, by: caller.principal.username })
  const changed = { ...grant, level }
  const numbers = await services.store.publicIds.numbersOf([role.placeId, grant.id])
  return {
    answer: { role_permission: permissionJson(changed, role, numbers) },
    changed: 'role_changed',
    workspace: role.workspace,
    resources: [audited.role(role), audited.grant(changed)],
  }
}

async function answerRole({ services }: Ask, role: PlacedRole) {
  return { answer: { role: roleJson(role, await numbersFor(services, [role])) } }
}

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` for a personal role, which is there as long as its person. */
async function changeableRole(ask: Ask): Promise<PlacedRole> {
  const role = await askedRole(ask)
  assertByHand(role, 'This role')
  if (role.ownerUserId === undefined) return role
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    'This role holds what one user has directly: take its permissions away instead, or delete the user',
  )
}
