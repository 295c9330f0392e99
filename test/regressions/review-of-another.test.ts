/**
 * The attack: a bare MLflow keeps no owner of a review queue and believes whatever name is sent. So anybody who could
 * write to an experiment could read, empty and delete anybody's queue, open one in somebody else's name or under
 * somebody's name (so that theirs cannot be made), finish reviews as somebody else, and give a queue away; and issues
 * are listed server-wide when no experiment is named (all seen on 3.17.2).
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { A, B, RUN_A, RUN_B, TRACE_A, TRACE_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { ISSUE_A, ISSUE_B, QUEUE_A, QUEUE_B, SCHEMA_A, SCHEMA_B } from '../support/stand-in-things.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())
afterEach(() => gateway.script({}))

const V3 = '/api/3.0/mlflow'
const OK = '200 allow'
const LEVEL = '403 PERMISSION_DENIED level_too_low'
const NO_GRANT = '403 PERMISSION_DENIED no_grant'
const ADMINS = '403 PERMISSION_DENIED admin_only'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'

type Queue = {
  readonly created_by?: string
  readonly users?: readonly string[]
  readonly queue_type?: string
}

let asked = 0

/** A queue of experiment A as MLflow would tell of it, under an id that nobody has heard of yet. */
function queueOf(queue: Queue): string {
  const queue_id = `rq-${asked++}`
  const review_queue = { queue_id, experiment_id: A, name: 'q', queue_type: 'CUSTOM', ...queue }
  gateway.script({
    [`GET ${V3}/review-queues/get`]: { body: { review_queue } },
    [`GET ${V3}/review-queues/get-by-name`]: { body: { review_queue } },
  })
  return queue_id
}

const see = (id: string, as: Ask['as']) =>
  gateway.ask({ target: `${V3}/review-queues/get?queue_id=${id}`, as })
const post = (path: string, json: object, as: Ask['as'] = 'editor') =>
  gateway.ask({ method: 'POST', target: `${V3}/review-queues/${path}`, json, as })

describe('what is in a queue', () => {
  it.each<[string, Queue, string, string]>([
    ['of nobody', {}, LEVEL, LEVEL],
    ['of the editor', { created_by: 'editor' }, OK, LEVEL],
    ['of the editor, in another case', { created_by: ' Editor ' }, OK, LEVEL],
    ['of somebody whose name only begins so', { created_by: 'editor2' }, LEVEL, LEVEL],
    ['of somebody whose name only looks so', { created_by: '\ufeffeditor' }, LEVEL, LEVEL],
    ['of an owner who may only read', { created_by: 'reader' }, LEVEL, LEVEL],
    ['assigned to both', { users: ['x', 'reader', 'editor'] }, OK, OK],
    ['assigned to others', { users: ['x', 'read'] }, LEVEL, LEVEL],
  ])('%s', async (_, queue, editors, readers) => {
    expect((await see(queueOf(queue), 'editor')).line).toBe(editors)
    expect((await see(queueOf(queue), 'reader')).line).toBe(readers)
    expect((await see(queueOf(queue), 'outsider')).line).toBe(NO_GRANT)
    expect((await see(queueOf(queue), 'admin')).line).toBe(OK)
  })

  it('is refused alike by name, whether there is such a queue or not', async () => {
    const named = (name: string) =>
      gateway.ask({
        target: `${V3}/review-queues/get-by-name?experiment_id=${A}&name=${name}`,
        as: 'reader',
      })
    queueOf({ users: ['x'] })
    const there = await named('there')
    gateway.script({})
    const missing = await named('missing')
    expect([there.line, missing.line]).toEqual([LEVEL, LEVEL])
    const words = ({ message }: { message: string }) => message.replace(/\(request id .*\)/, '')
    expect(words(there)).toBe(words(missing))
  })

  it('cannot be shown to be in an experiment of one’s own', async () => {
    const target = `${V3}/review-queues/get-by-name?experiment_id=${B}&name=queue%20b`
    expect((await gateway.ask({ target, as: 'editor' })).line).toBe(NO_GRANT)
  })
})

