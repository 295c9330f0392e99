/**
 * A serving account: READ on registered models and nothing else. It loads each of their versions with the client of
 * every supported MLflow, wherever the files lie, and sees no other file of the experiment that they lie in.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Deployment, startDeployment } from '../support/deployment.ts'
import { runPython } from '../support/python.ts'

const SCRIPT = readFileSync(new URL('./scripts/load_model.py', import.meta.url), 'utf8')
const POLICY = `version: 1
roles:
  - name: serving
    grants:
      - { registered_model: { name: "served-*" }, level: READ }
users:
  outsider: [serving]
`

type Seeded = Readonly<Record<'experiment_id' | 'run_id' | 'other_run_id', string>> &
  Readonly<Record<'model_id' | 'hidden_model_id', string | null>>

describe.each(['2.22.5', '3.1.4', '3.10.1', '3.17.2'])('MLflow %s', (version) => {
  const isCurrent = version === '3.17.2'
  const is3 = version.startsWith('3.')
  let dir: string
  let deployment: Deployment
  let seeded: Seeded
  let token: string

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gateway-load-model-'))
    const policyFile = join(dir, 'policy.yaml')
    writeFileSync(policyFile, POLICY)
    deployment = await startDeployment({
      policyFile,
      mlflow: { version, startTimeoutMs: 200_000 },
      env: { AUDIT_STDOUT: 'false' },
    })
    for (const name of ['admin', 'outsider'] as const) await deployment.signIn(name)
    token = await deployment.createToken('outsider')
    seeded = await run(await deployment.createToken('admin'), 'seed')
  }, 300_000)

  afterAll(async () => {
    await deployment?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  async function run(as: string, ...args: readonly string[]) {
    const env = { MLFLOW_TRACKING_URI: deployment.gateway.url, MLFLOW_TRACKING_TOKEN: as }
    const result = await runPython(SCRIPT, env, { args, version, timeoutMs: 200_000 })
    if (result.code !== 0) throw new Error(`the script ended with ${result.code}:\n${result.stderr}`)
    return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '')
  }

  test('every version of a model that may be read is loaded, and no other', async () => {
    const names = [
      'files',
      'files-copy',
      'files-copied-again',
      'logged',
      'logged-copy',
      'logged-copied-again',
      'raw',
    ]
    const all = [...names, ...(is3 ? ['runless', 'runless-copy'] : [])]
    const uris = [
      ...all.map((name) => `models:/served-${name}/1`),
      'models:/served-logged@champion',
      'models:/served-logged/latest',
    ]
    const loaded = await run(token, 'serve', ...uris, 'models:/unserved/1')
    const { 'models:/unserved/1': refused, ...others } = loaded
    expect(others).toEqual(Object.fromEntries(uris.map((uri) => [uri, 42])))
    expect(refused).toMatch(/not found|Permission denied/)
  })

  /** What the serving account is answered for a path of the artifact store: its bytes, and its list. */
  async function answers(path: string) {
    const files = `${deployment.gateway.url}/api/2.0/mlflow-artifacts/artifacts`
    const headers = { authorization: `Bearer ${token}` }
    const [file, list] = await Promise.all([
      fetch(`${files}/${path}`, { headers }),
      fetch(`${files}?path=${encodeURIComponent(path)}`, { headers }),
    ])
    return { file: file.status, list: list.status, text: `${await file.text()}${await list.text()}` }
  }

  test('what lies beside the model is not to be read, nor to be listed', async () => {
    const { experiment_id: experiment, run_id: runId, other_run_id: otherRun } = seeded
    const ofRun = `${experiment}/${runId}/artifacts`
    const hidden = is3 ? `${experiment}/models/${seeded.hidden_model_id}/artifacts` : `${ofRun}/unpublished`
    const closed = [
      experiment,
      `${experiment}/${runId}`,
      ofRun,
      `${ofRun}/notes.txt`,
      `${ofRun}/files-of-another`,
      `${ofRun}/files-of-another/MLmodel`,
      `${experiment}/${otherRun}/artifacts/files/MLmodel`,
      `${experiment}/models`,
      `${experiment}/models/${seeded.model_id}`,
      hidden,
      `${hidden}/MLmodel`,
    ]
    for (const path of closed) {
      const { file, list, text } = await answers(path)
      expect([path, file, list]).toEqual([path, 403, 403])
      expect(text).not.toMatch(/business|MLmodel"|notes\.txt"/)
    }
    expect(await answers(`${ofRun}/files/MLmodel`)).toMatchObject({ file: 200, list: 200 })
    expect(await answers(`${ofRun}/files/../notes.txt`)).toMatchObject({
      file: expect.toSatisfy((s) => s >= 400),
      list: 400,
    })
  })

  // Of the current version alone: what the gateway decides on is the same for all.
  if (!isCurrent) return

  test('nothing else of the experiment is open either', async () => {
    const { experiment_id: experiment, run_id: runId } = seeded
    const status = async (method: string, path: string, body?: object) => {
      const response = await fetch(`${deployment.gateway.url}/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
        ...(body && { body: JSON.stringify(body) }),
      })
      return response.status
    }
    const api = 'api/2.0/mlflow'
    const files = `api/2.0/mlflow-artifacts/artifacts/${experiment}/${runId}/artifacts/files`
    expect(await status('GET', `${api}/runs/get?run_id=${runId}`)).toBe(403)
    expect(await status('GET', `${api}/experiments/get?experiment_id=${experiment}`)).toBe(403)
    expect(await status('GET', `${api}/logged-models/${seeded.model_id}`)).toBe(403)
    expect(await status('GET', `${api}/artifacts/list?run_id=${runId}&path=files`)).toBe(403)
    expect(await status('GET', `get-artifact?run_id=${runId}&path=files/MLmodel`)).toBe(403)
    expect(await status('PUT', `${files}/MLmodel`)).toBe(403)
    expect(await status('DELETE', `${files}/MLmodel`)).toBe(403)
  })

  test('a version that is deleted takes its files along', async () => {
    const path = `${seeded.experiment_id}/models/${seeded.model_id}/artifacts/MLmodel`
    expect(await answers(path)).toMatchObject({ file: 200 })
    const admin = await deployment.createToken('admin')
    for (const name of ['served-logged', 'served-logged-copy', 'served-logged-copied-again']) {
      const response = await fetch(`${deployment.gateway.url}/api/2.0/mlflow/model-versions/delete`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
        body: JSON.stringify({ name, version: '1' }),
      })
      expect(response.status).toBe(200)
    }
    expect(await answers(path)).toMatchObject({ file: 403, list: 403 })
  })
})
