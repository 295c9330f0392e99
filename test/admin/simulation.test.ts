import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Simulation, simulate } from '../../src/admin/simulation.ts'
import type { AuditEvent } from '../../src/audit/event.ts'
import { CATALOGUE } from '../../src/mlflow/catalogue.ts'
import { createLookup, type Lookup } from '../../src/mlflow/lookup.ts'
import { createUpstream, type Upstream } from '../../src/mlflow/upstream.ts'
import type { Grant } from '../../src/policy/grants.ts'
import type { PolicyContent } from '../../src/store/policy.ts'
import { chained, testChain } from '../audit/test-chain.ts'
import { A, B, MODEL_A, RUN_A, RUN_B, TRACE_A } from '../support/mlflow-stand-in.ts'
import type { Ask } from '../support/spoken-request.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
let upstream: Upstream
let lookup: Lookup
const PROVIDERS = [{ id: 'oidc', issuer: 'https://issuer.invalid' }]
const EMPTY: PolicyContent = { roles: [], groups: [], users: [] }

beforeAll(async () => {
  gateway = await startTestGateway()
  upstream = createUpstream({ url: new URL(gateway.upstream.url), idleTimeout: 5 })
  lookup = createLookup({ upstream })
})
afterAll(async () => {
  await upstream.close()
  await gateway.stop()
})

function foretell(policy: PolicyContent, last: number): Promise<Simulation> {
  const config = {
    adminUsers: ['oidc:admin'],
    adminGroups: [],
    defaultPermission: 'NO_PERMISSIONS',
    upstreams: [],
    providers: PROVIDERS,
  } as const
  return simulate(
    policy,
    { last },
    {
      ...{ store: gateway.store, catalogue: CATALOGUE, config },
      lookupIn: () => lookup,
      now: () => Math.floor(Date.now() / 1000),
    },
  )
}

const get = (target: string): Ask => ({ target: `/api/2.0/mlflow/${target}` })
const post = (target: string, json: object): Ask => ({
  ...{ method: 'POST', target: `/api/2.0/mlflow/${target}`, json },
})
const REQUESTS: readonly Ask[] = [
  get(`experiments/get?experiment_id=${A}`),
  get(`experiments/get?experiment_id=${B}`),
  get('experiments/get-by-name?experiment_name=beta%2Fsecret'),
  post('experiments/set-experiment-tag', { experiment_id: A, key: 'k', value: 'v' }),
  post('experiments/delete', { experiment_id: B }),
  post('experiments/create', { name: 'alpha/new' }),
  post('experiments/create', { name: 'beta/new' }),
  get(`runs/get?run_id=${RUN_A}`),
  get(`runs/get?run_id=${RUN_B}`),
  post('runs/set-tag', { run_id: RUN_B, key: 'k', value: 'v' }),
  post('runs/search', { experiment_ids: [A, B] }),
  get(`logged-models/${MODEL_A}`),
  get('registered-models/get?name=alpha-model'),
  get('registered-models/get?name=beta-model'),
  get('registered-models/get?name=beta-prompt'),
  { target: `/api/3.0/mlflow/traces/${TRACE_A}` },
  get('model-versions/get?name=beta-model&version=1'),
  get(`artifacts/list?run_id=${RUN_B}`),
  { target: `/api/2.0/mlflow-artifacts/artifacts/${B}/${RUN_B}/artifacts/model/x` },
]
/** Files that a reader of a model may read: whether they may was looked for only if it mattered. */
const OPEN = 'artifacts.download'

/** Asks all of it as those whose rights come from the policy, or from what was given by hand besides. */
async function askAll(): Promise<readonly AuditEvent[]> {
  const events: AuditEvent[] = []
  for (const as of ['outsider', 'reader'] as const) {
    for (const request of REQUESTS) {
      const { event, line } = await gateway.ask({ ...request, as })
      if (event === undefined) throw new Error(`nothing on record of ${request.target}: ${line}`)
      events.push(event)
    }
  }
  const last = events.at(-1)?.requestId
  await vi.waitFor(async () => {
    const kept = await gateway.store.audit.query({ limit: 1 })
    expect(kept[0]?.['requestId']).toBe(last)
  }, 5000)
  return events
}

async function apply(policy: PolicyContent): Promise<void> {
  await gateway.store.roles.replacePolicy(policy)
  await sleep(80)
}

const resource = fc.constantFrom<Pick<Grant, 'resourceType' | 'match' | 'pattern'>>(
  { resourceType: 'experiment', match: 'any', pattern: '*' },
  { resourceType: 'experiment', match: 'exact', pattern: A },
  { resourceType: 'experiment', match: 'exact', pattern: B },
  { resourceType: 'experiment', match: 'name', pattern: 'beta/*' },
  { resourceType: 'experiment', match: 'name', pattern: '*secret' },
  { resourceType: 'registered_model', match: 'any', pattern: '*' },
  { resourceType: 'registered_model', match: 'name', pattern: 'beta-*' },
  { resourceType: 'prompt', match: 'any', pattern: '*' },
  { resourceType: 'run', match: 'any', pattern: '*' },
  { resourceType: 'trace', match: 'any', pattern: '*' },
  { resourceType: 'registered_model_version', match: 'any', pattern: '*' },
)
const grant: fc.Arbitrary<Grant> = fc
  .record({ on: resource, level: fc.constantFrom('READ', 'EDIT', 'MANAGE', 'DENY') })
  .map(({ on, level }) => ({ ...on, level }))
