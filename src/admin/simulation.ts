import { isGatewayError } from '../errors.ts'
import type { Lookup } from '../mlflow/lookup.ts'
import type { Operation } from '../mlflow/operation.ts'
import { resourceByKey } from '../mlflow/resource-by-key.ts'
import type { Access, ResourceRef } from '../policy/access.ts'
import { type Decision, type Demand, decide } from '../policy/decide.ts'
import { DEFAULT_WORKSPACE, type ResourceType } from '../policy/grants.ts'
import { createMemberCompiler, type Member, type MemberConfig } from '../policy/member.ts'
import type { PolicyContent } from '../store/policy.ts'
import type { Memberships } from '../store/rehearsal.ts'
import type { Store } from '../store/store.ts'
import { type Question, questionsAsked, type Unjudged } from './past-questions.ts'

/** Whether something is allowed, and why not. */
export type Verdict =
  | { readonly effect: 'allow' }
  | { readonly effect: 'deny'; readonly reason: string; readonly needed?: string; readonly held?: string }

/** Something that somebody asked for and that would be answered differently. */
export type SimulatedChange = {
  readonly username: string
  readonly operation: string
  /** What decides: of a refusal the thing that it is for, of something allowed the first. */
  readonly resource: ResourceRef
  readonly workspace?: string | undefined
  /** As the store stands. */
  readonly before: Verdict
  /** Once the policy were applied. */
  readonly after: Verdict
  readonly times: number
  /** ISO 8601: when it was last asked for. */
  readonly lastAt: string
}

export type Simulation = {
  /** Decisions looked at. */
  readonly decisions: number
  readonly unchanged: number
  readonly changes: readonly SimulatedChange[]
  /** How many could not be judged again, by why. */
  readonly unjudged: Readonly<Partial<Record<Unjudged, number>>>
}

export type SimulationParts = {
  readonly store: Pick<Store, 'audit' | 'roles'>
  readonly catalogue: readonly Operation[]
  readonly config: MemberConfig
  /** Names are asked for where grants speak of names that the record does not tell. */
  readonly lookupIn: (workspace: string) => Lookup
  /** Seconds since the epoch. */
  readonly now: () => number
}

export type Past = {
  /** Most decisions looked at, the newest. */
  readonly last: number
  /** Seconds since the epoch. */
  readonly since?: number | undefined
}

/**
 * Judges what was asked in the past again: as the store stands, and as it would once the policy were applied, by the same
 * decision as requests get. Nothing is changed, and what cannot be judged exactly is counted instead of guessed.
 *
 * @throws {GatewayError} `ERR_INVALID_PARAMETER` if the policy could not be applied.
 */
export async function simulate(
  policy: PolicyContent,
  past: Past,
  parts: SimulationParts,
): Promise<Simulation> {
  const { store, config } = parts
  const { decisions, questions, unjudged } = await questionsAsked(past, parts)
  const userIds = [...new Set(questions.map(({ userId }) => userId))]
  const { providers } = config
  const rehearsed = await store.roles.rehearse({ policy, userIds, providers })
  const compile = createMemberCompiler(config, parts.now)
  const changes: SimulatedChange[] = []
  let unchanged = 0
  const memberOf = (held: Memberships, userId: string) => {
    const membership = held.get(userId)
    return membership && compile(membership)?.member
  }
  for (const question of questions) {
    const before = memberOf(rehearsed.before, question.userId)
    const after = memberOf(rehearsed.after, question.userId)
    const outcome = await compared(question, before, after, parts)
    if (typeof outcome === 'string') unjudged[outcome] = (unjudged[outcome] ?? 0) + question.times
    else if (outcome.before.effect === outcome.after.effect) unchanged += question.times
    else changes.push({ ...told(question), ...outcome })
  }
  return { decisions, unchanged, changes: changes.toSorted((a, b) => b.times - a.times), unjudged }
}

