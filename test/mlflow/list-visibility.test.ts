/**
 * A row of a list is visible exactly when the single request for it is allowed: for every list of the catalogue, and for
 * people whose grants came to them in every way there is (in person, by a role, by a group, on one thing, on names, on
 * all, on the workspace, by default).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import { type Caller, membershipOn } from '../../src/identity/caller.ts'
import { argsInQuery, type Call } from '../../src/mlflow/call.ts'
import { CATALOGUE, operationNamed } from '../../src/mlflow/catalogue.ts'
import type { Exchange, Services } from '../../src/mlflow/exchange.ts'
import { judge } from '../../src/mlflow/judge.ts'
import { listReadable } from '../../src/mlflow/lists.ts'
import { createLookup } from '../../src/mlflow/lookup.ts'
import { narrow } from '../../src/mlflow/narrow.ts'
import type { Need, Operation } from '../../src/mlflow/operation.ts'
import { createPageTokens } from '../../src/mlflow/page-token.ts'
import { decide } from '../../src/policy/decide.ts'
import { createDirectory, type Member } from '../../src/policy/directory.ts'
import { GRANT_TYPES, type Grant, isWildcardOnly, type Level, levelsOf } from '../../src/policy/grants.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import {
  MODEL_A,
  MODEL_B,
  mlflowStandIn,
  RUN_A,
  RUN_B,
  TRACE_A,
  TRACE_B,
} from '../support/mlflow-stand-in.ts'
import {
  DEFINITION_A,
  DEFINITION_B,
  ENDPOINT_A,
  ENDPOINT_B,
  SECRET_A,
  SECRET_B,
} from '../support/stand-in-ai-gateway.ts'
import { DATASET_A, DATASET_B, QUEUE_A, QUEUE_B } from '../support/stand-in-things.ts'
import { type CallParts, callFor } from './examples.ts'

const PEOPLE = 300
const SEED = Date.now()

type Row = Readonly<Record<string, unknown>>

/** What a list is asked, what MLflow has for it, and the request for one of its rows. */
type Listing = {
  readonly ask?: CallParts
  readonly rows: readonly Row[]
  readonly single: readonly [operation: string, parts: (row: Row) => CallParts]
  /** A request that must be allowed too: the list is stricter. */
  readonly and?: readonly [operation: string, parts: (row: Row) => CallParts]
  /** What shows a row besides: the list is broader, and tells less of it. */
  readonly or?: (row: Row, caller: Caller) => boolean
}

const by =
  (field: string, name = field) =>
  (row: Row) => ({ query: `${name}=${encodeURIComponent(String(row[field]))}` })
const at =
  (field: string, name = field) =>
  (row: Row) => ({ path: { [name]: String(row[field]) } })

const EXPERIMENTS = ['0', '1', '2', '4', '7']
const NAMES: Readonly<Record<string, string>> = {
  '0': 'Default',
  '1': 'alpha/one',
  '2': 'beta/secret',
  '4': 'alpha/bucket',
  '7': 'alpha/workspaced',
}
const PROMPT = [{ key: 'mlflow.prompt.is_prompt', value: 'true' }]
const REGISTERED: readonly Row[] = [
  { name: 'alpha-model' },
  { name: 'beta-model' },
  { name: 'alpha-prompt', tags: PROMPT },
  { name: 'beta-prompt', tags: PROMPT },
]
const SERVERS = ['alpha-org/server', 'beta-org/server']

