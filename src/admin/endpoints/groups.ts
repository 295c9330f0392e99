import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import { qualifiedNames } from '../../policy/admins.ts'
import type { GroupChange, GroupDetails, GroupRole, GroupSummary } from '../../store/groups.ts'
import type { ProviderName } from '../../store/membership.ts'
import {
  type AdminAnswer,
  type AdminParts,
  type AdminRequest,
  type Endpoint,
  endpoint,
  etagOf,
  requiredMatch,
} from '../endpoint.ts'
import { NO_PROVIDER, providerNamed } from '../group.ts'
import { Next, Paging, PersonSummaryWire, personToWire } from '../wire.ts'

const Name = Type.String({ minLength: 1, maxLength: 1000 })
const Group = Type.Object({
  provider: Type.String({ description: `Its provider; ${NO_PROVIDER} for mappings that name none.` }),
  group: Name,
})
const RoleOfGroup = Type.Object({
  ...Group.properties,
  role: Type.String({ description: 'Id of the role.' }),
})

const GroupSummaryWire = Type.Object({
  provider: Type.Union([Type.String(), Type.Null()], {
    description: 'Null where mappings name none though several are configured: nobody is in such a group.',
  }),
  name: Type.String(),
  people: Type.Integer(),
  roles: Type.Integer({ description: 'How many roles everybody in it holds.' }),
  in_force: Type.Boolean({ description: 'False if its provider is not configured: it gives nothing.' }),
  is_admin: Type.Boolean({ description: 'Named in ADMIN_GROUPS: everybody in it is an administrator.' }),
})

const GroupWire = Type.Object({
  ...GroupSummaryWire.properties,
  mappings: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      source: Type.String({ description: 'policy: changed in the policy file only.' }),
    }),
  ),
})

function summaryToWire({ provider, name, people, roles }: GroupSummary, { config }: AdminParts) {
  return {
    ...{ provider: provider === '' ? null : provider, name, people, roles },
    in_force: config.providers.some(({ id }) => id === provider),
    is_admin: qualifiedNames(config.adminGroups, config).some(
      (admins) => admins.provider === provider && admins.name === name,
    ),
  }
}

const shown = (group: GroupDetails, parts: AdminParts): AdminAnswer => ({
  body: { ...summaryToWire(group, parts), mappings: group.mappings },
  etag: etagOfRoles(group.mappings),
})

/** Who is in a group changes with every sign-in; what a change has to have seen are its roles. */
function etagOfRoles(mappings: readonly GroupRole[]): string {
  return etagOf(mappings.map(({ id, source }) => [id, source]))
}

/** Any that a configured provider may speak of one day, so that it can be given roles before that. */
async function found(group: ProviderName, { store, config }: AdminParts): Promise<GroupDetails> {
  const details = await store.groups.get(group, config.providers)
  if (details !== undefined) return details
  if (config.providers.some(({ id }) => id === group.provider)) return emptyGroup(group)
  throw new GatewayError('ERR_NOT_FOUND', 'Nobody is in a group of that name, and no role is given to it')
}

function emptyGroup(group: ProviderName): GroupDetails {
  return { ...group, people: 0, roles: 0, mappings: [] }
}

/** Mappings that name no provider are of the only one there is. */
function groupOf(
  params: { readonly provider: string; readonly group: string },
  { config }: AdminParts,
  use?: GroupChange['kind'],
): ProviderName {
  const [only, ...others] = config.providers
  const isBare = params.provider === NO_PROVIDER && others.length === 0
  const provider = isBare ? (only?.id ?? '') : params.provider
  return { provider: providerNamed(provider, config, use), name: params.group }
}

type Params = { readonly provider: string; readonly group: string; readonly role: string }

async function changed(
  { params, ifMatch }: AdminRequest<Params, object, object>,
  parts: AdminParts,
  kind: GroupChange['kind'],
): Promise<AdminAnswer> {
  const { store, config } = parts
  const wanted = requiredMatch(ifMatch)
  const group = groupOf(params, parts, kind)
  const isCurrent = (mappings: readonly GroupRole[]) => etagOfRoles(mappings) === wanted
  const role = await store.roles.details(params.role)
  await store.groups.change(group, { kind, roleId: params.role }, { providers: config.providers, isCurrent })
  const resources = [
    { type: 'group', id: `${params.provider}:${params.group}` },
    { type: 'role', id: params.role, name: role?.name },
  ]
  const after = (await store.groups.get(group, config.providers)) ?? emptyGroup(group)
  return { ...shown(after, parts), resources }
}

export const GROUP_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'groups.list',
    method: 'GET',
    path: '/groups',
    summary: 'Groups that somebody is in or that a role is given to, by name',
    who: 'admin',
    query: Type.Object({ search: Type.Optional(Type.String({ maxLength: 200 })), ...Paging }),
    answer: Type.Object({ groups: Type.Array(GroupSummaryWire), ...Next }),
    handle: async ({ query: { search, after = '', limit = 100 } }, parts) => {
      const { store, config } = parts
      const colon = after.indexOf(':')
      const from =
        colon === -1 ? undefined : { provider: after.slice(0, colon), name: after.slice(colon + 1) }
      const page = await store.groups.page({ search, after: from, limit }, config.providers)
      const last = page.length === limit ? page.at(-1) : undefined
      const next = last === undefined ? null : `${last.provider}:${last.name}`
      return { body: { groups: page.map((group) => summaryToWire(group, parts)), next } }
    },
  }),
  endpoint({
    name: 'groups.get',
    method: 'GET',
    path: '/groups/:provider/:group',
    summary: 'A group with the roles that everybody in it holds',
    who: 'admin',
    params: Group,
    answer: GroupWire,
    handle: async ({ params }, parts) => shown(await found(groupOf(params, parts), parts), parts),
  }),
  endpoint({
    name: 'groups.people',
    method: 'GET',
    path: '/groups/:provider/:group/people',
    summary: 'Who was in a group when they last signed in, by username',
    who: 'admin',
    params: Group,
    query: Type.Object({ ...Paging }),
    answer: Type.Object({ people: Type.Array(PersonSummaryWire), ...Next }),
    handle: async ({ params, query: { after = '', limit = 100 } }, parts) => {
      const people = await parts.store.groups.people(groupOf(params, parts), { after, limit })
      const next = people.length === limit ? (people.at(-1)?.username ?? null) : null
      return { body: { people: people.map(personToWire), next } }
    },
  }),
  endpoint({
    name: 'groups.map_role',
    method: 'PUT',
    path: '/groups/:provider/:group/roles/:role',
    summary: 'Give everybody in a group a role, in it already or not yet',
    who: 'admin',
    params: RoleOfGroup,
    answer: GroupWire,
    event: 'role_changed',
    handle: (request, parts) => changed(request, parts, 'map'),
  }),
  endpoint({
    name: 'groups.unmap_role',
    method: 'DELETE',
    path: '/groups/:provider/:group/roles/:role',
    summary: 'Take a role from a group that was given it by hand',
    who: 'admin',
    params: RoleOfGroup,
    answer: GroupWire,
    event: 'role_changed',
    handle: (request, parts) => changed(request, parts, 'unmap'),
  }),
]
