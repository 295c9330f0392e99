import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import type { Caller } from '../../identity/caller.ts'
import { RESOURCE_TYPES, type ResourceType } from '../../policy/grants.ts'
import type { AccessRequest } from '../../store/access-requests.ts'
import { type AdminParts, type Endpoint, endpoint } from '../endpoint.ts'
import { assertNotWider, managedBy } from '../resource.ts'
import { readNewGrant } from './roles.ts'

const Id = Type.Object({ id: Type.String() })
const AskedLevel = Type.Enum(['READ', 'USE', 'EDIT', 'MANAGE'])

const RequestWire = Type.Object({
  id: Type.String(),
  user_id: Type.String(),
  username: Type.String(),
  resource_type: Type.String(),
  key: Type.String(),
  name: Type.Union([Type.String(), Type.Null()], { description: 'For those who may see it.' }),
  level: Type.String(),
  note: Type.String(),
  state: Type.Enum(['open', 'granted', 'declined', 'withdrawn']),
  created_at: Type.Integer(),
  decided_at: Type.Union([Type.Integer(), Type.Null()]),
  decided_by: Type.Union([Type.String(), Type.Null()]),
})

function requestToWire(request: AccessRequest, name?: string) {
  return {
    id: request.id,
    user_id: request.userId,
    username: request.username,
    resource_type: request.resourceType,
    key: request.key,
    name: name ?? null,
    level: request.level,
    note: request.note,
    state: request.state,
    created_at: request.createdAt,
    decided_at: request.decidedAt ?? null,
    decided_by: request.decidedBy ?? null,
  }
}

/** What the caller can answer: open, somebody's, and about what the caller manages. */
async function answerable(id: string, caller: Caller, parts: AdminParts) {
  const request = await parts.store.accessRequests.get(id)
  const resource = request && (await managedBy(caller, request.resourceType, request.key, parts))
  if (request === undefined || resource === undefined) {
    throw new GatewayError('ERR_NOT_FOUND', 'There is no such request that you could answer')
  }
  return { request, resource }
}

/** Open requests read at a time, and looked at for one page: whoever manages little sees short pages, not slow ones. */
const READ_AT_ONCE = 100
const LOOKED_AT = 1000

async function answerablePage(
  caller: Caller,
  parts: AdminParts,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
) {
  const shown: ReturnType<typeof requestToWire>[] = []
  let last = after === undefined ? undefined : positionOf(after)
  for (let seen = 0; seen < LOOKED_AT; seen += READ_AT_ONCE) {
    const size = Math.min(READ_AT_ONCE, limit)
    const open = await parts.store.accessRequests.open({ after: last, limit: size })
    const managed = await Promise.all(
      open.map(({ resourceType, key }) => managedBy(caller, resourceType, key, parts)),
    )
    for (const [index, request] of open.entries()) {
      const resource = managed[index]
      last = request
      if (resource !== undefined) shown.push(requestToWire(request, resource.name))
      if (shown.length === limit) return { requests: shown, next: `${last.createdAt}:${last.id}` }
    }
    if (open.length < size) return { requests: shown, next: null }
  }
  return { requests: shown, next: last === undefined ? null : `${last.createdAt}:${last.id}` }
}

/** The opposite of a page's `next`. @throws {GatewayError} `ERR_INVALID_PARAMETER` */
function positionOf(after: string): Pick<AccessRequest, 'createdAt' | 'id'> {
  const [, createdAt, id] = /^([0-9]{1,12}):([0-9a-f-]{36})$/.exec(after) ?? []
  if (createdAt === undefined || id === undefined)
    throw new GatewayError('ERR_INVALID_PARAMETER', 'after takes what the page before gave as next')
  return { createdAt: Number(createdAt), id }
}

const about = ({ userId, username, resourceType, key }: AccessRequest) => [
  { type: 'user', id: userId, name: username },
  { type: resourceType, id: key },
]