const LISTS: Readonly<Record<string, Listing>> = {
  'experiments.search': {
    ask: { query: 'max_results=100' },
    rows: EXPERIMENTS.map((id) => ({ experiment_id: id, name: NAMES[id] })),
    single: ['experiments.get', by('experiment_id')],
  },
  'registered_models.search': { rows: REGISTERED, single: ['registered_models.get', by('name')] },
  'model_versions.search': {
    rows: REGISTERED.map((row) => ({ ...row, version: '1' })),
    single: ['model_versions.get', (row) => ({ query: `name=${row['name']}&version=1` })],
  },
  'gateway_secrets.list_infos': {
    rows: [
      { secret_id: SECRET_A, secret_name: 'alpha-secret' },
      { secret_id: SECRET_B, secret_name: 'beta-secret' },
    ],
    single: ['gateway_secrets.get_info', by('secret_id')],
  },
  'gateway_endpoints.list': {
    rows: [
      { endpoint_id: ENDPOINT_A, name: 'alpha-endpoint' },
      { endpoint_id: ENDPOINT_B, name: 'beta-endpoint' },
    ],
    single: ['gateway_endpoints.get', by('endpoint_id')],
  },
  'workspaces.list': {
    rows: [{ name: 'default' }, { name: 'team' }, { name: 'other' }],
    single: ['workspaces.get', at('name', 'workspace_name')],
  },
  // What may be called: the request for one of its rows is the call.
  'gateway_endpoints.list_models': {
    rows: [{ id: 'alpha-endpoint' }, { id: 'beta-endpoint' }],
    single: ['gateway_endpoints.chat_completions', ({ id }) => ({ body: { model: id } })],
  },
  'gateway_model_definitions.list': {
    rows: [
      { model_definition_id: DEFINITION_A, name: 'alpha-definition' },
      { model_definition_id: DEFINITION_B, name: 'beta-definition' },
    ],
    single: ['gateway_model_definitions.get', by('model_definition_id')],
  },
  'datasets.search_evaluation_datasets': {
    ask: { method: 'POST', body: { experiment_ids: EXPERIMENTS } },
    rows: [{ dataset_id: DATASET_A }, { dataset_id: DATASET_B }],
    single: ['datasets.get', at('dataset_id')],
  },
  'jobs.search': {
    rows: [{ job_id: 'own' }, { job_id: 'other' }],
    single: ['jobs.get_job', at('job_id')],
  },
  // MLflow leaves out scorers of experiments that may not be read (`filter_list_scorers`, 3.17.2).
  'scorers.list': {
    and: ['experiments.get', by('experiment_id')],
    rows: [
      { experiment_id: 1, scorer_name: 'alpha-scorer' },
      { experiment_id: 2, scorer_name: 'beta-scorer' },
    ],
    single: [
      'scorers.get',
      (row) => ({ query: `experiment_id=${row['experiment_id']}&name=${row['scorer_name']}` }),
    ],
  },
  'mcp_servers.search': { rows: SERVERS.map((name) => ({ name })), single: ['mcp_servers.get', at('name')] },
  'mcp_servers.search_all_access_endpoints': {
    rows: SERVERS.map((server_name) => ({ server_name })),
    single: [
      'mcp_servers.get_access_endpoint',
      (row) => ({ path: { name: String(row['server_name']), endpoint_id: 'e' } }),
    ],
  },
  // Whoever may change the experiment sees that its queues are there, and opens their own (`filter_list_review_queues`, 3.17.2).
  'review_queues.list': {
    or: ({ experiment_id: key }, { access }) => {
      const resource = {
        type: 'experiment',
        key: String(key),
        name: NAMES[String(key)],
        tier: 'review_queue',
      } as const
      return decide([{ action: 'update', resource }], access).effect === 'allow'
    },
    rows: [
      { queue_id: QUEUE_A, experiment_id: '1', users: ['editor', 'reader'] },
      { queue_id: QUEUE_B, experiment_id: '2', users: ['editor', 'reader'] },
    ],
    single: ['review_queues.get', by('queue_id')],
  },
}

/** A list that is narrowed to experiments before it is asked, and a thing of that kind in each of two of them. */
type Narrowed = {
  readonly ask: CallParts
  readonly single: Listing['single']
  readonly ids: Readonly<Record<string, string>>
}
const BODY = { body: { experiment_ids: ['1', '2'] } }
const RUNS = { single: ['runs.get', by('id', 'run_id')], ids: { '1': RUN_A, '2': RUN_B } } as const
const TRACED = {
  single: ['traces.get_info_v3', at('id', 'trace_id')],
  ids: { '1': TRACE_A, '2': TRACE_B },
} as const
const NARROWED: Readonly<Record<string, Narrowed>> = {
  'runs.search': { ask: BODY, ...RUNS },
  'datasets.search_of_runs': { ask: BODY, ...RUNS },
  'logged_models.search': {
    ask: BODY,
    single: ['logged_models.get', at('id', 'model_id')],
    ids: { '1': MODEL_A, '2': MODEL_B },
  },
  'traces.search': { ask: { query: 'experiment_ids=1&experiment_ids=2' }, ...TRACED },
  'traces.search_v3': {
    ask: {
      body: { locations: ['1', '2'].map((experiment_id) => ({ mlflow_experiment: { experiment_id } })) },
    },
    ...TRACED,
  },
  'datasets.search_evaluation_datasets': {
    ask: { method: 'POST', ...BODY },
    single: ['experiments.get', by('id', 'experiment_id')],
    ids: { '1': '1', '2': '2' },
  },
}

