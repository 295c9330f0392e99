import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { isGatewayError } from '../../src/errors.ts'
import type { Caller } from '../../src/identity/caller.ts'
import type { Call } from '../../src/mlflow/call.ts'
import { CATALOGUE, operationNamed } from '../../src/mlflow/catalogue.ts'
import type { Exchange, Services } from '../../src/mlflow/exchange.ts'
import { checkStanding, isAdmins, isNobodys, isPublic, judge, readCall } from '../../src/mlflow/judge.ts'
import type { Lookup } from '../../src/mlflow/lookup.ts'
import type { Grant } from '../../src/policy/grants.ts'
import { accessWith, type CallParts, callFor, grant, lookupIn, textOf } from './examples.ts'

type CallerParts = {
  readonly grants?: readonly Grant[]
  readonly isAdmin?: boolean
  readonly scope?: readonly 'read'[]
}

function callerWith({ grants = [], isAdmin = false, scope = [] }: CallerParts): Caller {
  return {
    principal: {
      userId: 'u1',
      issuer: 'i',
      subject: 's',
      username: 'ada',
      provider: 'oidc',
      groups: [],
      roles: [],
      isAdmin,
    },
    access: accessWith(grants),
    credential: { kind: 'access_token', form: 'bearer', id: 'j', scope, expiresAt: 2000 },
  }
}

/** The parts of the services that judging uses. */
function servicesWith(lookup: Lookup, trustAuthorship = true): Services {
  return {
    lookup,
    trustAuthorship,
    isUsername: async (name: string) => name === 'ada',
    switches: { presignedUrls: false, assistant: false },
    jsonBodyLimit: 1000,
  } as unknown as Services
}

function exchangeFor(caller: Caller | undefined, request = new IncomingMessage(new Socket())): Exchange {
  const response = new ServerResponse(request)
  return { request, response, requestId: 'r', remoteAddress: '', bytesOut: 0, ...(caller && { caller }) }
}

const WORLD = {
  experiments: { '1': { name: 'alpha/one' }, '2': { name: 'beta/secret' } },
  runs: { ra: '1', rb: '2' },
  models: { 'm-a': '1', 'm-b': '2' },
  registry: { mine: 'registered_model', yours: 'registered_model' },
} as const
const EDIT_1 = grant('experiment', 'exact', '1', 'EDIT')
const EDIT_MINE = grant('registered_model', 'exact', 'mine', 'EDIT')

async function verdict(name: string, parts: CallParts, who: CallerParts): Promise<string> {
  try {
    await judge(exchangeFor(callerWith(who)), callFor(name, parts), servicesWith(lookupIn(WORLD)))
    return 'allow'
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return `${fault.code} ${fault.reason ?? ''}`.trim()
  }
}

const NO_GRANT = 'ERR_PERMISSION_DENIED no_grant'
const ADMIN_ONLY = 'ERR_PERMISSION_DENIED admin_only'
const AMBIGUOUS = 'ERR_AMBIGUOUS_REQUEST'
const INVALID = 'ERR_INVALID_PARAMETER'

describe('the judgement of a batch of a hundred metrics, of which one is unlike the others', () => {
  const metric = (members: object) => ({ key: 'loss', value: 0.5, timestamp: 1, step: 2, ...members })
  it.each<[others: object, one: object, string]>([
    [{}, {}, 'allow'],
    [{ model_id: 'm-a' }, { model_id: 'm-a', step: 3 }, 'allow'],
    [{}, { model_id: 'm-b' }, NO_GRANT],
    [{}, { modelId: 'm-b' }, NO_GRANT],
    [{ model_id: 'm-a' }, { model_id: 'm-b' }, NO_GRANT],
    [{ model_id: null }, { model_id: 'm-b' }, NO_GRANT],
    [{ model_id: 'm-a' }, { modelId: 'm-b' }, NO_GRANT],
    [{ model_id: 'm-a' }, { model_id: 5 }, INVALID],
    [{}, { model_id: ['m-b'] }, INVALID],
    [{}, { model_id: 'm-a', modelId: 'm-b' }, AMBIGUOUS],
  ])('%j, one %j: %s', async (others, one, expected) => {
    for (const at of [0, 1, 57, 99]) {
      const metrics = Array.from({ length: 100 }, (_, index) => metric(index === at ? one : others))
      const body = JSON.stringify({ run_id: 'ra', metrics })
      expect(await verdict('runs.log_batch', { body }, { grants: [EDIT_1, EDIT_MINE] })).toBe(expected)
    }
  })
})

