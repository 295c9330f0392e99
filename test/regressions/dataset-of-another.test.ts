/**
 * The attack: an evaluation dataset can be in no experiment or in several, a search without experiments finds those of
 * everybody, its records and its author stand in JSON inside of a text (SURFACE §4: `datasets/create` without experiments,
 * `datasets/search` without ids). Each is a way to what was granted to somebody else, or to act in somebody else's name.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { TRACE_A, TRACE_B } from '../support/mlflow-stand-in.ts'
import { DATASET_A, DATASET_B } from '../support/stand-in-things.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterEach(() => gateway.script({}))
afterAll(() => gateway.stop())

const API = '/api/3.0/mlflow/datasets'
const ask = (method: string, path: string, json?: unknown, as: MemberName = 'editor') =>
  gateway.ask({ method, target: `${API}/${path}`, as, ...(json === undefined ? {} : { json }) })

/** What reached MLflow, as JSON. */
const bodyOf = ({ forwarded }: { readonly forwarded: readonly { readonly body: Buffer }[] }) =>
  JSON.parse(forwarded[0]?.body.toString('utf8') ?? 'null')

const ADMIN_ONLY = '403 PERMISSION_DENIED admin_only'
const NO_GRANT = '403 PERMISSION_DENIED no_grant'
const TOO_LOW = '403 PERMISSION_DENIED level_too_low'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'

