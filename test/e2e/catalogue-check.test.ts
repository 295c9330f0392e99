/**
 * A real MLflow that serves one route more than the catalogue knows: named before it is put behind the gateway, and refused
 * to everybody, counted and named once it is.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'
import { mlflowVenv } from '../support/mlflow.ts'

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
const PATIENCE_MS = 300_000

/** Loaded by every Python that has its folder in the path: a plugin of sorts. */
const PLUGIN = `
import flask
made = flask.Flask.__init__

def make(self, name, *args, **options):
    made(self, name, *args, **options)
    if name == "mlflow.server":
        self.add_url_rule("/api/2.0/mlflow/experiments/teleport", "beam", lambda: {"teleported": True}, methods=["POST"])

flask.Flask.__init__ = make
`
const TELEPORT = '/api/2.0/mlflow/experiments/teleport'

const folder = mkdtempSync(join(tmpdir(), 'gateway-plugin-'))
writeFileSync(join(folder, 'sitecustomize.py'), PLUGIN)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Loading MLflow takes seconds, on a busy machine a minute. */
const check = async (python: string, env: Readonly<Record<string, string>>) => {
  const args = [CLI, 'catalogue', 'check', '--python', python, '--json']
  const options = { env: { PATH: process.env['PATH'], ...env }, timeout: PATIENCE_MS }
  const done = promisify(execFile)(process.execPath, args, options)
  return done.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  )
}

describe('an MLflow with one route more', { timeout: PATIENCE_MS }, () => {
  let deployment: Deployment
  const python = join(mlflowVenv(), 'bin', 'python')

  beforeAll(async () => {
    const mlflow = { env: { PYTHONPATH: folder }, startTimeoutMs: PATIENCE_MS }
    deployment = await startDeployment({ mlflow, env: { AUDIT_STDOUT: 'false' } })
  }, PATIENCE_MS)

  afterAll(() => deployment?.stop())

  it('is found out by catalogue:check', async () => {
    const { code, stdout, stderr } = await check(python, { PYTHONPATH: folder })
    expect([code, stderr]).toEqual([1, ''])
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ version: '3.17.2', knowsVersion: true, missing: [] },
      unknown: [{ method: 'POST', path: TELEPORT, endpoint: 'beam' }],
    })
  })

  it('is not without that route', async () => {
    const { code, stdout } = await check(python, {})
    expect(JSON.parse(stdout)).toMatchObject({ version: '3.17.2', unknown: [], missing: [] })
    expect(code).toBe(0)
  })

  it('serves it, and the gateway gives it to nobody, counts that, and says so', async () => {
    const post = (url: string, headers: Record<string, string> = {}) =>
      fetch(`${url}${TELEPORT}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: '{}',
      })
    expect(await (await post(deployment.mlflow?.url ?? '')).json()).toEqual({ teleported: true })
    expect((await post(deployment.gateway.url)).status).toBe(404)
    for (const name of ACCOUNTS) {
      await deployment.signIn(name)
      const authorization = `Bearer ${await deployment.createToken(name)}`
      const refused = await post(deployment.gateway.url, { authorization })
      expect([name, refused.status]).toEqual([name, 404])
      expect(await refused.json()).toMatchObject({ error_code: 'ENDPOINT_NOT_FOUND' })
    }
    const ready = (await (await fetch(`${deployment.gateway.url}/readyz`)).json()) as {
      parts: { upstream: { unknownRoutes: unknown } }
    }
    expect(ready.parts.upstream.unknownRoutes).toEqual({ refused: 5, lately: [`POST ${TELEPORT}`] })
  })
})
