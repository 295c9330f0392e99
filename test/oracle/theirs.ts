import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RunningMlflow, startMlflow } from '../support/mlflow.ts'
import { type Account, ADMIN, keyOf, passwordOf } from './accounts.ts'
import type { Seed } from './seed.ts'

/** Two of them start at once, beside whatever else the machine does. */
export const START_TIMEOUT_MS = 180_000

/** Both servers alike. Webhooks of the test go to this machine, and nothing is written into anybody's home. */
export function commonEnvironment(dir: string): Record<string, string> {
  return { MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS: 'true', HOME: dir }
}

/** MLflow with its own `basic-auth` app, nobody allowed anything by default; checked passwords are remembered. */
export async function startBasicAuth(dir: string): Promise<RunningMlflow> {
  mkdirSync(dir, { recursive: true })
  const config = join(dir, 'auth.ini')
  const lines = {
    default_permission: 'NO_PERMISSIONS',
    database_uri: `sqlite:///${authDatabase(dir)}`,
    admin_username: ADMIN.name,
    admin_password: passwordOf(ADMIN),
    // A check costs a fifth of a second.
    auth_cache_ttl_seconds: '86400',
  }
  const settings = Object.entries(lines).map(([name, value]) => `${name} = ${value}`)
  writeFileSync(config, ['[mlflow]', ...settings, ''].join('\n'))
  return startMlflow({
    ...{ dir, startTimeoutMs: START_TIMEOUT_MS, args: ['--app-name', 'basic-auth'] },
    env: {
      ...commonEnvironment(dir),
      MLFLOW_AUTH_CONFIG_PATH: config,
      MLFLOW_FLASK_SERVER_SECRET_KEY: randomBytes(32).toString('hex'),
    },
  })
}

export function authDatabase(dir: string): string {
  return join(dir, 'auth.db')
}

export function basicCredential(account: Account): string {
  return `Basic ${Buffer.from(`${account.name}:${passwordOf(account)}`).toString('base64')}`
}

/** Makes the accounts and their grants over MLflow's own API, a role for each account. */
export async function seedBasicAuth(url: string, accounts: readonly Account[], { own }: Seed): Promise<void> {
  const post = async (path: string, json: object): Promise<Record<string, { id: number }>> => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: basicCredential(ADMIN), 'content-type': 'application/json' },
      body: JSON.stringify(json),
    })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as Record<string, { id: number }>
  }
  for (const account of accounts) {
    if (account.isAdmin) continue
    await post('/api/2.0/mlflow/users/create', { username: account.name, password: passwordOf(account) })
    const { role } = await post('/api/3.0/mlflow/roles/create', {
      ...{ name: `of ${account.name}`, workspace: 'default' },
    })
    for (const grant of account.grants) {
      await post('/api/3.0/mlflow/roles/permissions/add', {
        ...{ role_id: role?.id, resource_type: grant.type, permission: grant.level },
        resource_pattern: keyOf(grant, own),
      })
    }
    await post('/api/3.0/mlflow/roles/assign', { username: account.name, role_id: role?.id })
  }
}