describe('a dataset', () => {
  it.each<[string, MemberName, object, string]>([
    ['in no experiment', 'editor', { name: 'd' }, ADMIN_ONLY],
    ['in an empty list of experiments', 'editor', { name: 'd', experiment_ids: [] }, ADMIN_ONLY],
    ['in null', 'editor', { name: 'd', experimentIds: null }, ADMIN_ONLY],
    ["in somebody else's", 'editor', { name: 'd', experiment_ids: ['2'] }, NO_GRANT],
    ["in one's own and somebody else's", 'editor', { name: 'd', experiment_ids: ['1', '2'] }, NO_GRANT],
    ['in an experiment in another spelling', 'editor', { name: 'd', experiment_ids: ['01'] }, INVALID],
    ['by who may read only', 'reader', { name: 'd', experiment_ids: ['1'] }, TOO_LOW],
    ["in one's own", 'editor', { name: 'd', experiment_ids: ['1'] }, '200 allow'],
    ['in no experiment, by an administrator', 'admin', { name: 'd' }, '200 allow'],
  ])('is made %s, or not', async (_, as, json, line) => {
    const outcome = await ask('POST', 'create', json, as)
    expect([outcome.line, outcome.reached.length]).toEqual([line, line === '200 allow' ? 1 : 0])
  })

  it.each<[string, string, readonly string[], string]>([
    ["one's own into somebody else's", DATASET_A, ['2'], NO_GRANT],
    ["somebody else's into one's own", DATASET_B, ['1'], NO_GRANT],
    ["one's own into one's own", DATASET_A, ['5'], '200 allow'],
  ])('is put, %s', async (_, id, experiment_ids, line) => {
    expect((await ask('POST', `${id}/add-experiments`, { experiment_ids })).line).toBe(line)
  })

  it('is taken out of its last experiment by whoever may delete it only', async () => {
    const path = `${DATASET_A}/remove-experiments`
    expect((await ask('POST', path, { experiment_ids: ['1'] })).line).toBe('200 allow')
    expect((await ask('POST', path, { experiment_ids: ['1', '4'] })).line).toBe(TOO_LOW)
    expect((await ask('POST', path, { experiment_ids: ['4', '1', '5'] })).line).toBe(TOO_LOW)
    expect((await ask('POST', path, { experiment_ids: ['1', '4'] }, 'admin')).line).toBe('200 allow')
  })

  it('is judged anew once it was moved', async () => {
    const path = `/api/3.0/mlflow/datasets/${DATASET_A}/experiment-ids`
    const where = (...ids: readonly string[]) =>
      gateway.script({ [`GET ${path}`]: { body: { experiment_ids: ids } } })
    where('1')
    expect(
      (await ask('POST', `${DATASET_A}/add-experiments`, { experiment_ids: ['2'] }, 'admin')).status,
    ).toBe(200)
    where('1', '2')
    expect((await ask('GET', DATASET_A, undefined, 'reader')).line).toBe(NO_GRANT)
    await ask('POST', `${DATASET_A}/remove-experiments`, { experiment_ids: ['2'] }, 'admin')
    gateway.script({})
    expect((await ask('GET', DATASET_A, undefined, 'reader')).line).toBe('200 allow')
  })

  it('that is in no experiment, or not there, is refused in the words for one that may not be read', async () => {
    const words = async (id: string) =>
      (await ask('GET', id, undefined, 'reader')).message.replace(/ \(request.*/, '')
    expect(await words(`d-${'c'.repeat(32)}`)).toBe(await words(DATASET_B))
  })
})

describe('a search', () => {
  const found = (...ids: readonly string[]) => ({
    body: { datasets: ids.map((dataset_id) => ({ dataset_id, name: 'd' })) },
  })

  it('without experiments never reaches MLflow, where it would be about all of them', async () => {
    for (const json of [{}, { experiment_ids: null }, { filter_string: "name = 'x'" }]) {
      const { line, reached } = await ask('POST', 'search', json)
      expect([line, reached]).toEqual([INVALID, []])
    }
    for (const json of [{ experiment_ids: [] }, { experiment_ids: ['2'] }, { experimentIds: ['2'] }]) {
      const { text, reached } = await ask('POST', 'search', json)
      expect([text, reached]).toEqual(['{}', []])
    }
    const { text, reached } = await ask('GET', 'search?experiment_ids=2')
    expect([text, reached]).toEqual(['{}', []])
  })

  it('is narrowed to experiments that may be read', async () => {
    expect(bodyOf(await ask('POST', 'search', { experiment_ids: ['2', '1'] }))).toMatchObject({
      experiment_ids: ['1'],
    })
  })

  it('finds none that is in another experiment too, nor one that is in none', async () => {
    gateway.script({
      [`POST ${API}/search`]: found(DATASET_A, DATASET_B, `d-${'c'.repeat(32)}`, '../x'),
      [`GET ${API}/${DATASET_B}/experiment-ids`]: { body: { experiment_ids: ['1', '2'] } },
    })
    const { text } = await ask('POST', 'search', { experiment_ids: ['1'] }, 'reader')
    expect(JSON.parse(text)).toEqual({ datasets: [{ dataset_id: DATASET_A, name: 'd' }] })
  })
})

describe('records', () => {
  const record = (more: object = {}) => ({ inputs: { q: 1 }, ...more })
  const upsert = (records: string, as: MemberName = 'editor') =>
    ask('POST', `${DATASET_A}/records`, { records }, as)
  const from = (trace_id: unknown) => record({ source: { source_type: 'TRACE', source_data: { trace_id } } })

  it.each<[string, string, string]>([
    ["somebody else's trace", JSON.stringify([record(), from(TRACE_B)]), NO_GRANT],
    ['a trace that is not there', JSON.stringify([from(`tr-${'c'.repeat(32)}`)]), NO_GRANT],
    ['a trace that is no text', JSON.stringify([from([TRACE_B])]), INVALID],
    [
      "one's own, and then another under the same key",
      `[{"inputs":{},"source":{"source_type":"TRACE","source_data":{"trace_id":"${TRACE_A}","trace_id":"${TRACE_B}"}}}]`,
      INVALID,
    ],
    ['text that closes the list', `[${JSON.stringify(from(TRACE_A))}],"x":[1`, INVALID],
    ['NaN, which some parsers read', '[{"inputs":{"q":NaN}}]', INVALID],
    ['something after the list', '[] []', INVALID],
    ["one's own trace", JSON.stringify([from(TRACE_A)]), '200 allow'],
  ])('with %s', async (_, records, line) => {
    const outcome = await upsert(records)
    expect([outcome.line, outcome.reached.length]).toEqual([line, line === '200 allow' ? 1 : 0])
  })

  it('are written in the name of the caller, and else as they were sent', async () => {
    const sent =
      '[ {"inputs":{"big":12345678901234567890,"user_id":1,"userId":2},"tags":{"mlflow.user":"admin","t":"v"}},\n{"inputs":{}},{"inputs":{},"tags":null} ]'
    const { records } = bodyOf(await upsert(sent))
    expect(records).toBe(
      '[ {"inputs":{"big":12345678901234567890,"user_id":1,"userId":2},"tags":{"mlflow.user":"editor","t":"v"}},\n{"tags":{"mlflow.user":"editor"},"inputs":{}},{"inputs":{},"tags":{"mlflow.user":"editor"}} ]',
    )
  })
})

describe('the author of a dataset', () => {
  const create = (tags: unknown) => ask('POST', 'create', { name: 'd', experiment_ids: ['1'], tags })

  it.each<[unknown, string]>([
    [undefined, '{"mlflow.user":"editor"}'],
    [null, '{"mlflow.user":"editor"}'],
    ['{}', '{"mlflow.user":"editor"}'],
    ['{"mlflow.user":"admin"}', '{"mlflow.user":"editor"}'],
    ['{"a":"b","mlflow\\u002euser":"admin"}', '{"a":"b","mlflow\\u002euser":"editor"}'],
  ])('is the caller, whatever the tags %j say', async (tags, forwarded) => {
    expect(bodyOf(await create(tags)).tags).toBe(forwarded)
  })

  it.each(['[]', '"x"', '{"mlflow.user":"a","mlflow.user":"b"}', 'nonsense', { 'mlflow.user': 'a' }])(
    'is not left to tags that can be read otherwise: %j',
    async (tags) => {
      const { line, reached } = await create(tags)
      expect([line, reached]).toEqual([INVALID, []])
    },
  )

  it('does not change afterwards', async () => {
    const set = (tags: object, as?: MemberName) =>
      ask('PATCH', `${DATASET_A}/tags`, { tags: JSON.stringify(tags) }, as)
    expect((await set({ 'mlflow.user': 'admin' })).line).toBe(ADMIN_ONLY)
    expect((await set({ stage: 'test' })).line).toBe('200 allow')
    expect((await set({ 'mlflow.user': 'x' }, 'admin')).line).toBe('200 allow')
  })
})
