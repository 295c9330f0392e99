/**
 * The attack: an MCP server's name is two segments of a path that FastAPI divides greedily, and routes differ by what
 * follows it only. A name that ends like a route, or one that is encoded, could be judged as one server and read as
 * another. A version that is posted makes the server it is for, so that whoever may write versions could make servers;
 * and who posts second, judged as making it, would write into the first one's. Lists tell of every server.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())
afterEach(() => gateway.script({}))

const BASE = '/api/3.0/mlflow/mcp-servers'
const MINE = `${BASE}/alpha-org/server`
const THEIRS = `${BASE}/beta-org/server`
const OK = '200 allow'
const LEVEL = '403 PERMISSION_DENIED level_too_low'
const NO_GRANT = '403 PERMISSION_DENIED no_grant'
const INVALID = '400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER'
const AMBIGUOUS = '400 INVALID_PARAMETER_VALUE ERR_AMBIGUOUS_REQUEST'

const come = async (ask: Ask): Promise<readonly [string, readonly string[]]> => {
  const { line, reached } = await gateway.ask({ as: 'editor', ...ask })
  return [line, reached]
}

describe('a name that can be read in two ways', () => {
  it.each<[string, string, string]>([
    ['GET', `${BASE}/alpha-org/versions/1`, INVALID],
    ['GET', `${BASE}/alpha-org/tags/y`, INVALID],
    ['GET', `${BASE}/alpha-org/endpoints`, INVALID],
    ['GET', `${BASE}/alpha-org/versions`, INVALID],
    ['GET', `${BASE}/alpha-org/server/x`, INVALID],
    ['GET', `${BASE}/server`, INVALID],
    ['GET', `${BASE}/alpha-org/se rver`, INVALID],
    ['GET', `${BASE}/alpha-org/server%20`, INVALID],
    ['GET', `${BASE}/alpha-org/sërver`, INVALID],
    ['GET', `${BASE}/beta-org/server/endpoints/../../../alpha-org/server`, AMBIGUOUS],
    ['GET', `${BASE}/alpha-org//server`, AMBIGUOUS],
    ['GET', `${BASE}/alpha-org%2fserver`, AMBIGUOUS],
    ['GET', `${BASE}/alpha-org/server%2fversions/1`, AMBIGUOUS],
    ['GET', `${MINE}/versions/1/versions/2`, AMBIGUOUS],
    ['GET', `${MINE}/versions/${'beta-org/server/versions/1'}`, AMBIGUOUS],
    ['GET', `${THEIRS}/versions/alpha-org/server`, NO_GRANT],
    ['DELETE', `${BASE}/alpha-org/server/versions/1/endpoints/e`, LEVEL],
    ['PATCH', `${BASE}/alpha-org/server/endpoints/e/endpoints/f`, INVALID],
    // To FastAPI a list of versions, too.
    ['GET', `${MINE}/aliases/versions`, INVALID],
    ['GET', `${MINE}/endpoints/versions`, INVALID],
    ['PATCH', `${BASE}/alpha-org/server/tags/endpoints/f`, INVALID],
    ['POST', `${BASE}/alpha-org/versions`, INVALID],
  ])('%s %s: %s', async (method, target, line) => {
    const json = method === 'GET' ? {} : { json: {} }
    expect(
      await come({ method, target: target.replace('ë', '%C3%AB').replace(' ', '%20'), ...json }),
    ).toEqual([line, []])
  })

  it.each([
    `${MINE}/versions/1`,
    `${MINE}/versions/1/tags/y`,
    `${MINE}/versions/1.0.0-rc.1+b/endpoints/x`,
    `${MINE}/aliases/a`,
    `${MINE}/endpoints/e`,
    `${BASE}/endpoints`,
  ])('reaches MLflow as it was read: %s', async (target) => {
    const [line, reached] = await come({ target })
    expect(line).toBe(OK)
    expect(reached.map((each) => each.split('?')[0])).toEqual([`GET ${target.replace('+', '%2B')}`])
  })
})

it.each(['alpha-org/versions', 'alpha-org/x/y', 'alpha-org', 'alpha-org/-x', ' alpha-org/x'])(
  'no server is made under the name %j',
  async (name) => {
    expect(await come({ method: 'POST', target: BASE, json: { name } })).toEqual([INVALID, []])
  },
)

describe('a server that a version makes', () => {
  const NEW = 'alpha-org/fresh'
  const version = (name: string, as: Ask['as'] = 'editor') =>
    come({
      method: 'POST',
      target: `${BASE}/${name}/versions`,
      json: { server_json: { name, version: '1' } },
      as,
    })

  it('is made first, and is its maker’s', async () => {
    let isMade = false
    gateway.script({
      [`GET ${BASE}/${NEW}`]: () => (isMade ? { body: { name: NEW } } : { status: 404 }),
      [`POST ${BASE}`]: () => {
        isMade = true
        return { body: { name: NEW } }
      },
    })
    expect(await version(NEW)).toEqual([OK, [`POST ${BASE}`, `POST ${BASE}/${NEW}/versions`]])
    expect(await come({ method: 'DELETE', target: `${BASE}/${NEW}`, as: 'reader' })).toEqual([LEVEL, []])
    expect(await come({ method: 'DELETE', target: `${BASE}/${NEW}` })).toEqual([
      OK,
      [`DELETE ${BASE}/${NEW}`],
    ])
    // What was granted for it is gone with it.
    expect(await come({ method: 'DELETE', target: `${BASE}/${NEW}` })).toEqual([LEVEL, []])
  })

  it('is not written into if somebody else made it meanwhile', async () => {
    const body = { error_code: 'RESOURCE_ALREADY_EXISTS', message: 'there is one' }
    gateway.script({ [`POST ${BASE}`]: { status: 400, body } })
    const { status, code, reached } = await gateway.ask({
      method: 'POST',
      target: `${BASE}/alpha-org/raced/versions`,
      json: { server_json: { name: 'alpha-org/raced', version: '1' } },
      as: 'editor',
    })
    expect([status, code, reached]).toEqual([400, 'RESOURCE_ALREADY_EXISTS', [`POST ${BASE}`]])
  })

  it.each<[string, Ask['as'], string]>([
    ['beta-org/fresh', 'editor', NO_GRANT],
    [NEW, 'reader', LEVEL],
    [NEW, 'outsider', NO_GRANT],
    ['beta-org/server', 'editor', NO_GRANT],
    ['alpha-org/server', 'reader', LEVEL],
  ])('%s is not made by the %s', async (name, as, line) => {
    expect(await version(name, as)).toEqual([line, []])
  })

  it('is not made where there is one', async () => {
    expect(await version('alpha-org/server')).toEqual([OK, [`POST ${MINE}/versions`]])
  })
})

describe('lists of servers and of their endpoints', () => {
  it.each<[string, string, readonly object[], readonly object[]]>([
    [
      '',
      'mcp_servers',
      [{ name: 'beta-org/server' }, { name: 'alpha-org/server' }, { nothing: 1 }],
      [{ name: 'alpha-org/server' }],
    ],
    [
      '/endpoints',
      'mcp_access_endpoints',
      [
        { id: '1', server_name: 'alpha-org/server' },
        { id: '2', server_name: 'beta-org/server' },
      ],
      [{ id: '1', server_name: 'alpha-org/server' }],
    ],
  ])('%s hold what may be read', async (path, field, rows, seen) => {
    gateway.script({ [`GET ${BASE}${path}`]: { body: { [field]: rows, next_page_token: null } } })
    const list = async (as: Ask['as']) =>
      JSON.parse((await gateway.ask({ target: `${BASE}${path}`, as })).text) as unknown
    expect(await list('reader')).toEqual({ [field]: seen })
    expect(await list('outsider')).toEqual({ [field]: [] })
  })
})
