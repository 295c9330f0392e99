/**
 * The attack: to spend somebody else's money. A call of the AI gateway names its endpoint, in the path or as the model in
 * the body; a name in another spelling, given twice, or read differently behind us would call another endpoint than the
 * one that was judged. A secret of others, put under a model definition of one's own, would be used without a right on it;
 * its address changed, its key would be sent to the attacker. An endpoint named so that its calls are logged to an experiment
 * of others would write there, and would have given its creator the right to manage it.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Ask } from '../support/spoken-request.ts'
import {
  DEFINITION_A,
  DEFINITION_B,
  ENDPOINT_A,
  ENDPOINT_B,
  GUARDRAIL_B,
  SCORER_B,
  SECRET_A,
  SECRET_B,
} from '../support/stand-in-ai-gateway.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'
import { headerValues } from '../support/upstream.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())
beforeEach(() => gateway.script({}))

const CHAT = '/gateway/mlflow/v1/chat/completions'
const API = '/api/3.0/mlflow/gateway'
const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'
const NO_GRANT = '403 PERMISSION_DENIED no_grant'

const json = (body: string | object): Partial<Ask> => ({
  headers: ['Content-Type: application/json'],
  body: typeof body === 'string' ? body : JSON.stringify(body),
})

/** What becomes of it, and what reached MLflow. */
async function ask(sent: Ask, as: MemberName = 'editor') {
  const { line, reached } = await gateway.ask({ as, ...sent })
  return [line, reached] as const
}

const post = (target: string, body: string | object, as?: MemberName) =>
  ask({ method: 'POST', target, ...json(body) }, as)

describe('the endpoint that a body names as its model', () => {
  it.each([
    ['one of others', '{"model":"beta-endpoint"}', NO_GRANT],
    ['one that is not there', '{"model":"gamma"}', NO_GRANT],
    ['another case, where the database tells them apart', '{"model":"ALPHA-ENDPOINT"}', NO_GRANT],
    ['letters that look alike', '{"model":"\u0430lpha-endpoint"}', NO_GRANT],
    ['with a prefix', '{"model":"models/alpha-endpoint"}', NO_GRANT],
    ['with a space', '{"model":"alpha-endpoint "}', NO_GRANT],
    ['with a NUL', '{"model":"alpha-endpoint\\u0000"}', NO_GRANT],
    ['half a surrogate', '{"model":"alpha-endpoint\\ud800"}', INVALID],
    ['twice', '{"model":"alpha-endpoint","model":"beta-endpoint"}', AMBIGUOUS],
    ['twice, once escaped', '{"model":"alpha-endpoint","\\u006dodel":"beta-endpoint"}', AMBIGUOUS],
    [
      'under a key that protobuf would take for it',
      '{"model":"alpha-endpoint","model_":"beta-endpoint"}',
      AMBIGUOUS,
    ],
    ['under such a key alone', '{"model_":"alpha-endpoint"}', INVALID],
    ['in another case of the key', '{"Model":"alpha-endpoint"}', INVALID],
    ['not at all', '{}', INVALID],
    ['empty', '{"model":""}', INVALID],
    ['null', '{"model":null}', INVALID],
    ['in a list', '{"model":["alpha-endpoint"]}', INVALID],
    ['in an object', '{"model":{"name":"alpha-endpoint"}}', INVALID],
    ['in a text that holds JSON', '"{\\"model\\":\\"alpha-endpoint\\"}"', AMBIGUOUS],
    ['in a list at the top', '[{"model":"alpha-endpoint"}]', AMBIGUOUS],
    ['before something else', '{"model":"alpha-endpoint"}{"model":"beta-endpoint"}', AMBIGUOUS],
    ['behind a byte order mark', '\ufeff{"model":"alpha-endpoint"}', AMBIGUOUS],
  ])('%s: %s', async (_, body, expected) => {
    for (const target of [CHAT, '/gateway/openai/v1/responses', '/gateway/anthropic/v1/messages']) {
      expect(await post(target, body)).toEqual([expected, []])
    }
  })

  it('is the one that is called, byte by byte as it was judged', async () => {
    const body = '{ "messages":[{"n":1.50}], "model":"alpha-endpoint", "stream":true}'
    const { line, forwarded } = await gateway.ask({
      method: 'POST',
      target: CHAT,
      as: 'editor',
      ...json(body),
    })
    expect([line, forwarded.map(({ url }) => url)]).toEqual(['200 allow', [CHAT]])
    expect(JSON.parse(forwarded[0]?.body.toString() ?? '')).toEqual(JSON.parse(body))
  })

  it.each([
    ['a query that names another', `${CHAT}?model=beta-endpoint`, []],
    ['a header that skips guardrails', CHAT, ['X-MLflow-Guardrail-Bypass: 1']],
    [
      'a header that says who calls',
      CHAT,
      ['X-MLflow-Gateway-Caller: judge', 'X_MLflow_Guardrail_Bypass: 1'],
    ],
    ['a key of theirs', CHAT, ['X-Api-Key: sk-theirs', 'Api-Key: sk-theirs']],
  ])('%s stays here', async (_, target, headers) => {
    const sent = json({ model: 'alpha-endpoint' })
    const { line, forwarded } = await gateway.ask({
      ...{ method: 'POST', target, as: 'editor', ...sent, headers: [...(sent.headers ?? []), ...headers] },
    })
    expect([line, forwarded.map(({ url }) => url)]).toEqual(['200 allow', [CHAT]])
    const names = forwarded.flatMap(({ rawHeaders }) => rawHeaders.filter((_, at) => at % 2 === 0))
    expect(names.join(' ')).not.toMatch(/mlflow|key|authorization/i)
  })

  it.each(['zstd', 'gzip', 'ZSTD', 'identity'])('is not read in a coding: %s', async (coding) => {
    const headers = ['Content-Type: application/json', `Content-Encoding: ${coding}`]
    const [line, reached] = await ask({
      method: 'POST',
      target: CHAT,
      headers,
      body: '{"model":"alpha-endpoint"}',
    })
    expect([line, reached]).toEqual(['415 INVALID_PARAMETER_VALUE ERR_UNSUPPORTED_MEDIA_TYPE', []])
  })
})