const PATTERNS = ['*', 'alpha*', 'beta*', '*one', '*secret', 'alpha-*', '*-org/*', 'a']
const KEYS = [
  ...EXPERIMENTS,
  ...REGISTERED.map(({ name }) => String(name)),
  ...SERVERS,
  ...[SECRET_A, SECRET_B, ENDPOINT_A, ENDPOINT_B, DEFINITION_A, DEFINITION_B],
  ...['1/alpha-scorer', '2/beta-scorer'],
]

const grants: fc.Arbitrary<Grant> = fc.constantFrom(...GRANT_TYPES).chain((resourceType) => {
  const level = fc.constantFrom(...levelsOf(resourceType))
  const any = fc.constant({ match: 'any' as const, pattern: '*' })
  const narrower = fc.oneof(
    fc.constantFrom(...KEYS).map((pattern) => ({ match: 'exact' as const, pattern })),
    fc.constantFrom(...PATTERNS).map((pattern) => ({ match: 'name' as const, pattern })),
  )
  const where = isWildcardOnly(resourceType) ? any : fc.oneof(any, narrower, narrower)
  return fc.record({ where, level }).map((each) => ({ resourceType, level: each.level, ...each.where }))
})
const granted = fc.array(
  fc.record({ via: fc.constantFrom('person', 'role', 'group', 'team'), grant: grants }),
  {
    maxLength: 8,
  },
)

type Person = { readonly member: Member; readonly told: string }

let dir: string
let store: Store
const people: Person[] = []

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-visibility-'))
  const now = () => 1_800_000_000
  store = await openStore({ databaseUrl: `sqlite:${join(dir, 'gateway.db')}`, now })
  const providers = [{ id: 'oidc', issuer: 'https://issuer.invalid' }]
  const levels = ['NO_PERMISSIONS', 'NO_PERMISSIONS', 'NO_PERMISSIONS', 'READ', 'USE', 'EDIT'] as const
  const directories = levels.map((defaultPermission: Level) =>
    createDirectory({
      store,
      now,
      config: { adminUsers: [], adminGroups: [], defaultPermission, providers, upstreams: [] },
    }),
  )
  for (const [index, each] of fc.sample(granted, { numRuns: PEOPLE, seed: SEED }).entries()) {
    const name = index === 0 ? 'editor' : `person-${index}`
    const { id } = await store.people.signIn({
      ...{
        provider: 'oidc',
        issuer: 'https://issuer.invalid',
        subject: name,
        username: name,
        groups: [`of-${name}`],
      },
    })
    await hand(id, name, each)
    const directory = directories[index % directories.length]
    const member = await directory?.resolve(id)
    if (member === undefined) throw new Error('nobody')
    people.push({
      member,
      told: JSON.stringify({ seed: SEED, index, default: levels[index % levels.length], grants: each }),
    })
  }
}, 180_000)

