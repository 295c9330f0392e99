import { Type } from 'typebox'
import { GatewayError } from '../../errors.ts'
import type { Caller } from '../../identity/caller.ts'
import { enter } from '../../identity/caller.ts'
import { workspaceNamed } from '../../mlflow-auth/workspace.ts'
import { type ResourceRef, satisfies } from '../../policy/access.ts'
import { ASKED_LEVELS, ASKED_TYPES, nounOf } from '../../policy/asked.ts'
import { DEFAULT_WORKSPACE, type Level } from '../../policy/grants.ts'
import { isPlace, keepsWorkspacesApart } from '../../policy/workspace-name.ts'
import type { AccessRequest } from '../../store/access-requests.ts'
import { askedAbout, managedAbout } from '../asked-about.ts'
import { type AdminParts, type Endpoint, endpoint } from '../endpoint.ts'
import { assertNotWider } from '../limits.ts'
import { readNewGrant } from '../new-grant.ts'
import { InWorkspace, partsIn } from '../place.ts'
import { RequestWire, requestToWire } from '../request-wire.ts'
import { assertExists } from '../resource.ts'

const Id = Type.Object({ id: Type.String() })
const AskedLevel = Type.Enum([...ASKED_LEVELS])
/** No control characters, no halves of a character: PostgreSQL stores neither. */
const TEXT = '^[^\\p{Cc}\\p{Cs}]*$'
const Words = Type.String({ maxLength: 1000, pattern: TEXT })
const Answer = Type.String({ maxLength: 1000, pattern: TEXT, description: 'What to tell who asked.' })

/** What a request is about, if the caller manages it there. What there is not is for administrators to decline. */
async function managedResource(request: AccessRequest, caller: Caller, everywhere: AdminParts) {
  const { workspace } = request
  // What is left from when workspaces were kept apart is about nothing that anybody could reach.
  if (!isPlace(workspace, everywhere.config)) return undefined
  const placed = enter(workspace, caller)
  const parts = partsIn(workspace, everywhere)
  const resource = placed && (await managedAbout(request, placed, parts))
  return resource && { resource, parts }
}

/** What the caller can answer: open, somebody's, and about what the caller manages. */
async function answerable(id: string, caller: Caller, everywhere: AdminParts) {
  const request = await everywhere.store.accessRequests.get(id)
  const managed = request && (await managedResource(request, caller, everywhere))
  if (request?.state !== 'open' || managed === undefined) {
    throw new GatewayError('ERR_NOT_FOUND', 'There is no such request that you could answer')
  }
  return { request, ...managed }
}

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` for more than was asked for. */
function assertAsked(level: Level, request: AccessRequest): void {
  if (satisfies(request.level, level)) return
  const message = `What is asked for is ${request.level}: grant that or less; to give more, grant it on the resource itself`
  throw new GatewayError('ERR_INVALID_PARAMETER', message, { reason: 'more_than_asked' })
}

/**
 * What is there to be granted: what is made under an id later would be theirs to see.
 *
 * @throws {GatewayError} `ERR_NOT_FOUND`
 */
function knownAbout({ about, resourceType }: AccessRequest, resource: ResourceRef) {
  if (about === undefined) {
    const message = `There is no such ${nounOf(resourceType)}: decline the request, and say so`
    throw new GatewayError('ERR_NOT_FOUND', message)
  }
  assertExists(resource)
  return about
}

/** For the record. */
const whereOf = ({ workspace }: AccessRequest, { config }: AdminParts) =>
  keepsWorkspacesApart(config) ? workspace : undefined

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
    const managed = await Promise.all(open.map((request) => managedResource(request, caller, parts)))
    for (const [index, request] of open.entries()) {
      const found = managed[index]
      last = request
      if (found !== undefined) shown.push(requestToWire(request, found.resource))
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
        ...InWorkspace,
      },
      { additionalProperties: false },
    ),
    answer: RequestWire,
    event: 'access_requested',
    handle: async ({ caller, body }, parts) => {
      // Whether there is such a thing is not told: a request for nothing is one that nobody answers.
      const { resource_type: resourceType, key, level, note = '' } = body
      const { userId } = caller.principal
      const workspace = workspaceNamed(body.workspace ?? DEFAULT_WORKSPACE, parts.config)
      const about = await askedAbout(resourceType, key, partsIn(workspace, parts).lookup)
      const asked = { userId, resourceType, key, about, level, note, workspace }
      const made = await parts.store.accessRequests.ask(asked)
      const where = whereOf(made, parts)
      return { status: 201, body: requestToWire(made), resources: concerned(made), workspace: where }
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
    summary: 'Grant what was asked for, or less, perhaps for a time',
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
    handle: async ({ caller, params, body }, everywhere) => {
      const { request, resource, parts } = await answerable(params.id, caller, everywhere)
      assertAsked(body.level ?? request.level, request)
      const about = knownAbout(request, resource)
      const { answer, ...given } = body
      const wanted = {
        ...{ resource_type: about.type, match: 'exact', pattern: about.key },
        ...{ level: request.level, ...given },
      } as const
      const asked = readNewGrant(wanted as Parameters<typeof readNewGrant>[0], parts.now())
      const grant = { ...asked, workspace: request.workspace }
      await assertNotWider(caller, resource, grant, parts)
      const by = caller.principal.username
      await parts.store.accessRequests.decide(params.id, {
        ...{ state: 'granted', by, answer, grant: { ...grant, source: 'manual', createdBy: by } },
      })
      return { resources: concerned(request), workspace: whereOf(request, parts) }
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
      return { resources: concerned(request), workspace: whereOf(request, parts) }
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
    handle: async ({ caller, params }, parts) => {
      const { store } = parts
      const request = await store.accessRequests.get(params.id)
      if (request?.userId !== caller.principal.userId)
        throw new GatewayError('ERR_NOT_FOUND', 'You have made no such request')
      await store.accessRequests.decide(params.id, { state: 'withdrawn', by: caller.principal.username })
      return { resources: concerned(request), workspace: whereOf(request, parts) }
    },
  }),
]