describe('the judgement of a call by somebody with EDIT on experiment 1 and the model "mine"', () => {
  const who = { grants: [EDIT_1, EDIT_MINE] }
  it.each<[string, CallParts, string]>([
    ['runs.get', { query: 'run_id=ra' }, 'allow'],
    ['runs.get', { query: 'run_id=rb' }, NO_GRANT],
    ['runs.get', { query: 'run_id=none' }, NO_GRANT],
    ['runs.get', { query: 'run_id=ra&run_uuid=rb' }, AMBIGUOUS],
    ['runs.get', {}, INVALID],
    ['runs.delete', { body: '{"run_id":"ra"}' }, 'ERR_PERMISSION_DENIED level_too_low'],
    ['runs.log_batch', { body: '{"run_id":"ra","metrics":[{"model_id":"m-a"}]}' }, 'allow'],
    [
      'runs.log_batch',
      { body: '{"run_id":"ra","metrics":[{"model_id":"m-a"},{"modelId":"m-b"}]}' },
      NO_GRANT,
    ],
    ['runs.log_metric', { body: '{"run_id":"ra","model_id":"m-b"}' }, NO_GRANT],
    ['runs.log_inputs', { body: '{"run_id":"ra","models":[{"model_id":"m-b"}]}' }, NO_GRANT],
    ['metrics.get_history_bulk', { query: 'run_id=ra&run_id=rb' }, NO_GRANT],
    // Field report 8 (CVE-2026-69148): all that the files come from must be readable.
    ['model_versions.create', { body: '{"name":"mine","source":"runs:/ra/model","run_id":"ra"}' }, 'allow'],
    ['model_versions.create', { body: '{"name":"mine","source":"runs:/rb/model"}' }, NO_GRANT],
    ['model_versions.create', { body: '{"name":"mine","source":"models:/yours/1"}' }, NO_GRANT],
    [
      'model_versions.create',
      { body: '{"name":"mine","source":"mlflow-artifacts:/2/rb/artifacts/m"}' },
      NO_GRANT,
    ],
    [
      'model_versions.create',
      { body: '{"name":"mine","source":"runs:/ra/model","model_id":"m-b"}' },
      NO_GRANT,
    ],
    ['model_versions.create', { body: '{"name":"mine","source":"runs:/ra/model","run_id":"rb"}' }, NO_GRANT],
    ['model_versions.create', { body: '{"name":"yours","source":"runs:/ra/model"}' }, NO_GRANT],
    // Field report 34: places that the server reads with its own rights.
    ['model_versions.create', { body: '{"name":"mine","source":"http://x.oast.pro/"}' }, ADMIN_ONLY],
    ['model_versions.create', { body: '{"name":"mine","source":"file:///proc/self/environ"}' }, ADMIN_ONLY],
    ['model_versions.create', { body: '{"name":"mine","source":"dbfs:/x"}' }, ADMIN_ONLY],
    ['model_versions.create', { body: '{"name":"mine","source":"ftp://x/y"}' }, ADMIN_ONLY],
    ['experiments.create', { body: '{"name":"alpha/two","artifact_location":"s3://b/x"}' }, ADMIN_ONLY],
    [
      'registered_models.set_tag',
      { body: '{"name":"mine","key":"mlflow.prompt.is_prompt","value":"true"}' },
      ADMIN_ONLY,
    ],
    ['artifacts.list', {}, ADMIN_ONLY],
    [
      'artifacts.get_presigned',
      { path: { artifact_path: '1/ra/artifacts/x' } },
      'ERR_PERMISSION_DENIED switched_off',
    ],
    ['artifacts.upload_to_run', { query: 'run_uuid=ra&path=x' }, 'allow'],
    ['artifacts.upload_to_run', { query: 'run_uuid=rb&path=x' }, NO_GRANT],
    ['artifacts.upload_to_run', { query: 'run_uuid=ra&run_id=ra&path=x' }, AMBIGUOUS],
    ['artifacts.upload_to_run', { query: 'run_id=ra&path=x' }, AMBIGUOUS],
  ])('%s %j: %s', async (name, parts, expected) => {
    expect(await verdict(name, parts, who)).toBe(expected)
  })

  it('is allow for an admin, whatever it is about, but not what cannot be read in one way', async () => {
    expect(await verdict('runs.get', { query: 'run_id=rb' }, { isAdmin: true })).toBe('allow')
    expect(await verdict('artifacts.list', {}, { isAdmin: true })).toBe('allow')
    expect(await verdict('runs.get', { query: 'run_id=ra&run_uuid=rb' }, { isAdmin: true })).toBe(AMBIGUOUS)
    expect(
      await verdict('artifacts.get_presigned', { path: { artifact_path: '1/x' } }, { isAdmin: true }),
    ).toBe('ERR_PERMISSION_DENIED switched_off')
  })

  it('looks no name up for an admin', async () => {
    const lookup = lookupIn(WORLD)
    const call = callFor('experiments.get', { query: 'experiment_id=1' })
    await judge(
      exchangeFor(callerWith({ isAdmin: true, grants: [grant('experiment', 'name', '*', 'READ')] })),
      call,
      servicesWith(lookup),
    )
    expect(lookup.asked).toEqual([])
  })

  it('keeps what was asked of what for the record, also when it is refused', async () => {
    const exchange = exchangeFor(callerWith(who))
    const call = callFor('runs.get', { query: 'run_id=rb' })
    await expect(judge(exchange, call, servicesWith(lookupIn(WORLD)))).rejects.toThrow('Permission denied')
    expect(exchange.demands).toEqual([
      { action: 'read', resource: { type: 'experiment', key: '2', tier: 'run' } },
    ])
  })
})

