import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { type Deployment, startDeployment } from '../support/deployment.ts'

let deployment: Deployment
beforeAll(async () => {
  deployment = await startDeployment({ env: { AUDIT_STDOUT: 'false' } })
})
afterAll(() => deployment.stop())

/** What MLflow, started without any option on hosts, says to a request under a name. */
function underName(host: string): Promise<number | undefined> {
  const url = `${deployment.mlflow?.url}/api/2.0/mlflow/experiments/search?max_results=1`
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (answer) => resolve(answer.resume().statusCode))
      .on('error', reject)
      .end()
  })
}

describe('field report 48: a tracking server that refuses names it was not told of', () => {
  it.each([
    ['mlflow:5000', 403],
    ['mlflow.example.org', 403],
    ['localhost', 200],
  ])('says to %s: %i', async (host, status) => {
    expect(await underName(host)).toBe(status)
  })

  test('answers the gateway, whatever name the client used', async () => {
    await deployment.signIn('reader')
    const token = await deployment.createToken('reader')
    for (const name of ['127.0.0.1', 'localhost']) {
      const url = `http://${name}:${deployment.gateway.port}/api/2.0/mlflow/experiments/search?max_results=1`
      expect((await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
    }
  })
})
