import type { Ask, Done } from './ask.ts'
import { assignRole, listRoleUsers, unassignRole } from './assignments.ts'
import * as old from './resource-permissions.ts'
import * as roles from './roles.ts'
import * as who from './standing.ts'
import { getUserPermission, grantUserPermission, revokeUserPermission } from './user-permissions.ts'
import * as users from './users.ts'

/** One operation of MLflow's auth API: where it is, who may ask for it, and what is done. */
export type AuthRoute = {
  /** As in the record, e.g. `roles.assign`. */
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly urls: readonly string[]
  readonly standing: who.Standing
  readonly run: (ask: Ask) => Promise<Done>
}

type Method = AuthRoute['method']
type Run = AuthRoute['run']

/** Served for clients and, under the other prefix, for MLflow's pages. */
function both(path: string): readonly string[] {
  return [`/api/${path}`, `/ajax-api/${path}`]
}

function row(version: '2.0' | '3.0') {
  return (name: string, method: Method, path: string, standing: who.Standing, run: Run): AuthRoute => ({
    ...{ name, method, urls: both(`${version}/mlflow/${path}`), standing, run },
  })
}

const v2 = row('2.0')
const v3 = row('3.0')

/**
 * Every route of `mlflow/server/auth/routes.py` (3.17.2) that is about users and what they may do, with MLflow's own
 * fields, statuses and error codes. Of those for accounts with passwords, `/signup` and `users/create-ui` are left out:
 * nobody signs up here.
 */
export const AUTH_ROUTES: readonly AuthRoute[] = [
  v2('users.current', 'GET', 'users/current', who.anybody, users.currentUser),
  // MLflow has it under 2.0 only; its pages have been seen to ask for it here.
  v3('users.current', 'GET', 'users/current', who.anybody, users.currentUser),
  v2('users.get', 'GET', 'users/get', who.oneself, users.getUser),
  v2('users.list', 'GET', 'users/list', who.rightHolder, users.listUsers),
  v2('users.create', 'POST', 'users/create', who.anyWorkspaceAdministrator, users.createUser),
  v2('users.update_password', 'PATCH', 'users/update-password', who.oneself, users.updatePassword),
  v2('users.update_admin', 'PATCH', 'users/update-admin', who.administrator, users.updateAdmin),
  v2('users.delete', 'DELETE', 'users/delete', who.administrator, users.deleteUser),

  v3('users.current_permissions', 'GET', 'users/current/permissions', who.anybody, users.currentPermissions),
  v3('users.list_permissions', 'GET', 'users/permissions/list', who.holderViewer, users.listUserPermissions),
  v3('users.grant_permission', 'POST', 'users/permissions/grant', who.resourceManager, grantUserPermission),
  v3(
    'users.revoke_permission',
    'POST',
    'users/permissions/revoke',
    who.resourceManager,
    revokeUserPermission,
  ),
  v3('users.get_permission', 'GET', 'users/permissions/get', who.permissionViewer, getUserPermission),
  v3('users.list_roles', 'GET', 'users/roles/list', who.holderViewer, users.listUserRoles),

  v3('roles.create', 'POST', 'roles/create', who.workspaceAdministrator, roles.createRole),
  v3('roles.get', 'GET', 'roles/get', who.roleViewer, roles.getRole),
  v3('roles.list', 'GET', 'roles/list', who.roleLister, roles.listRoles),
  v3('roles.update', 'PATCH', 'roles/update', who.workspaceAdministrator, roles.updateRole),
  v3('roles.delete', 'DELETE', 'roles/delete', who.workspaceAdministrator, roles.deleteRole),
  v3('roles.list_permissions', 'GET', 'roles/permissions/list', who.roleViewer, roles.listRolePermissions),
  v3(
    'roles.add_permission',
    'POST',
    'roles/permissions/add',
    who.workspaceAdministrator,
    roles.addRolePermission,
  ),
  v3(
    'roles.remove_permission',
    'DELETE',
    'roles/permissions/remove',
    who.workspaceAdministrator,
    roles.removeRolePermission,
  ),
  v3(
    'roles.update_permission',
    'PATCH',
    'roles/permissions/update',
    who.workspaceAdministrator,
    roles.updateRolePermission,
  ),
  v3('roles.assign', 'POST', 'roles/assign', who.workspaceAdministrator, assignRole),
  v3('roles.unassign', 'DELETE', 'roles/unassign', who.workspaceAdministrator, unassignRole),
  v3('roles.list_users', 'GET', 'roles/users/list', who.workspaceAdministrator, listRoleUsers),

  ...old.RESOURCE_PERMISSIONS.flatMap(oldRoutes),
]

function oldRoutes(of: old.ResourcePermissions): readonly AuthRoute[] {
  const standing = old.managerOfIts(of)
  const one = (verb: string, method: Method, run: Run): AuthRoute => ({
    ...{ name: `${of.type}_permissions.${verb}`, method, urls: [`${of.path}/${verb}`], standing, run },
  })
  return [
    one('create', 'POST', old.createPermission(of)),
    one('get', 'GET', old.getPermission(of)),
    one('update', 'PATCH', old.updatePermission(of)),
    one('delete', 'DELETE', old.deletePermission(of)),
  ]
}
