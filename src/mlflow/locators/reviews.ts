import type { Tier } from '../../policy/grants.ts'
import { type Call, select } from '../call.ts'
import {
  experimentById,
  experimentOrNone,
  type Found,
  type Locate,
  type Locating,
  plainId,
  type Standing,
} from '../locate.ts'
import { comparableName } from '../person-name.ts'
import { queueKey, type ReviewQueue } from '../questions/reviews.ts'
import { judgedBy, type RowSpec } from '../row-spec.ts'
import { parseSelector } from '../selector.ts'

export type ReviewKind =
  | 'issue'
  | 'label_schema'
  | 'review_queue'
  | 'review_queue_name'
  | 'review_queue_beside'
  | 'review_queue_user'

const TIER: Tier = 'review_queue'
const QUEUE_ID = parseSelector('queue_id')
const EXPERIMENT_ID = parseSelector('experiment_id')

/** Issues, label schemas and review queues: in one experiment each. To a queue the caller can be owner or member. */
export const REVIEW_LOCATORS: Readonly<Record<ReviewKind, Locate>> = {
  issue: async (id, locating) =>
    experimentOrNone((await locating.lookup.about('issue', plainId(id)))?.experimentId, locating),
  label_schema: async (id, locating) =>
    experimentOrNone((await locating.lookup.about('label_schema', plainId(id)))?.experimentId, locating),
  review_queue: queueById,
  /** By its name in the experiment that the request names. A name that is not there is in the experiment all the same. */
  review_queue_name: async (name, locating, call) => {
    const experimentId = one(call, EXPERIMENT_ID)
    const experiment = await experimentById(experimentId, locating)
    const queue = await locating.lookup.about('review_queue_named', queueKey(experimentId, name))
    return { ...experiment, tier: TIER, standing: standingTo(queue, locating) }
  },
  /** The queue that the request names, whatever the value says. */
  review_queue_beside: (_, locating, call) => queueById(one(call, QUEUE_ID), locating),
  /** One's own name leads to nothing that has to be asked for; anybody else's to the experiment. */
  review_queue_user: async (name, locating, call) => {
    if (isName(name, locating)) return []
    return { ...(await experimentById(one(call, EXPERIMENT_ID), locating)), tier: TIER }
  },
}

export type ReviewRow = 'review_queue'

/** Whoever may change the experiment sees every queue of it, anybody else those they are assigned to (`filter_list_review_queues`). */
export const REVIEW_ROWS: Readonly<Record<ReviewRow, RowSpec>> = {
  review_queue: judgedBy(['experiment_id', 'users'], {
    types: ['experiment'],
    tiers: [TIER],
    action: 'update',
    lessFor: ({ users }, username) => {
      const isAssigned = Array.isArray(users) && users.some((user) => isName(String(user), { username }))
      return isAssigned ? 'read' : undefined
    },
    resourceOf: async ({ experiment_id: id }, lookup) => {
      if (typeof id !== 'string') return undefined
      return { type: 'experiment', key: id, name: (await lookup.experiment(id))?.name, tier: TIER }
    },
  }),
}

async function queueById(id: string, locating: Locating): Promise<Found> {
  const queue = await locating.lookup.about('review_queue', plainId(id))
  const experiment = await experimentOrNone(queue?.experimentId, locating)
  return { ...experiment, tier: TIER, standing: standingTo(queue, locating) }
}

function standingTo(queue: ReviewQueue | undefined, locating: Locating): readonly Standing[] {
  if (queue === undefined) return []
  const isOwner = queue.owner !== undefined && isName(queue.owner, locating)
  const isMember = queue.users.some((user) => isName(user, locating))
  return [
    ...(isOwner ? (['owner'] as const) : []),
    ...(isOwner && queue.isCustom ? (['custom_owner'] as const) : []),
    ...(isMember ? (['member'] as const) : []),
  ]
}

function isName(name: string, { username }: Pick<Locating, 'username'>): boolean {
  if (username === undefined) return false
  const own = comparableName(username)
  return own !== '' && comparableName(name) === own
}

/** @throws {GatewayError} `ERR_INVALID_PARAMETER` if the request does not say it. */
function one(call: Call, selector: typeof QUEUE_ID): string {
  return select(call, selector)[0] ?? ''
}
