import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import type { Caller } from '../../identity/caller.ts'
import type { ResourceRef } from '../../policy/access.ts'
import { ASKED_LEVELS, ASKED_TYPES, nounOf } from '../../policy/asked.ts'
import type { AccessRequest } from '../../store/access-requests.ts'
import { askedAbout } from '../asked-about.ts'
import { type AdminParts, type Endpoint, endpoint } from '../endpoint.ts'
import { RequestWire, requestToWire } from '../request-wire.ts'
import { assertExists, assertNotWider, managedBy } from '../resource.ts'
import { readNewGrant } from './roles.ts'

const Id = Type.Object({ id: Type.String() })
const AskedLevel = Type.Enum([...ASKED_LEVELS])
/** No control characters, no halves of a character: PostgreSQL stores neither. */
const TEXT = '^[^\\p{Cc}\\p{Cs}]*$'
const Words = Type.String({ maxLength: 1000, pattern: TEXT })
const Answer = Type.String({ maxLength: 1000, pattern: TEXT, description: 'What to tell who asked.' })

/** What a request is about, if the caller manages it. What there is not is for administrators to decline. */
async function managedOf(
  request: AccessRequest,
  caller: Caller,
  parts: AdminParts,
): Promise<ResourceRef | undefined> {
  const { about } = request
  if (about !== undefined) return managedBy(caller, about.type, about.key, parts)
  return caller.principal.isAdmin ? NOTHING : undefined
}

const NOTHING: ResourceRef = { type: 'server', key: undefined }

/** What the caller can answer: open, somebody's, and about what the caller manages. */
async function answerable(id: string, caller: Caller, parts: AdminParts) {
  const request = await parts.store.accessRequests.get(id)
  const resource = request && (await managedOf(request, caller, parts))
  if (request === undefined || resource === undefined) {
    throw new GatewayError('ERR_NOT_FOUND', 'There is no such request that you could answer')
  }
  return { request, resource }
}

/** For the record. */
const concerned = ({ userId, username, resourceType, key, about }: AccessRequest) => [
  { type: 'user', id: userId, name: username },
  ...(about?.key === key && about.type === resourceType ? [] : [{ type: resourceType, id: key }]),
  ...(about === undefined ? [] : [{ type: about.type, id: about.key }]),
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
        resource_type: Type.Enum([...ASKED_TYPES]),
        key: Type.String({ minLength: 1, maxLength: 1000, pattern: TEXT }),
        level: AskedLevel,
        note: Type.Optional(Words),
      },
      { additionalProperties: false },
    ),
    answer: RequestWire,
    event: 'access_requested',
    handle: async ({ caller, body }, { store, lookup }) => {
      // Whether there is such a thing is not told: a request for nothing is one that nobody answers.
      const { resource_type: resourceType, key, level, note = '' } = body
      const { userId } = caller.principal
      const about = await askedAbout(resourceType, key, lookup)
      const made = await store.accessRequests.ask({ userId, resourceType, key, about, level, note })
      return { status: 201, body: requestToWire(made), resources: concerned(made) }
    },
  }),
  endpoint({
    name: 'requests.list',
    method: 'GET',
    path: '/requests',
    summary: 'Open requests that one can answer, oldest first; or, with mine, what one has asked for',
    who: 'signed_in',
    query: Type.Object({ mine: Type.Optional(Type.Boolean()) }),
    answer: Type.Object({ requests: Type.Array(RequestWire) }),
    handle: async ({ caller, query }, parts) => {
      if (query.mine === true) {
        const own = await parts.store.accessRequests.list({ userId: caller.principal.userId })
        return { body: { requests: own.map((each) => requestToWire(each)) } }
      }
      const open = await parts.store.accessRequests.list()
      const shown: ReturnType<typeof requestToWire>[] = []
      for (const request of open) {
        const resource = await managedOf(request, caller, parts)
        if (resource !== undefined) shown.push(requestToWire(request, resource))
      }
      return { body: { requests: shown } }
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
      {
        level: Type.Optional(AskedLevel),
        expires_at: Type.Optional(Type.Integer()),
        answer: Type.Optional(Answer),
      },
      { additionalProperties: false },
    ),
    event: 'access_answered',
    handle: async ({ caller, params, body }, parts) => {
      const { request, resource } = await answerable(params.id, caller, parts)
      const { about } = request
      if (about === undefined) {
        const noun = nounOf(request.resourceType)
        throw new GatewayError('ERR_NOT_FOUND', `There is no such ${noun}: decline the request, and say so`)
      }
      // What is made under that id later would be theirs to see.
      assertExists(resource)
      const { answer, ...given } = body
      const wanted = {
        ...{ resource_type: about.type, match: 'exact', pattern: about.key },
        ...{ level: request.level, ...given },
      } as const
      const grant = readNewGrant(wanted as Parameters<typeof readNewGrant>[0], parts.now())
      await assertNotWider(caller, resource, grant, parts)
      const by = caller.principal.username
      await parts.store.accessRequests.decide(params.id, {
        ...{ state: 'granted', by, answer, grant: { ...grant, source: 'manual', createdBy: by } },
      })
      return { resources: concerned(request) }
    },
  }),
  endpoint({
    name: 'requests.decline',
    method: 'POST',
    path: '/requests/:id/decline',
    summary: 'Decline what was asked for',
    who: 'signed_in',
    params: Id,
    body: Type.Object({ answer: Type.Optional(Answer) }, { additionalProperties: false }),
    event: 'access_answered',
    handle: async ({ caller, params, body: { answer } }, parts) => {
      const { request } = await answerable(params.id, caller, parts)
      const by = caller.principal.username
      await parts.store.accessRequests.decide(params.id, { state: 'declined', by, answer })
      return { resources: concerned(request) }
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
      return { resources: concerned(request) }
    },
  }),
]
