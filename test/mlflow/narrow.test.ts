import { describe, expect, it } from 'vitest'
import { GatewayError, isGatewayError } from '../../src/errors.ts'
import { narrow } from '../../src/mlflow/narrow.ts'
import { accessWith, callFor, grant, lookupIn, textOf } from './examples.ts'

const WORLD = {
  experiments: { '1': { name: 'alpha/one' }, '2': { name: 'alpha/two' }, '3': { name: 'beta/secret' } },
} as const
const READ_1 = grant('experiment', 'exact', '1', 'READ')
const READ_2 = grant('experiment', 'exact', '2', 'READ')

async function narrowed(body: string | undefined, grants = [READ_1, READ_2], name = 'runs.search') {
  const call = callFor(name, { body })
  const [need] = call.operation.needs
  if (need?.kind !== 'narrow') throw new Error('not narrowed')
  try {
    const result = await narrow(call, need, { lookup: lookupIn(WORLD), access: accessWith(grants) })
    return result.kind === 'empty' ? 'empty' : textOf(result.call)
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return fault.code
  }
}

/** A body that is refused as it is read throws before it can be narrowed. */
async function codeOf(step: () => Promise<string>): Promise<string> {
  try {
    return await step()
  } catch (fault) {
    if (!isGatewayError(fault)) throw fault
    return fault.code
  }
}

describe('a list of experiments to search in', () => {
  it.each([
    ['{"experiment_ids":["1","3","2"],"filter":"x"}', '{"experiment_ids":["1","2"],"filter":"x"}'],
    ['{"experimentIds" : [ "3" , "1" ] }', '{"experimentIds" : ["1"] }'],
    ['{"experiment\\u005fids":["3","1"]}', '{"experiment\\u005fids":["1"]}'],
    ['{"experiment_ids":["1","3","1"]}', '{"experiment_ids":["1"]}'],
    [
      '{"max_results":9007199254740993,"experiment_ids":["3","1"]}',
      '{"max_results":9007199254740993,"experiment_ids":["1"]}',
    ],
  ])('loses what may not be read: %s', async (body, forwarded) => {
    expect(await narrowed(body)).toBe(forwarded)
  })

  it.each(['{"experiment_ids":["1"]}', ' {"x":[3], "experiment_ids" : ["2","1","2"]} '])(
    'is forwarded byte for byte if all may be read: %s',
    async (body) => {
      expect(await narrowed(body)).toBe(body)
    },
  )

  // To some operations an empty list means everything.
  it.each([
    '{"experiment_ids":["3"]}',
    '{"experiment_ids":[]}',
    '{"experiment_ids":null}',
    '{}',
    '{"experiment_ids_":["1"]}',
    undefined,
  ])('is never forwarded empty: %s', async (body) => {
    expect(await narrowed(body)).toBe('empty')
  })

  it.each([
    ['{"experiment_ids":["01"]}', 'ERR_INVALID_PARAMETER'],
    ['{"experiment_ids":[" 3"]}', 'ERR_INVALID_PARAMETER'],
    ['{"experiment_ids":[3]}', 'ERR_INVALID_PARAMETER'],
    ['{"experiment_ids":["1",null]}', 'ERR_INVALID_PARAMETER'],
    ['{"experiment_ids":["1",["3"]]}', 'ERR_INVALID_PARAMETER'],
    ['{"experiment_ids":"1"}', 'ERR_INVALID_PARAMETER'],
    ['{"experiment_ids":["1"],"experimentIds":["3"]}', 'ERR_AMBIGUOUS_REQUEST'],
  ])('is refused if it can be read otherwise: %s', async (body, code) => {
    expect(await codeOf(() => narrowed(body))).toBe(code)
  })

  it.each([
    ['a name pattern', [grant('experiment', 'name', 'alpha/*', 'READ')], '{"experiment_ids":["1","2"]}'],
    [
      'a pattern and a denial',
      [grant('experiment', 'name', 'alpha/*', 'READ'), grant('experiment', 'exact', '2', 'DENY')],
      '{"experiment_ids":["1"]}',
    ],
    [
      'everything but one',
      [grant('experiment', 'any', '*', 'EDIT'), grant('experiment', 'name', '*/secret', 'DENY')],
      '{"experiment_ids":["1","2"]}',
    ],
    ['nothing', [], 'empty'],
  ])('is narrowed by %s', async (_, grants, forwarded) => {
    expect(await narrowed('{"experiment_ids":["1","2","3"]}', [...grants])).toBe(forwarded)
  })

  it('leaves out experiments that do not exist', async () => {
    const pattern = grant('experiment', 'name', '*', 'READ')
    expect(await narrowed('{"experiment_ids":["1","99"]}', [pattern])).toBe('{"experiment_ids":["1"]}')
  })

  it.each(['runs.search', 'logged_models.search', 'datasets.search_of_runs'])(
    'is narrowed for %s',
    async (name) => {
      expect(await narrowed('{"experiment_ids":["1","3"]}', [READ_1], name)).toBe('{"experiment_ids":["1"]}')
    },
  )

  it('is not guessed when MLflow does not answer', async () => {
    const fault = new GatewayError('ERR_UPSTREAM_TIMEOUT', 'slow')
    const lookup = { ...lookupIn(WORLD), experiment: () => Promise.reject(fault) }
    const call = callFor('runs.search', { body: '{"experiment_ids":["1"]}' })
    const [need] = call.operation.needs
    if (need?.kind !== 'narrow') throw new Error('not narrowed')
    const access = accessWith([grant('experiment', 'name', '*', 'READ')])
    await expect(narrow(call, need, { lookup, access })).rejects.toBe(fault)
  })
})
