import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Deployment, startDeployment } from '../support/deployment.ts'
import { rawRequest } from '../support/raw-request.ts'
import { readAnswer } from '../support/spoken-request.ts'

const BASE = '/api/3.0/mlflow/mcp-servers'
const SERVERS = ['com.example/server', 'com.example/other', 'endpoints/server'] as const

let deployment: Deployment
let token: string

beforeAll(async () => {
  deployment = await startDeployment({
    mlflow: { startTimeoutMs: 180_000 },
    env: { AUDIT_STDOUT: 'false' },
  })
  await deployment.signIn('admin')
  token = await deployment.createToken('admin')
  for (const name of SERVERS) {
    const json = { server_json: { name, version: '1.0.0' }, status: 'active' }
    expect((await ask(deployment.gateway.port, 'POST', `${BASE}/${name}/versions`, json)).status).toBe(200)
  }
}, 240_000)

afterAll(() => deployment.stop())

/** Over a socket of its own: no client's idea of a path comes between. */
async function ask(port: number, method: string, target: string, json?: object) {
  const body = json === undefined ? '' : JSON.stringify(json)
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: localhost:${port}`,
    'Connection: close',
    `Authorization: Bearer ${token}`,
    ...(json === undefined ? [] : ['Content-Type: application/json', `Content-Length: ${body.length}`]),
  ]
  const { status, text } = readAnswer(
    await rawRequest(port, Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)),
  )
  return { status, text }
}

const upstreamPort = () => deployment.mlflow?.port ?? 0

describe('a path with the name of an MCP server in it', () => {
  // An administrator is judged by no grant, so what differs is how the path was read.
  it.each([
    'com.example/server',
    'com.example/server/versions',
    'com.example/server/versions/1.0.0',
    'com.example/server/versions/1.0.0/tags/y',
    'com.example/server/versions/1.0.0/versions/1.0.0',
    'com.example/server/versions/com.example/other/versions/1.0.0',
    'com.example/server/endpoints',
    'com.example/server/endpoints/x',
    'com.example/server/endpoints/versions',
    'com.example/server/aliases/a',
    'com.example/server/aliases/versions',
    'com.example/server/aliases/versions/1.0.0',
    'com.example/versions/1',
    'com.example/tags/y',
    'com.example/endpoints',
    'com.example/versions',
    'endpoints/server',
    'endpoints/server/versions/1.0.0',
    'com.example%2Fserver',
    'com.example/server%2Fversions%2F1.0.0',
    'com.example/server/versions%2F1.0.0',
    'com.example/%73erver',
    'com.example//server',
    'com.example/server/',
    'com.example/./server',
    'com.example/other/../server',
    'com.example/server/versions/../../other',
    'com.example/server;x',
    'com.example/server%00',
    'com.example/server%20',
    'COM.example/server',
  ])('is read as MLflow reads it, or refused: %s', async (path) => {
    const theirs = await ask(upstreamPort(), 'GET', `${BASE}/${path}`)
    const ours = await ask(deployment.gateway.port, 'GET', `${BASE}/${path}`)
    if (ours.text.includes('request id')) expect([400, 404]).toContain(ours.status)
    else expect(ours).toEqual(theirs)
  })

  it.each(['com.example/server/versions/1.0.0/endpoints/x', 'com.example/server/versions/1.0.0/aliases/x'])(
    'deletes what MLflow would delete, or nothing: %s',
    async (path) => {
      const ours = await ask(deployment.gateway.port, 'DELETE', `${BASE}/${path}`)
      const theirs = await ask(upstreamPort(), 'DELETE', `${BASE}/${path}`)
      if (ours.text.includes('request id')) expect(ours.status).toBe(400)
      else expect(ours).toEqual(theirs)
      for (const name of SERVERS) {
        expect((await ask(upstreamPort(), 'GET', `${BASE}/${name}/versions/1.0.0`)).status).toBe(200)
      }
    },
  )
})