function told({ username, operation, workspace, times, lastAt }: Question) {
  return {
    ...{ username, operation: operation.name, times, lastAt },
    workspace: workspace === DEFAULT_WORKSPACE ? undefined : workspace,
  }
}

type Outcome = Pick<SimulatedChange, 'before' | 'after' | 'resource'>

async function compared(
  question: Question,
  before: Member | undefined,
  after: Member | undefined,
  { lookupIn }: SimulationParts,
): Promise<Outcome | Unjudged> {
  if (before === undefined || after === undefined) return 'person_gone'
  if (before.principal.isAdmin) return 'administrator'
  if (question.asked.length === 0) return 'not_on_record'
  const { workspace } = question
  const held = [accessIn(before, workspace), accessIn(after, workspace)]
  const demands = await named(question.asked, held, lookupIn(workspace))
  if (typeof demands === 'string') return demands
  const [now, later] = held.map((access) => judged(demands, access))
  if (now === undefined || later === undefined) return 'person_gone'
  const isOpen = held.some((access, index) => dependsOnMore(question, access, index === 0 ? now : later))
  if (isOpen) return 'depends_on_more'
  const denied = [now, later].find(({ decision }) => decision?.effect === 'deny')?.decision
  const resource = denied?.effect === 'deny' ? denied.demand.resource : demands[0]?.resource
  return {
    before: now.verdict,
    after: later.verdict,
    resource: resource ?? { type: 'server', key: undefined },
  }
}

/** As a request gets it: nobody enters a workspace that they hold nothing in. */
function accessIn({ access, workspaces }: Member, workspace: string): Access | undefined {
  return workspace === DEFAULT_WORKSPACE ? access : workspaces.get(workspace)
}

type Judged = { readonly verdict: Verdict; readonly decision?: Decision }

function judged(demands: readonly Demand[], access: Access | undefined): Judged {
  if (access === undefined) return { verdict: { effect: 'deny', reason: 'no_such_membership' } }
  const decision = decide(demands, access)
  if (decision.effect === 'allow') return { verdict: decision, decision }
  const { effect, reason, needed, held } = decision
  return { verdict: { effect, reason, needed, held }, decision }
}

/**
 * True where what else would be enough was only looked for if it mattered at the time: the files of a run may be read by
 * whoever may read a model made of it.
 */
function dependsOnMore({ operation }: Question, access: Access | undefined, { verdict }: Judged): boolean {
  if (verdict.effect === 'allow' || access === undefined || verdict.reason === 'explicit_deny') return false
  const models = access.uniform('registered_model')
  return (
    models !== 'NO_PERMISSIONS' &&
    models !== 'DENY' &&
    operation.needs.some((need) => need.kind === 'resource' && need.published === true)
  )
}

/** The demands with the names that some grant speaks of, as the tracking server has them now. */
async function named(
  demands: readonly Demand[],
  held: readonly (Access | undefined)[],
  lookup: Lookup,
): Promise<readonly Demand[] | Unjudged> {
  const found: Demand[] = []
  for (const demand of demands) {
    const { resource, anyOf } = demand
    const { type, key, name, tier } = resource
    const isUnnamed = type !== 'server' && key !== undefined && name === undefined
    if (type !== 'server' && key === undefined && name === undefined) return 'about_nothing'
    if (!isUnnamed || !held.some((access) => access?.needsName(type))) {
      found.push(demand)
      continue
    }
    const known = await nameOf(type, key, lookup)
    if (known === undefined) return 'name_unknown'
    found.push({ ...demand, resource: { ...known, ...(tier && { tier }) }, ...(anyOf && { anyOf }) })
  }
  return found
}

async function nameOf(type: ResourceType, key: string, lookup: Lookup): Promise<ResourceRef | undefined> {
  try {
    const found = await resourceByKey(type, key, { lookup, access: { needsName: () => true } })
    return found.key === undefined ? undefined : found
  } catch (fault) {
    if (isGatewayError(fault) && fault.code.startsWith('ERR_UPSTREAM')) return undefined
    throw fault
  }
}