describe('the endpoint in a path', () => {
  it.each([
    ['/gateway/beta-endpoint/mlflow/invocations', NO_GRANT],
    ['/gateway/%62eta-endpoint/mlflow/invocations', NO_GRANT],
    ['/gateway/alpha-endpoint%2Fmlflow/mlflow/invocations', AMBIGUOUS],
    ['/gateway/alpha-endpoint%2562/mlflow/invocations', AMBIGUOUS],
    ['/gateway/../mlflow/invocations', AMBIGUOUS],
    ['/gateway/gemini/v1beta/models/beta-endpoint:generateContent', NO_GRANT],
    ['/gateway/gemini/v1beta/models/alpha-endpoint:x:streamGenerateContent', NO_GRANT],
    ['/gateway/gemini/v1beta/models/:generateContent', AMBIGUOUS],
  ])('%s', async (target, expected) => {
    expect(await post(target, '{}')).toEqual([expected, []])
  })
})

describe('the raw proxy, any path of the provider with the stored key', () => {
  it('is for who manages the endpoint', async () => {
    expect(await post('/gateway/proxy/alpha-endpoint/v1/files', '{}')).toEqual([
      '403 PERMISSION_DENIED level_too_low',
      [],
    ])
    const target = '/gateway/proxy/alpha-endpoint/v1/files?n=1'
    expect(await post(target, '{}', 'admin')).toEqual(['200 allow', [`POST ${target}`]])
  })

  it.each([
    '/gateway/proxy/alpha-endpoint/../secrets',
    '/gateway/proxy/alpha-endpoint/v1/%2e%2e/x',
    '/gateway/proxy/alpha-endpoint/v1//x',
    '/gateway/proxy/alpha-endpoint/v1/%2f%2fevil.example',
    '/gateway/proxy/alpha-endpoint/v1%5c..%5cx',
    '/gateway/proxy/alpha-endpoint/%252e%252e/x',
    '/gateway/proxy/alpha-endpoint/x%23y',
  ])('climbs nowhere: %s', async (target) => {
    expect(await post(target, '{}', 'admin')).toEqual([AMBIGUOUS, []])
  })

  it('is not taken for a call of the endpoint `proxy`, which MLflow would make of it', async () => {
    expect(await post('/gateway/proxy/mlflow/invocations', '{}', 'admin')).toEqual([AMBIGUOUS, []])
    expect(await post('/gateway/proxy/mlflow/invocations', '{}')).toEqual([AMBIGUOUS, []])
  })
})

