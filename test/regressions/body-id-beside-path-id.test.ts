/**
 * The attack: a logged model is named in the path and another one in the body. `PATCH logged-models/<id>` was judged
 * by the path; MLflow 3.17 takes the id for finalizing from the body (`_finalize_logged_model`), so an editor of one
 * experiment could finish, or fail, logged models of every other.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MODEL_A, MODEL_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const AT = `/api/2.0/mlflow/logged-models/${MODEL_A}`

describe('a logged model in the path and another in the body', () => {
  it.each([
    ['PATCH', AT, { model_id: MODEL_B, status: 2 }],
    ['PATCH', AT, { status: 2, modelId: MODEL_B }],
    ['PATCH', AT.replace('/api/', '/ajax-api/'), { model_id: MODEL_B, status: 2 }],
    ['PATCH', `${AT}/tags`, { model_id: MODEL_B, tags: [] }],
    ['POST', `${AT}/params`, { params: [], model_id: MODEL_B }],
    ['PATCH', AT, { model_id: 'm-nobody', status: 2 }],
  ])('%s %s %j is refused', async (method, target, json) => {
    const { line, forwarded } = await gateway.ask({ method, target, json, as: 'editor' })
    expect([line, forwarded]).toEqual(['403 PERMISSION_DENIED no_grant', []])
  })

  it('both in one request as an array are refused before anything is looked up', async () => {
    const json = { model_id: [MODEL_A, MODEL_B] }
    const { line, forwarded } = await gateway.ask({ method: 'PATCH', target: AT, json, as: 'editor' })
    expect([line, forwarded]).toEqual(['400 INVALID_PARAMETER_VALUE ERR_INVALID_PARAMETER', []])
  })

  it.each([[{ model_id: MODEL_A, status: 2 }], [{ status: 2 }]])(
    '%j of the same model passes',
    async (json) => {
      const { line, forwarded } = await gateway.ask({ method: 'PATCH', target: AT, json, as: 'editor' })
      expect([line, forwarded.map(({ body }) => body.toString())]).toEqual([
        '200 allow',
        [JSON.stringify(json)],
      ])
    },
  )
})
