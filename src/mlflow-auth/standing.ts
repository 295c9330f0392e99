import { GatewayError, isGatewayError } from '../errors.ts'
import { satisfies } from '../policy/access.ts'
import { placesNamed, type WorkspaceName } from '../policy/workspace-name.ts'
import type { PlacedRole } from '../store/role-holdings.ts'
import { type Ask, askedGrant, askedRole, askedWorkspace, heldRoles, personCalled } from './ask.ts'
import { levelOn } from './level.ts'
import { readPattern, readType } from './pattern.ts'

/**
 * Who may make a request: one of these stands in each row of `routes.ts`. They follow MLflow's own validators
 * (mlflow/server/auth, 3.17.2); where they are narrower it is said.
 *
 * @throws {GatewayError} `ERR_PERMISSION_DENIED`; the same where what is asked about does not exist.
 */
export type Standing = (ask: Ask) => Promise<void>

export const anybody: Standing = async () => undefined

/** Refuses everybody but administrators of the gateway, unless `also` says yes. */
function admin(also?: (ask: Ask) => boolean | Promise<boolean>): Standing {
  return async (ask) => {
    if (ask.caller.principal.isAdmin || (await also?.(ask))) return
    const reason = also === undefined ? 'admin_only' : 'no_grant'
    throw new GatewayError('ERR_PERMISSION_DENIED', 'Permission denied', { reason })
  }
}

export const administrator: Standing = admin()

export const oneself: Standing = admin(
  (ask) => ask.parameters.text('username') === ask.caller.principal.username,
)

/**
 * Who has some right here may see the names of the others, to assign work to them. MLflow shows them to everybody who is
 * signed in, but there an account is made by an administrator.
 */
export const rightHolder: Standing = admin(async ({ caller, services }) => {
  const roles = await heldRoles(caller.principal.userId, services)
  return roles.some(({ grants }) => grants.some(({ level }) => level !== 'DENY'))
})

export const anyWorkspaceAdministrator: Standing = admin(
  async (ask) => (await administeredWorkspaces(ask)).size > 0,
)

/** An administrator of the workspace that the request is about, by a role, by a permission, or by its name. */
export const workspaceAdministrator: Standing = admin(async (ask) => {
  const workspace = await orUndefined(workspaceOf(ask))
  return workspace !== undefined && (await administeredWorkspaces(ask)).has(workspace)
})

/** Who holds a role may look at it, and its workspace's administrators. To MLflow holding any role there is enough. */
export const roleViewer: Standing = admin(async (ask) => {
  const role = await orUndefined(askedRole(ask))
  return role !== undefined && (await mayView(ask))(role)
})

/** Everybody may list roles of workspaces; what comes is what they may view. All there are is for administrators. */
export const roleLister: Standing = admin(({ parameters }) => parameters.texts('workspace').length > 0)

/** One's own roles and permissions; those of others for administrators of a workspace, as far as they are in it. */
export const holderViewer: Standing = admin(
  async (ask) =>
    ask.parameters.text('username') === ask.caller.principal.username ||
    (await administeredWorkspaces(ask)).size > 0,
)

/** Who manages a resource may say who else has what on it; on more than one only an administrator of the workspace. */
export const resourceManager: Standing = async (ask) => {
  const target = readPattern(grantableType(ask), ask.parameters.text('resource_id'))
  await managerOf(ask, target)
}

/** As {@link resourceManager}, of that. */
export function managerOf(ask: Ask, target: ReturnType<typeof readPattern>): Promise<void> {
  return admin(async ({ caller, services, workspace }) => {
    if (target.match !== 'exact') return (await administeredWorkspaces(ask)).has(workspace)
    return satisfies(await levelOn(target, caller.access, services.lookup), 'MANAGE')
  })(ask)
}

/** What oneself has on a resource; what others have is for administrators of the workspace. */
export const permissionViewer: Standing = async (ask) => {
  grantableType(ask)
  await admin(async ({ parameters, caller, services, workspace }) => {
    const username = parameters.text('username')
    if (username === caller.principal.username) return true
    const person = await personCalled(username, services)
    return person !== undefined && (await administeredWorkspaces(ask)).has(workspace)
  })(ask)
}

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` for `workspace`, which a single person's permissions do not cover. */
export function grantableType({ parameters }: Ask): ReturnType<typeof readType> {
  const type = readType(parameters.text('resource_type'))
  if (type !== 'workspace') return type
  throw new GatewayError(
    'ERR_INVALID_PARAMETER',
    'A permission on the workspace is given by a role: add it to one, and assign that',
  )
}

/** Workspaces in which the caller manages roles and people by a grant; administrators of the gateway need none. */
export async function administeredWorkspaces({ caller, services }: Ask): Promise<ReadonlySet<WorkspaceName>> {
  const roles = await heldRoles(caller.principal.userId, services)
  return administeredBy(roles, services)
}

function administeredBy(
  roles: readonly PlacedRole[],
  { config }: Ask['services'],
): ReadonlySet<WorkspaceName> {
  const names = roles.filter(makesAdministrator).map(({ workspace }) => workspace)
  return new Set(names.flatMap((name) => placesNamed(name, config.upstreams)))
}

function makesAdministrator({ grants }: PlacedRole): boolean {
  return grants.some(({ resourceType, level }) => resourceType === 'workspace' && level === 'MANAGE')
}

/** @returns Whether the caller may look at a role. */
export async function mayView({ caller, services }: Ask): Promise<(role: PlacedRole) => boolean> {
  if (caller.principal.isAdmin) return () => true
  const held = await heldRoles(caller.principal.userId, services)
  const own = new Set(held.map(({ id }) => id))
  const administered = administeredBy(held, services)
  return ({ id, workspace }) => own.has(id) || administered.has(workspace)
}

async function workspaceOf(ask: Ask): Promise<string> {
  if (ask.parameters.has('role_id')) return (await askedRole(ask)).workspace
  if (ask.parameters.has('role_permission_id')) return (await askedGrant(ask)).role.workspace
  return askedWorkspace(ask)
}

/** What does not exist is refused as what may not be seen. */
async function orUndefined<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (fault) {
    if (isGatewayError(fault, 'ERR_NOT_FOUND')) return undefined
    throw fault
  }
}
