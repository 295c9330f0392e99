import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createBrowser, signInAs } from '../support/browserless-sign-in.ts'
import { DEMO_POLICY } from '../support/deployment.ts'
import { answers, type RunningGateway, startGateway } from '../support/gateway.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { freePort, type RunningMlflow, startMlflow } from '../support/mlflow.ts'
import { runPython } from '../support/python.ts'

const dir = mkdtempSync(join(tmpdir(), 'gateway-prefix-'))
let publicUrl: string
let nginx: ChildProcess
let gateway: RunningGateway
let issuer: Issuer
let mlflow: RunningMlflow

beforeAll(async () => {
  const [front, port] = [await freePort(), await freePort()]
  publicUrl = `http://127.0.0.1:${front}/ml`
  ;[issuer, mlflow] = await Promise.all([startIssuer({ publicUrls: [publicUrl] }), startMlflow()])
  gateway = await startGateway({
    port,
    upstreamUrl: mlflow.url,
    env: {
      PUBLIC_URL: publicUrl,
      OIDC_ISSUER: issuer.url,
      OIDC_CLIENT_ID: issuer.clientId,
      OIDC_CLIENT_SECRET: issuer.clientSecret,
      OIDC_GROUPS_CLAIM: 'groups',
      ALLOW_HTTP_ISSUER: 'true',
      POLICY_FILE: DEMO_POLICY,
    },
  })
  nginx = await startNginx(front, port)
})

afterAll(async () => {
  nginx?.kill('SIGTERM')
  await Promise.allSettled([gateway?.stop(), issuer?.stop(), mlflow?.stop()])
  rmSync(dir, { recursive: true, force: true })
})

/** Strips the prefix, as `deploy/nginx/mlflow.conf` describes. */
async function startNginx(front: number, port: number): Promise<ChildProcess> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; master_process off; pid nginx.pid; error_log stderr crit;
     events {}
     http {
       access_log off;
       ${temporary.map((name) => `${name}_temp_path ${name};`).join(' ')}
       server {
         listen 127.0.0.1:${front};
         location /ml/ {
           proxy_pass http://127.0.0.1:${port}/;
           proxy_http_version 1.1;
           proxy_set_header Host $host;
           client_max_body_size 0;
           proxy_request_buffering off;
         }
       }
     }`,
  )
  const child = spawn('nginx', ['-p', dir, '-c', 'nginx.conf'], { stdio: ['ignore', 'ignore', 'pipe'] })
  await answers(`http://127.0.0.1:${front}/ml/healthz`, child)
  return child
}

describe('field report 49: under a path', () => {
  test('people sign in, come back to where they were, and the cookies stay under the path', async () => {
    const browser = createBrowser()
    const stranger = await browser.navigate(`${publicUrl}/`, {
      stop: (url) => url.pathname === '/ml/auth/login',
    })
    expect(stranger.headers['location']).toBe('/ml/auth/login?return_to=%2Fml%2F')

    const returned = await signInAs(browser, { publicUrl, returnTo: '/ml/#/experiments/1' }, 'editor')
    expect(returned.url).toBe(`${publicUrl}/auth/callback/oidc${new URL(returned.url).search}`)
    expect(returned.headers['location']).toBe(`${publicUrl}/#/experiments/1`)
    for (const line of returned.setCookies) expect(line).toMatch(/; Path=\/ml\b/i)

    const shell = await browser.send(`${publicUrl}/`)
    expect(shell.status).toBe(200)
    expect(shell.body).toMatch(/<head><script src="\/ml\/auth\/assets\/session\.js/)
    const script = /src="(static-files\/[^"]+\.js)"/.exec(shell.body)?.[1]
    expect((await browser.send(`${publicUrl}/${script}`)).status).toBe(200)
    const me = await browser.send(`${publicUrl}/ajax-api/2.0/mlflow/users/current`)
    expect(JSON.parse(me.body)).toMatchObject({ user: { username: 'editor' } })
  })

  test('the Python client takes the same URL, artifacts up and down', async () => {
    const { stdout: token } = await gateway.cli('token', 'create', '--user', 'editor', '--expires', '1h')
    const result = await runPython(
      `
import mlflow
mlflow.set_experiment("alpha/prefixed")
with mlflow.start_run() as run:
    mlflow.log_text("up and down", "note.txt")
print(mlflow.artifacts.load_text(run.info.artifact_uri + "/note.txt"))
`,
      { MLFLOW_TRACKING_URI: publicUrl, MLFLOW_TRACKING_TOKEN: token.trim() },
    )
    expect(result.stdout.trim().split('\n').at(-1), result.stderr).toBe('up and down')
  })
})

test('nginx ends with the test', async () => {
  nginx.kill('SIGTERM')
  if (nginx.exitCode === null && nginx.signalCode === null) await once(nginx, 'exit')
})
