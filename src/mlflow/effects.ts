import type { Demand } from '../policy/decide.ts'
import type { ResourceType } from '../policy/grants.ts'
import type { Jobs } from '../store/jobs.ts'
import type { Roles } from '../store/roles.ts'
import { type Call, select } from './call.ts'
import { scorerRef } from './locators/scorers.ts'
import { resourcesOf } from './locators.ts'
import { isObject, type Lookup } from './lookup.ts'
import type { Effect } from './operation.ts'
import type { UpstreamResponse } from './upstream.ts'

export type EffectContext = {
  readonly userId: string
  readonly username: string
  readonly roles: Roles
  /** Announces to every replica what may have changed upstream. */
  readonly note: (kind: 'experiment' | 'resource', key: string) => Promise<void>
  readonly lookup: Lookup
  readonly jobs: Pick<Jobs, 'remember'>
  /** Has MLflow do something more, in the gateway's own name: a path below `/api/`, and what is posted there. */
  readonly post: (path: string, body: object) => Promise<UpstreamResponse>
  /** Resolves once what was just written holds here. */
  readonly refresh: () => Promise<void>
}

/** Prompts and models share one namespace, so what happens to a name happens to the grants of both types. */
const REGISTRY_TYPES: readonly ResourceType[] = ['registered_model', 'prompt']

/**
 * Carries out what an operation that succeeded means for grants: whoever made a thing manages it, a renamed thing
 * keeps its grants, a deleted one leaves none behind. Done before the answer leaves, so that the caller's next request
 * finds it so.
 *
 * @returns The answer that counts: MLflow's, or what it said when it was asked once more.
 */
export async function applyEffects(
  call: Call,
  response: UpstreamResponse,
  context: EffectContext,
): Promise<UpstreamResponse> {
  let answer = response
  for (const effect of call.operation.effects) {
    if (effect.kind === 'give_to_creator') answer = await giveToCreator(effect, answer, context)
    else await apply(effect, call, response, context)
  }
  await context.refresh()
  return answer
}

/**
 * Makes what the call was judged to make beside what it is for. Who did not come first is told so by MLflow, before
 * anything of theirs is put into somebody else's.
 *
 * @returns The answer that ends the call, if it was not made.
 */
export async function createFirst(
  call: Call,
  demands: readonly Demand[],
  context: EffectContext,
): Promise<UpstreamResponse | undefined> {
  if (!demands.some(({ action }) => action === 'create')) return undefined
  for (const effect of call.operation.effects) {
    if (effect.kind !== 'create_first') continue
    const [value] = select(call, effect.selector)
    const made = await context.post(effect.path, { [effect.field]: value })
    if (made.status < 200 || made.status >= 300) return made
    await grantCreator(effect.effect, made, context)
    await context.refresh()
  }
  return undefined
}

async function giveToCreator(
  { path, where, key, owner }: Effect & { kind: 'give_to_creator' },
  response: UpstreamResponse,
  { username, post }: EffectContext,
): Promise<UpstreamResponse> {
  const made = answerOf(response)
  if (valueAt(made, where.at) !== where.is) return response
  const given = await post(path, { [key.field]: valueAt(made, key.at), [owner]: username })
  if (given.status !== 200) throw new Error(`${path} answered ${given.status}`)
  return given
}

async function apply(
  effect: Exclude<Effect, { kind: 'give_to_creator' }>,
  call: Call,
  response: UpstreamResponse,
  context: EffectContext,
): Promise<void> {
  const { lookup, roles } = context
  switch (effect.kind) {
    case 'create_first':
      return // before the call, see createFirst
    case 'grant_creator':
      return grantCreator(effect, response, context)
    case 'grant_creator_of_source':
      return grantCreatorOfSource(effect, response, context)
    case 'forget_experiment':
      for (const id of select(call, effect.selector)) {
        lookup.forget('experiment', id)
        await context.note('experiment', id)
      }
      return
    case 'rename_model': {
      const [asked, to] = [select(call, effect.from)[0], select(call, effect.to)[0]]
      const from = asked && (await ownName(asked, lookup))
      // MLflow takes a rename to the same name. It must not count as another thing's arrival there.
      if (asked === undefined || from === undefined || to === undefined || from === to) return
      for (const name of new Set([asked, from, to])) lookup.forget('model', name)
      for (const type of REGISTRY_TYPES) await roles.carry.renameResource(type, from, to)
      return
    }
    case 'delete_model':
      for (const asked of select(call, effect.selector)) {
        const name = await ownName(asked, lookup)
        for (const each of new Set([asked, name])) lookup.forget('model', each)
        for (const type of REGISTRY_TYPES) await roles.carry.forgetResource(type, name)
      }
      return
    case 'forget_workspace':
      for (const name of select(call, effect.selector)) await roles.carry.forgetWorkspace(name)
      return
    case 'forget_grants':
      for (const key of select(call, effect.selector)) await roles.carry.forgetResource(effect.type, key)
      return
    case 'forget_located':
      for (const { type, key } of await resourcesOf(call, effect.locator, { lookup, access: BY_KEY })) {
        if (type !== 'server' && key !== undefined) await roles.carry.forgetResource(type, key)
      }
      return
    case 'grant_scorer_creator':
      return grantScorerCreator(response, context)
    case 'remember_jobs':
      return context.jobs.remember(context.userId, textsAt(answerOf(response), effect.at))
    case 'forget_answer':
      for (const key of select(call, effect.selector)) {
        lookup.forget('resource', `${effect.about}/${key}`)
        await context.note('resource', `${effect.about}/${key}`)
      }
      return
    case 'forget_answers':
      lookup.forget('resource', `${effect.about}/`)
      await context.note('resource', `${effect.about}/`)
  }
}

