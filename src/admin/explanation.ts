import { GatewayError } from '../errors.ts'
import { enter, membershipOn } from '../identity/caller.ts'
import { hypotheticalDemands, type Subjects } from '../mlflow/hypothetical.ts'
import { isPublic } from '../mlflow/judge.ts'
import type { Lookup } from '../mlflow/lookup.ts'
import type { Operation } from '../mlflow/operation.ts'
import type { DenyReason } from '../policy/decide.ts'
import { type Explanation, explain } from '../policy/explain.ts'
import { DEFAULT_WORKSPACE } from '../policy/grants.ts'
import { createMemberCompiler, type Member, type MemberConfig } from '../policy/member.ts'
import { placeOf } from '../policy/workspace-name.ts'
import type { Store } from '../store/store.ts'

/** Who, what, and about which things. */
export type Question = {
  readonly username: string
  /** Name of a row of the catalogue, `runs.delete`. */
  readonly operation: string
  readonly subjects: Subjects
}

/** Why somebody may do something, or may not. */
export type Answer = {
  readonly username: string
  readonly operation: string
  readonly effect: 'allow' | 'deny'
  /** Why not; `locked_out` for somebody disabled, or whose provider is no longer configured. */
  readonly reason?: DenyReason | 'locked_out' | 'nobody' | 'no_such_membership' | undefined
  /** True if it is allowed, or refused, whatever grants say. */
  readonly isAdmin: boolean
  /** What was asked for, thing by thing; empty where the operation is about nothing in particular. */
  readonly explanations: readonly Explanation[]
}

export type ExplanationParts = {
  readonly store: Pick<Store, 'people'>
  readonly lookup: Lookup
  /** The workspace that a request would go to, and `lookup` asks in; absent while none are kept apart. */
  readonly workspace?: string | undefined
  readonly catalogue: readonly Operation[]
  readonly config: MemberConfig
  /** Seconds since the epoch. */
  readonly now: () => number
}

/**
 * Answers why: by the same catalogue, look-ups and decision as a request of that person's.
 *
 * @throws {GatewayError} `ERR_NOT_FOUND` for an unknown person or operation; `ERR_INVALID_PARAMETER` if the operation has
 *   to be told more, or other things.
 */
export async function explainFor(question: Question, parts: ExplanationParts): Promise<Answer> {
  const { store, catalogue, config, now, workspace } = parts
  const operation = operationCalled(question.operation, catalogue)
  const person = await store.people.find({ username: question.username })
  const membership = person && (await store.people.membership(person.id, config.providers))
  if (membership === undefined)
    throw new GatewayError('ERR_NOT_FOUND', `Nobody is known as ${question.username}`)
  const about = { username: question.username, operation: operation.name }
  const member = createMemberCompiler(config, now)(membership)?.member
  if (member === undefined) {
    return { ...about, effect: 'deny', reason: 'locked_out', isAdmin: false, explanations: [] }
  }
  const { isAdmin } = member.principal
  const refusal = refusedAnywhere(operation, isAdmin)
  if (
    refusal === undefined &&
    !isPublic(operation) &&
    enter(workspace ?? DEFAULT_WORKSPACE, member) === undefined
  )
    return { ...about, effect: 'deny', reason: 'no_such_membership', isAdmin, explanations: [] }
  const demands = await demandsOf(operation, question, { ...parts, member })
  const explanations = explain(demands, membership, {
    ...{ defaultPermission: config.defaultPermission, workspace },
    now: now(),
  })
  return { ...about, ...(refusal ?? verdict(isAdmin, explanations)), isAdmin, explanations }
}

function demandsOf(
  operation: Operation,
  { subjects }: Question,
  { lookup, workspace, member }: ExplanationParts & { readonly member: Member },
) {
  return hypotheticalDemands(operation, subjects, {
    lookup,
    workspace,
    isMemberOf: membershipOn(placeOf(workspace ?? DEFAULT_WORKSPACE).upstream, member),
    // All that a pattern could match is named in the answer, whoever it is about.
    access: { needsName: () => true },
  })
}

type Verdict = Pick<Answer, 'effect' | 'reason'>

/** What is told before it is looked at what a request is about. */
function refusedAnywhere({ needs }: Operation, isAdmin: boolean): Verdict | undefined {
  if (needs.some(({ kind }) => kind === 'nobody')) return { effect: 'deny', reason: 'nobody' }
  const isAdmins = !isAdmin && needs.some(({ kind }) => kind === 'admin')
  return isAdmins ? { effect: 'deny', reason: 'admin_only' } : undefined
}

function verdict(isAdmin: boolean, explanations: readonly Explanation[]): Verdict {
  if (isAdmin) return { effect: 'allow' }
  const refused = explanations.find(({ effect }) => effect === 'deny')
  return refused === undefined ? { effect: 'allow' } : { effect: 'deny', reason: refused.reason }
}

function operationCalled(name: string, catalogue: readonly Operation[]): Operation {
  const found = catalogue.find((operation) => operation.name === name)
  if (found !== undefined) return found
  const family = name.split('.', 1)[0] ?? ''
  const near = catalogue
    .filter((operation) => operation.name.startsWith(`${family}.`))
    .map((each) => each.name)
  const known = near.length > 0 ? `; of ${family} there are ${near.join(', ')}` : ''
  throw new GatewayError('ERR_NOT_FOUND', `There is no operation ${name}${known}`)
}