describe('what is forwarded of a judged call', () => {
  const judged = async (name: string, body: string, trustAuthorship = true): Promise<Call> =>
    judge(
      exchangeFor(callerWith({ grants: [EDIT_1] })),
      callFor(name, { body }),
      servicesWith(lookupIn(WORLD), trustAuthorship),
    )

  it('has the judged fields in front', async () => {
    const body = '{"[a.b]":1,"key":"k","value":"v","experiment_id":"1"}'
    expect(textOf(await judged('experiments.set_tag', body))).toBe(
      '{"experiment_id":"1","[a.b]":1,"key":"k","value":"v"}',
    )
  })

  it('names the caller as author of a new run, unless that is switched off', async () => {
    const body = '{"experiment_id":"1","user_id":"root"}'
    expect(JSON.parse(textOf(await judged('runs.create', body)))).toMatchObject({ user_id: 'ada' })
    expect(textOf(await judged('runs.create', body, false))).toBe(body)
  })
})

describe('what a row asks of the caller before anything is read', () => {
  const standing = (name: string, who: CallerParts) => {
    try {
      checkStanding(operationNamed(name), callerWith(who), operationNamed(name).methods[0])
      return 'allow'
    } catch (fault) {
      if (!isGatewayError(fault)) throw fault
      return `${fault.code} ${fault.reason}`
    }
  }

  it.each<[string, CallerParts, string]>([
    ['runs.get', { scope: ['read'] }, 'allow'],
    ['experiments.search', { scope: ['read'] }, 'allow'],
    ['artifacts.download', { scope: ['read'] }, 'allow'],
    ['runs.create', { scope: ['read'] }, 'ERR_INSUFFICIENT_SCOPE read_only_token'],
    ['runs.create', { scope: ['read'], isAdmin: true }, 'ERR_INSUFFICIENT_SCOPE read_only_token'],
    ['webhooks.create', { scope: ['read'], isAdmin: true }, 'ERR_INSUFFICIENT_SCOPE read_only_token'],
    ['webhooks.list', { scope: ['read'], isAdmin: true }, 'allow'],
    ['webhooks.list', {}, ADMIN_ONLY],
    ['jobs.submit', {}, ADMIN_ONLY],
    ['jobs.submit', { isAdmin: true }, 'allow'],
    ['gateway_proxy.gateway_proxy', {}, 'allow'],
  ])('%s by %j: %s', (name, who, expected) => {
    expect(standing(name, who)).toBe(expected)
  })

  it('is the same for every row: an admin row for admins, a public one for all', () => {
    for (const operation of CATALOGUE) {
      const needsAdmin = isAdmins(operation, operation.methods[0])
      expect([operation.name, standing(operation.name, {})]).toEqual([
        operation.name,
        needsAdmin ? ADMIN_ONLY : 'allow',
      ])
    }
  })

  it('knows what is public and what is nobody’s', () => {
    expect(CATALOGUE.filter(isPublic).some(isNobodys)).toBe(false)
    expect(isNobodys(operationNamed('ui.build_file'))).toBe(true)
    expect(isPublic(operationNamed('ops.health'))).toBe(true)
    expect(isPublic(operationNamed('ops.version'))).toBe(false)
  })
})

describe('field report 3: HEAD', () => {
  const methodOf = async (name: string, sent: string) => {
    const request = Object.assign(new IncomingMessage(new Socket()), { method: sent })
    const { operation, template, params, query } = callFor(name)
    const call = await readCall(
      exchangeFor(undefined, request),
      { operation, template, params, query },
      servicesWith(lookupIn({})),
    )
    return call.method
  }

  // MLflow's message routes read no query of a HEAD: what it tells would be of something else than what was judged.
  it.each([
    ['artifacts.list', 'GET'],
    ['runs.get', 'GET'],
    ['experiments.search', 'GET'],
    ['metrics.get_history', 'GET'],
    ['artifacts.download', 'HEAD'],
    ['artifacts.get_of_run', 'HEAD'],
    ['artifacts.get_of_version', 'HEAD'],
    ['ui.static_file', 'HEAD'],
  ])('of %s is asked with %s', async (name, method) => {
    expect(await methodOf(name, 'HEAD')).toBe(method)
    expect(await methodOf(name, 'GET')).toBe('GET')
  })

  it('leaves other methods alone', async () => {
    expect(await methodOf('artifacts.upload', 'PUT')).toBe('PUT')
    expect(await methodOf('registered_models.delete', 'DELETE')).toBe('DELETE')
  })
})
