import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Level } from '../../src/policy/grants.ts'
import { A, isLookup, mlflowStandIn, RUN_A } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'
import { headerValues, type RecordingUpstream, startUpstream } from '../support/upstream.ts'

/*
 * One gateway in front of three tracking servers, all with the same things in them: the main one; `staging`, below a path;
 * `lab`, under a host name of its own. The editor may edit alpha on the main one, and read it on staging; the reader may
 * read it on the main one and edit it in the lab; the outsider may read everything on each of them, by one role.
 */

let gateway: TestGateway
let staging: RecordingUpstream
let lab: RecordingUpstream

beforeAll(async () => {
  ;[staging, lab] = await Promise.all([startUpstream(mlflowStandIn()), startUpstream(mlflowStandIn())])
  gateway = await startTestGateway({
    env: {
      UPSTREAMS: 'staging,lab',
      UPSTREAM_STAGING_URL: staging.url,
      UPSTREAM_LAB_URL: lab.url,
      UPSTREAM_LAB_HOST: 'lab.internal',
      UPSTREAM_LAB_WORKSPACES: 'true',
    },
    publicUrls: (own) => ({
      UPSTREAM_STAGING_PUBLIC_URL: `${own}/staging`,
      UPSTREAM_LAB_PUBLIC_URL: own.replace('127.0.0.1', 'lab.localhost'),
    }),
  })
  await give('editor', 'staging/default', 'READ')
  await give('reader', 'lab/default', 'EDIT')
  await give('outsider', '*/default', 'READ')
  await give('editor', 'lab/team', 'EDIT')
  await new Promise((resolve) => setTimeout(resolve, 100))
})
afterAll(async () => {
  await gateway?.stop()
  await Promise.all([staging?.stop(), lab?.stop()])
})
beforeEach(() => {
  for (const upstream of [gateway.upstream, staging, lab]) upstream.forget()
})

async function give(who: MemberName, workspace: string, level: Level) {
  const { store, members } = gateway
  const role = await store.roles.create({ name: `${workspace} ${who}`, workspace })
  const grant = { resourceType: 'experiment', match: 'any', pattern: '*', level, source: 'manual' } as const
  await store.roles.grant(role.id, grant)
  await store.roles.assign(members[who].userId, role.id)
}

type Where = 'main' | 'staging' | 'lab'

/** The same request as it is made at another address. */
function at(where: Where, ask: Ask): Ask {
  if (where === 'staging') return { ...ask, target: `/staging${ask.target}` }
  if (where === 'main') return ask
  return { ...ask, headers: [`Host: lab.localhost:${gateway.port}`, ...(ask.headers ?? [])] }
}

/** What each tracking server was asked for, look-ups left out. */
function reached(): Readonly<Record<Where, readonly string[]>> {
  const of = ({ requests }: RecordingUpstream) =>
    requests.filter((request) => !isLookup(request)).map(({ method, url }) => `${method} ${url}`)
  return { main: of(gateway.upstream), staging: of(staging), lab: of(lab) }
}

const GET = { target: `/api/2.0/mlflow/experiments/get?experiment_id=${A}` }
const UPDATE = {
  ...{ method: 'POST', target: '/api/2.0/mlflow/experiments/update' },
  json: { experiment_id: A },
}
const NOTHING = { main: [], staging: [], lab: [] }