afterAll(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Grants each the way it says. */
async function hand(
  userId: string,
  name: string,
  given: readonly { via: string; grant: Grant }[],
): Promise<void> {
  for (const via of new Set(given.map((each) => each.via))) {
    const role =
      via === 'person'
        ? await store.roles.personal(userId)
        : await store.roles.create({
            name: `${via}-of-${name}`,
            ...(via === 'team' && { workspace: 'team' }),
          })
    if (via === 'role' || via === 'team') await store.roles.assign(userId, role.id)
    if (via === 'group') await store.roles.mapGroup('oidc', `of-${name}`, role.id)
    for (const { grant } of given.filter((each) => each.via === via))
      await store.roles.grant(role.id, { ...grant, source: 'manual' })
  }
}

const standIn = mlflowStandIn()['*']
const lookup = createLookup({
  upstream: {
    getJson: async (url) => {
      if (typeof standIn !== 'function') throw new Error('no stand-in')
      const answer = await standIn(
        { method: 'GET', url, rawHeaders: [], body: Buffer.alloc(0) },
        {} as ServerResponse,
      )
      return { status: answer?.status ?? 200, body: answer?.body }
    },
  },
})
const services = {
  lookup,
  ...{ trustAuthorship: true, jsonBodyLimit: 1_000_000, webhookHosts: [], isUsername: async () => false },
  switches: { presignedUrls: false, assistant: false },
  jobs: {
    isOwner: async (_: string, jobId: string) => jobId === 'own',
    startedBy: async () => new Set(['own']),
  },
} as unknown as Services
const tokens = createPageTokens('secret')

function callerOf({ principal, access, workspaces }: Member): Caller {
  const credential = {
    kind: 'access_token',
    form: 'bearer',
    id: 'j',
    scope: [],
    expiresAt: 2_000_000_000,
  } as const
  return { principal, access, workspaces, credential }
}

async function isAllowed(call: Call, caller: Caller): Promise<boolean> {
  const request = new IncomingMessage(new Socket())
  const exchange: Exchange = {
    ...{
      request,
      response: new ServerResponse(request),
      requestId: 'r',
      remoteAddress: '',
      bytesOut: 0,
      caller,
    },
  }
  try {
    await judge(exchange, call, services)
    return true
  } catch (fault) {
    if (isGatewayError(fault) && fault.refusal.status < 500) return false
    throw fault
  }
}

const single = async ([operation, parts]: Listing['single'], row: Row, caller: Caller) =>
  isAllowed(callFor(operation, parts(row)), caller)

async function isExpected(
  { single: one, and = one, or }: Listing,
  row: Row,
  caller: Caller,
): Promise<boolean> {
  if (or?.(row, caller)) return true
  return (await single(one, row, caller)) && single(and, row, caller)
}

/** The rows of the list that the person gets of those that MLflow has. */
async function visible(
  operation: Operation,
  { ask = {}, rows }: Listing,
  caller: Caller,
): Promise<readonly unknown[]> {
  const { list } = operation
  if (list === undefined) throw new Error('no list')
  const { principal, access } = caller
  const send = async () => ({
    status: 200,
    headers: {},
    bytes: Buffer.from(JSON.stringify({ [list.field]: rows })),
  })
  const response = await listReadable(callFor(operation.name, ask), list, {
    caller: {
      ...{ userId: principal.userId, username: principal.username, isAdmin: false, access },
      isMemberOf: membershipOn(undefined, caller),
    },
    ...{ lookup, tokens, send, ownJobs: async () => new Set(['own']) },
  })
  return JSON.parse(response.bytes.toString())[list.field] ?? []
}

const LISTING = CATALOGUE.filter(({ list }) => list !== undefined)
const NARROWING = CATALOGUE.filter(({ needs }) => needs.some(({ kind }) => kind === 'narrow'))

describe('each list', () => {
  it('is looked at here', () => {
    expect(LISTING.map(({ name }) => name).filter((name) => LISTS[name] === undefined)).toEqual([])
    expect(NARROWING.map(({ name }) => name).filter((name) => NARROWED[name] === undefined)).toEqual([])
  })

  it.each(LISTING.map((operation) => [operation.name, operation] as const))('%s', async (name, operation) => {
    const listing = LISTS[name]
    if (listing === undefined) return
    let [shown, hidden] = [0, 0]
    for (const { member, told } of people) {
      const caller = callerOf(member)
      const allowed: Row[] = []
      for (const row of listing.rows) if (await isExpected(listing, row, caller)) allowed.push(row)
      shown += allowed.length
      hidden += listing.rows.length - allowed.length
      expect(await visible(operation, listing, caller), told).toEqual(allowed)
    }
    // It means something only if there are both.
    expect([shown > 0, hidden > 0]).toEqual([true, true])
  })

  it.each(NARROWING.map((operation) => [operation.name, operation] as const))(
    '%s, narrowed',
    async (name, operation) => {
      const narrowed = NARROWED[name]
      if (narrowed === undefined) return
      let [shown, hidden] = [0, 0]
      for (const { member, told } of people) {
        const caller = callerOf(member)
        const allowed: string[] = []
        for (const [experiment, id] of Object.entries(narrowed.ids)) {
          if (await single(narrowed.single, { id }, caller)) allowed.push(experiment)
        }
        shown += allowed.length
        hidden += 2 - allowed.length
        const kept = await keptOf(callFor(name, narrowed.ask), operation.needs, caller)
        expect(kept, told).toEqual(allowed)
      }
      expect([shown > 0, hidden > 0]).toEqual([true, true])
    },
  )
})

async function keptOf(call: Call, needs: readonly Need[], { access }: Caller): Promise<readonly string[]> {
  const need = needs.find((each) => each.kind === 'narrow')
  if (need?.kind !== 'narrow') throw new Error(`${call.operation.name} is not narrowed${argsInQuery(call)}`)
  const left = await narrow(call, need, { lookup, access })
  return left.kind === 'empty' ? [] : left.kept
}

describe('the operations that stand for one row', () => {
  it('are rows of the catalogue that ask for a resource', () => {
    const names = [...Object.values(LISTS), ...Object.values(NARROWED)].map((each) => each.single[0])
    for (const name of new Set(names)) {
      expect([name, operationNamed(name).needs.some(({ kind }) => kind === 'resource')]).toEqual([name, true])
    }
  })
})
