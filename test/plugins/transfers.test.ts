import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { A, B, RUN_A, RUN_B } from '../support/mlflow-stand-in.ts'
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts'
import type { MemberName } from '../support/test-members.ts'
import { headerValues, type RecordingUpstream, startUpstream } from '../support/upstream.ts'

const FILES = '/api/2.0/mlflow-artifacts'

describe('field report 22: files on a server of their own', () => {
  let gateway: TestGateway
  let files: RecordingUpstream

  beforeAll(async () => {
    files = await startUpstream({ '*': { status: 200, body: {} } })
    gateway = await startTestGateway({ env: { UPSTREAM_ARTIFACTS_URL: files.url } })
  })
  afterAll(async () => {
    await gateway?.stop()
    await files?.stop()
  })

  const at = (id: string, run: string) => `artifacts/${id}/${run}/artifacts/model.pkl`

  it.each<[MemberName, string, string, string]>([
    ['reader', 'GET', at(A, RUN_A), '200 allow'],
    ['reader', 'PUT', at(A, RUN_A), '403 PERMISSION_DENIED level_too_low'],
    ['editor', 'PUT', at(A, RUN_A), '200 allow'],
    ['editor', 'POST', `mpu/create/${A}/${RUN_A}/artifacts/model.pkl`, '200 allow'],
    ['reader', 'GET', `artifacts?path=${A}/${RUN_A}/artifacts`, '200 allow'],
    ['reader', 'GET', at(B, RUN_B), '403 PERMISSION_DENIED no_grant'],
    ['outsider', 'GET', at(A, RUN_A), '403 PERMISSION_DENIED no_grant'],
    ['admin', 'GET', at(B, RUN_B), '200 allow'],
  ])('%s: %s %s: %s', async (as, method, path, line) => {
    files.forget()
    const json = method === 'POST' ? { path: 'model.pkl', num_parts: 1 } : undefined
    const answer = await gateway.ask({ method, target: `${FILES}/${path}`, as, json })
    const reached = files.requests.map(({ method: verb, url }) => `${verb} ${decodeURIComponent(url)}`)
    const expected = line === '200 allow' ? [`${method} ${FILES}/${path}`] : []
    expect([answer.line, reached, answer.reached]).toEqual([line, expected, []])
  })

  it('is called by a name that MLflow takes, and told nothing of the client’s credential', async () => {
    files.forget()
    await gateway.ask({ target: `${FILES}/${at(A, RUN_A)}`, as: 'reader' })
    const [request] = files.requests
    expect(request && headerValues(request, 'host')).toEqual(['localhost'])
    expect(request && headerValues(request, 'authorization')).toEqual([])
  })

  it('what the tracking server itself serves of files stays there', async () => {
    const target = `/get-artifact?run_id=${RUN_A}&path=model.pkl`
    const { reached } = await gateway.ask({ target, as: 'reader' })
    expect(reached).toEqual([`GET ${target}`])
  })
})

describe('however many transfers stand still,', () => {
  let gateway: TestGateway
  const held: Socket[] = []

  beforeAll(async () => {
    gateway = await startTestGateway({ env: { CONCURRENCY_LIMIT_PRINCIPAL: '0' } })
  })
  afterAll(async () => {
    for (const socket of held) socket.destroy()
    await gateway?.stop()
  })

  it('calls go on', async () => {
    const { token } = gateway.members.editor
    const head = [
      `PUT ${FILES}/artifacts/${A}/${RUN_A}/artifacts/x HTTP/1.1`,
      ...[`Host: 127.0.0.1:${gateway.port}`, `Authorization: Bearer ${token}`, 'Content-Length: 1000'],
    ].join('\r\n')
    await gateway.ask({ target: `/api/2.0/mlflow/experiments/get?experiment_id=${A}`, as: 'editor' })
    for (let count = 0; count < 300; count++) {
      const socket = connect(gateway.port, '127.0.0.1')
      held.push(socket)
      await once(socket, 'connect')
      socket.write(`${head}\r\n\r\nx`)
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    const call = gateway.ask({ target: `/api/2.0/mlflow/experiments/get?experiment_id=${A}`, as: 'reader' })
    const late = new Promise((resolve) => setTimeout(resolve, 10_000, 'no answer'))
    expect(await Promise.race([call.then(({ line }) => line), late])).toBe('200 allow')
  })
})
