/** Of a list that MLflow gives whole, everything but the rows that may not be read leaves as it came. */
import { describe, expect, it } from 'vitest'
import { operationNamed } from '../../src/mlflow/catalogue.ts'
import { listReadable } from '../../src/mlflow/lists.ts'
import { createPageTokens } from '../../src/mlflow/page-token.ts'
import { accessWith, callFor, grant, lookupIn } from './examples.ts'

const OPERATION = 'gateway_endpoints.list'
const READS_ALPHA = [grant('gateway_endpoint', 'name', 'alpha*', 'READ')]

async function listed(answer: string, grants = READS_ALPHA): Promise<string> {
  const { list } = operationNamed(OPERATION)
  if (list === undefined) throw new Error('no list')
  const response = await listReadable(callFor(OPERATION), list, {
    caller: { userId: 'u1', isAdmin: false, access: accessWith(grants) },
    lookup: lookupIn({
      about: { gateway_endpoint: { e7: { id: 'e7', name: 'alpha-7', experimentId: undefined } } },
    }),
    tokens: createPageTokens('a secret of at least thirty-two characters'),
    send: async () => ({ status: 200, headers: {}, bytes: Buffer.from(answer) }),
  })
  return response.bytes.toString()
}

const row = (id: number, name: string, more = '') =>
  `{"endpoint_id": "e${id}", "name": ${JSON.stringify(name)}${more}}`
const A = row(1, 'alpha-é', ', "n": 9007199254740993')
const B = row(2, 'beta', ', "tags": [{"key": "]},{"}]')
const C = row(3, 'alpha"}],"endpoints":[')

describe('of a list that is given whole', () => {
  it.each([
    ['nothing, where all may be read', `{ "é": 1.0,\n "endpoints" : [ ${A} ,\n${C} ] }\n`, undefined],
    [
      'the one in front',
      `{"x": 1.0, "endpoints": [${B}, ${A}, ${C}], "y": "\\u0041"}`,
      `{"x": 1.0, "endpoints": [${A}, ${C}], "y": "\\u0041"}`,
    ],
    ['the one between', `{"endpoints": [${A}, ${B}, ${C}]}`, `{"endpoints": [${A},${C}]}`],
    ['the one behind', `{"endpoints": [\n ${A},\n ${B}\n]}`, `{"endpoints": [${A}]}`],
    ['all', `{"é": [], "endpoints": [${B}, ${B}]}`, `{"é": [], "endpoints": []}`],
    [
      'what is no row',
      `{"é": 1, "endpoints": [${A}, "é", null, 1, ${C}]}`,
      `{"é": 1, "endpoints": [${A},${C}]}`,
    ],
    ['what does not say what it is', `{"endpoints": [{}, ${A}, {"name": "alpha"}]}`, `{"endpoints": [${A}]}`],
    ['null in place of a list', '{"endpoints": null}', '{"endpoints": []}'],
  ])('is left out: %s', async (_, answer, left = answer) => {
    expect(await listed(answer)).toBe(left)
  })

  it('a row that has to be asked about keeps its place among those that have not', async () => {
    const asked = (id: number) => `{"endpoint_id": "e${id}"}`
    const rows = Array.from({ length: 40 }, (_, index) =>
      index % 3 === 0 ? asked(index % 2 === 0 ? 7 : 8) : row(index, 'alpha'),
    )
    const kept = rows.filter((text) => text !== asked(8))
    const left = JSON.parse(await listed(`{"endpoints": [${rows.join(', ')}]}`))
    expect(left).toEqual({ endpoints: kept.map((text) => JSON.parse(text)) })
  })

  it.each([
    ['a name twice', `{"endpoints": [${A}, {"endpoint_id": "e3", "name": "alpha", "name": "beta"}]}`],
    ['a list twice', `{"endpoints": [${A}], "endpoints": [${B}]}`],
    ['a list that is none', '{"endpoints": {}}'],
    ['half of it', `{"endpoints": [${A}, `],
  ])('nothing leaves that can be read in two ways or in none: %s', async (_, answer) => {
    await expect(listed(answer)).rejects.toMatchObject({ code: 'ERR_UPSTREAM_INVALID' })
  })

  it('a name behind an escape is judged as what it says', async () => {
    const escaped = '{"endpoint_id": "e3", "name": "\\u0061lpha"}'
    const hidden = '{"endpoint_id": "e3", "n\\u0061me": "beta", "other": "alpha"}'
    expect(await listed(`{"endpoints": [${escaped}, ${hidden}]}`)).toBe(`{"endpoints": [${escaped}]}`)
  })
})
