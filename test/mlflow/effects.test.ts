import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { applyEffects, type EffectContext } from '../../src/mlflow/effects.ts'
import type { Lookup } from '../../src/mlflow/lookup.ts'
import { compileAccess, type ResourceRef } from '../../src/policy/access.ts'
import type { Level, ResourceType } from '../../src/policy/grants.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { callFor, lookupIn, type World } from './examples.ts'

let dir: string
let store: Store
let ada: string
let bob: string
const noted: string[] = []
let refreshed = 0
const posted: (readonly [string, object])[] = []
let postStatus = 200

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-effects-'))
  store = await openStore({ databaseUrl: `sqlite:${join(dir, 'gateway.db')}`, now: () => 1000 })
  ada = (await store.people.add({ username: 'ada', provider: 'oidc' })).id
  bob = (await store.people.add({ username: 'bob', provider: 'oidc' })).id
  noted.length = 0
  refreshed = 0
  posted.length = 0
  postStatus = 200
})

afterEach(async () => {
  await store.close()
  rmSync(dir, { recursive: true })
})

function contextOf(userId: string, lookup: Lookup): EffectContext {
  return {
    userId,
    username: 'ada',
    post: async (path, body) => {
      posted.push([path, body])
      return { status: postStatus, headers: {}, bytes: Buffer.from('{"given":true}') }
    },
    roles: store.roles,
    jobs: store.jobs,
    lookup,
    note: async (_kind, key) => {
      noted.push(key)
    },
    refresh: async () => {
      refreshed++
    },
  }
}

/** Carries out what a call means that MLflow answered with `answer`. */
async function settle(userId: string, name: string, body: object, answer: unknown = {}, world: World = {}) {
  const lookup = lookupIn(world)
  const bytes = Buffer.from(typeof answer === 'string' ? answer : JSON.stringify(answer))
  await applyEffects(callFor(name, { body }), { status: 200, headers: {}, bytes }, contextOf(userId, lookup))
  return lookup
}

async function levelOf(userId: string, type: ResourceType, key: string): Promise<Level> {
  const membership = await store.people.membership(userId, [{ id: 'oidc' }])
  const access = compileAccess(membership?.roles ?? [], { defaultLevel: 'NO_PERMISSIONS', now: 1000 })
  const resource: ResourceRef = { type, key, name: key }
  return access.levelOf(resource)
}

async function give(userId: string, type: ResourceType, key: string, level: Level): Promise<void> {
  const { id } = await store.roles.personal(userId)
  await store.roles.grant(id, { resourceType: type, match: 'exact', pattern: key, level, source: 'manual' })
}

describe('a review queue that somebody makes, which MLflow leaves without an owner', () => {
  const made = (queue_type: string) => ({ review_queue: { queue_id: 'rq-1', queue_type } })
  const create = async (queue_type: string) => {
    const call = callFor('review_queues.create', { body: { experiment_id: '1', name: 'q' } })
    const bytes = Buffer.from(JSON.stringify(made(queue_type)))
    const answer = await applyEffects(call, { status: 200, headers: {}, bytes }, contextOf(ada, lookupIn({})))
    return answer.bytes.toString('utf8')
  }

  it('is given to whoever made it, and the answer says so', async () => {
    expect(await create('CUSTOM')).toBe('{"given":true}')
    expect(posted).toEqual([['3.0/mlflow/review-queues/update', { queue_id: 'rq-1', new_owner: 'ada' }]])
  })

  it('is left as it is if it is a user’s own: that cannot be given away', async () => {
    expect(await create('USER')).toBe(JSON.stringify(made('USER')))
    expect(posted).toEqual([])
  })

  it('is a fault if MLflow does not take it', async () => {
    postStatus = 400
    await expect(create('CUSTOM')).rejects.toThrow('3.0/mlflow/review-queues/update answered 400')
  })
})

const MODEL = { registered_model: { name: 'm' } }

