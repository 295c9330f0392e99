/**
 * The attack: jobs run on the server, in the name of nobody, with whatever they were given: traces, scorers, prompts,
 * secrets, endpoints, some of them named inside of a URI or of JSON in a text. Any job could be read, ended and started by
 * anybody who got through (field report 10, CVE-2026-0545; SURFACE §4: `/ajax-api/3.0/jobs/`, §7: the user name from
 * `Authorization: Basic`).
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TRACE_A, TRACE_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { ENDPOINT_B, SECRET_A, SECRET_B } from '../support/stand-in-ai-gateway.ts'
import { JOB_A } from '../support/stand-in-genai.ts'
import { DATASET_A, DATASET_B } from '../support/stand-in-things.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'
import { headerValues } from '../support/upstream.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterEach(() => gateway.script({}))
afterAll(() => gateway.stop())

const AJAX = '/ajax-api/3.0/mlflow'
const ADMIN_ONLY = '403 PERMISSION_DENIED admin_only'
const NO_GRANT = '403 PERMISSION_DENIED no_grant'
const TOO_LOW = '403 PERMISSION_DENIED level_too_low'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'
const post = (path: string, json: object, as: MemberName = 'editor') =>
  gateway.ask({ method: 'POST', target: `${AJAX}/${path}`, json, as })

describe('a job', () => {
  const asks = (id: string): readonly Ask[] => [
    { target: `${AJAX}/jobs/${id}` },
    { target: `/ajax-api/3.0/jobs/${id}` },
    { method: 'PATCH', target: `${AJAX}/jobs/cancel/${id}` },
    { method: 'PATCH', target: `/ajax-api/3.0/jobs/cancel/${id}` },
  ]

  it('is its owner’s and the administrators’, whoever else asks and however much they are granted', async () => {
    for (const ask of asks(JOB_A)) {
      for (const as of ['editor', 'admin'] as const)
        expect((await gateway.ask({ ...ask, as })).line).toBe('200 allow')
      for (const as of ['reader', 'outsider'] as const) {
        const { line, reached } = await gateway.ask({ ...ask, as })
        expect([line, reached]).toEqual([ADMIN_ONLY, []])
      }
      expect((await gateway.ask(ask)).status).toBe(401)
    }
  })

  it('of somebody else reads as one that is not there', async () => {
    const words = async (id: string) =>
      (await gateway.ask({ target: `${AJAX}/jobs/${id}`, as: 'reader' })).message.replace(/ \(request.*/, '')
    expect(await words(JOB_A)).toBe(await words('20000000-0000-4000-8000-000000000000'))
  })

  it('is started by administrators only, whoever it is to be for', async () => {
    const json = { job_name: 'invoke_scorer', params: { username: 'admin', experiment_id: '1' } }
    for (const as of ['editor', 'reader', 'outsider'] as const) {
      const { line, reached } = await gateway.ask({ method: 'POST', target: '/ajax-api/3.0/jobs/', json, as })
      expect([line, reached]).toEqual([ADMIN_ONLY, []])
    }
  })

  it('is listed to who started it', async () => {
    const jobs = [JOB_A, 'other', 7].map((job_id) => ({ job_id, params: { secret: 'x' }, creator: null }))
    gateway.script({ 'POST /ajax-api/3.0/jobs/search': { body: { jobs: [...jobs, { params: {} }] } } })
    const seen = async (as: MemberName) =>
      JSON.parse(
        (await gateway.ask({ method: 'POST', target: '/ajax-api/3.0/jobs/search', json: {}, as })).text,
      ).jobs
    expect(await seen('editor')).toEqual([jobs[0]])
    expect(await seen('reader')).toEqual([])
    expect(await seen('admin')).toHaveLength(4)
  })

  it('belongs to who started it, by every way there is to start one', async () => {
    const scored = {
      experiment_id: '1',
      trace_ids: [TRACE_A],
      serialized_scorer: '{}',
      serialized_scorers: ['{}'],
    }
    const optimized = { experiment_id: '1', source_prompt_uri: 'alpha-prompt', config: {} }
    const ways: readonly [string, object, (id: string) => object][] = [
      ['scorer/invoke', scored, (job_id) => ({ jobs: [{ job_id: `${job_id}-0` }, { job_id }] })],
      ['genai/evaluate/invoke', scored, (job_id) => ({ job_id })],
      ['issues/invoke', { ...scored, provider: 'openai', model: 'm' }, (job_id) => ({ job_id })],
      ['prompt-optimization/jobs', optimized, (job_id) => ({ job: { job_id } })],
    ]
    for (const [index, [path, json, answer]] of ways.entries()) {
      const id = `started-${index}`
      gateway.script({ [`POST ${AJAX}/${path}`]: { body: answer(id) } })
      expect((await post(path, json)).line).toBe('200 allow')
      gateway.script({})
      const [one] = asks(id)
      expect((await gateway.ask({ target: one?.target ?? '', as: 'editor' })).line).toBe('200 allow')
      expect((await gateway.ask({ target: one?.target ?? '', as: 'reader' })).line).toBe(ADMIN_ONLY)
    }
  })

  it('runs in the name that nobody but the gateway gives', async () => {
    const { token } = gateway.members.editor
    const basic = Buffer.from(`editor:${token}`).toString('base64')
    const { line, forwarded } = await gateway.ask({
      ...{ method: 'POST', target: `${AJAX}/scorer/invoke`, headers: [`Authorization: Basic ${basic}`] },
      json: { experiment_id: '1', trace_ids: [TRACE_A], serialized_scorer: '{}' },
    })
    expect(line).toBe('200 allow')
    expect(forwarded.flatMap((request) => headerValues(request, 'authorization'))).toEqual([])
  })
})

