import { randomUUID } from 'node:crypto'
import type { Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import type { AskedType } from '../policy/asked.ts'
import { DEFAULT_WORKSPACE, type Level, type ResourceType } from '../policy/grants.ts'
import type { Database } from './database.ts'
import { addGrant, type NewGrant, personalRole } from './role-writes.ts'
import type { AccessRequestsTable, Schema } from './schema.ts'

/** Somebody asks for a level on one resource, as they call it. Times in seconds since the epoch. */
export type AccessRequest = {
  readonly id: string
  readonly userId: string
  readonly username: string
  readonly resourceType: AskedType
  readonly key: string
  /** What that is; absent if there was no such thing. Not for who asks. */
  readonly about?: { readonly type: ResourceType; readonly key: string } | undefined
  /** Where it is. */
  readonly workspace: string
  readonly level: Level
  /** Why, in their words. */
  readonly note: string
  readonly state: AccessRequestsTable['state']
  readonly createdAt: number
  readonly decidedAt?: number | undefined
  /** Username of who granted or declined it. */
  readonly decidedBy?: string | undefined
  /** What they said to it; empty if nothing. */
  readonly answer: string
}

export type NewAccessRequest = Pick<
  AccessRequest,
  'userId' | 'resourceType' | 'key' | 'about' | 'level' | 'note'
> & {
  /** The default one if absent. */
  readonly workspace?: string | undefined
}

/** How many requests of one person can be open: enough for anybody, too few to bury others in. */
export const OPEN_REQUESTS = 20

/** How many of one person's ended requests are kept, the newest: asking and taking back must not fill the store. */
export const ENDED_REQUESTS = 80

export type AccessRequests = {
  /**
   * Asks, or changes what was asked for on the same resource before: for another level, under another id.
   *
   * @throws {GatewayError} `ERR_TOO_MANY_REQUESTS` beyond {@link OPEN_REQUESTS}.
   */
  readonly ask: (request: NewAccessRequest) => Promise<AccessRequest>
  readonly get: (id: string) => Promise<AccessRequest | undefined>
  /** All of one person, newest first. */
  readonly listOf: (userId: string) => Promise<readonly AccessRequest[]>
  /** Open ones of everybody, oldest first. */
  readonly open: (query: OpenRequestsQuery) => Promise<readonly AccessRequest[]>
  readonly countOpen: () => Promise<number>
  /**
   * Ends an open request; `grant` is given to who asked, in the same transaction.
   *
   * @throws {GatewayError} `ERR_NOT_FOUND` if it is not open any more.
   */
  readonly decide: (id: string, decision: AccessDecision) => Promise<void>
}

export type OpenRequestsQuery = {
  /** After which to begin; the oldest if absent. */
  readonly after?: Pick<AccessRequest, 'createdAt' | 'id'> | undefined
  readonly limit: number
}

export type AccessDecision = {
  readonly state: 'granted' | 'declined' | 'withdrawn'
  readonly by: string
  readonly answer?: string | undefined
  readonly grant?: NewGrant | undefined
}

export function createAccessRequests(db: Database, now: () => number): AccessRequests {
  return {
    ask: (request) => db.transaction().execute((trx) => ask(trx, request, now())),
    get: async (id) => {
      const row = await selectRequests(db).where('access_requests.id', '=', id).executeTakeFirst()
      return row && toRequest(row)
    },
    listOf: async (userId) => {
      const own = selectRequests(db).where('user_id', '=', userId)
      const rows = await own
        .orderBy('access_requests.created_at', 'desc')
        .orderBy('access_requests.id')
        .limit(100)
        .execute()
      return rows.map(toRequest)
    },
    open: async ({ after, limit }) => {
      const rows = await selectRequests(db)
        .where('state', '=', 'open')
        .$if(after !== undefined, (query) =>
          query.where(({ eb, refTuple, tuple }) =>
            eb(
              refTuple('access_requests.created_at', 'access_requests.id'),
              '>',
              tuple(after?.createdAt ?? 0, after?.id ?? ''),
            ),
          ),
        )
        .orderBy('access_requests.created_at')
        .orderBy('access_requests.id')
        .limit(limit)
        .execute()
      return rows.map(toRequest)
    },
    countOpen: async () => {
      const row = await db
        .selectFrom('access_requests')
        .select((eb) => eb.fn.countAll<number>().as('requests'))
        .where('state', '=', 'open')
        .executeTakeFirstOrThrow()
      return Number(row.requests)
    },
    decide: (id, decision) => db.transaction().execute((trx) => decide(trx, id, { ...decision, at: now() })),
  }
}

async function ask(trx: Transaction<Schema>, request: NewAccessRequest, at: number): Promise<AccessRequest> {
  const { userId, resourceType, key, about, level, note, workspace = DEFAULT_WORKSPACE } = request
  const [about_type, about_key] = [about?.type ?? null, about?.key ?? null]
  const open = await selectRequests(trx).where('user_id', '=', userId).where('state', '=', 'open').execute()
  const same = open.find(
    (each) => each.resource_type === resourceType && each.key === key && each.workspace === workspace,
  )
  if (same === undefined && open.length >= OPEN_REQUESTS) {
    const message = `You have ${OPEN_REQUESTS} open requests: wait for an answer, or withdraw one`
    throw new GatewayError('ERR_TOO_MANY_REQUESTS', message)
  }
  // One id means one level: who has seen a request for READ and grants it does not grant what it was changed into.
  const id = same?.level === level ? same.id : randomUUID()
  if (same === undefined) {
    await trx
      .insertInto('access_requests')
      .values({
        ...{ id, user_id: userId, resource_type: resourceType, key, workspace, level, note },
        ...{ state: 'open', created_at: at, decided_at: null, decided_by: null },
        ...{ about_type, about_key, answer: '' },
      })
      .execute()
    await pruneEnded(trx, userId)
  } else {
    const changed = { id, level, note, about_type, about_key }
    await trx.updateTable('access_requests').set(changed).where('id', '=', same.id).execute()
  }
  return toRequest(await selectRequests(trx).where('access_requests.id', '=', id).executeTakeFirstOrThrow())
}

async function pruneEnded(trx: Transaction<Schema>, userId: string): Promise<void> {
  const ended = trx
    .selectFrom('access_requests')
    .select('id')
    .where('user_id', '=', userId)
    .where('state', '!=', 'open')
    .orderBy('decided_at', 'desc')
    .orderBy('id')
    .limit(ENDED_REQUESTS)
  await trx
    .deleteFrom('access_requests')
    .where('user_id', '=', userId)
    .where('state', '!=', 'open')
    .where('id', 'not in', ended)
    .execute()
}

async function decide(
  trx: Transaction<Schema>,
  id: string,
  { state, by, answer = '', grant, at }: AccessDecision & { readonly at: number },
): Promise<void> {
  const decided = await trx
    .updateTable('access_requests')
    .set({ state, decided_at: at, decided_by: by, answer })
    .where('id', '=', id)
    .where('state', '=', 'open')
    .returning('user_id')
    .executeTakeFirst()
  if (decided === undefined)
    throw new GatewayError('ERR_NOT_FOUND', 'There is no such open request; somebody may have answered it')
  if (grant === undefined) return
  const role = await personalRole(trx, decided.user_id, at)
  await addGrant(trx, role.id, { grant, at })
}

function selectRequests(db: Database) {
  return db
    .selectFrom('access_requests')
    .innerJoin('users', 'users.id', 'access_requests.user_id')
    .selectAll('access_requests')
    .select('users.username')
}

type RequestRow = Awaited<ReturnType<ReturnType<typeof selectRequests>['executeTakeFirstOrThrow']>>

function toRequest(row: RequestRow): AccessRequest {
  return {
    id: row.id,
    userId: row.user_id,
    username: row.username,
    // Written by ask() only.
    resourceType: row.resource_type as AskedType,
    key: row.key,
    about:
      row.about_type === null || row.about_key === null
        ? undefined
        : { type: row.about_type, key: row.about_key },
    workspace: row.workspace,
    level: row.level,
    note: row.note,
    state: row.state,
    createdAt: row.created_at,
    decidedAt: row.decided_at ?? undefined,
    decidedBy: row.decided_by ?? undefined,
    answer: row.answer,
  }
}
