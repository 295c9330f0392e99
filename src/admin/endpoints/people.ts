import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import { createMemberCompiler } from '../../policy/member.ts'
import type { Membership } from '../../store/membership.ts'
import { type AdminParts, assertMatch, type Endpoint, endpoint, etagOf } from '../endpoint.ts'
import {
  GrantWire,
  grantToWire,
  Next,
  Paging,
  PersonSummaryWire,
  personToWire,
  ViaWire,
  viaToWire,
} from '../wire.ts'

export const Id = Type.Object({ id: Type.String({ description: 'Of the person.' }) })

/** A person as the API shows one. */
export const PersonWire = Type.Object({
  ...PersonSummaryWire.properties,
  is_admin: Type.Boolean({ description: 'Named in ADMIN_USERS or ADMIN_GROUPS.' }),
  groups: Type.Array(Type.Object({ provider: Type.String(), name: Type.String() })),
  roles: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      personal: Type.Boolean({ description: 'Holds what was granted to the person directly.' }),
      via: Type.Array(ViaWire),
      grants: Type.Array(GrantWire),
    }),
  ),
})

/** @throws {GatewayError} `ERR_NOT_FOUND` */
export async function membershipOf(id: string, { store, config }: AdminParts): Promise<Membership> {
  const membership = await store.people.membership(id, config.providers)
  if (membership === undefined) throw new GatewayError('ERR_NOT_FOUND', 'There is no such person')
  return membership
}

/** A person as the API shows one, with all they hold. */
export function personDetails({ person, groups, roles }: Membership, isAdmin: boolean) {
  return {
    ...personToWire(person),
    is_admin: isAdmin,
    groups: groups.map(({ provider, name }) => ({ provider, name })),
    roles: roles.map(({ id, name, personal, via, grants }) => ({
      id,
      name,
      personal,
      via: via.map(viaToWire),
      grants: grants.map(grantToWire),
    })),
  }
}

async function detailsOf(id: string, parts: AdminParts) {
  const membership = await membershipOf(id, parts)
  const member = createMemberCompiler(parts.config, parts.now)(membership)?.member
  return personDetails(membership, member?.principal.isAdmin ?? false)
}

/** How the record names a person. */
export const resource = (person: { readonly id: string; readonly username: string }) => [
  { type: 'user', id: person.id, name: person.username },
]

export const PEOPLE_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'people.list',
    method: 'GET',
    path: '/people',
    summary: 'People the gateway knows, by username',
    who: 'admin',
    query: Type.Object({ search: Type.Optional(Type.String({ maxLength: 200 })), ...Paging }),
    answer: Type.Object({ people: Type.Array(PersonSummaryWire), ...Next }),
    handle: async ({ query: { search, after = '', limit = 100 } }, { store }) => {
      const people = await store.people.page({ search, after, limit })
      const next = people.length === limit ? (people.at(-1)?.username ?? null) : null
      return { body: { people: people.map(personToWire), next } }
    },
  }),
  endpoint({
    name: 'people.get',
    method: 'GET',
    path: '/people/:id',
    summary: 'A person with groups, roles and grants, and how each is held',
    who: 'admin',
    params: Id,
    answer: PersonWire,
    handle: async ({ params }, parts) => {
      const body = await detailsOf(params.id, parts)
      return { body, etag: etagOf(body) }
    },
  }),
  endpoint({
    name: 'people.update',
    method: 'PATCH',
    path: '/people/:id',
    summary: 'Disable somebody, which ends all they have at once, or let them in again',
    who: 'admin',
    params: Id,
    body: Type.Object({ disabled: Type.Boolean() }, { additionalProperties: false }),
    answer: PersonWire,
    event: 'user_changed',
    handle: async ({ caller, params, body: { disabled }, ifMatch }, parts) => {
      const before = await detailsOf(params.id, parts)
      assertMatch(ifMatch, before)
      if (disabled) assertOther(caller.principal.userId, params.id)
      await parts.store.people.setDisabled(params.id, disabled)
      const body = await detailsOf(params.id, parts)
      return { body, etag: etagOf(body), resources: resource(body) }
    },
  }),
  endpoint({
    name: 'people.delete',
    method: 'DELETE',
    path: '/people/:id',
    summary: 'Forget somebody with all they hold; cannot be undone',
    who: 'admin',
    params: Id,
    event: 'user_changed',
    handle: async ({ caller, params, ifMatch }, parts) => {
      const before = await detailsOf(params.id, parts)
      assertMatch(ifMatch, before)
      assertOther(caller.principal.userId, params.id)
      await parts.store.people.remove(params.id)
      return { resources: resource(before) }
    },
  }),
]

/** Whoever locks themselves out has nobody to let them in again. */
function assertOther(own: string, id: string): void {
  if (own === id) throw new GatewayError('ERR_INVALID_PARAMETER', 'Ask another administrator: this is you')
}
