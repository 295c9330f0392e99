import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import type { Caller } from '../../identity/caller.ts'
import type { LocatorKind } from '../../mlflow/operation.ts'
import { satisfies } from '../../policy/access.ts'
import type { ConsideredGrant, Explanation, Remedy } from '../../policy/explain.ts'
import { describeGrant, RESOURCE_TYPES, type ResourceType } from '../../policy/grants.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { type Answer, explainFor } from '../explanation.ts'
import { latestExperiments } from '../latest-experiments.ts'
import { accessMatrix } from '../matrix.ts'
import { whoReaches } from '../reach.ts'
import { assertManages, assertNotWider, managedBy, resourceOf } from '../resource.ts'
import { bareGrantToWire, GrantWire, grantToWire, LevelSchema, ViaWire, viaToWire } from '../wire.ts'
import { readNewGrant } from './roles.ts'

const ResourceTypeSchema = Type.Enum([...RESOURCE_TYPES])
const BareGrantWire = Type.Omit(GrantWire, ['id', 'source'])

const ConsideredWire = Type.Object({
  role: Type.String(),
  personal: Type.Boolean(),
  via: Type.Array(ViaWire),
  grant: BareGrantWire,
  decides: Type.Boolean(),
})

function consideredToWire({ role, personal, via, grant, decides }: ConsideredGrant) {
  return { role, personal, via: via.map(viaToWire), grant: bareGrantToWire(grant), decides }
}

const ReachWire = Type.Object({
  user_id: Type.String(),
  username: Type.String(),
  level: Type.String(),
  is_admin: Type.Boolean(),
  through: Type.Array(ConsideredWire),
})

const ExplanationWire = Type.Object({
  action: Type.String(),
  resource: Type.Object({
    type: Type.String(),
    key: Type.Union([Type.String(), Type.Null()]),
    name: Type.Union([Type.String(), Type.Null()]),
    tier: Type.Union([Type.String(), Type.Null()]),
  }),
  effect: Type.Enum(['allow', 'deny']),
  reason: Type.Union([Type.String(), Type.Null()]),
  needed: Type.String(),
  held: Type.String(),
  by_default: Type.Boolean(),
  grants: Type.Array(ConsideredWire),
  remedy: Type.Union([
    Type.Null(),
    Type.Object({
      kind: Type.Enum(['grant', 'revoke', 'admin']),
      grants: Type.Array(BareGrantWire, { description: 'To add, or to take away.' }),
      text: Type.String(),
    }),
  ]),
})

function explanationToWire({ demand, effect, reason, needed, held, byDefault, grants, remedy }: Explanation) {
  const { type, key, name, tier } = demand.resource
  return {
    action: demand.action,
    resource: { type, key: key ?? null, name: name ?? null, tier: tier ?? null },
    effect,
    reason: reason ?? null,
    needed,
    held,
    by_default: byDefault,
    grants: grants.map(consideredToWire),
    remedy: remedy === undefined ? null : remedyToWire(remedy),
  }
}

function remedyToWire(remedy: Remedy) {
  const grants = remedy.kind === 'grant' ? [remedy.grant] : remedy.kind === 'revoke' ? remedy.grants : []
  const verb = { grant: 'Add', revoke: 'Take away', admin: '' }[remedy.kind]
  const text =
    remedy.kind === 'admin'
      ? 'No grant covers it: only an administrator may'
      : `${verb} ${grants.map(describeGrant).join(' and ')}`
  return { kind: remedy.kind, grants: grants.map(bareGrantToWire), text }
}

/** What somebody asks about their own rights goes without an administrator. */
function assertSelfOrAdmin({ principal }: Caller, username: string): void {
  if (principal.isAdmin || principal.username === username) return
  throw new GatewayError(
    'ERR_PERMISSION_DENIED',
    "Permission denied: other people's rights are for administrators",
    {
      reason: 'admin_only',
    },
  )
}