describe('a scorer’s or an evaluation’s job', () => {
  const judge = (model: string, name = 'j') =>
    JSON.stringify({ name, builtin_scorer_pydantic_data: { model } })
  const scoring = { experiment_id: '1', trace_ids: [TRACE_A], serialized_scorer: '{}' }
  const evaluation = { experiment_id: '1', trace_ids: [TRACE_A], serialized_scorers: ['{}'] }

  it.each<[string, object, string]>([
    ["somebody else's experiment", { ...scoring, experiment_id: '2' }, NO_GRANT],
    ["somebody else's trace among one's own", { ...scoring, trace_ids: [TRACE_A, TRACE_B] }, NO_GRANT],
    ['a trace that is no id', { ...scoring, trace_ids: [`${TRACE_A}/../${TRACE_B}`] }, INVALID],
    ['traces that are no list', { ...scoring, trace_ids: TRACE_B }, INVALID],
    [
      'a scorer that may not be read',
      { ...scoring, scorer_name: 'x', scorer_version: 1, experiment_id: '2' },
      NO_GRANT,
    ],
    [
      "somebody else's endpoint",
      { ...scoring, serialized_scorer: judge('gateway:/beta-endpoint') },
      NO_GRANT,
    ],
    ["one's own", { ...scoring, scorer_name: 'alpha-scorer', scorer_version: 1 }, '200 allow'],
  ])('on %s', async (_, json, line) => {
    const outcome = await post('scorer/invoke', json)
    expect([outcome.line, outcome.reached.length]).toEqual([line, line === '200 allow' ? 1 : 0])
  })

  it.each<[string, object, string]>([
    ["somebody else's trace", { ...evaluation, trace_ids: [TRACE_B] }, NO_GRANT],
    [
      "somebody else's endpoint, in the second",
      { ...evaluation, serialized_scorers: ['{}', judge('gateway:/beta-endpoint')] },
      NO_GRANT,
    ],
    ['a scorer in two texts', { ...evaluation, serialized_scorers: ['[{}', '{}],{}'] }, INVALID],
    ['a stored scorer without a name', { ...evaluation, scorer_versions: [1] }, INVALID],
    [
      'stored scorers with versions that are no list',
      { ...evaluation, serialized_scorers: [judge('openai:/m', 'x')], scorer_versions: 1 },
      INVALID,
    ],
    [
      'a stored scorer under two names',
      { ...evaluation, serialized_scorers: ['{"name":"alpha-scorer","name":"x"}'], scorer_versions: [1] },
      INVALID,
    ],
    [
      "one's own, stored and not",
      {
        ...evaluation,
        serialized_scorers: [judge('openai:/m', 'alpha-scorer'), judge('openai:/m', 'unsaved')],
        scorer_versions: [1, null],
      },
      '200 allow',
    ],
  ])('evaluates %s', async (_, json, line) => {
    const outcome = await post('genai/evaluate/invoke', json)
    expect([outcome.line, outcome.reached.length]).toEqual([line, line === '200 allow' ? 1 : 0])
  })

  it('reads stored scorers that are not denied only', async () => {
    const { id } = await gateway.store.roles.personal(gateway.members.editor.userId)
    const made = await gateway.store.roles.grant(id, {
      ...{ resourceType: 'scorer', match: 'exact', pattern: '1/denied', level: 'DENY', source: 'manual' },
    })
    await new Promise((resolve) => setTimeout(resolve, 120))
    const named = { serialized_scorers: [judge('openai:/m', 'denied')] }
    const DENIED = '403 PERMISSION_DENIED explicit_deny'
    expect(
      (await post('genai/evaluate/invoke', { ...evaluation, ...named, scorer_versions: [3] })).line,
    ).toBe(DENIED)
    expect((await post('genai/evaluate/invoke', { ...evaluation, ...named })).line).toBe('200 allow')
    expect((await post('scorer/invoke', { ...scoring, scorer_name: 'denied', scorer_version: 3 })).line).toBe(
      DENIED,
    )
    await gateway.store.roles.revokeGrant(made.id)
  })
})