describe('what a queue is', () => {
  it.each<[string, Queue, string]>([
    ['delete', { created_by: 'editor' }, OK],
    ['delete', { created_by: 'editor', queue_type: 'USER' }, LEVEL],
    ['delete', { users: ['editor'] }, LEVEL],
    ['items/remove', { created_by: 'editor' }, OK],
    ['items/remove', { created_by: 'editor', queue_type: 'USER' }, LEVEL],
    ['items/remove', { created_by: 'reader' }, LEVEL],
    ['update', { created_by: 'editor', queue_type: 'USER' }, OK],
    ['update', { users: ['editor'] }, LEVEL],
  ])('%s of %j', async (path, queue, line) => {
    const outcome = await post(path, { queue_id: queueOf(queue) })
    expect([outcome.line, outcome.reached.length]).toEqual([line, line === OK ? 1 : 0])
  })

  it.each(['new_owner', 'newOwner'])('is not its owner’s to give away by %s', async (field) => {
    expect((await post('update', { queue_id: queueOf({ created_by: 'editor' }), [field]: 'x' })).line).toBe(
      LEVEL,
    )
  })

  it('is forgotten once it was changed: the old owner loses it at once', async () => {
    const queue_id = queueOf({ created_by: 'editor' })
    expect((await see(queue_id, 'editor')).line).toBe(OK)
    const review_queue = { queue_id, experiment_id: A, name: 'q', queue_type: 'CUSTOM', created_by: 'x' }
    gateway.script({ [`GET ${V3}/review-queues/get`]: { body: { review_queue } } })
    expect((await post('update', { queue_id, new_owner: 'x' }, 'admin')).line).toBe(OK)
    expect((await see(queue_id, 'editor')).line).toBe(LEVEL)
  })
})

describe('a queue in somebody else’s name', () => {
  it.each<[string, string]>([
    ['editor', OK],
    [' EDITOR\u0085', OK],
    ['somebody', LEVEL],
    ['\ufeffeditor', LEVEL],
  ])('is not opened for %j by the editor: %s', async (user, line) => {
    expect((await post('get-or-create-user', { experiment_id: A, user })).line).toBe(line)
  })

  it.each(['reader', 'READER', '  Admin '])('is not made under the name of a user: %j', async (name) => {
    for (const as of ['editor', 'admin'] as const) {
      const made = await post('create', { experiment_id: A, name, queue_type: 'CUSTOM' }, as)
      expect([made.line, made.reached]).toEqual(['400 INVALID_PARAMETER_VALUE name_of_a_user', []])
      const renamed = await post('update', { queue_id: queueOf({ created_by: 'editor' }), name }, as)
      expect([renamed.line, renamed.reached]).toEqual(['400 INVALID_PARAMETER_VALUE name_of_a_user', []])
    }
  })

  it('does not tell who is a user to those who could not make one', async () => {
    expect((await post('create', { experiment_id: A, name: 'reader' }, 'reader')).line).toBe(LEVEL)
    expect((await post('create', { experiment_id: B, name: 'reader' })).line).toBe(NO_GRANT)
  })

  it('belongs to whoever makes it, whatever the request says', async () => {
    gateway.script({
      [`POST ${V3}/review-queues/create`]: {
        body: { review_queue: { queue_id: 'rq-new', queue_type: 'CUSTOM' } },
      },
      [`POST ${V3}/review-queues/update`]: {
        body: { review_queue: { queue_id: 'rq-new', created_by: 'editor' } },
      },
    })
    const json = { experiment_id: A, name: 'q', queue_type: 'CUSTOM', createdBy: 'root' }
    const { line, body, forwarded } = await post('create', json)
    expect(line).toBe(OK)
    expect(JSON.parse(String(body))).toMatchObject({ review_queue: { created_by: 'editor' } })
    expect(forwarded.map(({ body: sent }) => JSON.parse(sent.toString('utf8')))).toEqual([
      { ...json, createdBy: 'editor' },
      { queue_id: 'rq-new', new_owner: 'editor' },
    ])
  })
})

