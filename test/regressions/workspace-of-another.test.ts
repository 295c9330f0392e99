/**
 * The attack: MLflow goes to whichever workspace the header X-MLFLOW-WORKSPACE names. Whoever may do something in one
 * could name another, where the same names are other people's; name two and have the first count; have an answer, a
 * page token or a grant of one count in another; or reach another's files by their path (seen on 3.17.2).
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Level } from '../../src/policy/grants.ts'
import { A, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import { headerValues, type RecordedRequest } from '../support/upstream.ts'

const OK = '200 allow'
const NO_GRANT = '403 PERMISSION_DENIED no_grant'
const LEVEL = '403 PERMISSION_DENIED level_too_low'
const ADMINS = '403 PERMISSION_DENIED admin_only'
const NOT_THERE = '403 PERMISSION_DENIED no_such_membership'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'
const API = '/api/2.0/mlflow'

let on: TestGateway
let off: TestGateway
beforeAll(async () => {
  on = await startTestGateway({ env: { WORKSPACES: 'true' } })
  off = await startTestGateway()
  for (const gateway of [on, off]) {
    await give(gateway, 'editor', 'team', 'READ')
    await give(gateway, 'outsider', 'theirs', 'EDIT')
  }
})
afterAll(() => Promise.all([on.stop(), off.stop()]))
afterEach(() => {
  on.script({})
  on.upstream.forget()
})

async function give(
  { store, members }: TestGateway,
  who: 'editor' | 'outsider',
  workspace: string,
  level: Level,
) {
  const role = await store.roles.create({ name: `${workspace}-${who}`, workspace })
  for (const resourceType of ['experiment', 'registered_model', 'mcp_server'] as const) {
    await store.roles.grant(role.id, {
      ...{ resourceType, match: 'any', pattern: '*', level, source: 'manual' },
      // It counts where the role is, whatever is said.
      workspace: 'default',
    })
  }
  await store.roles.assign(members[who].userId, role.id)
  await new Promise((resolve) => setTimeout(resolve, 100))
}

const sentTo = (requests: readonly RecordedRequest[]) => [
  ...new Set(requests.map((request) => headerValues(request, 'x-mlflow-workspace').join())),
]
const get = (workspace: string, id = A, more: Partial<Ask> = {}): Ask => ({
  ...{ target: `${API}/experiments/get?experiment_id=${id}`, as: 'editor' },
  headers: workspace === '-' ? [] : [`X-MLFLOW-WORKSPACE: ${workspace}`],
  ...more,
})

describe('the workspace that a request names', () => {
  it.each<[string, Ask['as'], string, string | undefined]>([
    ['-', 'editor', OK, 'default'],
    ['', 'editor', OK, 'default'],
    ['  ', 'editor', OK, 'default'],
    ['default', 'editor', OK, 'default'],
    ['team', 'editor', OK, 'team'],
    [' team\t', 'editor', OK, 'team'],
    ['theirs', 'editor', NOT_THERE, undefined],
    ['missing', 'editor', NOT_THERE, undefined],
    ['team', 'outsider', NOT_THERE, undefined],
    ['theirs', 'outsider', OK, 'theirs'],
    ['default', 'outsider', NO_GRANT, undefined],
    ['missing', 'admin', OK, 'missing'],
    ['Team', 'editor', INVALID, undefined],
    ['team-', 'editor', INVALID, undefined],
    ['t', 'admin', INVALID, undefined],
    ['../x', 'admin', INVALID, undefined],
    ['team,default', 'admin', INVALID, undefined],
  ])('%j, for the %s: %s', async (workspace, as, line, reaches) => {
    const outcome = await on.ask(get(workspace, A, { as }))
    expect([outcome.line, sentTo(outcome.forwarded)]).toEqual([line, reaches === undefined ? [] : [reaches]])
  })

  it('is named once', async () => {
    const headers = ['X-MLFLOW-WORKSPACE: team', 'x-mlflow-workspace: theirs']
    const { line, reached } = await on.ask(get('-', A, { headers }))
    expect([line, reached]).toEqual(['400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST', []])
  })

  it('is not named by a header that only looks like it', async () => {
    const headers = ['X_MLFLOW_WORKSPACE: theirs', 'X-MLFLOW-WORKSPACES: theirs']
    expect(sentTo((await on.ask(get('-', A, { headers }))).forwarded)).toEqual(['default'])
  })

  it('is nobody’s to name while there is none: not even an administrator’s', async () => {
    for (const as of ['editor', 'admin'] as const) {
      const named = await off.ask(get('team', A, { as }))
      expect([named.line, named.reached]).toEqual(['400 INVALID_PARAMETER_VALUE workspaces_off', []])
    }
    const blank = await off.ask(get(' '))
    expect([blank.line, sentTo(blank.forwarded)]).toEqual([OK, ['']])
  })

  it('is where every question is asked, too', async () => {
    on.upstream.forget()
    await on.ask({
      target: `${API}/runs/get?run_id=${RUN_A}`,
      as: 'editor',
      headers: ['X-MLFLOW-WORKSPACE: team'],
    })
    expect(on.upstream.requests.length).toBeGreaterThan(1)
    expect(sentTo(on.upstream.requests)).toEqual(['team'])
  })

  it('is none on what is open to anybody', async () => {
    const { status } = await on.ask({ target: '/health', headers: ['X-MLFLOW-WORKSPACE: theirs'] })
    expect([status, sentTo(on.upstream.requests)]).toEqual([200, ['']])
  })
})

describe('what is held in one workspace', () => {
  const update = (workspace: string, as: Ask['as'] = 'editor') =>
    on.ask({
      ...{ method: 'POST', target: `${API}/experiments/update`, as },
      headers: [`X-MLFLOW-WORKSPACE: ${workspace}`],
      json: { experiment_id: A, new_name: 'alpha/renamed' },
    })

  it('is not held in another', async () => {
    expect((await update('default')).line).toBe(OK)
    expect((await update('team')).line).toBe(LEVEL)
    expect((await update('theirs', 'outsider')).line).toBe(OK)
    expect((await update('default', 'outsider')).line).toBe(NO_GRANT)
  })

  it('was granted there and counts there, and so does what is forgotten', async () => {
    const there = (workspace: string): Partial<Ask> => ({
      as: 'outsider',
      headers: [`X-MLFLOW-WORKSPACE: ${workspace}`],
    })
    on.script({ [`POST ${API}/registered-models/create`]: { body: { registered_model: { name: 'same' } } } })
    const made = await on.ask({
      ...{ method: 'POST', target: `${API}/registered-models/create`, json: { name: 'same' } },
      ...there('theirs'),
    })
    expect(made.line).toBe(OK)
    const granted = async () => {
      const { grants } = await on.store.roles.personal(on.members.outsider.userId)
      return grants.map(({ pattern, workspace }) => [pattern, workspace])
    }
    expect(await granted()).toEqual([['same', 'theirs']])
    await on.store.roles.carry.forgetResource('registered_model', 'same')
    expect(await granted()).toEqual([['same', 'theirs']])
    const gone = await on.ask({
      ...{ method: 'DELETE', target: '/api/3.0/mlflow/workspaces/theirs', as: 'admin' },
    })
    expect(gone.line).toBe(OK)
    expect(await granted()).toEqual([])
    expect((await update('theirs', 'outsider')).line).toBe(NOT_THERE)
    await give(on, 'outsider', 'theirs', 'EDIT')
  })

  it('is listed of those one is in', async () => {
    const rows = ['default', 'team', 'theirs'].map((name) => ({ name }))
    on.script({ 'GET /api/3.0/mlflow/workspaces': { body: { workspaces: rows } } })
    const list = async (as: Ask['as']) => {
      const { text } = await on.ask({ target: '/api/3.0/mlflow/workspaces', as })
      return (JSON.parse(text) as { workspaces: { name: string }[] }).workspaces.map(({ name }) => name)
    }
    expect(await list('editor')).toEqual(['default', 'team'])
    expect(await list('admin')).toEqual(['default', 'team', 'theirs'])
  })

  it.each<[string, string, Ask['as'], string]>([
    ['GET', 'team', 'editor', OK],
    ['GET', 'theirs', 'editor', ADMINS],
    ['PATCH', 'team', 'editor', ADMINS],
    ['DELETE', 'team', 'editor', ADMINS],
  ])('%s of %s by the %s: %s', async (method, name, as, line) => {
    expect((await on.ask({ method, target: `/api/3.0/mlflow/workspaces/${name}`, as })).line).toBe(line)
  })

  it('a page token is of use in', async () => {
    const body = { experiments: [1, 2].map((id) => ({ experiment_id: String(id), name: `alpha/${id}` })) }
    on.script({ [`GET ${API}/experiments/search`]: { body } })
    const page = (workspace: string, token = '') =>
      on.ask({
        target: `${API}/experiments/search?max_results=1${token && `&page_token=${token}`}`,
        ...{ as: 'editor', headers: [`X-MLFLOW-WORKSPACE: ${workspace}`] },
      })
    const { next_page_token: token } = JSON.parse((await page('team')).text) as { next_page_token: string }
    expect((await page('team', token)).line).toBe(OK)
    expect((await page('default', token)).status).toBe(400)
  })
})

describe('files below workspaces/', () => {
  const FILES = '/api/2.0/mlflow-artifacts/artifacts'
  const located = (workspace: string) => ({
    body: {
      experiment: {
        ...{ experiment_id: '7', name: 'alpha/seven' },
        artifact_location: `mlflow-artifacts:/workspaces/${workspace}/7`,
      },
    },
  })
  const fetch = (gateway: TestGateway, path: string, workspace?: string) =>
    gateway.ask({
      ...{ target: `${FILES}/${path}`, as: 'editor' },
      headers: workspace === undefined ? [] : [`X-MLFLOW-WORKSPACE: ${workspace}`],
    })
  const FILE = `7/${RUN_A}/artifacts/x`

  it.each<[string, string, string]>([
    [`workspaces/team/${FILE}`, 'team', OK],
    [`workspaces/team/${FILE}`, 'default', ADMINS],
    [`workspaces/theirs/${FILE}`, 'team', ADMINS],
    [FILE, 'team', ADMINS],
    ['workspaces', 'default', ADMINS],
    ['workspaces/team', 'team', ADMINS],
  ])('%s, from %s: %s', async (path, workspace, line) => {
    on.script({ [`GET ${API}/experiments/get`]: located('team') })
    expect((await fetch(on, path, workspace)).line).toBe(line)
  })

  it.each([`./workspaces/theirs/${FILE}`, `%2e/workspaces/theirs/${FILE}`, `workspaces//theirs/${FILE}`])(
    'under a spelling that MLflow does not recognize: %s',
    async (path) => {
      expect((await fetch(on, path, 'team')).line).toBe('400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST')
    },
  )

  // Field report 20: what was made while workspaces were on stays where it is when they are off.
  it('are their experiment’s where workspaces are off', async () => {
    off.script({ [`GET ${API}/experiments/get`]: located('team') })
    expect((await fetch(off, `workspaces/team/${FILE}`)).line).toBe(OK)
    expect((await fetch(off, `workspaces/other/${FILE}`)).line).toBe(ADMINS)
    expect((await fetch(off, FILE)).line).toBe(ADMINS)
  })
})

describe('what is asked for after a refusal', () => {
  it('is asked for where it was refused, and looked up there', async () => {
    const refused = await on.ask({
      ...get('team', A, { method: 'POST', target: `${API}/runs/delete` }),
      json: { run_id: RUN_A },
    })
    expect([refused.line, String(refused.headers['x-ask-for-access'])]).toEqual([
      '403 PERMISSION_DENIED level_too_low',
      `/auth/access?resource_type=experiment&key=${A}&workspace=team&level=MANAGE#ask`,
    ])
    on.upstream.forget()
    const json = { resource_type: 'run', key: RUN_B, level: 'READ', workspace: 'team' }
    const asked = await on.ask({ method: 'POST', target: '/auth/api/v1/requests', as: 'editor', json })
    expect([asked.status, sentTo(on.upstream.requests)]).toEqual([201, ['team']])
    expect(JSON.parse(asked.text)).toMatchObject({ about: null, workspace: 'team' })
  })
})
