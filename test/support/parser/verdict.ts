import type { AuditEvent } from '../../../src/audit/event.ts'
import { operationNamed } from '../../../src/mlflow/catalogue.ts'
import { rawExchange } from '../raw-request.ts'
import { type Plan, requestOf } from './requests.ts'
import type { Touched } from './state.ts'
import { TENANTS, type Tenant, tenantsSeenIn, type World } from './world.ts'

export type Tally = {
  cases: number
  /** Requests that MLflow was asked. */
  forwarded: number
  /** Requests that MLflow acted on something for, by operation. */
  readonly acted: Map<string, number>
}

/** Sends a request and compares what MLflow acted on with what was judged; says what is wrong, if anything is. */
export async function verdictOf(given: Plan, world: World, tally: Tally): Promise<string | undefined> {
  const { gateway, ids, state } = world
  const token = gateway.members[given.as].token
  const request = requestOf(given, ids, token)
  const before = gateway.events.length
  const { responses, received } = await rawExchange(gateway.port, request.bytes, { timeoutMs: 10_000 })
  const [answer] = responses
  const event = await eventAfter(gateway.events, before, answer?.headers['x-request-id']?.[0])
  const acted = new Set([...state.undo(), ...seenIn(received, world)])
  tally.cases++
  if (event?.effect === 'allow') tally.forwarded++
  if (acted.size > 0)
    tally.acted.set(given.shape.operation, (tally.acted.get(given.shape.operation) ?? 0) + 1)
  const stray = strayIn(acted, event, given, world)
  gateway.events.length = 0
  if (stray.length === 0) return undefined
  const judged =
    event === undefined ? 'nothing' : `${event.operation} ${JSON.stringify(event.resources ?? 'by row')}`
  const text = request.bytes.toString('utf8').replace(token, '...')
  return `MLflow acted on ${stray.join(', ')}; judged for ${given.as}: ${judged}; answered ${answer?.status}\n${text}\n`
}

/** The tenants whose content is in an answer. */
function seenIn(received: Buffer, { ids }: World): readonly string[] {
  return tenantsSeenIn(received.toString('latin1')).map((tenant) => `seen:${ids[tenant].experiment}`)
}

/** Milliseconds. An event follows its answer as soon as MLflow has ended its own, which a busy machine puts off. */
const PATIENCE = 10_000

async function eventAfter(
  events: readonly AuditEvent[],
  before: number,
  requestId: string | undefined,
): Promise<AuditEvent | undefined> {
  if (requestId === undefined) return events[before]
  const deadline = performance.now() + PATIENCE
  while (performance.now() < deadline) {
    const event = events.findLast((each) => each.requestId === requestId)
    if (event !== undefined) return event
    await new Promise(setImmediate)
  }
  return undefined
}

/** What was acted on and neither judged nor, for rows that are judged one by one, the caller's own. */
function strayIn(
  acted: Touched,
  event: AuditEvent | undefined,
  given: Plan,
  world: World,
): readonly string[] {
  const judged = event?.resources?.flatMap(({ type, id, name }) => {
    if (type !== 'experiment')
      return [
        `registered:${id}`,
        ...tenantsOf(id, world).map((tenant) => `seen:${world.ids[tenant].experiment}`),
      ]
    return id === '' ? [`named:${name}`] : [`experiment:${id}`, `file:${id}`, `seen:${id}`, `named:${name}`]
  })
  const own = isFiltered(event?.operation) ? ownOf(given, world) : []
  const allowed = new Set(event?.effect === 'allow' ? [...(judged ?? []), ...own] : [])
  return [...acted].filter((each) => !allowed.has(each))
}

/** The tenant that a registered model or prompt is of. */
function tenantsOf(name: string, { ids }: World): readonly Tenant[] {
  return TENANTS.filter((tenant) => [ids[tenant].registered_model, ids[tenant].prompt].includes(name))
}

/** True for rows that are judged one by one, or whose request is narrowed. */
function isFiltered(name: string | undefined): boolean {
  if (name === undefined) return false
  const { needs, list } = operationNamed(name)
  return list !== undefined || needs.some(({ kind }) => kind === 'narrow')
}

/** What the caller may read of a list: all, or alpha's. */
function ownOf({ as }: Plan, { ids }: World): readonly string[] {
  return TENANTS.filter((tenant) => as === 'outsider' || tenant === 'alpha').map(
    (tenant) => `seen:${ids[tenant].experiment}`,
  )
}