const policies: fc.Arbitrary<PolicyContent> = fc
  .record({
    grants: fc.uniqueArray(grant, { selector: ({ level: _, ...on }) => JSON.stringify(on), maxLength: 4 }),
    others: fc.uniqueArray(grant, { selector: ({ level: _, ...on }) => JSON.stringify(on), maxLength: 2 }),
    defaultPermission: fc.constantFrom(undefined, undefined, 'READ' as const),
  })
  .map(({ grants, others, defaultPermission }) => ({
    defaultPermission,
    roles: [
      { name: 'one', grants },
      { name: 'two', grants: others },
    ],
    groups: [],
    users: [
      { provider: 'oidc', name: 'outsider', role: 'one' },
      { provider: 'oidc', name: 'reader', role: 'two' },
    ],
  }))

/** Speaks of names, of which the record of somebody without rights tells nothing. */
const NAMED: PolicyContent = {
  ...EMPTY,
  roles: [
    {
      name: 'one',
      grants: [{ resourceType: 'experiment', match: 'name', pattern: 'beta/*', level: 'EDIT' }],
    },
  ],
  users: [{ provider: 'oidc', name: 'outsider', role: 'one' }],
}

/** `who what: before -> after`, as often as it is so. */
function flips(before: readonly AuditEvent[], after: readonly AuditEvent[]): string[] {
  return before.flatMap(({ username, operation, effect }, index) => {
    const later = after[index]?.effect
    return effect === later ? [] : `${username} ${operation}: ${effect} -> ${later}`
  })
}

function foretold({ changes }: Simulation): string[] {
  return changes.flatMap(({ username, operation, before, after, times }) =>
    Array.from({ length: times }, () => `${username} ${operation}: ${before.effect} -> ${after.effect}`),
  )
}

const judgeable = (line: string) => !line.includes(` ${OPEN}:`)

describe('a policy that was simulated and then applied', () => {
  it('answers the same requests as it was foretold, and the one in force changes nothing', async () => {
    let before = await askAll()
    let seen = 0
    for (const policy of [NAMED, ...fc.sample(policies, { numRuns: 6, seed: 20_261 }), EMPTY]) {
      const state = [await gateway.store.roles.policy(), await gateway.store.changes.latest()]
      const simulation = await foretell(policy, before.length)
      expect([await gateway.store.roles.policy(), await gateway.store.changes.latest()]).toEqual(state)
      const total = Object.values(simulation.unjudged).reduce((sum, each) => sum + each, 0)
      expect(simulation.unchanged + foretold(simulation).length + total).toBe(before.length)
      await apply(policy)
      const after = await askAll()
      const actual = flips(before, after)
      expect(foretold(simulation).filter(judgeable).sort()).toEqual(actual.filter(judgeable).sort())
      expect(actual).toEqual(expect.arrayContaining(foretold(simulation)))
      expect((await foretell(policy, before.length)).changes).toEqual([])
      seen += actual.length
      before = after
    }
    // Else nothing was tried.
    expect(seen).toBeGreaterThan(30)
  }, 120_000)
})

describe('what cannot be judged again', () => {
  const ask = async (...asks: readonly Ask[]) => {
    for (const each of asks) await gateway.ask(each)
    const last = gateway.events.at(-1)?.requestId
    await vi.waitFor(async () => {
      expect((await gateway.store.audit.query({ limit: 1 }))[0]?.['requestId']).toBe(last)
    }, 5000)
  }
  const one = async (asking: Ask) => {
    await ask(asking)
    return (await foretell(EMPTY, 1)).unjudged
  }

  it('is counted by why', async () => {
    const read = get(`experiments/get?experiment_id=${A}`)
    expect(await one({ ...read, as: 'admin' })).toEqual({ administrator: 1 })
    expect(await one(read)).toEqual({ nobody: 1 })
    expect(await one({ ...get('experiments/search?max_results=5'), as: 'reader' })).toEqual({
      asks_for_no_grant: 1,
    })
    expect(await one({ ...post('runs/set-tag', { run_id: RUN_A, key: 'k' }), as: 'readonly' })).toEqual({
      other_reason: 1,
    })
    expect(await one({ ...get('no/such'), as: 'reader' })).toEqual({ operation_unknown: 1 })
    expect(await one({ ...get('experiments/get?experiment_id=999'), as: 'reader' })).toEqual({
      about_nothing: 1,
    })
  })

  it('of an earlier version, or of somebody who is gone', async () => {
    const event = {
      ...{ at: new Date().toISOString(), event: 'decision', operation: 'experiments.get', effect: 'allow' },
      ...{ userId: gateway.members.reader.userId, username: 'reader', requestId: 'x' },
      resources: [{ type: 'experiment', id: A }],
    }
    const chain = testChain()
    const keep = (kept: object) => gateway.store.audit.append(chain, chained(chain, [{ ...event, ...kept }]))
    await keep({})
    expect((await foretell(EMPTY, 1)).unjudged).toEqual({ not_on_record: 1 })
    const asked = [{ action: 'read', resource: { type: 'experiment', key: A } }]
    await keep({ userId: 'gone', asked })
    expect((await foretell(EMPTY, 1)).unjudged).toEqual({ person_gone: 1 })
  })
})

it('a policy that could not be applied is refused as applying it would be', async () => {
  await gateway.store.roles.create({ name: 'by-hand' })
  const policy = { ...EMPTY, roles: [{ name: 'by-hand', grants: [] }] }
  await gateway.ask({ ...get(`experiments/get?experiment_id=${A}`), as: 'reader' })
  await expect(foretell(policy, 10)).rejects.toMatchObject({ code: 'ERR_INVALID_PARAMETER' })
})
