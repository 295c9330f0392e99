import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Deployment, startDeployment } from '../support/deployment.ts'
import type { AccountName } from '../support/issuer.ts'
import { runPython } from '../support/python.ts'

const PEOPLE = ['admin', 'editor', 'reader'] as const satisfies readonly AccountName[]

const POLICY = `
version: 1
roles:
  - name: team-a-editor
    workspace: team-a
    grants:
      - { workspace: "*", level: USE }
      - { experiment: { name: "alpha/*" }, level: EDIT }
  - name: team-b-reader
    workspace: team-b
    grants:
      - { experiment: "*", level: READ }
  - name: alpha-editor
    grants:
      - { experiment: { name: "alpha/*" }, level: EDIT }
groups:
  alpha-editors: [team-a-editor, alpha-editor]
  alpha-readers: [team-b-reader]
`

/** Makes an experiment in whichever workspace `MLFLOW_WORKSPACE` names, uploads to it, and reads that back. */
const UPLOAD = `
import mlflow
mlflow.set_experiment("alpha/one")
with mlflow.start_run() as run:
    mlflow.log_metric("m", 1.0)
    mlflow.log_text("hello", "f.txt")
print(run.info.artifact_uri)
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/f.txt"))
`

let dir: string
let deployment: Deployment
let tokens: Readonly<Record<(typeof PEOPLE)[number], string>>

async function tokensOf(
  of: Deployment,
  people: typeof PEOPLE | readonly ['editor'] = PEOPLE,
): Promise<typeof tokens> {
  const made = { admin: '', editor: '', reader: '' }
  for (const name of people) {
    await of.signIn(name)
    made[name] = await of.createToken(name)
  }
  return made
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gateway-workspaces-'))
  writeFileSync(join(dir, 'policy.yaml'), POLICY)
  deployment = await startDeployment({
    ...{ mlflowDir: join(dir, 'mlflow'), policyFile: join(dir, 'policy.yaml') },
    mlflow: { args: ['--enable-workspaces'], startTimeoutMs: 180_000 },
    env: { WORKSPACES: 'true', AUDIT_STDOUT: 'false' },
  })
  tokens = await tokensOf(deployment)
  for (const name of ['team-a', 'team-b']) {
    const made = await ask('admin', undefined, 'POST', '/api/3.0/mlflow/workspaces', { name })
    expect(made.status).toBe(201)
  }
}, 240_000)

afterAll(async () => {
  await deployment.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function ask(
  as: (typeof PEOPLE)[number],
  workspace: string | undefined,
  method: string,
  path: string,
  body?: object,
): Promise<{ readonly status: number; readonly json: Record<string, unknown> }> {
  const response = await fetch(deployment.gateway.url + path, {
    method,
    headers: {
      authorization: `Bearer ${tokens[as]}`,
      ...(workspace === undefined ? {} : { 'x-mlflow-workspace': workspace }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, json: (await response.json()) as Record<string, unknown> }
}

function moveToDefault(file: string): void {
  const db = new Database(file)
  db.exec(`UPDATE experiments SET workspace = 'default'`)
  db.close()
}

const byName = (as: (typeof PEOPLE)[number], workspace: string | undefined, name = 'alpha/one') =>
  ask(
    as,
    workspace,
    'GET',
    `/api/2.0/mlflow/experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`,
  )

function upload(of: Deployment, token: string, workspace?: string) {
  const named = workspace === undefined ? {} : { MLFLOW_WORKSPACE: workspace }
  return runPython(UPLOAD, { MLFLOW_TRACKING_URI: of.gateway.url, MLFLOW_TRACKING_TOKEN: token, ...named })
}

describe('a tracking server that keeps workspaces apart', () => {
  it('is used in one’s own workspace by MLflow’s client, uploads and downloads too', async () => {
    const { code, stdout, stderr } = await upload(deployment, tokens.editor, 'team-a')
    expect([code, stdout.trim().split('\n').at(-1), stderr.slice(-500)]).toEqual([
      0,
      'hello',
      expect.any(String),
    ])
    expect(stdout).toContain('mlflow-artifacts:/workspaces/team-a/')
  })

  it('shows nobody what lies in another', async () => {
    expect((await byName('editor', 'team-a')).status).toBe(200)
    expect((await byName('editor', 'team-b')).status).toBe(403)
    expect((await byName('editor', undefined)).status).toBe(404)
    expect((await byName('reader', 'team-a')).status).toBe(403)
    expect((await byName('reader', 'team-b')).status).toBe(404)
    expect((await byName('admin', 'team-a')).status).toBe(200)
  })

  it('lets members create, and manage what they made, where they are members only', async () => {
    const create = (workspace: string) =>
      ask('editor', workspace, 'POST', '/api/2.0/mlflow/experiments/create', { name: 'free' })
    const { status, json } = await create('team-a')
    expect(status).toBe(200)
    const id = json['experiment_id']
    const remove = (workspace: string) =>
      ask('editor', workspace, 'POST', '/api/2.0/mlflow/experiments/delete', { experiment_id: id })
    expect((await create('default')).status).toBe(403)
    expect((await remove('default')).status).toBe(403)
    expect((await remove('team-a')).status).toBe(200)
  })

  it('is listed in part', async () => {
    const list = async (as: (typeof PEOPLE)[number]) =>
      (
        (await ask(as, undefined, 'GET', '/api/3.0/mlflow/workspaces')).json['workspaces'] as {
          name: string
        }[]
      )
        .map(({ name }) => name)
        .sort()
    expect(await list('editor')).toEqual(['default', 'team-a'])
    expect(await list('reader')).toEqual(['default', 'team-b'])
    expect(await list('admin')).toEqual(['default', 'team-a', 'team-b'])
  })

  // Field report 20: the files of what was made in a workspace stay where they are when it is moved out of it, which
  // MLflow asks for before workspaces can be switched off.
  it('takes uploads to what was made in a workspace once there are none', async () => {
    await deployment.stop()
    moveToDefault(join(dir, 'mlflow', 'mlflow.db'))
    deployment = await startDeployment({
      ...{ mlflowDir: join(dir, 'mlflow'), policyFile: join(dir, 'policy.yaml') },
      mlflow: { startTimeoutMs: 180_000 },
      env: { AUDIT_STDOUT: 'false' },
    })
    tokens = await tokensOf(deployment, ['editor'])
    const { code, stdout, stderr } = await upload(deployment, tokens.editor)
    expect([code, stdout.trim().split('\n').at(-1), stderr.slice(-800)]).toEqual([
      0,
      'hello',
      expect.any(String),
    ])
    expect(stdout).toContain('mlflow-artifacts:/workspaces/team-a/')
    expect((await byName('editor', 'team-a')).status).toBe(400)
  }, 240_000)
})