describe('issue detection', () => {
  const detection = {
    experiment_id: '1',
    trace_ids: [TRACE_A],
    categories: [],
    provider: 'openai',
    model: 'm',
  }
  it.each<[string, object, string]>([
    ["somebody else's secret", { secret_id: SECRET_B }, NO_GRANT],
    ["somebody else's endpoint", { endpoint_name: 'beta-endpoint' }, NO_GRANT],
    ['an endpoint by way of the provider', { provider: 'gateway', model: 'beta-endpoint' }, NO_GRANT],
    ['the provider in capitals', { provider: 'GATEWAY', model: 'beta-endpoint' }, NO_GRANT],
    ["somebody else's traces", { trace_ids: [TRACE_B] }, NO_GRANT],
    ["one's own", { secret_id: SECRET_A, endpoint_name: 'alpha-endpoint' }, '200 allow'],
  ])('with %s', async (_, more, line) => {
    const outcome = await post('issues/invoke', { ...detection, ...more })
    expect([outcome.line, outcome.reached.length]).toEqual([line, line === '200 allow' ? 1 : 0])
  })
})

describe('prompt optimization', () => {
  const job = (config: object = {}, more: object = {}) => ({
    ...{ experiment_id: '1', source_prompt_uri: 'prompts:/alpha-prompt/1', config, ...more },
  })
  const optimizer = (value: unknown) => job({ optimizer_config_json: JSON.stringify(value) })

  it.each<[string, object, string]>([
    ["somebody else's prompt", job({}, { source_prompt_uri: 'prompts:/beta-prompt/1' }), NO_GRANT],
    ['it by alias', job({}, { source_prompt_uri: 'prompts:/beta-prompt@prod' }), NO_GRANT],
    ['it by name', job({}, { source_prompt_uri: 'beta-prompt' }), NO_GRANT],
    [
      'a name that could be one with an alias',
      job({}, { source_prompt_uri: 'alpha-prompt@latest' }),
      ADMIN_ONLY,
    ],
    ['two names in one', job({}, { source_prompt_uri: 'prompts:/alpha-prompt@x/1' }), ADMIN_ONLY],
    ['a host in front', job({}, { source_prompt_uri: 'prompts://alpha-prompt/beta-prompt/1' }), ADMIN_ONLY],
    ['a query behind', job({}, { source_prompt_uri: 'prompts:/alpha-prompt/1?x=1' }), ADMIN_ONLY],
    ['capitals', job({}, { source_prompt_uri: 'PROMPTS:/beta-prompt/1' }), ADMIN_ONLY],
    ["somebody else's dataset", job({ dataset_id: DATASET_B }), NO_GRANT],
    ["somebody else's experiment", job({}, { experiment_id: '2' }), NO_GRANT],
    ['an experiment with a space', job({}, { experiment_id: ' 1' }), INVALID],
    ["somebody else's endpoint", optimizer({ reflection_model: 'gateway:/beta-endpoint' }), NO_GRANT],
    ['it behind more slashes', optimizer({ reflection_model: 'gateway:///beta-endpoint' }), NO_GRANT],
    ['the AI gateway in capitals', optimizer({ reflection_model: 'GATEWAY:/alpha-endpoint' }), ADMIN_ONLY],
    [
      'another model under the same key',
      job({
        optimizer_config_json: '{"reflection_model":"openai:/m","reflection_model":"gateway:/beta-endpoint"}',
      }),
      INVALID,
    ],
    ['a configuration that is no object', optimizer(['gateway:/beta-endpoint']), INVALID],
    [
      'a place to send the server’s key to',
      optimizer({ lm_kwargs: { api_base: 'https://evil.example' } }),
      ADMIN_ONLY,
    ],
    ['the same for the other optimizer', optimizer({ gepa_kwargs: { x: 1 } }), ADMIN_ONLY],
    ["one's own", job({ dataset_id: DATASET_A, scorers: ['alpha-scorer', 'Safety'] }), '200 allow'],
    [
      'its own endpoint',
      optimizer({ reflection_model: 'gateway:/alpha-endpoint', max_metric_calls: 3 }),
      '200 allow',
    ],
  ])('with %s', async (_, json, line) => {
    const outcome = await post('prompt-optimization/jobs', json)
    expect([outcome.line, outcome.reached.length]).toEqual([line, line === '200 allow' ? 1 : 0])
  })

  it('is judged by the experiment that MLflow has it in', async () => {
    const one = (id: string) => `/api/3.0/mlflow/prompt-optimization/jobs/${id}`
    const at = (letter: string) => one(`30000000-0000-4000-8000-00000000000${letter}`)
    const ask = (method: string, target: string, as: MemberName) => gateway.ask({ method, target, as })
    expect((await ask('GET', at('a'), 'reader')).line).toBe('200 allow')
    expect((await ask('POST', `${at('a')}/cancel`, 'reader')).line).toBe(TOO_LOW)
    expect((await ask('DELETE', at('a'), 'editor')).line).toBe(TOO_LOW)
    // Of somebody else, of nobody, not there: in the same words.
    const lines = new Set<string>()
    for (const letter of ['b', 'c', 'f']) {
      const { line, message } = await ask('GET', at(letter), 'editor')
      lines.add(`${line} ${message.replace(/ \(request.*/, '')}`)
    }
    expect([...lines]).toEqual([expect.stringContaining(NO_GRANT)])
  })
})

