/**
 * The attack: asking the AI gateway about everybody at once. MLflow's interface asks for the bindings of all endpoints
 * and for what all budgets have spent, whoever looks; it gets those of endpoints that may be read, and no spending.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ENDPOINT_A, ENDPOINT_B } from '../support/stand-in-ai-gateway.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

const GATEWAY = '/ajax-api/3.0/mlflow/gateway'
const BINDINGS = `${GATEWAY}/endpoints/bindings/list`
const WINDOWS = `${GATEWAY}/budgets/windows`
const bindings = [ENDPOINT_A, ENDPOINT_B].map((endpoint_id) => ({ endpoint_id, resource_type: 'scorer' }))
const windows = [{ budget_policy_id: 'b', current_spend: 12.5 }]

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({
    mlflow: { [`GET ${BINDINGS}`]: { body: { bindings } }, [`GET ${WINDOWS}`]: { body: { windows } } },
  })
})
afterAll(() => gateway.stop())

it.each([
  ['outsider', []],
  ['reader', [ENDPOINT_A]],
  ['editor', [ENDPOINT_A]],
  ['admin', [ENDPOINT_A, ENDPOINT_B]],
] as const)('%s sees the bindings of endpoints that may be read', async (as, expected) => {
  const { line, body } = await gateway.ask({ target: BINDINGS, as })
  const { bindings: seen = [] } = JSON.parse(body.toString()) as { bindings?: typeof bindings }
  expect([line, seen.map(({ endpoint_id }) => endpoint_id)]).toEqual(['200 allow', expected])
})

it('of another endpoint by its id: nothing', async () => {
  const { line, reached } = await gateway.ask({
    target: `${BINDINGS}?endpoint_id=${ENDPOINT_B}`,
    as: 'reader',
  })
  expect([line, reached]).toEqual(['403 PERMISSION_DENIED no_grant', []])
})

it.each([
  ['outsider', {}],
  ['editor', {}],
  ['admin', { windows }],
] as const)('%s and what was spent', async (as, expected) => {
  const { line, body } = await gateway.ask({ target: WINDOWS, as })
  expect([line, JSON.parse(body.toString())]).toEqual(['200 allow', expected])
})
