import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import { isAdmins } from '../../src/mlflow/judge.ts'
import type { LocatorKind, Operation } from '../../src/mlflow/operation.ts'
import authorization from '../fixtures/mlflow-3.17.2/authorization.json' with { type: 'json' }
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'
import { headerValues } from '../support/upstream.ts'
import { plausibleRequest, type Side } from './plausible-request.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const PEOPLE = ['outsider', 'reader', 'editor', 'admin'] as const
type Person = (typeof PEOPLE)[number]

/** What an operation of MLflow does at most, from the list of what each must require: not from the catalogue. */
const RANK = { read: 1, use: 2, update: 3, create: 3, delete: 4, manage: 4 } as const
const HELD: Readonly<Record<Side, Readonly<Record<Person, number>>>> = {
  alpha: { outsider: 0, reader: 1, editor: 3, admin: 4 },
  beta: { outsider: 0, reader: 0, editor: 0, admin: 4 },
}

function mustRequire({ methods, paths }: Operation) {
  const key = (path: string) => path.replace(/[<{](?:path:)?\w+(?::path)?[>}]/g, '<>')
  const own = new Set(paths.map(({ text }) => key(text)))
  return authorization.operations.find(
    (each) =>
      each.methods.some((method) => (methods as readonly string[]).includes(method)) &&
      each.paths.some((path) => own.has(key(path))),
  )
}

/** Where MLflow's own auth app asks for the right to delete, and the list for less (test/oracle). */
const DELETING: ReadonlySet<string> = new Set([
  'logged_models.delete_tag',
  'model_versions.delete_tag',
  'registered_models.delete_alias',
  'mcp_servers.delete_version_tag',
  'mcp_servers.delete_access_endpoint',
  'mcp_servers.delete_tag',
  'mcp_servers.delete_alias',
])

/** Where more is asked here than there, with the reason in the catalogue. */
const STRICTER: Readonly<Record<string, number>> = {
  'gateway_endpoints.raw_proxy': RANK.manage,
  'gateway_endpoints.list': RANK.read,
  'gateway_model_definitions.list': RANK.read,
}

function rankOf(operation: Operation): number {
  const stricter = STRICTER[operation.name]
  if (stricter !== undefined) return stricter
  if (DELETING.has(operation.name)) return RANK.delete
  const actions = (mustRequire(operation)?.requires ?? []).flatMap((each) =>
    'action' in each && each.action !== undefined ? [RANK[each.action as keyof typeof RANK]] : [],
  )
  return Math.max(kindsOf(operation).has('graphql') ? RANK.read : 0, ...actions)
}

const kindsOf = ({ needs }: Operation) => new Set(needs.map(({ kind }) => kind))
const locatesBy = ({ needs }: Operation, kind: LocatorKind) =>
  needs.some((need) => need.kind === 'resource' && need.locator.kind === kind)
const isOff = ({ rules }: Operation) => rules.some(({ kind }) => kind === 'switch')

type Expected = { readonly status: number; readonly reason?: string | undefined; readonly reaches: boolean }

const ALLOWED: Expected = { status: 200, reaches: true }
const denied = (reason: string, status = 403): Expected => ({ status, reason, reaches: false })

/** What a request of that person to that row must come to. */
function expected(operation: Operation, method: string, person: Person | undefined, side: Side): Expected {
  const kinds = kindsOf(operation)
  if (kinds.has('nobody')) return denied('no_such_route', 404)
  if (kinds.has('public')) return ALLOWED
  if (person === undefined) return denied('no_credential', 401)
  if (isAdmins(operation, method) && person !== 'admin') return denied('admin_only')
  if (kinds.has('graphql') && method === 'GET') return denied('ERR_AMBIGUOUS_REQUEST', 400)
  if (isOff(operation)) return denied('switched_off')
  if (operation.answer !== undefined) return { status: 200, reaches: false }
  // Whose a job is no grant says; the demo is nobody's, under a name of its own.
  if (locatesBy(operation, 'job')) {
    return person === 'admin' || (person === 'editor' && side === 'alpha') ? ALLOWED : denied('admin_only')
  }
  if (locatesBy(operation, 'demo')) return person === 'admin' ? ALLOWED : denied('no_grant')
  // Everybody is in the default workspace, and only administrators are in any other.
  if (locatesBy(operation, 'workspace') && person !== 'admin') {
    return side === 'alpha' ? ALLOWED : denied('admin_only')
  }
  const held = HELD[side][person]
  if (kinds.has('narrow')) return { status: 200, reaches: held > 0 }
  if (!kinds.has('resource') && !kinds.has('graphql')) return ALLOWED
  if (held >= rankOf(operation)) return ALLOWED
  return denied(held > 0 ? 'level_too_low' : 'no_grant', operation.hidden === undefined ? 403 : 404)
}

let asked = 0

/** Asks as several people at once; each request is told by its User-Agent, which goes on to MLflow. */
async function askAs(ask: Ask, people: readonly (MemberName | undefined)[]) {
  const outcomes = people.map(async (as) => {
    const agent = `catalogue/${asked++}`
    const { status, event } = await gateway.ask({
      ...ask,
      as,
      headers: [...(ask.headers ?? []), `User-Agent: ${agent}`],
    })
    const reached = gateway.upstream.requests.filter(
      (request) => headerValues(request, 'user-agent')[0] === agent,
    )
    return { as, status, event, reaches: reached.length > 0 }
  })
  return Promise.all(outcomes)
}

