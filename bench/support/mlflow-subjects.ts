import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startIssuer } from '../../test/support/issuer.ts'
import { startMlflow } from '../../test/support/mlflow.ts'
import { installOidcAuth } from './installed.ts'
import type { Subject } from './subjects.ts'

const START_TIMEOUT_MS = 180_000

type Headers = Readonly<Record<string, string>>

/** MLflow with nothing in front, and one experiment. */
export async function startBareMlflow(dir: string): Promise<Subject> {
  const mlflow = await startMlflow({ dir, startTimeoutMs: START_TIMEOUT_MS })
  await createExperiment(mlflow.url, {})
  return { url: mlflow.url, headers: {}, pids: [mlflow.pid], stop: mlflow.stop }
}

/** MLflow with its own `basic-auth` app as it comes: everybody may read, a password is checked at each request. */
export async function startBasicAuth(dir: string): Promise<Subject> {
  mkdirSync(dir, { recursive: true })
  const config = join(dir, 'auth.ini')
  const password = randomBytes(18).toString('base64url')
  const lines = {
    default_permission: 'READ',
    database_uri: `sqlite:///${join(dir, 'auth.db')}`,
    admin_username: 'admin',
    admin_password: password,
  }
  const settings = Object.entries(lines).map(([name, value]) => `${name} = ${value}`)
  writeFileSync(config, ['[mlflow]', ...settings, ''].join('\n'))
  const mlflow = await startMlflow({
    ...{ dir, startTimeoutMs: START_TIMEOUT_MS, args: ['--app-name', 'basic-auth'] },
    env: {
      MLFLOW_AUTH_CONFIG_PATH: config,
      MLFLOW_FLASK_SERVER_SECRET_KEY: randomBytes(32).toString('hex'),
    },
  })
  const admin = basicCredential('admin', password)
  await createExperiment(mlflow.url, admin)
  await post(`${mlflow.url}/api/2.0/mlflow/users/create`, admin, { username: 'reader', password })
  return {
    ...{ url: mlflow.url, headers: basicCredential('reader', password) },
    ...{ pids: [mlflow.pid], stop: mlflow.stop },
  }
}

/** MLflow with mlflow-oidc-auth inside; the caller sends a token of the provider, and may read by default. */
export async function startOidcAuth(dir: string): Promise<Subject> {
  const venv = installOidcAuth()
  const issuer = await startIssuer()
  try {
    const mlflow = await startMlflow({
      ...{ dir, venv, startTimeoutMs: START_TIMEOUT_MS, args: ['--app-name', 'oidc-auth'] },
      env: {
        ...{ SECRET_KEY: randomBytes(32).toString('hex'), OIDC_USERS_DB_URI: `sqlite:///${dir}/auth.db` },
        OIDC_DISCOVERY_URL: `${issuer.url}/.well-known/openid-configuration`,
        ...{ OIDC_CLIENT_ID: issuer.clientId, OIDC_CLIENT_SECRET: issuer.clientSecret },
        ...{ OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: issuer.clientId },
        ...{ OIDC_PROVISION_ON_BEARER_AUTH: 'true', OIDC_GROUP_NAME: 'mlflow' },
        DEFAULT_MLFLOW_PERMISSION: 'READ',
      },
    })
    const stop = async () => {
      await mlflow.stop()
      await issuer.stop()
    }
    const who = { sub: 'reader', email: 'reader@example.org', email_verified: true, groups: ['mlflow'] }
    const headers = { authorization: `Bearer ${await issuer.signJwt(who)}` }
    try {
      await createExperiment(mlflow.url, headers)
    } catch (fault) {
      await stop()
      throw fault
    }
    return { url: mlflow.url, headers, pids: [mlflow.pid], stop }
  } catch (fault) {
    await issuer.stop()
    throw fault
  }
}

function basicCredential(name: string, password: string): Headers {
  return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` }
}

async function createExperiment(url: string, headers: Headers): Promise<void> {
  await post(`${url}/api/2.0/mlflow/experiments/create`, headers, { name: 'alpha/churn' })
}

async function post(url: string, headers: Headers, body: object): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${(await answer.text()).slice(0, 300)}`)
}
