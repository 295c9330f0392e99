import { assertNotLonger, assertNotWider } from '../admin/limits.ts'
import { GatewayError } from '../errors.ts'
import { resourceByKey } from '../mlflow/resource-by-key.ts'
import { satisfies } from '../policy/access.ts'
import { DEFAULT_WORKSPACE, type Grant, type Level, type ResourceType } from '../policy/grants.ts'
import type { Person } from '../store/people.ts'
import type { GrantTarget } from '../store/role-edits.ts'
import { type Ask, askedPerson, type Done, heldRoles } from './ask.ts'
import { levelOn } from './level.ts'
import { readLevel, readPattern } from './pattern.ts'
import { grantableType } from './standing.ts'
import { audited } from './wire.ts'

export async function grantUserPermission(ask: Ask): Promise<Done> {
  const person = await askedPerson(ask)
  const target = readPattern(grantableType(ask), ask.parameters.text('resource_id'))
  const level = readLevel(target.resourceType, ask.parameters.text('permission'))
  return { answer: {}, ...(await grantTo(ask, person, { target, level })) }
}

export async function revokeUserPermission(ask: Ask): Promise<Done> {
  const person = await askedPerson(ask)
  const target = readPattern(grantableType(ask), ask.parameters.text('resource_id'))
  return { answer: {}, ...(await revokeFrom(ask, person, target)) }
}

/** What a request of that user's would be judged by, in every way they hold something: `allowed` tells of USE. */
export async function getUserPermission(ask: Ask): Promise<Done> {
  const { parameters, services } = ask
  const person = await askedPerson(ask)
  const target = readPattern(grantableType(ask), parameters.text('resource_id'))
  if (target.match === 'name')
    throw new GatewayError('ERR_INVALID_PARAMETER', 'Ask about one resource, or * for all')
  const member = await services.directory.resolve(person.id)
  const access = ask.workspace === DEFAULT_WORKSPACE ? member?.access : member?.workspaces.get(ask.workspace)
  let permission: Level = 'NO_PERMISSIONS'
  if (member?.principal.isAdmin) permission = 'MANAGE'
  else if (access !== undefined) permission = await levelOn(target, access, services.lookup)
  return { answer: { allowed: satisfies(permission, 'USE'), permission } }
}

type Wanted = { readonly target: GrantTarget; readonly level: Level }

/** Gives somebody a permission directly. @throws {GatewayError} `ERR_ALREADY_EXISTS` */
export async function grantTo(ask: Ask, person: Person, { target, level }: Wanted) {
  const { caller, services, workspace } = ask
  const { roles } = services.store
  await assertOwn(ask, { ...target, level })
  const { id } = await roles.personal(person.id)
  const createdBy = caller.principal.username
  const grant = await roles.addGrant(id, { ...target, workspace, level, source: 'manual', createdBy })
  return changeOf(person, grant)
}

/** Takes it away. @throws {GatewayError} `ERR_NOT_FOUND` where nothing was given directly on exactly that. */
export async function revokeFrom(ask: Ask, person: Person, target: GrantTarget) {
  const role = await personalRole(ask, person)
  const there = { ...target, workspace: ask.workspace }
  const count = role === undefined ? 0 : await ask.services.store.roles.removeGrants(role.id, there)
  if (count === 0) throw noPermission()
  return changeOf(person, { ...target, level: 'NO_PERMISSIONS' })
}

/** Another level in place of the one that was given directly. @throws {GatewayError} `ERR_NOT_FOUND` */
export async function changeFor(ask: Ask, person: Person, { target, level }: Wanted) {
  const grants = await directGrants(ask, person, target)
  const ids = grants.map(({ id }) => id)
  for (const grant of grants) if (!satisfies(grant.level, level)) await assertOwn(ask, { ...grant, level })
  const by = ask.caller.principal.username
  if ((await ask.services.store.roles.setLevel(ids, { level, by })) === 0) throw noPermission()
  return changeOf(person, { ...target, level })
}

/** @throws {GatewayError} `ERR_PERMISSION_DENIED` (reason `wider_than_own`) for what lasts longer than the giver's right. */
async function assertOwn({ caller, services, workspace }: Ask, grant: Grant): Promise<void> {
  if (grant.match !== 'exact') return assertNotLonger(caller, workspace, [grant], services)
  const type = grant.resourceType as ResourceType
  const access = { needsName: () => true }
  const resource = await resourceByKey(type, grant.pattern, { lookup: services.lookup, access })
  return assertNotWider(caller, resource, grant, { ...services, workspace })
}

/** What somebody was given directly on exactly that, and not by a role. */
export async function directGrants(ask: Ask, person: Person, target: GrantTarget) {
  const role = await personalRole(ask, person)
  return (role?.grants ?? []).filter(
    ({ resourceType, match, pattern }) =>
      resourceType === target.resourceType && match === target.match && pattern === target.pattern,
  )
}

/** @throws {GatewayError} `ERR_NOT_FOUND` */
export function noPermission(): GatewayError {
  return new GatewayError('ERR_NOT_FOUND', 'This user was given no permission on that directly')
}

async function personalRole({ services, workspace: asked }: Ask, { id }: Person) {
  const roles = await heldRoles(id, services)
  return roles.find(({ ownerUserId, workspace }) => ownerUserId === id && workspace === asked)
}

function changeOf(person: Person, grant: Wanted['target'] & { readonly level: Level }) {
  return {
    changed: 'role_changed',
    resources: [audited.user(person), audited.grant(grant)],
  } as const
}
