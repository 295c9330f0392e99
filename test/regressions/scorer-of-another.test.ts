/**
 * The attack: a scorer is known by a name that may hold anything, in an experiment that stands beside it; MLflow deletes all
 * versions where it does not understand which, lists every experiment's when none is named, makes everybody who registers
 * a version its manager, and has workers call whatever model it names (SURFACE §4: `scorers/list` without ids).
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { SCORING_A, SCORING_B } from '../support/stand-in-genai.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterEach(() => gateway.script({}))
afterAll(() => gateway.stop())

const API = '/api/3.0/mlflow/scorers'
const ask = (method: string, path: string, json?: unknown, as: MemberName = 'editor') =>
  gateway.ask({ method, target: `${API}/${path}`, as, ...(json === undefined ? {} : { json }) })
const get = (name: string, as: MemberName, id = '1') =>
  ask('GET', `get?experiment_id=${id}&name=${encodeURIComponent(name)}`, undefined, as)

const NO_GRANT = '403 PERMISSION_DENIED no_grant'
const TOO_LOW = '403 PERMISSION_DENIED level_too_low'
const DENIED = '403 PERMISSION_DENIED explicit_deny'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'

type Level = 'READ' | 'EDIT' | 'MANAGE' | 'DENY'

/** Gives somebody a grant on one scorer, and waits until it holds. */
async function grant(as: MemberName, pattern: string, level: Level) {
  const { id } = await gateway.store.roles.personal(gateway.members[as].userId)
  const made = await gateway.store.roles.grant(id, {
    ...{ resourceType: 'scorer', match: 'exact', pattern, level, source: 'manual' },
  })
  await settled()
  return async () => {
    await gateway.store.roles.revokeGrant(made.id)
    await settled()
  }
}
/** The gateway looks every 20 ms. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 120))

const managed = async (as: MemberName) => {
  const { grants } = await gateway.store.roles.personal(gateway.members[as].userId)
  return grants.filter(({ level }) => level === 'MANAGE').map(({ pattern }) => pattern)
}

describe('a name', () => {
  it('is a grant’s key in the one encoding of MLflow’s', async () => {
    const revoke = await grant('outsider', '1/..%2F2%2Fbeta%20%28x%29', 'READ')
    expect((await get('../2/beta (x)', 'outsider')).line).toBe('404 allow')
    expect((await get('..%2F2%2Fbeta%20%28x%29', 'outsider')).line).toBe(NO_GRANT)
    expect((await get('../2/beta (x)', 'outsider', '2')).line).toBe(NO_GRANT)
    await revoke()
  })

  it('that is denied is denied under another spelling that the database takes for it', async () => {
    const revoke = await grant('editor', '1/alpha-scorer', 'DENY')
    for (const name of ['alpha-scorer', 'ALPHA-Scorer']) {
      const register = { experiment_id: '1', name, serialized_scorer: '{}' }
      expect((await get(name, 'editor')).line).toBe(DENIED)
      expect((await ask('POST', 'register', register)).line).toBe(DENIED)
      expect((await ask('PUT', 'online-config', { ...register, sample_rate: 1 })).line).toBe(DENIED)
    }
    await revoke()
  })

  it('is not looked for in an experiment in another spelling', async () => {
    for (const id of ['01', '+1', '1%20', '1%0A']) {
      const { status, reached } = await ask('GET', `get?experiment_id=${id}&name=alpha-scorer`)
      expect([status, reached]).toEqual([400, []])
    }
  })
})

describe('a deletion', () => {
  const remove = (version: unknown) =>
    ask('DELETE', 'delete', { experiment_id: '1', name: 'alpha-scorer', version })

  it('of one version is that, and of what MLflow may not take for one nothing', async () => {
    const revoke = await grant('editor', '1/alpha-scorer', 'MANAGE')
    for (const version of [1, '2', 999_999_999]) expect((await remove(version)).line).toBe('200 allow')
    for (const version of ['abc', '', 0, -1, 1.5, 1e10, '1e3', true, [1], {}, '0x1', ' 1', '９']) {
      const { line, reached } = await remove(version)
      expect([version, line, reached]).toEqual([version, INVALID, []])
    }
    await revoke()
  })

  it('asks for MANAGE, of one version and of all', async () => {
    expect((await remove(1)).line).toBe(TOO_LOW)
    expect((await remove(undefined)).line).toBe(TOO_LOW)
  })

  it('of all leaves no grants behind, of one leaves them', async () => {
    await grant('editor', '1/alpha-scorer', 'MANAGE')
    await grant('outsider', '1/alpha-scorer', 'READ')
    await remove(1)
    expect((await get('alpha-scorer', 'outsider')).line).toBe('200 allow')
    expect((await remove(null)).line).toBe('200 allow')
    expect((await get('alpha-scorer', 'outsider')).line).toBe(NO_GRANT)
    expect(await managed('editor')).toEqual([])
  })
})

describe('a registration', () => {
  const register = (more: object = {}, as: MemberName = 'editor') =>
    ask('POST', 'register', { experiment_id: '1', name: 'new', serialized_scorer: '{}', ...more }, as)
  const answers = (answer: object) => gateway.script({ [`POST ${API}/register`]: { body: answer } })

  it('of a further version makes nobody the manager of the scorer', async () => {
    answers({ experiment_id: '1', name: 'theirs', version: 2 })
    expect((await register({ name: 'theirs' })).line).toBe('200 allow')
    expect(await managed('editor')).toEqual([])
  })

  it('of the first version does', async () => {
    answers({ experiment_id: '1', name: 'a/b (c)', version: 1 })
    expect((await register({ name: 'a/b (c)' })).line).toBe('200 allow')
    expect(await managed('editor')).toEqual(['1/a%2Fb%20%28c%29'])
  })

  it.each<[string, MemberName, object, string]>([
    ["in somebody else's experiment", 'editor', { experiment_id: '2' }, NO_GRANT],
    ['by who may read only', 'reader', {}, TOO_LOW],
  ])('%s is refused', async (_, as, json, line) => {
    expect((await register(json, as)).line).toBe(line)
  })

  const judge = (model: string) => ({ instructions_judge_pydantic_data: { model, instructions: 'x' } })
  it.each<[string, string, string]>([
    ["somebody else's endpoint", JSON.stringify(judge('gateway:/beta-endpoint')), NO_GRANT],
    ['it behind more slashes', JSON.stringify(judge('gateway:///beta-endpoint')), NO_GRANT],
    ['one that is not there', JSON.stringify(judge('gateway:/nowhere')), NO_GRANT],
    [
      'the AI gateway in capitals',
      JSON.stringify(judge('Gateway:/alpha-endpoint')),
      '403 PERMISSION_DENIED admin_only',
    ],
    [
      'it in a judge inside of another',
      JSON.stringify({ memory_augmented_judge_data: { base_judge: judge('gateway:/beta-endpoint') } }),
      NO_GRANT,
    ],
    [
      'it in a list of judges',
      JSON.stringify({ scorers: [judge('openai:/x'), judge('gateway:/beta-endpoint')] }),
      NO_GRANT,
    ],
    [
      'another under the same key',
      '{"builtin_scorer_pydantic_data":{"model":"gateway:/alpha-endpoint","model":"gateway:/beta-endpoint"}}',
      INVALID,
    ],
    ["one's own endpoint", JSON.stringify(judge('gateway:/alpha-endpoint')), '200 allow'],
    ['a model of a provider', JSON.stringify(judge('openai:/gpt')), '200 allow'],
  ])('of a judge that calls %s', async (_, serialized_scorer, line) => {
    const outcome = await register({ serialized_scorer })
    expect([outcome.line, outcome.reached.length]).toEqual([line, line === '200 allow' ? 1 : 0])
  })
})

describe('a list', () => {
  const row = (experiment_id: number, scorer_name: string) => ({
    experiment_id,
    scorer_name,
    scorer_version: 1,
  })

  it('of every experiment holds what may be seen of it', async () => {
    const scorers = [
      row(1, 'alpha-scorer'),
      row(2, 'beta-scorer'),
      row(1, 'denied'),
      { scorer_name: 'homeless' },
    ]
    gateway.script({ [`GET ${API}/list`]: { body: { scorers } } })
    const revoke = await grant('reader', '1/denied', 'DENY')
    const seen = async (as: MemberName, query = '') =>
      JSON.parse((await ask('GET', `list${query}`, undefined, as)).text).scorers
    expect(await seen('reader')).toEqual([row(1, 'alpha-scorer')])
    expect(await seen('reader', '?experiment_ids=1&experiment_ids=2')).toEqual([row(1, 'alpha-scorer')])
    expect(await seen('outsider')).toEqual([])
    expect(await seen('admin')).toEqual(scorers)
    await revoke()
  })

  it('holds no scorer of an experiment that may not be read, whatever the grants on the scorer', async () => {
    gateway.script({ [`GET ${API}/list`]: { body: { scorers: [row(2, 'beta-scorer')] } } })
    const revoke = await grant('reader', '2/beta-scorer', 'READ')
    expect(JSON.parse((await ask('GET', 'list', undefined, 'reader')).text)).toEqual({ scorers: [] })
    await revoke()
  })

  it('of one experiment is refused to who may not read it', async () => {
    expect((await ask('GET', 'list?experiment_id=2', undefined, 'reader')).line).toBe(NO_GRANT)
  })
})

describe('online scoring', () => {
  it('is told by what the scorers score', async () => {
    const read = (query: string) => ask('GET', `online-configs?${query}`, undefined, 'reader')
    expect((await read(`scorer_ids=${SCORING_A}`)).line).toBe('200 allow')
    expect((await read(`scorer_ids=${SCORING_A}&scorer_ids=${SCORING_B}`)).line).toBe(NO_GRANT)
    expect((await read('scorer_ids=ffffffff-0000-4000-8000-00000000000f')).line).toBe('200 allow')
    expect((await read('')).line).toBe(INVALID)
    expect((await read('scorer_ids=../x')).line).toBe(INVALID)
  })
})

vi.setConfig({ testTimeout: 30_000 })