describe('a review', () => {
  const status = (queue: Queue, more: object, as: Ask['as'] = 'editor') =>
    post('items/set-status', { queue_id: queueOf(queue), item_id: TRACE_A, ...more }, as)

  it('is done by members only, whatever else they may do', async () => {
    expect((await status({ created_by: 'editor' }, { status: 'COMPLETE' })).line).toBe(ADMINS)
    expect((await status({ users: ['reader'] }, { status: 'COMPLETE' }, 'reader')).line).toBe(LEVEL)
    expect((await status({ users: ['editor'] }, { status: 'COMPLETE' }, 'outsider')).line).toBe(NO_GRANT)
  })

  it('is done in one’s own name', async () => {
    const more = { status: 'COMPLETE', completed_by: 'root' }
    const { line, forwarded } = await status({ users: ['editor'] }, more)
    expect(line).toBe(OK)
    expect(JSON.parse(String(forwarded[0]?.body))).toMatchObject({ completed_by: 'editor' })
  })

  it('is reopened in nobody’s name, as MLflow wants it', async () => {
    const { forwarded } = await status({ users: ['editor'] }, { status: 'PENDING' })
    expect(JSON.parse(String(forwarded[0]?.body))).not.toHaveProperty('completed_by')
  })

  it.each<[string, readonly string[], string]>([
    ['here', [TRACE_A], OK],
    ['elsewhere', [TRACE_A, TRACE_B], NO_GRANT],
    ['nowhere', [' tr-x '], INVALID],
  ])('is not asked for of a trace %s', async (_, item_ids, line) => {
    expect((await post('items/add', { queue_id: QUEUE_A, item_ids })).line).toBe(line)
    expect((await post('items/add', { queue_id: QUEUE_B, item_ids: [TRACE_A] })).line).toBe(NO_GRANT)
  })
})

describe('issues and label schemas', () => {
  const ask = (method: string, path: string, json: object, as: Ask['as'] = 'editor') =>
    gateway.ask({ method, target: `${V3}/${path}`, json, as })

  it.each<[object, string]>([
    [{ experiment_id: A }, OK],
    [{ experimentId: B }, NO_GRANT],
    [{}, ADMINS],
    [{ experiment_id: null }, ADMINS],
    [{ experiment_id: '' }, INVALID],
    [{ experiment_id: A, filter_string: `source_run_id = '${RUN_A}'` }, OK],
    [{ experiment_id: A, filter_string: `source_run_id = '${RUN_B}'` }, NO_GRANT],
  ])('are searched in an experiment: %j', async (json, line) => {
    expect((await ask('POST', 'issues/search', json)).line).toBe(line)
    expect((await ask('POST', 'issues/search', json, 'admin')).line).toBe(line === INVALID ? INVALID : OK)
  })

  it.each<[object, string]>([
    [{ experiment_id: A, name: 'n', description: 'd', created_by: 'root' }, OK],
    [{ experiment_id: A, source_run_id: RUN_B }, NO_GRANT],
    [{ experiment_id: B }, NO_GRANT],
  ])('are reported of what one may see, in one’s own name: %j', async (json, line) => {
    const { line: come, forwarded } = await ask('POST', 'issues', json)
    expect(come).toBe(line)
    if (line === OK) expect(JSON.parse(String(forwarded[0]?.body))).toMatchObject({ created_by: 'editor' })
  })

  it.each<[string, string, object, string]>([
    ['PATCH', `issues/${ISSUE_A}`, { status: 'RESOLVED' }, OK],
    ['PATCH', `issues/${ISSUE_B}`, { status: 'RESOLVED' }, NO_GRANT],
    ['PATCH', `issues/${ISSUE_A}`, { issue_id: ISSUE_B }, NO_GRANT],
    ['PATCH', 'issues/iss-missing', { status: 'RESOLVED' }, NO_GRANT],
    ['PATCH', 'label-schemas/update', { schema_id: SCHEMA_A }, LEVEL],
    ['PATCH', 'label-schemas/update', { schema_id: SCHEMA_B }, NO_GRANT],
    ['DELETE', 'label-schemas/delete', { schema_id: SCHEMA_A }, LEVEL],
    ['POST', 'label-schemas/create', { experiment_id: A, name: 'n' }, LEVEL],
  ])('%s %s %j', async (method, path, json, line) => {
    expect((await ask(method, path, json)).line).toBe(line)
  })
})
