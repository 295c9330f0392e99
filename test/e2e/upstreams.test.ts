/** Two real tracking servers behind one gateway: production at its address, staging below it or under a host name of its own. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, signInAs } from '../support/browserless-sign-in.ts'
import { DEMO_POLICY } from '../support/deployment.ts'
import { type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { freePort, type RunningMlflow, startMlflow } from '../support/mlflow.ts'
import { runPython } from '../support/python.ts'

let addresses: Readonly<Record<'production' | 'staging' | 'lab', string>>
let gateway: RunningGateway
let issuer: Issuer
let servers: readonly RunningMlflow[]

beforeAll(async () => {
  const port = await freePort()
  addresses = {
    production: `http://127.0.0.1:${port}`,
    staging: `http://127.0.0.1:${port}/staging`,
    lab: `http://lab.localhost:${port}`,
  }
  ;[issuer, ...servers] = await Promise.all([
    startIssuer({ publicUrls: Object.values(addresses) }),
    ...[startMlflow(), startMlflow()],
  ])
  const [production, other] = servers.map(({ url }) => url)
  gateway = await startGateway({
    ...{ port, upstreamUrl: production ?? '' },
    env: {
      PUBLIC_URL: addresses.production,
      UPSTREAMS: 'staging,lab',
      UPSTREAM_STAGING_URL: other ?? '',
      UPSTREAM_STAGING_PUBLIC_URL: addresses.staging,
      UPSTREAM_LAB_URL: other ?? '',
      UPSTREAM_LAB_PUBLIC_URL: addresses.lab,
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: issuer.clientId,
      OIDC_CLIENT_SECRET: issuer.clientSecret,
      OIDC_GROUPS_CLAIM: 'groups',
      ALLOW_HTTP_ISSUER: 'true',
      POLICY_FILE: DEMO_POLICY,
    },
  })
})

/** Names below `localhost` are not known to every resolver. */
function via(url: URL): URL {
  return new URL(
    url.pathname + url.search,
    url.port === new URL(addresses.production).port ? addresses.production : url,
  )
}

afterAll(async () => {
  await Promise.allSettled([gateway?.stop(), issuer?.stop(), ...(servers ?? []).map((each) => each.stop())])
})

describe.each(['production', 'staging', 'lab'] as const)('a browser at %s', (where) => {
  test('signs in there, comes back there, and gets MLflow’s page with its files', async () => {
    const browser = createBrowser({ via })
    const publicUrl = addresses[where]
    const returned = await signInAs(
      browser,
      { publicUrl, returnTo: `${new URL(publicUrl).pathname}#/experiments/1` },
      'editor',
    )
    expect(returned.url).toMatch(`${publicUrl}/auth/callback/oidc?`)
    expect(new URL(returned.headers['location'] as string).origin).toBe(new URL(publicUrl).origin)
    const shell = await browser.send(`${publicUrl}/`)
    expect(shell.status).toBe(200)
    const script = /src="(static-files\/[^"]+\.js)"/.exec(shell.body)?.[1]
    expect((await browser.send(`${publicUrl}/${script}`)).status).toBe(200)
    const me = await browser.send(`${publicUrl}/ajax-api/2.0/mlflow/users/current`)
    expect(JSON.parse(me.body)).toMatchObject({ user: { username: 'editor' } })
  })
})

test('signed in at the main address is signed in below it, and not under the other host name', async () => {
  const browser = createBrowser({ via })
  await signInAs(browser, { publicUrl: addresses.production, returnTo: '/' }, 'editor')
  const statuses = []
  for (const address of [addresses.staging, addresses.lab]) {
    const { status } = await browser.send(`${address}/ajax-api/2.0/mlflow/users/current`)
    statuses.push(status)
  }
  expect(statuses).toEqual([200, 401])
})

const LOG = `
import mlflow
mlflow.set_experiment("NAME")
with mlflow.start_run() as run:
    mlflow.log_metric("loss", 0.5)
    mlflow.log_text("up and down", "note.txt")
print(run.info.experiment_id, mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt"))
`

/** Logs a run as the script of an editor would. @returns The experiment's id and the text, or the error's last line. */
async function logRun(where: 'production' | 'staging', token: string, name: string): Promise<string> {
  const env = { MLFLOW_TRACKING_URI: addresses[where], MLFLOW_TRACKING_TOKEN: token }
  const { stdout, stderr } = await runPython(LOG.replace('NAME', name), env)
  return stdout.trim().split('\n').at(-1) || (stderr.trim().split('\n').at(-1) ?? '')
}

test('one token serves both; what it may do is another thing on each', async () => {
  const create = await gateway.cli('token', 'create', '--user', 'editor', '--expires', '1h')
  const token = create.stdout.trim()
  expect(await logRun('production', token, 'alpha/both')).toBe('1 up and down')
  expect(await logRun('staging', token, 'alpha/both')).toContain('PERMISSION_DENIED')

  await gateway.cli('role', 'create', 'on-staging', '--workspace', 'staging/default')
  await gateway.cli(
    'role',
    'grant',
    'on-staging',
    '--type',
    'experiment',
    '--name',
    'alpha/*',
    '--level',
    'EDIT',
  )
  await gateway.cli('role', 'grant', 'on-staging', '--type', 'workspace', '--all', '--level', 'USE')
  await gateway.cli('role', 'assign', 'on-staging', 'editor')
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect(await logRun('staging', token, 'alpha/both')).toBe('1 up and down')
})