describe('a right holds on the tracking server it was given on', () => {
  it.each<[MemberName, Where, string, string]>([
    ['editor', 'main', '200 allow', '200 allow'],
    ['editor', 'staging', '200 allow', '403 PERMISSION_DENIED level_too_low'],
    ['editor', 'lab', '403 PERMISSION_DENIED no_grant', '403 PERMISSION_DENIED no_grant'],
    ['reader', 'main', '200 allow', '403 PERMISSION_DENIED level_too_low'],
    ['reader', 'staging', '403 PERMISSION_DENIED no_grant', '403 PERMISSION_DENIED no_grant'],
    ['reader', 'lab', '200 allow', '200 allow'],
    ['outsider', 'main', '200 allow', '403 PERMISSION_DENIED level_too_low'],
    ['outsider', 'staging', '200 allow', '403 PERMISSION_DENIED level_too_low'],
    ['outsider', 'lab', '200 allow', '403 PERMISSION_DENIED level_too_low'],
    ['admin', 'main', '200 allow', '200 allow'],
    ['admin', 'staging', '200 allow', '200 allow'],
    ['admin', 'lab', '200 allow', '200 allow'],
    ['readonly', 'staging', '200 allow', '403 PERMISSION_DENIED read_only_token'],
  ])('%s on %s: reads %s, edits %s', async (as, where, reads, edits) => {
    const read = await gateway.ask(at(where, { ...GET, as }))
    expect([read.line, reached()]).toEqual([
      reads,
      { ...NOTHING, [where]: reads === '200 allow' ? [`GET ${GET.target}`] : [] },
    ])
    for (const upstream of [gateway.upstream, staging, lab]) upstream.forget()
    const edited = await gateway.ask(at(where, { ...UPDATE, as }))
    expect([edited.line, reached()]).toEqual([
      edits,
      { ...NOTHING, [where]: edits === '200 allow' ? [`POST ${UPDATE.target}`] : [] },
    ])
  })

  it('what is on record says which', async () => {
    const workspaces = []
    for (const where of ['main', 'staging', 'lab'] as const) {
      const { event } = await gateway.ask(at(where, { ...GET, as: 'outsider' }))
      workspaces.push(event?.workspace)
    }
    expect(workspaces).toEqual([undefined, 'staging/default', 'lab/default'])
  })

  it('the tracking server is told its own host name, and of a workspace only if it keeps them apart', async () => {
    for (const where of ['main', 'staging', 'lab'] as const)
      await gateway.ask(at(where, { ...GET, as: 'admin' }))
    const told = [gateway.upstream, staging, lab].map(({ requests }) => {
      const request = requests.find(({ url }) => url === GET.target)
      return request && [headerValues(request, 'host')[0], headerValues(request, 'x-mlflow-workspace')[0]]
    })
    expect(told).toEqual([
      ['localhost', undefined],
      ['localhost', undefined],
      ['lab.internal', 'default'],
    ])
  })

  it.each<[MemberName, string, string]>([
    ['editor', 'team', '200 allow'],
    ['editor', 'lab/team', '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'],
    ['reader', 'team', '403 PERMISSION_DENIED no_such_membership'],
    ['outsider', 'team', '403 PERMISSION_DENIED no_such_membership'],
  ])('%s in the workspace %s of the lab: %s', async (as, workspace, line) => {
    const headers = [`X-MLFLOW-WORKSPACE: ${workspace}`]
    const { line: found } = await gateway.ask(at('lab', { ...GET, as, headers }))
    expect([found, reached().lab.length]).toEqual([line, line === '200 allow' ? 1 : 0])
  })

  it('a list shows what is readable there', async () => {
    const search = { method: 'POST', target: '/api/2.0/mlflow/experiments/search', json: { max_results: 10 } }
    const shown: Record<string, readonly string[]> = {}
    for (const where of ['main', 'staging', 'lab'] as const) {
      const { text } = await gateway.ask(at(where, { ...search, as: 'editor' }))
      const { experiments = [] } = JSON.parse(text) as { experiments?: { name: string }[] }
      shown[where] = [...new Set(experiments.map(({ name }) => name.replace(/[/-].*/, '')))].sort()
    }
    expect(shown).toEqual({ main: ['alpha'], staging: ['Default', 'alpha', 'beta'], lab: [] })
  })

  it('what somebody makes is theirs there, and nowhere else', async () => {
    const made = { 'POST /api/2.0/mlflow/experiments/create': { body: { experiment_id: '77' } } }
    const things = {
      'GET /api/2.0/mlflow/experiments/get': {
        body: { experiment: { experiment_id: '77', name: 'x', artifact_location: 'mlflow-artifacts:/77' } },
      },
    }
    for (const upstream of [gateway.upstream, staging, lab])
      upstream.script(mlflowStandIn({ ...made, ...things }))
    await give('reader', 'staging/default', 'READ')
    const { store, members } = gateway
    const member = await store.roles.create({ name: 'staging members', workspace: 'staging/default' })
    const use = {
      resourceType: 'workspace',
      match: 'any',
      pattern: '*',
      level: 'USE',
      source: 'manual',
    } as const
    await store.roles.grant(member.id, use)
    await store.roles.assign(members.reader.userId, member.id)
    await new Promise((resolve) => setTimeout(resolve, 100))
    const create = { method: 'POST', target: '/api/2.0/mlflow/experiments/create', json: { name: 'x' } }
    expect((await gateway.ask(at('staging', { ...create, as: 'reader' }))).line).toBe('200 allow')
    const remove = {
      method: 'POST',
      target: '/api/2.0/mlflow/experiments/delete',
      json: { experiment_id: '77' },
    }
    const lines = []
    for (const where of ['main', 'lab', 'staging'] as const) {
      lines.push((await gateway.ask(at(where, { ...remove, as: 'reader' }))).line)
    }
    expect(lines).toEqual([
      '403 PERMISSION_DENIED no_grant',
      // EDIT on all that is there does not delete an experiment.
      expect.stringMatching(/^(?:200 allow|403 PERMISSION_DENIED level_too_low)$/),
      '200 allow',
    ])
    for (const upstream of [gateway.upstream, staging, lab]) upstream.script(mlflowStandIn())
  })
})