export const REQUEST_ENDPOINTS: readonly Endpoint[] = [
  endpoint({
    name: 'requests.ask',
    method: 'POST',
    path: '/requests',
    summary: 'Ask for a level on a resource; whoever manages it sees that',
    who: 'signed_in',
    body: Type.Object(
      {
        resource_type: Type.Enum([...RESOURCE_TYPES]),
        key: Type.String({ minLength: 1, maxLength: 1000 }),
        level: AskedLevel,
        note: Type.Optional(Type.String({ maxLength: 1000 })),
      },
      { additionalProperties: false },
    ),
    answer: RequestWire,
    event: 'access_requested',
    handle: async ({ caller, body }, { store }) => {
      // Whether there is such a thing is not told: a request for nothing is one that nobody answers.
      const { resource_type, key, level, note = '' } = body
      const { userId } = caller.principal
      const resourceType = resource_type as ResourceType
      const made = await store.accessRequests.ask({ userId, resourceType, key, level, note })
      return { status: 201, body: requestToWire(made), resources: about(made) }
    },
  }),
  endpoint({
    name: 'requests.list',
    method: 'GET',
    path: '/requests',
    summary: 'Open requests that one can answer, oldest first; or, with mine, what one has asked for',
    who: 'signed_in',
    query: Type.Object({
      mine: Type.Optional(Type.Boolean()),
      after: Type.Optional(
        Type.String({ description: 'Go on after this one: `next` of the page before, which may be short.' }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 100 })),
    }),
    answer: Type.Object({
      requests: Type.Array(RequestWire),
      next: Type.Union([Type.String(), Type.Null()]),
    }),
    handle: async ({ caller, query }, parts) => {
      if (query.mine === true) {
        const own = await parts.store.accessRequests.listOf(caller.principal.userId)
        return { body: { requests: own.map((each) => requestToWire(each)), next: null } }
      }
      const { after, limit = 100 } = query
      return { body: await answerablePage(caller, parts, { after, limit }) }
    },
  }),
  endpoint({
    name: 'requests.grant',
    method: 'POST',
    path: '/requests/:id/grant',
    summary: 'Grant what was asked for, or another level, perhaps for a time',
    who: 'signed_in',
    params: Id,
    body: Type.Object(
      { level: Type.Optional(AskedLevel), expires_at: Type.Optional(Type.Integer()) },
      { additionalProperties: false },
    ),
    event: 'access_answered',
    handle: async ({ caller, params, body }, parts) => {
      const { request, resource } = await answerable(params.id, caller, parts)
      const wanted = {
        ...{ resource_type: request.resourceType, match: 'exact', pattern: request.key },
        ...{ level: request.level, ...body },
      } as const
      const grant = readNewGrant(wanted as Parameters<typeof readNewGrant>[0], parts.now())
      await assertNotWider(caller, resource, grant, parts)
      const by = caller.principal.username
      await parts.store.accessRequests.decide(params.id, {
        ...{ state: 'granted', by, grant: { ...grant, source: 'manual', createdBy: by } },
      })
      return { resources: about(request) }
    },
  }),
  endpoint({
    name: 'requests.decline',
    method: 'POST',
    path: '/requests/:id/decline',
    summary: 'Decline what was asked for',
    who: 'signed_in',
    params: Id,
    event: 'access_answered',
    handle: async ({ caller, params }, parts) => {
      const { request } = await answerable(params.id, caller, parts)
      await parts.store.accessRequests.decide(params.id, { state: 'declined', by: caller.principal.username })
      return { resources: about(request) }
    },
  }),
  endpoint({
    name: 'requests.withdraw',
    method: 'DELETE',
    path: '/requests/:id',
    summary: 'Take back what one has asked for',
    who: 'signed_in',
    params: Id,
    event: 'access_answered',
    handle: async ({ caller, params }, { store }) => {
      const request = await store.accessRequests.get(params.id)
      if (request?.userId !== caller.principal.userId)
        throw new GatewayError('ERR_NOT_FOUND', 'You have made no such request')
      await store.accessRequests.decide(params.id, { state: 'withdrawn', by: caller.principal.username })
      return { resources: about(request) }
    },
  }),
]