describe('two selectors at once', () => {
  it.each([
    [`endpoint_id=${ENDPOINT_A}&name=beta-endpoint`, NO_GRANT],
    [`endpoint_id=${ENDPOINT_B}&name=alpha-endpoint`, NO_GRANT],
    [`endpoint_id=${ENDPOINT_A}&endpoint_id=${ENDPOINT_B}`, AMBIGUOUS],
    [`endpoint_id=${ENDPOINT_A}&endpointId=${ENDPOINT_B}`, AMBIGUOUS],
    [`endpoint_id=${ENDPOINT_A.toUpperCase()}`, INVALID],
    ['name=beta-endpoint', NO_GRANT],
    ['', INVALID],
  ])('endpoints/get?%s', async (query, expected) => {
    expect(await ask({ target: `${API}/endpoints/get?${query}` })).toEqual([expected, []])
  })

  it('of a secret: its name is none', async () => {
    const target = `${API}/secrets/get?secret_id=${SECRET_A}&secret_name=beta-secret`
    expect(await ask({ target })).toEqual([AMBIGUOUS, []])
  })
})

describe('what belongs to others, taken by what is one’s own', () => {
  const mapping = (id: string) => ({ model_definition_id: id, linkage_type: 'PRIMARY' })
  it.each<[string, string, object, string]>([
    [
      'a secret under a new definition',
      'model-definitions/create',
      { name: 'alpha-x', secret_id: SECRET_B },
      NO_GRANT,
    ],
    [
      'a secret swapped in',
      'model-definitions/update',
      { model_definition_id: DEFINITION_A, secretId: SECRET_B },
      NO_GRANT,
    ],
    [
      'a definition attached',
      'endpoints/models/attach',
      { endpoint_id: ENDPOINT_A, model_config: mapping(DEFINITION_B) },
      NO_GRANT,
    ],
    [
      'one definition among one’s own',
      'endpoints/update',
      { endpoint_id: ENDPOINT_A, model_configs: [mapping(DEFINITION_A), mapping(DEFINITION_B)] },
      NO_GRANT,
    ],
    [
      'a name outside of one’s own',
      'endpoints/update',
      { endpoint_id: ENDPOINT_A, name: 'beta-new' },
      NO_GRANT,
    ],
    [
      'such a name of a definition',
      'model-definitions/update',
      { model_definition_id: DEFINITION_A, name: 'b' },
      NO_GRANT,
    ],
    ['such a name of a secret', 'secrets/create', { secret_name: 'beta-x' }, NO_GRANT],
    [
      'an experiment to log to',
      'endpoints/update',
      { endpoint_id: ENDPOINT_A, experiment_id: '2' },
      NO_GRANT,
    ],
    [
      'a scorer',
      'guardrails/add-to-endpoint',
      { endpoint_id: ENDPOINT_A, guardrail_id: GUARDRAIL_B },
      NO_GRANT,
    ],
    [
      'a scorer bound',
      'endpoints/bindings/create',
      { endpoint_id: ENDPOINT_A, resource_type: 'scorer', resource_id: SCORER_B },
      NO_GRANT,
    ],
    [
      'something else bound',
      'endpoints/bindings/create',
      { endpoint_id: ENDPOINT_A, resource_type: 'judge', resource_id: SCORER_B },
      '403 PERMISSION_DENIED admin_only',
    ],
    [
      'the address that one’s key is sent to, without managing it',
      'secrets/update',
      { secret_id: SECRET_A, authConfig: { api_base: 'https://evil.example' } },
      '403 PERMISSION_DENIED level_too_low',
    ],
  ])('%s', async (_, what, body, expected) => {
    expect(await post(`${API}/${what}`, body)).toEqual([expected, []])
  })

  it('is not told by what a list is filtered by', async () => {
    for (const list of ['endpoints', 'model-definitions']) {
      expect(await ask({ target: `${API}/${list}/list?secret_id=${SECRET_B}` })).toEqual([NO_GRANT, []])
    }
  })
})