describe('an address is read in one way', () => {
  it.each([
    `/%73taging${GET.target}`,
    `//staging${GET.target}`,
    `/STAGING${GET.target}`,
    `/x/../staging${GET.target}`,
    `/staging%2f${GET.target.slice(1)}`,
    `/stagingx${GET.target}`,
    `/staging;x${GET.target}`,
    `/staging/..${GET.target}`,
    `/staging//${GET.target.slice(1)}`,
    `/staging/staging${GET.target}`,
    `http://lab.localhost/staging${GET.target}`,
    `staging${GET.target}`,
  ])('%s reaches nobody', async (target) => {
    const { status } = await gateway.ask({ target, as: 'admin' })
    expect([status >= 400 && status < 500, reached()]).toEqual([true, NOTHING])
  })

  it.each([
    ['two', [`Host: lab.localhost`, `Host: 127.0.0.1`], 400],
    ['two, the other way round', [`Host: 127.0.0.1`, `Host: lab.localhost`], 400],
    ['none of ours', ['Host: evil.example'], 421],
    ['one below ours', ['Host: x.lab.localhost'], 421],
    ['with a user', ['Host: admin@lab.localhost'], 421],
  ])('a Host header of %s is refused', async (_, headers, status) => {
    const answer = await gateway.ask({ ...GET, as: 'admin', headers })
    expect([answer.status, reached()]).toEqual([status, NOTHING])
  })

  it.each([
    ['LAB.localhost', 'lab'],
    ['lab.localhost.', 'lab'],
    ['lab.localhost:443', 'lab'],
    ['localhost', 'main'],
  ])('the host %s is %s', async (host, where) => {
    const answer = await gateway.ask({ ...GET, as: 'admin', headers: [`Host: ${host}`] })
    expect([answer.status, reached()]).toEqual([200, { ...NOTHING, [where]: [`GET ${GET.target}`] }])
  })

  it.each(['', '?a=b'])(
    'the path alone%s leads to its pages, whose files have relative paths',
    async (query) => {
      const { status, headers } = await gateway.ask({ target: `/staging${query}`, as: 'admin' })
      expect([status, headers['location']]).toEqual([308, [`/staging/${query}`]])
    },
  )
})