describe('what may be read only', () => {
  it('is not worked with, by whichever job', async () => {
    const { id } = await gateway.store.roles.personal(gateway.members.editor.userId)
    const grants = [
      { resourceType: 'gateway_endpoint', pattern: ENDPOINT_B },
      { resourceType: 'gateway_secret', pattern: SECRET_B },
    ] as const
    const made = []
    for (const each of grants) {
      made.push(
        await gateway.store.roles.grant(id, { ...each, match: 'exact', level: 'READ', source: 'manual' }),
      )
    }
    await new Promise((resolve) => setTimeout(resolve, 120))
    const model = 'gateway:/beta-endpoint'
    const own = { experiment_id: '1', trace_ids: [TRACE_A] }
    const judge = JSON.stringify({ name: 'j', builtin_scorer_pydantic_data: { model } })
    const detection = { ...own, categories: [], provider: 'openai', model: 'm' }
    const optimizer_config_json = JSON.stringify({ reflection_model: model })
    const ways: readonly [string, object][] = [
      ['scorer/invoke', { ...own, serialized_scorer: judge }],
      ['genai/evaluate/invoke', { ...own, serialized_scorers: [judge] }],
      ['scorers/register', { experiment_id: '1', name: 'j', serialized_scorer: judge }],
      ['issues/invoke', { ...detection, endpoint_name: 'beta-endpoint' }],
      ['issues/invoke', { ...detection, secret_id: SECRET_B }],
      ['issues/invoke', { ...detection, provider: 'gateway', model: 'beta-endpoint' }],
      [
        'prompt-optimization/jobs',
        { experiment_id: '1', source_prompt_uri: 'alpha-prompt', config: { optimizer_config_json } },
      ],
    ]
    for (const [path, json] of ways) {
      const { line, reached } = await post(path, json)
      expect([path, line, reached]).toEqual([path, TOO_LOW, []])
    }
    for (const each of made) await gateway.store.roles.revokeGrant(each.id)
  })
})