describe('whoever creates', () => {
  it('an experiment manages it from then on', async () => {
    await settle(ada, 'experiments.create', { name: 'alpha/new' }, { experiment_id: '7' })
    expect(await levelOf(ada, 'experiment', '7')).toBe('MANAGE')
    expect(await levelOf(ada, 'experiment', '77')).toBe('NO_PERMISSIONS')
    expect(await levelOf(bob, 'experiment', '7')).toBe('NO_PERMISSIONS')
    expect(refreshed).toBe(1)
  })

  it('a model manages the model, whoever creates a prompt the prompt', async () => {
    await settle(ada, 'registered_models.create', { name: 'm' }, MODEL, {
      registry: { m: 'registered_model' },
    })
    expect([await levelOf(ada, 'registered_model', 'm'), await levelOf(ada, 'prompt', 'm')]).toEqual([
      'MANAGE',
      'NO_PERMISSIONS',
    ])
    const lookup = await settle(
      bob,
      'registered_models.create',
      { name: 'p' },
      { registered_model: { name: 'p' } },
      { registry: { p: 'prompt' } },
    )
    expect([await levelOf(bob, 'registered_model', 'p'), await levelOf(bob, 'prompt', 'p')]).toEqual([
      'NO_PERMISSIONS',
      'MANAGE',
    ])
    // What was known of the name before is of another thing.
    expect([...lookup.forgotten, ...lookup.asked]).toEqual(['model p', 'registry p'])
  })

  it('a thing of a name that is used again, ends what its last creator had', async () => {
    await settle(ada, 'registered_models.create', { name: 'm' }, MODEL)
    await settle(bob, 'registered_models.create', { name: 'm' }, MODEL)
    expect([
      await levelOf(ada, 'registered_model', 'm'),
      await levelOf(bob, 'registered_model', 'm'),
    ]).toEqual(['NO_PERMISSIONS', 'MANAGE'])
  })

  it('gets the thing that MLflow says it made, not the one that was asked for', async () => {
    await settle(ada, 'registered_models.create', { name: 'other' }, MODEL)
    expect([
      await levelOf(ada, 'registered_model', 'm'),
      await levelOf(ada, 'registered_model', 'other'),
    ]).toEqual(['MANAGE', 'NO_PERMISSIONS'])
  })

  it.each([
    '',
    '{}',
    '[]',
    'null',
    '{"experiment_id":7}',
    '{"experiment_id":""}',
    '{"experiment_id":null}',
    '<html>',
  ])('gets nothing by an answer that does not say what was made: %j', async (answer) => {
    await expect(settle(ada, 'experiments.create', { name: 'x' }, answer)).rejects.toThrow()
    expect(await store.people.membership(ada, [{ id: 'oidc' }])).toMatchObject({ roles: [] })
  })

  it('twice the same, has one grant', async () => {
    await settle(ada, 'experiments.create', { name: 'x' }, { experiment_id: '7' })
    await settle(ada, 'experiments.create', { name: 'x' }, { experiment_id: '7' })
    const membership = await store.people.membership(ada, [{ id: 'oidc' }])
    expect(membership?.roles.flatMap(({ grants }) => grants)).toHaveLength(1)
  })
})

describe('a rename', () => {
  it('takes the grants along, whoever holds them, and leaves nothing behind', async () => {
    await settle(ada, 'registered_models.create', { name: 'm' }, MODEL)
    await give(bob, 'registered_model', 'm', 'READ')
    const lookup = await settle(bob, 'registered_models.rename', { name: 'm', new_name: 'n' })
    for (const [who, level] of [
      [ada, 'MANAGE'],
      [bob, 'READ'],
    ] as const) {
      expect(await levelOf(who, 'registered_model', 'n')).toBe(level)
      expect(await levelOf(who, 'registered_model', 'm')).toBe('NO_PERMISSIONS')
    }
    expect(lookup.forgotten.slice(0, 2)).toEqual(['model m', 'model n'])
  })

  it('of a prompt takes the grants on prompts along', async () => {
    await give(bob, 'prompt', 'p', 'EDIT')
    await settle(bob, 'registered_models.rename', { name: 'p', newName: 'q' })
    expect([await levelOf(bob, 'prompt', 'p'), await levelOf(bob, 'prompt', 'q')]).toEqual([
      'NO_PERMISSIONS',
      'EDIT',
    ])
  })

  it('to the same name, which MLflow takes, changes nothing', async () => {
    await settle(ada, 'registered_models.create', { name: 'm' }, MODEL)
    await give(bob, 'registered_model', 'm', 'EDIT')
    await settle(bob, 'registered_models.rename', { name: 'm', new_name: 'm' })
    expect([
      await levelOf(ada, 'registered_model', 'm'),
      await levelOf(bob, 'registered_model', 'm'),
    ]).toEqual(['MANAGE', 'EDIT'])
  })

  it('onto the name of a thing that was removed elsewhere ends what its creator had', async () => {
    await settle(ada, 'registered_models.create', { name: 'n' }, { registered_model: { name: 'n' } })
    await settle(bob, 'registered_models.create', { name: 'm' }, MODEL)
    await settle(bob, 'registered_models.rename', { name: 'm', new_name: 'n' })
    expect([
      await levelOf(ada, 'registered_model', 'n'),
      await levelOf(bob, 'registered_model', 'n'),
    ]).toEqual(['NO_PERMISSIONS', 'MANAGE'])
  })

  it('of an experiment is announced, so that no replica judges by the old name', async () => {
    const lookup = await settle(ada, 'experiments.update', { experiment_id: '7', new_name: 'x' })
    expect(lookup.forgotten).toEqual(['experiment 7'])
    expect(noted).toEqual(['7'])
    expect(refreshed).toBe(1)
  })
})

