import type { ResourceType } from '../policy/grants.ts'
import type { Roles } from '../store/roles.ts'
import { type Call, select } from './call.ts'
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

async function giveToCreator(
  { path, where, key, owner }: Effect & { kind: 'give_to_creator' },
  response: UpstreamResponse,
  { username, post }: EffectContext,
): Promise<UpstreamResponse> {
  const made: unknown = JSON.parse(response.bytes.toString('utf8'))
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
    case 'grant_creator':
      return grantCreator(effect, response, context)
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
    case 'forget_grants':
      for (const key of select(call, effect.selector)) await roles.carry.forgetResource(effect.type, key)
      return
    case 'forget_answer':
      for (const key of select(call, effect.selector)) {
        lookup.forget('resource', `${effect.about}/${key}`)
        await context.note('resource', `${effect.about}/${key}`)
      }
  }
}

/** The name that grants know a thing by, as it was found before; a database may take it under another spelling too. */
async function ownName(asked: string, lookup: Lookup): Promise<string> {
  return (await lookup.registered(asked))?.name ?? asked
}

async function grantCreator(
  effect: Effect & { kind: 'grant_creator' },
  response: UpstreamResponse,
  { lookup, roles, userId }: EffectContext,
): Promise<void> {
  const key = valueAt(JSON.parse(response.bytes.toString('utf8')), effect.at)
  if (typeof key !== 'string' || key === '')
    throw new Error(`No ${effect.at.join('.')} in the answer to a creation`)
  let type = effect.type
  if (type === 'registry') {
    lookup.forget('model', key)
    type = (await lookup.registryKind(key)) ?? 'registered_model'
  }
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