describe('pages and APIs at each address', () => {
  it.each<[Where, string]>([
    ['main', '/auth/login?return_to=%2F'],
    ['staging', '/staging/auth/login?return_to=%2Fstaging%2F'],
    ['lab', '/auth/login?return_to=%2F'],
  ])('a browser that is nobody’s is led from %s to %s', async (where, location) => {
    const headers = ['Accept: text/html', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document']
    const answer = await gateway.ask(at(where, { target: '/', headers }))
    expect([answer.status, answer.headers['location']]).toEqual([302, [location]])
  })

  it('a browser signed in at the main address is signed in below it; under another host name it signs in there', async () => {
    const { cookie } = gateway.members.editor
    const statuses = []
    for (const where of ['main', 'staging', 'lab'] as const) {
      const headers = [`Cookie: ${cookie}`, 'Sec-Fetch-Site: same-origin']
      statuses.push((await gateway.ask(at(where, { ...GET, headers }))).line)
    }
    // The names of cookies are the same over plain http: a browser would not send these to the lab, so this one is known.
    expect(statuses).toEqual(['200 allow', '200 allow', '403 PERMISSION_DENIED no_grant'])
  })

  it.each<[Where, string, number]>([
    ['main', 'http://lab.localhost', 403],
    ['lab', 'http://127.0.0.1', 403],
    ['lab', 'http://lab.localhost', 403],
  ])('a page of another address changes nothing at %s: %s', async (where, origin, status) => {
    const headers = [`Cookie: ${gateway.members.reader.cookie}`, `Origin: ${origin}`]
    const answer = await gateway.ask(at(where, { ...UPDATE, headers }))
    expect([answer.status, answer.event?.reason, reached()]).toEqual([status, 'cross_origin', NOTHING])
  })

  it('MLflow’s auth API has of each what is there', async () => {
    const names: Record<string, readonly string[]> = {}
    for (const where of ['main', 'staging', 'lab'] as const) {
      const { text } = await gateway.ask(at(where, { target: '/api/3.0/mlflow/roles/list', as: 'admin' }))
      const { roles } = JSON.parse(text) as { roles: readonly { name: string; workspace: string }[] }
      names[where] = roles
        .filter(({ name }) => !name.startsWith('__user_'))
        .map(({ name, workspace }) => `${name} in ${workspace}`)
        .sort()
    }
    const everywhere = '*/default outsider in default'
    expect(names['main']).toEqual([everywhere, 'alpha-editor in default', 'alpha-reader in default'])
    expect(names['staging']).toEqual(
      expect.arrayContaining([everywhere, 'staging/default editor in default']),
    )
    expect(names['staging']).not.toEqual(expect.arrayContaining([expect.stringMatching(/^(?:alpha|lab)/)]))
    expect(names['lab']).toEqual([everywhere, 'lab/default reader in default', 'lab/team editor in team'])
  })

  it('a role made by it counts there', async () => {
    const target = '/api/3.0/mlflow/roles/create'
    const ask = { method: 'POST', target, json: { name: 'made', workspace: 'default' }, as: 'admin' } as const
    const { status, text } = await gateway.ask(at('staging', ask))
    expect([status, JSON.parse(text).role.workspace]).toEqual([200, 'default'])
    const made = (await gateway.store.roles.list()).filter(({ name }) => name === 'made')
    expect(made.map(({ workspace }) => workspace)).toEqual(['staging/default'])
  })

  it.each<[string, readonly string[] | number]>([
    ['default', ['admin MANAGE', 'editor EDIT', 'outsider READ', 'reader READ']],
    ['staging/default', ['admin MANAGE', 'editor READ', 'outsider READ', 'reader READ']],
    ['lab/default', ['admin MANAGE', 'outsider READ', 'reader EDIT']],
    ['lab/team', ['admin MANAGE', 'editor EDIT']],
    ['staging/team', 400],
    ['nowhere/default', 400],
    ['*/default', 400],
  ])('who reaches an experiment in %s: %j', async (workspace, expected) => {
    const target = `/auth/api/v1/access?resource_type=experiment&key=${A}&workspace=${encodeURIComponent(workspace)}`
    const { status, text } = await gateway.ask({ target, as: 'admin' })
    if (status !== 200) return expect(status).toBe(expected)
    const { people } = JSON.parse(text) as { people: readonly { username: string; level: string }[] }
    expect(people.map(({ username, level }) => `${username} ${level}`)).toEqual(expected)
  })

  it('runs and look-ups of one are not known of another', async () => {
    staging.script(
      mlflowStandIn({
        'GET /api/2.0/mlflow/runs/get': {
          status: 404,
          body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: 'no' },
        },
      }),
    )
    const get = { target: `/api/2.0/mlflow/runs/get?run_id=${RUN_A}` }
    expect((await gateway.ask({ ...get, as: 'editor' })).line).toBe('200 allow')
    expect((await gateway.ask(at('staging', { ...get, as: 'editor' }))).status).toBe(404)
    staging.script(mlflowStandIn())
  })
})