const About = {
  resource_type: ResourceTypeSchema,
  key: Type.String({
    minLength: 1,
    maxLength: 1000,
    description: 'Its id, or the name where names are keys.',
  }),
}

export const ACCESS_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'access.list',
    method: 'GET',
    path: '/access',
    summary: 'Who can reach a resource and through what; for whoever manages it',
    who: 'signed_in',
    query: Type.Object({
      ...About,
      after: Type.Optional(Type.String()),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 200 })),
    }),
    answer: Type.Object({
      by_default: Type.String(),
      people: Type.Array(ReachWire),
      next: Type.Union([Type.String(), Type.Null()]),
    }),
    handle: async ({ caller, query }, parts) => {
      const resource = await resourceOf(query.resource_type as ResourceType, query.key, parts)
      assertManages(caller, resource)
      const page = await whoReaches(resource, parts, query)
      const people = page.people.map(({ userId, username, level, isAdmin, through }) => ({
        user_id: userId,
        username,
        level,
        is_admin: isAdmin,
        through: through.map(consideredToWire),
      }))
      return { body: { by_default: page.byDefault, people, next: page.next ?? null } }
    },
  }),
  endpoint({
    name: 'access.matrix',
    method: 'GET',
    path: '/access/matrix',
    summary: 'What people hold on the experiments that were changed last; people alike in one row',
    who: 'admin',
    query: Type.Object({
      search: Type.Optional(Type.String({ maxLength: 200, description: 'In names of people.' })),
      after: Type.Optional(Type.String()),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 200 })),
      experiments: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 40 })),
    }),
    answer: Type.Object({
      resources: Type.Array(Type.Object({ type: Type.String(), key: Type.String(), name: Type.String() })),
      rows: Type.Array(
        Type.Object({
          people: Type.Array(Type.Object({ id: Type.String(), username: Type.String() })),
          is_admin: Type.Boolean(),
          levels: Type.Array(Type.String()),
        }),
      ),
      next: Type.Union([Type.String(), Type.Null()]),
    }),
    handle: async ({ query }, parts) => {
      const { search, after = '', limit = 200, experiments = 40 } = query
      const people = await parts.store.people.page({ search, after, limit })
      const found = await latestExperiments(experiments, parts)
      const resources = found.map(({ id, name }) => ({ type: 'experiment' as const, key: id, name }))
      const rows = await accessMatrix(people, resources, parts)
      const next = people.length === limit ? (people.at(-1)?.username ?? null) : null
      const body = rows.map(({ people: alike, isAdmin, levels }) => ({
        people: alike.map(({ id, username }) => ({ id, username })),
        is_admin: isAdmin,
        levels,
      }))
      return { body: { resources, rows: body, next } }
    },
  }),
  endpoint({
    name: 'access.explain',
    method: 'GET',
    path: '/explain',
    summary:
      'Why somebody may do something or may not, with every grant considered; of oneself, or for administrators',
    who: 'signed_in',
    query: Type.Object({
      username: Type.Optional(Type.String({ description: 'Oneself, if absent.' })),
      operation: Type.String({ description: 'As the record names it: runs.delete.' }),
      about: Type.Optional(
        Type.Array(Type.String({ pattern: '^[a-z_]+=.+$', description: 'What it is about: run=6c1e...' }), {
          maxItems: 10,
        }),
      ),
    }),
    answer: Type.Object({
      username: Type.String(),
      operation: Type.String(),
      effect: Type.Enum(['allow', 'deny']),
      reason: Type.Union([Type.String(), Type.Null()]),
      is_admin: Type.Boolean(),
      explanations: Type.Array(ExplanationWire),
      withheld: Type.Boolean({
        description:
          'True if it is also about what is not there, or what one may not read: of that nothing is shown.',
      }),
    }),
    handle: async (
      { caller, query: { username = caller.principal.username, operation, about = [] } },
      parts,
    ) => {
      assertSelfOrAdmin(caller, username)
      const subjects = Object.fromEntries(
        about.map((each): [LocatorKind, string] => {
          const at = each.indexOf('=')
          return [each.slice(0, at) as LocatorKind, each.slice(at + 1)]
        }),
      )
      const answer = await explainFor({ username, operation, subjects }, parts)
      return {
        body: {
          username,
          operation,
          is_admin: answer.isAdmin,
          ...shownTo(caller, answer),
        },
      }
    },
  }),
  endpoint({
    name: 'grants.create',
    method: 'POST',
    path: '/grants',
    summary: 'Grant somebody a level on one resource; for whoever manages it',
    who: 'signed_in',
    body: Type.Object(
      {
        username: Type.String({ minLength: 1 }),
        ...About,
        level: LevelSchema,
        expires_at: Type.Optional(Type.Integer()),
      },
      { additionalProperties: false },
    ),
    answer: GrantWire,
    event: 'role_changed',
    handle: async ({ caller, body }, parts) => {
      const { store, now } = parts
      const resource = await resourceOf(body.resource_type as ResourceType, body.key, parts)
      assertManages(caller, resource)
      const wanted = { ...body, match: 'exact', pattern: body.key } as Parameters<typeof readNewGrant>[0]
      const grant = readNewGrant(wanted, now())
      await assertNotWider(caller, resource, grant, parts)
      const person = await store.people.find({ username: body.username })
      if (person === undefined) throw new GatewayError('ERR_NOT_FOUND', `Nobody is known as ${body.username}`)
      const { id } = await store.roles.personal(person.id)
      const made = await store.roles.grant(id, {
        ...grant,
        source: 'manual',
        createdBy: caller.principal.username,
      })
      return {
        status: 201,
        body: grantToWire(made),
        resources: [
          { type: 'user', id: person.id, name: person.username },
          { type: resource.type, id: body.key, name: resource.name },
        ],
      }
    },
  }),
  endpoint({
    name: 'grants.delete',
    method: 'DELETE',
    path: '/grants/:id',
    summary: 'Take away what was granted to somebody on one resource; for whoever manages it',
    who: 'signed_in',
    params: Type.Object({ id: Type.String() }),
    event: 'role_changed',
    handle: async ({ caller, params }, parts) => {
      const found = await parts.store.roles.findGrant(params.id)
      const role = found && (await parts.store.roles.details(found.roleId))
      if (found === undefined || role?.ownerUserId === undefined || found.grant.match !== 'exact')
        throw noSuchGrant()
      const { resourceType, pattern, source } = found.grant
      if (!RESOURCE_TYPES.some((type) => type === resourceType)) throw noSuchGrant()
      const resource = await managedBy(caller, resourceType as ResourceType, pattern, parts)
      // Who does not manage it learns nothing of who has what on it.
      if (resource === undefined) throw noSuchGrant()
      if (source === 'policy' || !(await parts.store.roles.revokeGrant(params.id))) throw noSuchGrant()
      return {
        resources: [
          { type: 'user', id: role.ownerUserId },
          { type: resourceType, id: pattern, name: resource.name },
        ],
      }
    },
  }),
]

function noSuchGrant(): GatewayError {
  return new GatewayError('ERR_NOT_FOUND', 'There is no such grant that you could take away')
}

/**
 * What was looked up is shown to those only who may read what it is of. The others learn no more than a refusal tells: not
 * whether it is there, what kind of thing it is, or how many such things were found.
 */
function shownTo({ principal }: Caller, { effect, reason, explanations }: Answer) {
  const shown = explanations.filter(({ held }) => principal.isAdmin || satisfies(held, 'READ'))
  const withheld = shown.length < explanations.length
  return {
    effect,
    reason: (withheld && effect === 'deny' ? 'no_grant' : reason) ?? null,
    explanations: shown.map(explanationToWire),
    withheld,
  }
}
