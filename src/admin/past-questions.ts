import type { Operation } from '../mlflow/operation.ts'
import type { Demand, DenyReason } from '../policy/decide.ts'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import type { StoredEvent } from '../store/audit-query.ts'
import type { Past, SimulationParts } from './simulation.ts'

/** Why a decision cannot be judged again. */
export type Unjudged =
  | 'administrator'
  | 'about_nothing'
  | 'asks_for_no_grant'
  | 'depends_on_more'
  | 'ended_in_error'
  | 'name_unknown'
  | 'nobody'
  | 'not_on_record'
  | 'operation_unknown'
  | 'other_reason'
  | 'person_gone'

/** What was asked, however often, by one person. */
export type Question = {
  readonly userId: string
  readonly username: string
  readonly operation: Operation
  /** Empty if it is not on record. */
  readonly asked: readonly Demand[]
  readonly workspace: string
  times: number
  /** ISO 8601. */
  readonly lastAt: string
}

type Asked = {
  readonly decisions: number
  readonly questions: readonly Question[]
  readonly unjudged: Partial<Record<Unjudged, number>>
}

const PAGE = 1000

/** Reads the newest decisions of the record, the same question once, and counts those that cannot be judged again. */
export async function questionsAsked(
  { last, since }: Past,
  { store, catalogue }: Pick<SimulationParts, 'store' | 'catalogue'>,
): Promise<Asked> {
  const rows = new Map(catalogue.map((operation) => [operation.name, operation]))
  const questions = new Map<string, Question>()
  const unjudged: Asked['unjudged'] = {}
  let decisions = 0
  for (let before: number | undefined; decisions < last; ) {
    const { events, next } = await store.audit.page({ since, before, limit: PAGE })
    for (const { event } of events) {
      // Ours and others' own routes are about no resource of MLflow's.
      if (event['event'] !== 'decision' || decisions === last) continue
      decisions += 1
      const question = questionOf(event, rows)
      if (typeof question === 'string') unjudged[question] = (unjudged[question] ?? 0) + 1
      else count(question, questions)
    }
    if (next === undefined) break
    before = next
  }
  return { decisions, questions: [...questions.values()], unjudged }
}

function count(question: Question, questions: Map<string, Question>): void {
  const { userId, operation, workspace, asked } = question
  const key = JSON.stringify([userId, operation.name, workspace, asked])
  const known = questions.get(key)
  if (known === undefined) questions.set(key, question)
  else known.times += 1
}

/** Refusals that a policy can change. */
const OF_GRANTS: readonly string[] = [
  'no_grant',
  'level_too_low',
  'explicit_deny',
  'admin_only',
] satisfies readonly DenyReason[]

function questionOf(event: StoredEvent, rows: ReadonlyMap<string, Operation>): Question | Unjudged {
  const { userId, username, effect, reason, asked, workspace = DEFAULT_WORKSPACE, at } = event
  const operation = rows.get(String(event['operation']))
  if (operation === undefined) return 'operation_unknown'
  if (typeof userId !== 'string') return 'nobody'
  if (effect === 'error') return 'ended_in_error'
  if (effect === 'deny' && !OF_GRANTS.includes(String(reason))) return 'other_reason'
  if (!operation.needs.some(({ kind }) => kind === 'resource' || kind === 'graphql'))
    return 'asks_for_no_grant'
  // Whether somebody is in a workspace was answered before anything was asked of their grants.
  const isOfWorkspace = operation.needs.some(
    (need) => need.kind === 'resource' && need.locator.kind === 'workspace',
  )
  if (isOfWorkspace) return 'depends_on_more'
  return {
    ...{ userId, username: String(username), operation, workspace: String(workspace) },
    // Written by the gateway from its own demands.
    ...{ asked: (Array.isArray(asked) ? asked : []) as readonly Demand[], times: 1, lastAt: String(at) },
  }
}