/** Grants are kept by the keys of things. */
const BY_KEY = { needsName: () => false }

/** The name that grants know a thing by, as it was found before; a database may take it under another spelling too. */
async function ownName(asked: string, lookup: Lookup): Promise<string> {
  return (await lookup.registered(asked))?.name ?? asked
}

/** Whose it is tells a mark that MLflow sets when it makes the thing, of an id that nobody knew before. */
async function grantCreatorOfSource(
  { type, at, source }: Effect & { kind: 'grant_creator_of_source' },
  response: UpstreamResponse,
  context: EffectContext,
): Promise<void> {
  const answer: unknown = JSON.parse(response.bytes.toString('utf8'))
  const key = valueAt(answer, at)
  if (typeof key !== 'string' || key === '') return
  const made = await context.lookup.about('experiment_source', key)
  if (made === undefined || made.source !== valueAt(answer, source)) return
  return grantCreator({ kind: 'grant_creator', type, at }, response, context)
}

async function grantCreator(
  effect: Effect & { kind: 'grant_creator' },
  response: UpstreamResponse,
  context: EffectContext,
): Promise<void> {
  const { lookup } = context
  const key = valueAt(answerOf(response), effect.at)
  if (typeof key !== 'string' || key === '')
    throw new Error(`No ${effect.at.join('.')} in the answer to a creation`)
  let type = effect.type
  if (type === 'registry') {
    lookup.forget('model', key)
    type = (await lookup.registryKind(key)) ?? 'registered_model'
  }
  await giveManage(type, key, context)
}

/** MLflow gives it to whoever registers any version (`set_can_manage_scorer_permission`, 3.17.2): to those who may edit, more than they had. */
async function grantScorerCreator(response: UpstreamResponse, context: EffectContext): Promise<void> {
  const answer = answerOf(response)
  const [id, name, version] = ['experiment_id', 'name', 'version'].map((field) => valueAt(answer, [field]))
  if (
    typeof name !== 'string' ||
    name === '' ||
    !/^[0-9]+$/.test(String(id)) ||
    typeof version !== 'number'
  ) {
    throw new Error('No scorer in the answer to a registration')
  }
  if (version !== 1) return
  const { key = '' } = await scorerRef(String(id), name, { lookup: context.lookup, access: BY_KEY })
  await giveManage('scorer', key, context)
}

async function giveManage(type: ResourceType, key: string, { roles, userId }: EffectContext): Promise<void> {
  await roles.carry.forgetCreators(type, key)
  const { id } = await roles.personal(userId)
  await roles.grant(id, {
    resourceType: type,
    match: 'exact',
    pattern: key,
    level: 'MANAGE',
    source: 'creator',
    createdBy: userId,
  })
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce((at: unknown, step) => (isObject(at) ? at[step] : undefined), value)
}

function answerOf({ bytes }: UpstreamResponse): unknown {
  return JSON.parse(bytes.toString('utf8'))
}

/** The texts that a path leads to, `[]` walking a list. What is not there is nobody's. */
function textsAt(value: unknown, [step, ...others]: readonly string[]): readonly string[] {
  if (step === undefined) return typeof value === 'string' ? [value] : []
  const member = valueAt(value, [step.replace('[]', '')])
  return step.endsWith('[]')
    ? [member].flat().flatMap((each) => textsAt(each, others))
    : textsAt(member, others)
}
