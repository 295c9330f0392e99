import { Type } from 'typebox'
import type { AuditedResource } from '../../audit/event.ts'
import { GatewayError } from '../../errors.ts'
import { type Grant, isWildcardOnly, levelsOf } from '../../policy/grants.ts'
import type { RoleChange } from '../../store/role-change.ts'
import type { RoleDetails } from '../../store/roles.ts'
import {
  type AdminAnswer,
  type AdminParts,
  type Endpoint,
  endpoint,
  etagOf,
  requiredMatch,
} from '../endpoint.ts'
import { providerNamed } from '../group.ts'
import { NewGrantSchema, RoleSummaryWire, RoleWire, roleSummaryToWire, roleToWire } from '../wire.ts'

const Id = Type.Object({ id: Type.String({ description: 'Of the role.' }) })
const Name = Type.String({ minLength: 1, maxLength: 255 })
const Description = Type.String({ maxLength: 1000 })
const strict = { additionalProperties: false } as const

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` for a level or pattern that the type does not have. */
export function readNewGrant(
  body: { readonly resource_type: Grant['resourceType'] } & Pick<Grant, 'match' | 'pattern' | 'level'> & {
      readonly expires_at?: number
    },
  now: number,
): Grant {
  const { resource_type: resourceType, match, pattern, level, expires_at: expiresAt } = body
  const levels = levelsOf(resourceType)
  if (!levels.includes(level)) throw invalid(`On a ${resourceType} the level is one of ${levels.join(', ')}`)
  if (isWildcardOnly(resourceType) && match !== 'any')
    throw invalid(`A grant on ${resourceType} is on all of them: match any`)
  if (match === 'any' && pattern !== '*') throw invalid("With match any the pattern is '*'")
  if (expiresAt !== undefined && expiresAt <= now) throw invalid('expires_at is in the past')
  return { resourceType, match, pattern, level, expiresAt }
}

function invalid(message: string): GatewayError {
  return new GatewayError('ERR_INVALID_PARAMETER', message)
}

const shown = (role: RoleDetails): AdminAnswer => {
  const body = roleToWire(role)
  return { body, etag: etagOf(body), resources: [{ type: 'role', id: role.id, name: role.name }] }
}

async function found(id: string, { store }: AdminParts): Promise<RoleDetails> {
  const role = await store.roles.details(id)
  if (role === undefined) throw new GatewayError('ERR_NOT_FOUND', 'There is no such role')
  return role
}

async function changed(
  { params, ifMatch }: { readonly params: { readonly id: string }; readonly ifMatch: string | undefined },
  { store }: AdminParts,
  change: RoleChange,
  alsoAbout: readonly AuditedResource[] = [],
): Promise<AdminAnswer> {
  const wanted = requiredMatch(ifMatch)
  let before: RoleDetails | undefined
  const isCurrent = (role: RoleDetails) => {
    before = role
    return etagOf(roleToWire(role)) === wanted
  }
  const after = await store.roles.change(params.id, isCurrent, change)
  if (after !== undefined) {
    const answer = shown(after)
    return { ...answer, resources: [...(answer.resources ?? []), ...alsoAbout] }
  }
  return { resources: [{ type: 'role', id: params.id, name: before?.name }] }
}

const groupOf = ({ provider, group }: { readonly provider: string; readonly group: string }) => [
  { type: 'group', id: `${provider}:${group}` },
]

/** What changes a role: each needs `If-Match`, and answers the role as it is then. */
const change = { who: 'admin', answer: RoleWire, event: 'role_changed' } as const

export const ROLE_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'roles.list',
    method: 'GET',
    path: '/roles',
    summary: 'Roles with their grants, by name',
    who: 'admin',
    answer: Type.Object({ roles: Type.Array(RoleSummaryWire) }),
    handle: async (_request, { store }) => ({
      body: { roles: (await store.roles.list()).map(roleSummaryToWire) },
    }),
  }),
  endpoint({
    name: 'roles.create',
    method: 'POST',
    path: '/roles',
    summary: 'Make a role',
    who: 'admin',
    body: Type.Object({ name: Name, description: Type.Optional(Description) }, strict),
    answer: RoleWire,
    event: 'role_changed',
    handle: async ({ body }, parts) => {
      const { id } = await parts.store.roles.create(body)
      return { ...shown(await found(id, parts)), status: 201 }
    },
  }),
  endpoint({
    name: 'roles.get',
    method: 'GET',
    path: '/roles/:id',
    summary: 'A role with its grants and holders',
    who: 'admin',
    params: Id,
    answer: RoleWire,
    handle: async ({ params }, parts) => shown(await found(params.id, parts)),
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