const ROWS = CATALOGUE.map((operation) => [operation.name, operation] as const)

describe('every row of the catalogue, under each of its paths, for everybody', () => {
  it.each(ROWS)('%s', async (_, operation) => {
    gateway.upstream.forget()
    for (const template of operation.paths) {
      for (const method of operation.methods) {
        for (const side of sidesOf(operation)) {
          const ask = plausibleRequest(operation, method, template, side)
          for (const { as, status, event, reaches } of await askAs(ask, [undefined, ...PEOPLE])) {
            const found = {
              status,
              reason: event?.reason,
              reaches: reaches || isOwnRequest(operation, status),
            }
            const wanted = expected(operation, method, as as Person | undefined, side)
            const about = [as, side, method, template.text]
            expect([...about, found]).toEqual([...about, { reason: undefined, ...wanted }])
            expect(event?.path).toBe(kindsOf(operation).has('nobody') ? '' : template.text)
          }
        }
      }
    }
  })
})

/** Nothing in a row without resources depends on whose things it is about. */
function sidesOf(operation: Operation): readonly Side[] {
  const kinds = kindsOf(operation)
  return kinds.has('resource') || kinds.has('narrow') || kinds.has('graphql') ? ['alpha', 'beta'] : ['alpha']
}

/** The page is fetched by the gateway itself, so no User-Agent tells. */
function isOwnRequest({ name }: Operation, status: number): boolean {
  return name === 'ui.shell' && status === 200
}

describe('a read-only token', () => {
  /** Rows that change something, by what MLflow's operation must require, or by being an administrator's and no GET. */
  const changes = (operation: Operation) => {
    const byKind = kindsOf(operation).has('admin') || locatesBy(operation, 'job')
    return byKind ? operation.methods.some((method) => method !== 'GET') : rankOf(operation) > 1
  }

  it.each(ROWS.filter(([, operation]) => changes(operation)))('is refused by %s', async (_, operation) => {
    for (const template of operation.paths) {
      for (const method of operation.methods) {
        const ask = plausibleRequest(operation, method, template, 'alpha')
        for (const { as, status, event, reaches } of await askAs(ask, ['readonly', 'observer'])) {
          expect([as, status, event?.reason, reaches]).toEqual([as, 403, 'read_only_token', false])
        }
      }
    }
  })

  it.each(ROWS.filter(([, operation]) => !changes(operation)))(
    'may do what its owner may: %s',
    async (_, operation) => {
      for (const template of operation.paths) {
        for (const method of operation.methods) {
          const ask = plausibleRequest(operation, method, template, 'alpha')
          for (const { as, status } of await askAs(ask, ['readonly', 'observer'])) {
            const owner = as === 'readonly' ? 'editor' : 'admin'
            expect([as, status]).toEqual([as, expected(operation, method, owner, 'alpha').status])
          }
        }
      }
    },
  )

  it('is told so, with a challenge', async () => {
    const ask = { method: 'POST', target: '/api/2.0/mlflow/experiments/create', json: { name: 'alpha/x' } }
    const refused = await gateway.ask({ ...ask, as: 'readonly' })
    expect(refused.headers['www-authenticate']?.[0]).toContain('error="insufficient_scope"')
    expect(refused.message).toContain('This token may only read')
  })
})

describe('the record of a decision', () => {
  it('says who, what and why, and nothing that was sent', async () => {
    const { event } = await gateway.ask({
      ...{ method: 'POST', target: '/api/2.0/mlflow/runs/set-tag?secret=in-the-query', as: 'editor' },
      json: { run_id: 'b'.repeat(32), key: 'secret-key', value: 'secret-value' },
    })
    expect(event).toEqual({
      at: expect.any(String),
      requestId: expect.any(String),
      event: 'decision',
      userId: gateway.members.editor.userId,
      username: 'editor',
      provider: 'oidc',
      credential: { kind: 'access_token', form: 'bearer', id: expect.any(String) },
      operation: 'runs.set_tag',
      method: 'POST',
      path: '/api/2.0/mlflow/runs/set-tag',
      resources: [{ type: 'experiment', id: '2', name: 'beta/secret' }],
      asked: [
        { action: 'update', resource: { type: 'experiment', key: '2', name: 'beta/secret', tier: 'run' } },
      ],
      effect: 'deny',
      status: 403,
      reason: 'no_grant',
      bytesIn: expect.any(Number),
      bytesOut: 0,
      durationMs: expect.any(Number),
      remoteAddress: '127.0.0.1',
    })
    expect(JSON.stringify(event)).not.toContain('secret-')
  })

  it('is one for each request, whatever became of it', async () => {
    const before = gateway.events.length
    const targets = [
      '/',
      '/nope',
      '/api/2.0/mlflow/runs/get',
      '/api/2.0/mlflow/experiments/get?experiment_id=1',
      '//x',
      '/version',
    ]
    for (const target of targets)
      for (const as of [undefined, 'reader'] as const) await gateway.ask({ target, as })
    expect(gateway.events.length - before).toBe(targets.length * 2)
  })
})
