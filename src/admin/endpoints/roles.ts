import { Type } from 'typebox'
import type { Caller } from '../../identity/caller.ts'
import { workspacesNamed } from '../../mlflow-auth/workspace.ts'
import { DEFAULT_WORKSPACE } from '../../policy/grants.ts'
import { type AdminParts, type Endpoint, endpoint } from '../endpoint.ts'
import { providerNamed } from '../group.ts'
import { readNewGrant } from '../new-grant.ts'
import { assertAdministers, InWorkspace, ownWorkspaces } from '../place.ts'
import { changed, found, shown } from '../role.ts'
import { NewGrantSchema, Next, Paging, RoleSummaryWire, RoleWire, roleSummaryToWire } from '../wire.ts'

const Id = Type.Object({ id: Type.String({ description: 'Of the role.' }) })
const Name = Type.String({ minLength: 1, maxLength: 255 })
const Description = Type.String({ maxLength: 1000 })
const strict = { additionalProperties: false } as const

const groupOf = ({ provider, group }: { readonly provider: string; readonly group: string }) => [
  { type: 'group', id: `${provider}:${group}` },
]

/** Where the caller may look for roles, narrowed to one workspace if they ask for one; everywhere if undefined. */
function seenIn(
  caller: Caller,
  workspace: string | undefined,
  parts: AdminParts,
): readonly string[] | undefined {
  const only = workspace === undefined ? undefined : workspacesNamed(workspace, parts.config)
  if (caller.principal.isAdmin) return only === undefined ? undefined : [only]
  return ownWorkspaces(caller, parts).filter((own) => only === undefined || own === only)
}

/** The opposite of a page's `next`: two roles of one name are told apart by their ids. */
function positionOf(after: string): { readonly name: string; readonly id: string } {
  const slash = after.lastIndexOf('/')
  return slash === -1 ? { name: after, id: '' } : { name: after.slice(0, slash), id: after.slice(slash + 1) }
}

/** What changes a role: each needs `If-Match`, and answers the role as it is then. */
const change = { who: 'workspace_admin', answer: RoleWire, event: 'role_changed' } as const

export const ROLE_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'roles.list',
    method: 'GET',
    path: '/roles',
    summary: 'Roles with how many grants each has, by name',
    who: 'workspace_admin',
    query: Type.Object({
      search: Type.Optional(Type.String({ maxLength: 200 })),
      ...InWorkspace,
      ...Paging,
    }),
    answer: Type.Object({ roles: Type.Array(RoleSummaryWire), ...Next }),
    handle: async ({ caller, query: { search, workspace, after, limit = 100 } }, parts) => {
      const workspaces = seenIn(caller, workspace, parts)
      const page = { search, workspaces, after: after ? positionOf(after) : undefined, limit }
      const roles = await parts.store.roles.page(page)
      const last = roles.length === limit ? roles.at(-1) : undefined
      const next = last === undefined ? null : `${last.name}/${last.id}`
      return { body: { roles: roles.map(roleSummaryToWire), next } }
    },
  }),
  endpoint({
    name: 'roles.create',
    method: 'POST',
    path: '/roles',
    summary: 'Make a role',
    who: 'workspace_admin',
    body: Type.Object({ name: Name, description: Type.Optional(Description), ...InWorkspace }, strict),
    answer: RoleWire,
    event: 'role_changed',
    handle: async ({ caller, body }, parts) => {
      const workspace = workspacesNamed(body.workspace ?? DEFAULT_WORKSPACE, parts.config)
      assertAdministers(caller, workspace, parts)
      const { id } = await parts.store.roles.create({ ...body, workspace })
      return { ...shown(await found(id, caller, parts), parts), status: 201 }
    },
  }),
  endpoint({
    name: 'roles.get',
    method: 'GET',
    path: '/roles/:id',
    summary: 'A role with its grants and holders',
    who: 'workspace_admin',
    params: Id,
    answer: RoleWire,
    handle: async ({ caller, params }, parts) => shown(await found(params.id, caller, parts), parts),
  }),
  endpoint({
    ...change,
    name: 'roles.update',
    method: 'PATCH',
    path: '/roles/:id',
    summary: 'Give a role another name or description',
    params: Id,
    body: Type.Object({ name: Type.Optional(Name), description: Type.Optional(Description) }, strict),
    handle: (request, parts) => changed(request, parts, { kind: 'describe', to: request.body }),
  }),
  endpoint({
    ...change,
    name: 'roles.delete',
    method: 'DELETE',
    path: '/roles/:id',
    summary: 'Delete a role with its grants',
    params: Id,
    handle: (request, parts) => changed(request, parts, { kind: 'delete' }),
  }),
  endpoint({
    ...change,
    name: 'roles.grant',
    method: 'POST',
    path: '/roles/:id/grants',
    summary: 'Add a grant to a role',
    params: Id,
    body: NewGrantSchema,
    handle: (request, parts) => {
      const grant = readNewGrant(request.body as Parameters<typeof readNewGrant>[0], parts.now())
      const createdBy = request.caller.principal.username
      return changed(request, parts, { kind: 'grant', grant: { ...grant, source: 'manual', createdBy } })
    },
  }),
  endpoint({
    ...change,
    name: 'roles.revoke',
    method: 'DELETE',
    path: '/roles/:id/grants/:grant',
    summary: 'Take a grant from a role',
    params: Type.Object({ ...Id.properties, grant: Type.String() }),
    handle: (request, parts) => changed(request, parts, { kind: 'revoke', grantId: request.params.grant }),
  }),
  endpoint({
    ...change,
    name: 'roles.assign',
    method: 'PUT',
    path: '/roles/:id/people/:person',
    summary: 'Give a role to somebody',
    params: Type.Object({ ...Id.properties, person: Type.String() }),
    handle: (request, parts) => {
      const { person: userId } = request.params
      return changed(request, parts, { kind: 'assign', userId }, [{ type: 'user', id: userId }])
    },
  }),
  endpoint({
    ...change,
    name: 'roles.unassign',
    method: 'DELETE',
    path: '/roles/:id/people/:person',
    summary: 'Take a role from somebody who was given it by hand',
    params: Type.Object({ ...Id.properties, person: Type.String() }),
    handle: (request, parts) => {
      const { person: userId } = request.params
      return changed(request, parts, { kind: 'unassign', userId }, [{ type: 'user', id: userId }])
    },
  }),
  endpoint({
    ...change,
    name: 'roles.map_group',
    method: 'PUT',
    path: '/roles/:id/groups/:provider/:group',
    summary: 'Give a role to a group of a provider',
    params: Type.Object({ ...Id.properties, provider: Type.String(), group: Type.String() }),
    handle: (request, parts) => {
      const { group } = request.params
      const provider = providerNamed(request.params.provider, parts.config, 'map')
      return changed(request, parts, { kind: 'map', provider, group }, groupOf(request.params))
    },
  }),
  endpoint({
    ...change,
    name: 'roles.unmap_group',
    method: 'DELETE',
    path: '/roles/:id/groups/:provider/:group',
    summary: 'Take a role from a group that was given it by hand',
    params: Type.Object({ ...Id.properties, provider: Type.String(), group: Type.String() }),
    handle: (request, parts) => {
      const { group } = request.params
      const provider = providerNamed(request.params.provider, parts.config, 'unmap')
      return changed(request, parts, { kind: 'unmap', provider, group }, groupOf(request.params))
    },
  }),
]
