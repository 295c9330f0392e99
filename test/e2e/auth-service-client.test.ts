import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Deployment, startDeployment } from '../support/deployment.ts'
import { runPython } from '../support/python.ts'

let deployment: Deployment
const tokens = { admin: '', editor: '', outsider: '' }
let experimentId = ''

beforeAll(async () => {
  deployment = await startDeployment({ env: { AUDIT_STDOUT: 'false' } })
  for (const name of ['admin', 'editor', 'outsider'] as const) {
    await deployment.signIn(name)
    tokens[name] = await deployment.createToken(name)
  }
  experimentId = await createExperiment('beta/theirs')
})

afterAll(() => deployment.stop())

const numberOf = async (token: string): Promise<number> => {
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(`${deployment.gateway.url}/api/2.0/mlflow/users/current`, { headers })
  return ((await response.json()) as { user: { id: number } }).user.id
}

async function createExperiment(name: string): Promise<string> {
  const response = await fetch(`${deployment.gateway.url}/api/2.0/mlflow/experiments/create`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens.admin}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  })
  return ((await response.json()) as { experiment_id: string }).experiment_id
}

/** Runs a script beside this file with the client of some version of MLflow; its last line of output is JSON. */
async function runScript(name: string, token: string, version?: string) {
  const source = readFileSync(new URL(`./scripts/${name}.py`, import.meta.url), 'utf8')
  const env = { MLFLOW_TRACKING_URI: deployment.gateway.url, MLFLOW_TRACKING_TOKEN: token }
  const options = { args: [experimentId, 'outsider'], ...(version === undefined ? {} : { version }) }
  const result = await runPython(source, env, options)
  if (result.code !== 0) throw new Error(`${name}.py ended with ${result.code}:\n${result.stderr}`)
  return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '')
}

type Report = {
  readonly report: readonly (readonly [string, unknown])[]
  readonly left_out: readonly string[]
}

describe('AuthServiceClient of MLflow 3.17.2, unmodified', () => {
  test('an administrator gets what every one of its methods is for', async () => {
    const { report, left_out } = (await runScript('auth_client', tokens.admin)) as Report
    expect(left_out).toEqual([])
    const id = expect.any(Number)
    const user_id = await numberOf(tokens.outsider)
    const newcomer = { id, username: 'newcomer', is_admin: false }
    const made = { id, name: 'crew', workspace: 'default', description: 'of the ship', permissions: [] }
    const on = { id, role_id: id, resource_type: 'experiment', resource_pattern: experimentId }
    const role = { ...made, name: 'crew two', permissions: [{ ...on, permission: 'EDIT' }] }
    const refused = (message: RegExp) => ({
      ...{ code: 'INVALID_PARAMETER_VALUE', message: expect.stringMatching(message) },
    })
    expect(report).toEqual([
      ['create_user', newcomer],
      ['get_user', newcomer],
      ['update_user_admin', null],
      ['update_user_admin', refused(/ADMIN_USERS and ADMIN_GROUPS/)],
      ['update_user_password', refused(/There are no passwords here/)],
      ['create_role', made],
      ['get_role', made],
      ['update_role', { ...made, name: 'crew two' }],
      ['add_role_permission', { ...on, permission: 'READ' }],
      ['update_role_permission', { ...on, permission: 'EDIT' }],
      ['list_role_permissions', [{ ...on, permission: 'EDIT' }]],
      ['assign_role', { id, user_id, role_id: id }],
      ['list_user_roles', [role]],
      ['list_role_users', [{ id, user_id, role_id: id }]],
      ['list_roles', expect.arrayContaining([role])],
      ['list_all_roles', expect.arrayContaining([role])],
      ['get_user_permission', { allowed: true, permission: 'EDIT' }],
      ['unassign_role', null],
      ['remove_role_permission', null],
      ['delete_role', null],
      ['grant_user_permission', null],
      ['get_user_permission', { allowed: true, permission: 'MANAGE' }],
      ['revoke_user_permission', null],
      ['get_user_permission', { allowed: false, permission: 'NO_PERMISSIONS' }],
      ['delete_user', null],
    ])
  })

  test('the editor is refused every one of them', async () => {
    const { report, left_out } = (await runScript('auth_client', tokens.editor)) as Report
    expect(left_out).toEqual([])
    const allowed = report.filter(([, result]) => (result as { code?: string }).code !== 'PERMISSION_DENIED')
    // Roles of the workspace as far as they are the editor's own.
    expect(allowed).toEqual([['list_roles', [expect.objectContaining({ name: 'alpha-editor' })]]])
  })
})

describe.each(['2.22.5', '3.10.1'])('AuthServiceClient of MLflow %s, unmodified', (version) => {
  test('gives and takes one user’s permission on one thing', async () => {
    const user_id = await numberOf(tokens.outsider)
    const steps = (kind: string) => [
      [`create_${kind}_permission`, [user_id, 'READ']],
      [`create_${kind}_permission`, 'RESOURCE_ALREADY_EXISTS'],
      [`get_${kind}_permission`, [user_id, 'READ']],
      [`update_${kind}_permission`, null],
      [`get_${kind}_permission`, [user_id, 'NO_PERMISSIONS']],
      [`delete_${kind}_permission`, null],
      [`get_${kind}_permission`, 'RESOURCE_DOES_NOT_EXIST'],
    ]
    const report = await runScript('old_auth_client', tokens.admin, version)
    expect(report).toEqual([...steps('experiment'), ...steps('registered_model')])
    const refused = (await runScript('old_auth_client', tokens.editor, version)) as [string, string][]
    expect(new Set(refused.map(([, code]) => code))).toEqual(new Set(['PERMISSION_DENIED']))
  })
})
