import { Type } from 'typebox'
import { DEFAULT_WORKSPACE, type ResourceType } from '../../policy/grants.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { latestExperiments } from '../latest-experiments.ts'
import { accessMatrix } from '../matrix.ts'
import { assertAdministers, callerIn, InWorkspace, partsIn } from '../place.ts'
import { whoReaches } from '../reach.ts'
import { About, assertManages, resourceOf } from '../resource.ts'
import { ConsideredWire, consideredToWire } from '../wire.ts'

const ReachWire = Type.Object({
  user_id: Type.String(),
  username: Type.String(),
  level: Type.String(),
  is_admin: Type.Boolean(),
  through: Type.Array(ConsideredWire),
})

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
    handle: async ({ caller, query }, everywhere) => {
      const parts = partsIn(query.workspace, everywhere)
      const resource = await resourceOf(query.resource_type as ResourceType, query.key, parts)
      assertManages(callerIn(caller, parts), resource)
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
    who: 'workspace_admin',
    query: Type.Object({
      search: Type.Optional(Type.String({ maxLength: 200, description: 'In names of people.' })),
      after: Type.Optional(Type.String()),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 200 })),
      experiments: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 40 })),
      ...InWorkspace,
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
    handle: async ({ caller, query }, everywhere) => {
      const parts = partsIn(query.workspace, everywhere)
      assertAdministers(caller, parts.workspace ?? DEFAULT_WORKSPACE, parts)
      const { search, after = '', limit = 200, experiments = 40 } = query
      const people = await parts.store.people.page({ search, after, limit })
      const found = await latestExperiments(experiments, parts)
      const resources = found.map(({ id, name }) => ({ type: 'experiment' as const, key: id, name }))
      // Who has nothing in a workspace is nothing to its administrators.
      const rows = (await accessMatrix(people, resources, parts)).filter(
        ({ levels }) => caller.principal.isAdmin || levels.some((level) => level !== 'NO_PERMISSIONS'),
      )
      const next = people.length === limit ? (people.at(-1)?.username ?? null) : null
      const body = rows.map(({ people: alike, isAdmin, levels }) => ({
        people: alike.map(({ id, username }) => ({ id, username })),
        is_admin: isAdmin,
        levels,
      }))
      return { body: { resources, rows: body, next } }
    },
  }),
]
