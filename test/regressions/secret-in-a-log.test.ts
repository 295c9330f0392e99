// Logs are read by more people than secrets are meant for, and kept longer than they live. Everything the gateway writes
// (the program's log at its most talkative, audit lines on standard output, in the rotated file and in the store), what it
// measures, and what it answers and leads to, is searched for every secret that was used: cookies, tokens, codes, states,
// the client's and the gateway's own.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import SQLite from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type BrowserResponse, createBrowser, signInAs } from '../support/browserless-sign-in.ts'
import { type Deployment, startDeployment } from '../support/deployment.ts'
import { freePort } from '../support/mlflow.ts'
import { mlflowStandIn } from '../support/mlflow-stand-in.ts'
import { type RecordingUpstream, startUpstream } from '../support/upstream.ts'

const dir = mkdtempSync(join(tmpdir(), 'gateway-logs-'))
let upstream: RecordingUpstream
let deployment: Deployment
let metricsPort: number
let secrets: Readonly<Record<string, string>>
/** Bodies and headers of answers, but for the cookies they set. */
const answered: string[] = []

beforeAll(async () => {
  upstream = await startUpstream(mlflowStandIn())
  metricsPort = await freePort()
  deployment = await startDeployment({
    upstreamUrl: upstream.url,
    gatewayDir: dir,
    env: { LOG_LEVEL: 'trace', AUDIT_FILE: join(dir, 'audit.log'), METRICS_PORT: `${metricsPort}` },
  })
})

beforeAll(async () => {
  secrets = await useSecrets()
})

afterAll(async () => {
  await deployment.stop()
  await upstream.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** The cookies of the gateway; the provider's are on the same host. */
function ours(cookies: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(cookies).filter(([name]) => name.startsWith('gateway_')))
}

function note({ headers, body }: BrowserResponse): void {
  const { 'set-cookie': _, ...shown } = headers
  answered.push(`${JSON.stringify(shown)}\n${body}`)
}

/** As `fetch`, and the answer is looked at. */
async function ask(url: string, init: RequestInit = {}): Promise<void> {
  const response = await fetch(url, { redirect: 'manual', ...init })
  answered.push(`${JSON.stringify([...response.headers])}\n${await response.text()}`)
}

/** What a sign-in shows that its provider, in trouble, does not complete. */
async function failToSignIn(): Promise<void> {
  const { gateway, issuer } = deployment
  for (const body of [{ error: 'invalid_grant', error_description: 'no' }, { error: 'server_error' }]) {
    issuer.breakPath('/token', { status: 'error_description' in body ? 400 : 503, body })
    const last = await signInAs(
      createBrowser(),
      { publicUrl: gateway.url, returnTo: '/#/experiments' },
      'reader',
    ).catch((fault) => fault)
    if (!(last instanceof Error)) note(last)
    issuer.breakPath('/token', undefined)
  }
}

/** Uses every kind of secret, rightly and wrongly, and says what they were. */
async function useSecrets(): Promise<Record<string, string>> {
  const { gateway, issuer } = deployment
  const browser = await deployment.signIn('editor')
  const cookies = ours(browser.cookies())
  const token = await deployment.createToken('editor')
  const api = `${gateway.url}/api/2.0/mlflow/experiments/get?experiment_id=1&note=s3cret-in-query`
  const basic = Buffer.from(`editor:${token}`).toString('base64')
  for (const authorization of [
    `Bearer ${token}`,
    `Basic ${basic}`,
    `Bearer ${token}x`,
    'Bearer s3cret-garbage',
  ]) {
    await ask(api, { headers: { authorization } })
    await ask(`${gateway.url}/auth/tokens`, { headers: { authorization, accept: 'text/html' } })
  }
  note(await browser.send(api))
  note(await browser.send(`${gateway.url}/auth/tokens`))
  await failToSignIn()
  const callback = await browser.send(
    `${gateway.url}/auth/callback/oidc?code=s3cret-code&state=s3cret-state&iss=${issuer.url}`,
  )
  note(callback)
  note(await browser.send(`${gateway.url}/nowhere?token=s3cret-elsewhere`))
  await ask(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"query": "s3cret-body',
  })
  for (const path of ['gateway/secrets/create', 'gateway/secrets/update']) {
    await ask(`${gateway.url}/api/3.0/mlflow/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        secret_name: 'x',
        secret_id: 's-x',
        secret_value: { api_key: 's3cret-of-a-provider' },
      }),
    })
  }
  const stranger = createBrowser()
  const login = await stranger.send(`${gateway.url}/auth/login?provider=oidc`)
  const sent = new URL(String(login.headers['location'])).searchParams
  await ask(`http://127.0.0.1:${metricsPort}/metrics`)
  await browser.send(`${gateway.url}/auth/logout`, { method: 'POST', headers: { origin: gateway.url } })
  return {
    ...Object.fromEntries(Object.entries(cookies).map(([name, value]) => [`cookie ${name}`, value])),
    ...Object.fromEntries(
      Object.entries(ours(stranger.cookies())).map(([name, value]) => [`stranger’s ${name}`, value]),
    ),
    'access token': token,
    'its signature': token.split('.')[2] ?? '',
    basic,
    'sent state': sent.get('state') ?? '',
    'sent nonce': sent.get('nonce') ?? '',
    'client secret': issuer.clientSecret,
    'gateway secret': gateway.env['GATEWAY_SECRET'] ?? '',
    marked: 's3cret-',
  }
}

/** All that was written, by where. */
function everythingWritten(): Record<string, string> {
  const { gateway } = deployment
  const files = readdirSync(dir).filter((name) => name.startsWith('audit'))
  const database = new SQLite(join(dir, 'gateway.db'), { readonly: true })
  try {
    return {
      'both outputs': gateway.output(),
      'the audit file': files.map((name) => readFileSync(join(dir, name), 'utf8')).join('\n'),
      'the audit table': JSON.stringify(database.prepare('select * from audit_events').all()),
    }
  } finally {
    database.close()
  }
}

test('no secret that was used stands in an answer, an address or a metric', async () => {
  const text = answered.join('\n')
  // Pages, refusals and metrics were among them.
  for (const part of ['Access tokens', 'UNAUTHENTICATED', 'did not confirm', 'ENDPOINT_NOT_FOUND', '# HELP '])
    expect(text).toContain(part)
  for (const [name, secret] of Object.entries(secrets))
    expect([name, text.includes(secret)]).toEqual([name, false])
})

test('no secret that was used stands in anything that was written', async () => {
  expect(Object.keys(secrets)).toEqual(
    expect.arrayContaining(['cookie gateway_session', 'cookie gateway_token']),
  )
  await deployment.gateway.stop() // flushes
  const written = everythingWritten()
  for (const [where, text] of Object.entries(written)) {
    // Written to at all, so that finding nothing means something.
    expect(text, where).toContain('no_such_route')
    for (const [name, secret] of Object.entries(secrets)) {
      expect(secret.length, name).toBeGreaterThan(6)
      expect(text.includes(secret), `${name} in ${where}`).toBe(false)
    }
  }
})