describe('a deletion', () => {
  it('of a model leaves no grant behind, of neither type', async () => {
    await settle(ada, 'registered_models.create', { name: 'm' }, MODEL)
    await give(bob, 'registered_model', 'm', 'READ')
    await give(bob, 'prompt', 'm', 'READ')
    await give(bob, 'registered_model', 'mm', 'READ')
    const lookup = await settle(ada, 'registered_models.delete', { name: 'm' })
    expect([
      await levelOf(ada, 'registered_model', 'm'),
      await levelOf(bob, 'registered_model', 'm'),
      await levelOf(bob, 'prompt', 'm'),
    ]).toEqual(Array(3).fill('NO_PERMISSIONS'))
    expect(await levelOf(bob, 'registered_model', 'mm')).toBe('READ')
    expect(lookup.forgotten[0]).toBe('model m')
  })

  it('of an experiment, which can be undone, leaves the grants', async () => {
    await settle(ada, 'experiments.create', { name: 'x' }, { experiment_id: '7' })
    await settle(ada, 'experiments.delete', { experiment_id: '7' })
    expect(await levelOf(ada, 'experiment', '7')).toBe('MANAGE')
  })
})

describe('a model version that goes, or a model under another name', () => {
  it.each([
    ['model_versions.delete', { name: 'm', version: '1' }],
    ['registered_models.delete', { name: 'm' }],
    ['registered_models.rename', { name: 'm', new_name: 'n' }],
  ])('%s: whose files lie where is asked anew, by every replica', async (name, body) => {
    const lookup = await settle(ada, name, body, {}, { registry: { m: 'registered_model' } })
    const all = ['versions_of_run/', 'versions_of_model/', 'version_files/']
    expect(noted).toEqual(all)
    expect(lookup.forgotten).toEqual(expect.arrayContaining(all.map((kind) => `resource ${kind}`)))
  })
})

describe('jobs', () => {
  it.each<[string, unknown, readonly string[]]>([
    ['jobs.invoke_scorer', { jobs: [{ job_id: 'a' }, { job_id: 'b' }] }, ['a', 'b']],
    ['jobs.invoke_genai_evaluate', { job_id: 'a', run_id: 'r' }, ['a']],
    ['jobs.create_prompt_optimization', { job: { job_id: 'a' } }, ['a']],
    ['jobs.submit', { job_id: 'a' }, ['a']],
    ['jobs.invoke_scorer', { jobs: [] }, []],
    ['jobs.invoke_scorer', {}, []],
    ['jobs.submit', { job_id: 7 }, []],
  ])('of %s are the caller’s: %j', async (name, answer, ids) => {
    await settle(ada, name, {}, answer)
    expect(await store.jobs.startedBy(ada)).toEqual(new Set(ids))
    expect(await store.jobs.startedBy(bob)).toEqual(new Set())
  })
})

describe('a scorer', () => {
  const register = (answer: object) => settle(ada, 'scorers.register', {}, answer)
  const managed = async () => (await store.roles.personal(ada)).grants.map(({ pattern }) => pattern)

  it('is managed by who registered its first version, under its key', async () => {
    await register({ experiment_id: '12', name: 'a/b', version: 1 })
    await register({ experiment_id: '12', name: 'other', version: 2 })
    expect(await managed()).toEqual(['12/a%2Fb'])
  })

  it.each<object>([
    {},
    { name: 'a', version: 1 },
    { experiment_id: '1/2', name: 'a', version: 1 },
    { experiment_id: '1', name: '', version: 1 },
  ])('is nobody’s if the answer does not say which: %j', async (answer) => {
    await expect(register(answer)).rejects.toThrow('No scorer in the answer')
  })

  it('that is deleted leaves no grants, under the name that it has', async () => {
    await register({ experiment_id: '1', name: 'Mine', version: 1 })
    const world = { about: { scorer: { '1/mine': { name: 'Mine' } } } }
    const remove = (version: unknown) =>
      settle(bob, 'scorers.delete', { experiment_id: '1', name: 'mine', version }, {}, world)
    await remove(1)
    expect(await managed()).toEqual(['1/Mine'])
    await remove(undefined)
    expect(await managed()).toEqual([])
  })
})
