/**
 * The attack: to make a thing, or to rename one, into a name that belongs to somebody else, or out of one's own reach
 * and control (field report 98: everyone could create everything, a typo made a thing nobody watches over); to keep,
 * or to inherit, the grants of a thing that is gone; to be granted more than one name by a name that reads as a pattern.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'
import type { ScriptedAnswer } from '../support/upstream.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())
afterEach(() => gateway.script({}))

const API = '/api/2.0/mlflow'
const post = (path: string, json: object, as: MemberName = 'editor') =>
  gateway.ask({ method: 'POST', target: `${API}/${path}`, json, as })
const get = (path: string, as: MemberName = 'editor') => gateway.ask({ target: `${API}/${path}`, as })

describe('field report 98: a new name', () => {
  it.each([
    ['experiments/create', { name: 'alpha/new' }],
    ['experiments/create', { name: 'alpha-new' }],
    ['experiments/update', { experiment_id: '1', new_name: 'alpha/x' }],
    ['registered-models/create', { name: 'alpha-new' }],
    ['registered-models/rename', { name: 'alpha-model', new_name: 'alpha-x' }],
    ['registered-models/rename', { name: 'alpha-prompt', new_name: 'alpha-x' }],
  ])("under one's own: %s %j", async (path, json) => {
    expect((await post(path, json)).line).toBe('200 allow')
    const reader = await post(path, json, 'reader')
    expect([reader.line, reader.reached]).toEqual(['403 PERMISSION_DENIED level_too_low', []])
    const outsider = await post(path, json, 'outsider')
    expect([outsider.line, outsider.reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })

  it.each([
    ['experiments/create', { name: 'alhpa/new' }],
    ['experiments/create', { name: 'beta/new' }],
    ['experiments/create', { name: 'beta/secret' }],
    ['experiments/create', { name: 'Alpha/new' }],
    ['experiments/create', { name: ' alpha/new' }],
    ['experiments/create', { name: '\u200balpha/new' }],
    ['experiments/create', { name: 'alpha' }],
    ['experiments/create', { name: '*' }],
    ['experiments/create', { name: 'beta/alpha/new' }],
    ['experiments/create', { name: 'beta/x\nalpha/new' }],
    ['experiments/create', { name: 'alphа/new' }],
    ['experiments/create', { name: 'ａlpha/new' }],
    ['experiments/update', { experiment_id: '1', new_name: 'beta/x' }],
    ['experiments/update', { experiment_id: '1', newName: 'beta/x' }],
    ['experiments/update', { new_name: 'beta/secret', experiment_id: '1' }],
    ['experiments/update', { experiment_id: '2', new_name: 'alpha/x' }],
    ['registered-models/create', { name: 'beta-new' }],
    ['registered-models/create', { name: 'beta-model' }],
    ['registered-models/create', { name: '*' }],
    ['registered-models/rename', { name: 'alpha-model', new_name: 'beta-x' }],
    ['registered-models/rename', { name: 'alpha-model', newName: 'beta-x' }],
    ['registered-models/rename', { name: 'beta-model', new_name: 'alpha-x' }],
    ['registered-models/rename', { name: 'alpha-prompt', new_name: 'beta-x' }],
    ['registered-models/rename', { name: 'nobody', new_name: 'alpha-x' }],
  ])('outside it: %s %j', async (path, json) => {
    const { line, reached } = await post(path, json)
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })

  it.each([
    ['experiments/create', {}],
    ['experiments/create', { name: '' }],
    ['experiments/create', { name: null }],
    ['experiments/create', { name: ['alpha/x'] }],
    ['experiments/update', { experiment_id: '1', new_name: '' }],
    ['experiments/update', { experiment_id: '1', new_name: 7 }],
    ['registered-models/create', { name: 7 }],
    ['registered-models/rename', { name: 'alpha-model' }],
    ['registered-models/rename', { name: 'alpha-model', new_name: null }],
    ['registered-models/rename', { new_name: 'alpha-x' }],
  ])('that is none: %s %j', async (path, json) => {
    const { line, reached } = await post(path, json)
    expect([line, reached]).toEqual(['400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', []])
  })

  it('is refused with the names one may use', async () => {
    const experiment = await post('experiments/create', { name: 'alhpa/new' })
    expect(experiment.message).toMatch(
      /you may create experiments under these names only: alpha[/-]\*, alpha[/-]\* /,
    )
    expect(experiment.message).toContain('"alhpa/new"')
    const model = await post('registered-models/create', { name: 'beta-x' })
    expect(model.message).toMatch(
      /you may create registered models under these names only: alpha[/-]\*, alpha[/-]\* /,
    )
    const outsider = await post('experiments/create', { name: 'alpha/new' }, 'outsider')
    expect(outsider.message).toContain('under no name at all')
  })

  it('of a thing that is there already says so to nobody who may not see it', async () => {
    const [there, free] = [
      await post('experiments/create', { name: 'beta/secret' }),
      await post('experiments/create', { name: 'beta/free' }),
    ]
    expect(there.message.replace('secret', '…').split(' (request id')[0]).toBe(
      free.message.replace('free', '…').split(' (request id')[0],
    )
  })

  it('of unbounded length is refused before it is looked up or kept anywhere', async () => {
    for (const [path, field] of [
      ['experiments/create', 'name'],
      ['registered-models/create', 'name'],
      ['registered-models/set-tag', 'name'],
    ] as const) {
      gateway.upstream.forget()
      const refused = await post(path, { [field]: 'alpha/'.padEnd(2_000_000, 'x'), key: 'k' })
      expect([refused.status, refused.reached, gateway.upstream.requests.length]).toEqual([400, [], 0])
      expect(JSON.stringify(refused.event).length + refused.text.length).toBeLessThan(3000)
    }
  })
})

describe('what a creation leaves behind', () => {
  const experiment = (id: string, name: string): ScriptedAnswer => ({
    body: { experiment: { experiment_id: id, name, artifact_location: `mlflow-artifacts:/${id}` } },
  })

  it('is that its creator manages it, and nobody else', async () => {
    gateway.script({
      [`GET ${API}/experiments/get`]: ({ url }) => experiment(url.endsWith('=19') ? '19' : '1', 'alpha/new'),
      [`POST ${API}/experiments/create`]: { body: { experiment_id: '19' } },
    })
    const before = await post('experiments/delete', { experiment_id: '19' })
    expect(before.line).toBe('403 PERMISSION_DENIED level_too_low')
    expect((await post('experiments/create', { name: 'alpha/new' })).line).toBe('200 allow')
    expect((await post('experiments/delete', { experiment_id: '19' })).line).toBe('200 allow')
    expect((await post('experiments/delete', { experiment_id: '19' }, 'reader')).line).toBe(
      '403 PERMISSION_DENIED level_too_low',
    )
    expect((await post('experiments/delete', { experiment_id: '19' }, 'outsider')).line).toBe(
      '403 PERMISSION_DENIED no_grant',
    )
    expect((await post('experiments/delete', { experiment_id: '1' })).line).toBe(
      '403 PERMISSION_DENIED level_too_low',
    )
  })

  it('is nothing, where MLflow refused it', async () => {
    gateway.script({
      [`POST ${API}/registered-models/create`]: {
        status: 400,
        body: { error_code: 'RESOURCE_ALREADY_EXISTS', message: 'x' },
      },
    })
    expect((await post('registered-models/create', { name: 'alpha-model' })).line).toBe('400 allow')
    const { body } = await gateway.ask({
      method: 'DELETE',
      target: `${API}/registered-models/delete`,
      json: { name: 'alpha-model' },
      as: 'editor',
    })
    expect(body.toString()).toContain('PERMISSION_DENIED')
  })
})

describe('a model called like a pattern', () => {
  it.each(['*', 'beta-*', '**', '?', '.*', 'alpha/*'])('%s is only ever that model', async (name) => {
    const known = ['beta-model', 'alpha-model', name]
    gateway.script({
      [`GET ${API}/registered-models/get`]: ({ url }) => {
        const asked = new URL(url, 'http://mlflow').searchParams.get('name') ?? ''
        return known.includes(asked) ? { body: { registered_model: { name: asked } } } : { status: 404 }
      },
    })
    // An admin makes it, so an exact grant on that very name is what the admin gets; the outsider gets the same by hand.
    expect((await post('registered-models/create', { name }, 'admin')).line).toBe('200 allow')
    const { id } = await gateway.store.roles.personal(gateway.members.outsider.userId)
    const grant = await gateway.store.roles.grant(id, {
      ...{ resourceType: 'registered_model', match: 'exact', pattern: name, level: 'READ', source: 'manual' },
    })
    await expect
      .poll(
        async () => (await get(`registered-models/get?name=${encodeURIComponent(name)}`, 'outsider')).line,
      )
      .toBe('200 allow')
    for (const other of ['beta-model', 'alpha-model']) {
      expect((await get(`registered-models/get?name=${other}`, 'outsider')).line).toBe(
        '404 RESOURCE_DOES_NOT_EXIST no_grant',
      )
    }
    const list = await get('registered-models/search', 'outsider')
    expect(list.text).toBe('{}')
    await gateway.store.roles.revokeGrant(grant.id)
    await expect
      .poll(
        async () => (await get(`registered-models/get?name=${encodeURIComponent(name)}`, 'outsider')).status,
      )
      .toBe(404)
  })
})

describe('the grants of a model', () => {
  /** A registry that keeps what it is told. */
  function registry(...names: string[]) {
    const models = new Set(names)
    const nameIn = (body: Buffer, field = 'name') => String(JSON.parse(body.toString())[field])
    gateway.script({
      [`GET ${API}/registered-models/get`]: ({ url }) => {
        const name = new URL(url, 'http://mlflow').searchParams.get('name') ?? ''
        return models.has(name) ? { body: { registered_model: { name } } } : { status: 404 }
      },
      [`POST ${API}/registered-models/create`]: ({ body }) => {
        models.add(nameIn(body))
        return { body: { registered_model: { name: nameIn(body) } } }
      },
      [`POST ${API}/registered-models/rename`]: ({ body }) => {
        models.delete(nameIn(body))
        models.add(nameIn(body, 'new_name'))
        return { body: { registered_model: { name: nameIn(body, 'new_name') } } }
      },
      [`DELETE ${API}/registered-models/delete`]: ({ body }) => {
        models.delete(nameIn(body))
        return { body: {} }
      },
    })
  }

  const remove = (name: string, as: MemberName) =>
    gateway.ask({ method: 'DELETE', target: `${API}/registered-models/delete`, json: { name }, as })
  const look = async (name: string, as: MemberName) =>
    (await get(`registered-models/get?name=${name}`, as)).status

  async function grantOutsider(name: string): Promise<void> {
    const { id } = await gateway.store.roles.personal(gateway.members.outsider.userId)
    await gateway.store.roles.grant(id, {
      ...{ resourceType: 'registered_model', match: 'exact', pattern: name, level: 'READ', source: 'manual' },
    })
    await expect.poll(() => look(name, 'outsider')).toBe(200)
  }

  it('go with it when it is renamed, and do not stay at the old name', async () => {
    registry('alpha-moving')
    await grantOutsider('alpha-moving')
    expect(
      (await post('registered-models/rename', { name: 'alpha-moving', new_name: 'alpha-moved' })).line,
    ).toBe('200 allow')
    expect(await look('alpha-moved', 'outsider')).toBe(200)
    expect(await look('alpha-moving', 'outsider')).toBe(404)
    expect((await post('registered-models/create', { name: 'alpha-moving' })).line).toBe('200 allow')
    expect(await look('alpha-moving', 'outsider')).toBe(404)
    expect(await look('alpha-moving', 'editor')).toBe(200)
  })

  it('end with it: one made anew under its name has none of them', async () => {
    registry()
    expect((await post('registered-models/create', { name: 'alpha-brief' })).line).toBe('200 allow')
    await grantOutsider('alpha-brief')
    expect((await remove('alpha-brief', 'editor')).line).toBe('200 allow')
    expect((await post('registered-models/create', { name: 'alpha-brief' }, 'admin')).line).toBe('200 allow')
    expect(await look('alpha-brief', 'outsider')).toBe(404)
    expect((await remove('alpha-brief', 'editor')).line).toBe('403 PERMISSION_DENIED level_too_low')
  })

  it("of a creator end with it, even if it was deleted behind the gateway's back", async () => {
    registry()
    expect((await post('registered-models/create', { name: 'alpha-gone' })).line).toBe('200 allow')
    registry()
    expect((await post('registered-models/create', { name: 'alpha-gone' }, 'admin')).line).toBe('200 allow')
    expect((await remove('alpha-gone', 'editor')).line).toBe('403 PERMISSION_DENIED level_too_low')
  })
})
