import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway()
})
afterAll(() => gateway.stop())

const PATHS = ['/api/2.0', '/ajax-api/2.0', '/api/3.0', '/ajax-api/3.0'].map(
  (at) => `${at}/mlflow/users/current`,
)

describe('field report 45: users/current missing', () => {
  it.each(PATHS)('%s says who is signed in, in the words of MLflow', async (target) => {
    for (const [as, isAdmin] of [
      ['editor', false],
      ['admin', true],
    ] as const) {
      const { status, text, line, reached } = await gateway.ask({ target, as })
      expect(status).toBe(200)
      const { user, ...rest } = JSON.parse(text)
      expect(rest).toEqual({ is_basic_auth: false })
      expect(user).toEqual({ id: gateway.members[as].userId, username: as, is_admin: isAdmin })
      expect([line, reached]).toEqual(['200 allow', []])
    }
  })

  it.each(PATHS)('%s tells a stranger nothing', async (target) => {
    const { status, code, headers, reached } = await gateway.ask({ target })
    expect([status, code, reached]).toEqual([401, 'UNAUTHENTICATED', []])
    expect(headers['www-authenticate']).toEqual(['Bearer realm="mlflow"'])
  })
})