describe('the experiment that calls are logged to', () => {
  const configs = { model_configs: [{ model_definition_id: DEFINITION_A, linkage_type: 'PRIMARY' }] }
  const create = (more: object | string) =>
    post(
      `${API}/endpoints/create`,
      typeof more === 'string' ? more : { name: 'alpha-x', ...configs, ...more },
    )
  const CREATED = ['200 allow', [`POST ${API}/endpoints/create`]]
  const configsText = `"model_configs":[{"model_definition_id":"${DEFINITION_A}","linkage_type":"PRIMARY","weight":"x"}]`

  it('takes a right on its name, unless one is named or nothing logged', async () => {
    expect(await create({})).toEqual([NO_GRANT, []])
    expect(await create({ usage_tracking: true })).toEqual([NO_GRANT, []])
    expect(await create({ usage_tracking: null, experiment_id: null })).toEqual([NO_GRANT, []])
    expect(await create({ usage_tracking: false })).toEqual(CREATED)
    expect(await create({ usageTracking: false })).toEqual(CREATED)
    expect(await create({ experiment_id: '1' })).toEqual(CREATED)
    expect(await create({ experiment_id: '2' })).toEqual([NO_GRANT, []])
  })

  it.each(['"no"', '0', '"false"', '[]', '{}'])('is not left to a reading of %s', async (value) => {
    expect(await create(`{"name":"alpha-x",${configsText},"usage_tracking":${value}}`)).toEqual([INVALID, []])
  })

  it('cannot be hidden behind what MLflow cannot convert', async () => {
    const { forwarded } = await gateway.ask({
      ...{ method: 'POST', target: `${API}/endpoints/create`, as: 'editor' },
      ...json(`{${configsText},"name":"alpha-x","experiment_id":"1"}`),
    })
    const text = forwarded[0]?.body.toString() ?? ''
    expect(text.indexOf('experiment_id')).toBeGreaterThan(0)
    expect(text.indexOf('experiment_id')).toBeLessThan(text.indexOf('model_configs'))
  })

  it.each([
    ['that was there before', '77', 'e-of-somebody-else', 'NO_PERMISSIONS'],
    ['that nobody knows the source of', '78', undefined, 'NO_PERMISSIONS'],
    ['that was made for the endpoint', '79', 'e-made', 'MANAGE'],
  ])(
    'is managed by whoever made the endpoint only if it was made for it: one %s',
    async (_, experiment_id, source, level) => {
      const tags = source === undefined ? [] : [{ key: 'mlflow.experiment.sourceId', value: source }]
      gateway.script({
        [`POST ${API}/endpoints/create`]: () => ({
          body: { endpoint: { endpoint_id: 'e-made', experiment_id } },
        }),
        'GET /api/2.0/mlflow/experiments/get': () => ({
          body: { experiment: { experiment_id, name: 'gateway/x', tags } },
        }),
      })
      expect((await create({ usage_tracking: false }))[0]).toBe('200 allow')
      const membership = await gateway.store.people.membership(gateway.members.editor.userId, [
        { id: 'oidc' },
      ])
      const grants = (membership?.roles ?? []).flatMap((role) => role.grants)
      const held = grants.find((each) => each.resourceType === 'experiment' && each.pattern === experiment_id)
      expect(held?.level ?? 'NO_PERMISSIONS').toBe(level)
    },
  )
})

describe('what an answer tells of others', () => {
  it('is left out', async () => {
    const { line, text } = await gateway.ask({ target: `${API}/endpoints/list`, as: 'editor' })
    const { endpoints } = JSON.parse(text)
    expect([line, endpoints.length]).toEqual(['200 allow', 1])
    const [own, foreign] = endpoints[0].model_mappings
    expect(own.model_definition).toMatchObject({ secret_name: 'alpha-secret', secret_id: SECRET_A })
    expect(foreign).toEqual({})
    expect(text).not.toContain('beta')
  })

  it('is shown to administrators', async () => {
    const { text } = await gateway.ask({ target: `${API}/endpoints/list`, as: 'admin' })
    expect(text).toContain('beta-secret')
  })

  it('how secrets are kept is for administrators', async () => {
    const target = '/ajax-api/3.0/mlflow/gateway/secrets/config'
    gateway.script({
      [`GET ${target}`]: () => ({ body: { secrets_available: true, using_default_passphrase: true } }),
    })
    expect((await gateway.ask({ target, as: 'outsider' })).text).toBe('{"secrets_available":true}')
    expect((await gateway.ask({ target, as: 'admin' })).text).toContain('passphrase')
  })
})

it('an outsider’s lists are empty, not refused (field report 25)', async () => {
  for (const [what, field] of [
    ['endpoints', 'endpoints'],
    ['secrets', 'secrets'],
    ['model-definitions', 'model_definitions'],
  ]) {
    const { line, text } = await gateway.ask({ target: `${API}/${what}/list`, as: 'outsider' })
    expect([line, JSON.parse(text)]).toEqual(['200 allow', { [field ?? '']: [] }])
  }
})

it('a header of a client’s goes to Anthropic, by its name alone', async () => {
  const sent = json({ model: 'alpha-endpoint' })
  const { forwarded } = await gateway.ask({
    ...{ method: 'POST', target: '/gateway/anthropic/v1/messages', as: 'editor', ...sent },
    headers: [...(sent.headers ?? []), 'anthropic-version: 2023-06-01', 'anthropic-dangerous: x'],
  })
  expect(forwarded.map((request) => headerValues(request, 'anthropic-version'))).toEqual([['2023-06-01']])
  expect(forwarded.flatMap((request) => headerValues(request, 'anthropic-dangerous'))).toEqual([])
})
