/**
 * The attack: prompts are registered models with a tag, and share their routes; grants are kept apart. Who may make one
 * kind and tag it into the other, or have a request read as the other, holds what was never granted.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
  // The outsider holds EDIT on prompts of these names, and on no model.
  const { id } = await gateway.store.roles.personal(gateway.members.outsider.userId)
  await gateway.store.roles.grant(id, {
    ...{ resourceType: 'prompt', match: 'name', pattern: '*-prompt', level: 'EDIT', source: 'manual' },
  })
  await vi.waitFor(async () => expect((await get('alpha-prompt')).status).toBe(200))
})
afterAll(() => gateway.stop())

const API = '/api/2.0/mlflow'
const TAG = 'mlflow.prompt.is_prompt'
const ask = (method: string, path: string, json: object, as: MemberName = 'outsider') =>
  gateway.ask({ method, target: `${API}/${path}`, json, as })
const get = (name: string, as: MemberName = 'outsider') =>
  gateway.ask({ target: `${API}/registered-models/get?name=${name}`, as })

describe('a creation', () => {
  const prompt = (tags: unknown, name = 'new-prompt') => ({ name, tags })

  it('of a prompt is judged as one', async () => {
    for (const value of ['true', 'True', 'TRUE']) {
      const { line } = await ask(
        'POST',
        'registered-models/create',
        prompt([{ key: TAG, value }], `${value}-prompt`),
      )
      expect(line).toBe('200 allow')
    }
  })

  it.each<[string, unknown]>([
    ['no tags', undefined],
    ['null', null],
    ['none', []],
    ['another tag', [{ key: 'x', value: 'true' }]],
    ['false', [{ key: TAG, value: 'false' }]],
    ['empty', [{ key: TAG, value: '' }]],
    ['no value', [{ key: TAG }]],
    ['almost true', [{ key: TAG, value: 'true ' }]],
    ['one', [{ key: TAG, value: '1' }]],
    ['yes', [{ key: TAG, value: 'yes' }]],
    ['another case of the tag', [{ key: TAG.toUpperCase(), value: 'true' }]],
    ['a blank after the tag', [{ key: `${TAG} `, value: 'true' }]],
  ])('of a model is judged as one: %s', async (_, tags) => {
    const { line, reached } = await ask('POST', 'registered-models/create', prompt(tags))
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })

  it.each<[string, unknown]>([
    ['a boolean', [{ key: TAG, value: true }]],
    ['a number', [{ key: TAG, value: 1 }]],
    ['a list', [{ key: TAG, value: ['true'] }]],
    [
      'twice',
      [
        { key: TAG, value: 'true' },
        { key: TAG, value: 'false' },
      ],
    ],
    [
      'twice, the other order',
      [
        { key: TAG, value: 'false' },
        { key: TAG, value: 'true' },
      ],
    ],
    ['an object instead of a list', { key: TAG, value: 'true' }],
    ['behind what MLflow cannot convert', [1, { key: TAG, value: 'true' }]],
    [
      'behind a tag it cannot convert',
      [
        { key: 'x', value: 1 },
        { key: TAG, value: 'true' },
      ],
    ],
    ['behind a tag without a form', ['x', { key: TAG, value: 'true' }]],
  ])('that MLflow may read as either is refused, or judged as a model: %s', async (_, tags) => {
    const { status, reached } = await ask('POST', 'registered-models/create', prompt(tags))
    expect([[400, 403].includes(status), reached]).toEqual([true, []])
  })

  it('of a prompt behind a field MLflow cannot convert is no way to a model', async () => {
    const json = `{"name":"new-prompt","description":{"x":1},"tags":[{"key":"${TAG}","value":"true"}]}`
    const sent = await gateway.ask({
      ...{ method: 'POST', target: `${API}/registered-models/create`, as: 'outsider', body: json },
      headers: ['Content-Type: application/json'],
    })
    // Either it is refused, or what MLflow converts first is what was judged.
    const order = sent.forwarded.map(({ body }) =>
      Object.keys(JSON.parse(body.toString())).slice(0, 2).sort(),
    )
    expect(sent.status === 400 ? [] : order).toEqual(sent.status === 400 ? [] : [['name', 'tags']])
  })
})

describe('the tag that makes a prompt', () => {
  it.each([
    ['POST', 'registered-models/set-tag', { name: 'alpha-model', key: TAG, value: 'true' }],
    ['POST', 'registered-models/set-tag', { key: TAG, value: 'true', name: 'alpha-model' }],
    ['POST', 'registered-models/set-tag', { name: 'alpha-prompt', key: TAG, value: 'false' }],
    ['DELETE', 'registered-models/delete-tag', { name: 'alpha-prompt', key: TAG }],
    ['POST', 'model-versions/set-tag', { name: 'alpha-model', version: '1', key: TAG, value: 'true' }],
    ['DELETE', 'model-versions/delete-tag', { name: 'alpha-prompt', version: '1', key: TAG }],
  ])("is an administrator's to set: %s %s %j", async (method, path, json) => {
    const { line, reached } = await ask(method, path, json, 'editor')
    expect([line, reached]).toEqual(['403 PERMISSION_DENIED admin_only', []])
    expect((await ask(method, path, json, 'admin')).line).toBe('200 allow')
  })
})

describe('a grant on prompts', () => {
  it.each([
    ['GET', 'registered-models/get?name=alpha-prompt', 200],
    ['GET', 'registered-models/get?name=beta-prompt', 200],
    ['GET', 'registered-models/get?name=alpha-model', 404],
    ['GET', 'registered-models/get?name=beta-model', 404],
    ['GET', 'model-versions/get?name=alpha-model&version=1', 403],
    ['GET', 'model-versions/get?name=alpha-prompt&version=1', 200],
  ])('%s %s: %i', async (method, path, status) => {
    expect((await gateway.ask({ method, target: `${API}/${path}`, as: 'outsider' })).status).toBe(status)
  })

  it('shows prompts in lists, and no model', async () => {
    const models = await gateway.ask({ target: `${API}/registered-models/search`, as: 'outsider' })
    expect(JSON.parse(models.text).registered_models.map(({ name }: { name: string }) => name)).toEqual([
      'alpha-prompt',
      'beta-prompt',
    ])
    const versions = await gateway.ask({ target: `${API}/model-versions/search`, as: 'outsider' })
    expect(JSON.parse(versions.text).model_versions.map(({ name }: { name: string }) => name)).toEqual([
      'alpha-prompt',
      'beta-prompt',
    ])
  })

  it("does not show a version of a model that its editor tagged as a prompt's", async () => {
    gateway.script({
      [`GET ${API}/model-versions/search`]: {
        body: { model_versions: [{ name: 'beta-model', version: '1', tags: [{ key: TAG, value: 'true' }] }] },
      },
    })
    expect((await gateway.ask({ target: `${API}/model-versions/search`, as: 'outsider' })).text).toBe('{}')
    gateway.script({})
  })

  it('renames prompts into prompts only', async () => {
    expect(
      (await ask('POST', 'registered-models/rename', { name: 'beta-prompt', new_name: 'x-prompt' })).line,
    ).toBe('200 allow')
    const model = await ask('POST', 'registered-models/rename', { name: 'beta-model', new_name: 'x-prompt' })
    expect([model.line, model.reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
    const outside = await ask('POST', 'registered-models/rename', { name: 'beta-prompt', new_name: 'x' })
    expect([outside.line, outside.reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })
})
