import { createHmac, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { ACCOUNTS, type Deployment, startDeployment } from '../support/deployment.ts'
import type { AccountName } from '../support/issuer.ts'
import { runPython } from '../support/python.ts'

let deployment: Deployment
const tokens = new Map<AccountName, string>()

beforeAll(async () => {
  deployment = await startDeployment({ env: { AUDIT_STDOUT: 'false' } })
  for (const name of ACCOUNTS) {
    await deployment.signIn(name)
    tokens.set(name, await deployment.createToken(name))
  }
})

afterAll(() => deployment.stop())

function tokenOf(name: AccountName): string {
  const token = tokens.get(name)
  if (token === undefined) throw new Error(`${name} has no token`)
  return token
}

/** Runs one of the scripts beside this file against the gateway; its last line of output is JSON. */
async function runScript(name: string, env: Record<string, string>, ...args: readonly string[]) {
  const source = readFileSync(new URL(`./scripts/${name}.py`, import.meta.url), 'utf8')
  const result = await runPython(source, { MLFLOW_TRACKING_URI: deployment.gateway.url, ...env }, { args })
  if (result.code !== 0) throw new Error(`${name}.py ended with ${result.code}:\n${result.stderr}`)
  return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '')
}

type Attempt = { ok?: unknown; kind?: string; code?: string | number; message?: string }
type Attempts = Readonly<Record<'reads' | 'lists' | 'writes', Readonly<Record<string, Attempt>>>>

describe('the editor works with an unchanged script', () => {
  it.each([
    ['MLFLOW_TRACKING_TOKEN', 'bearer', () => ({ MLFLOW_TRACKING_TOKEN: tokenOf('editor') })],
    [
      'username and password',
      'basic',
      () => ({ MLFLOW_TRACKING_USERNAME: 'editor', MLFLOW_TRACKING_PASSWORD: tokenOf('editor') }),
    ],
  ] as const)('with %s', async (_form, suffix, credentials) => {
    const report = await runScript('editor', credentials(), suffix)
    expect(report).toEqual({
      experiment_id: expect.stringMatching(/^[1-9]\d*$/),
      same_experiment: true,
      run_id: expect.stringMatching(/^[0-9a-f]{32}$/),
      // Trusted authorship: not the name of the system account the script ran under.
      user_id: 'editor',
      user_tag: 'editor',
      status: 'FINISHED',
      params: { rate: '0.1', depth: '3' },
      metrics: { loss: 0.4, accuracy: 0.8, recall: 0.7 },
      history: [0.9, 0.4],
      artifacts: ['answer.json', 'notes'],
      notes: 'seen by the editor\n',
      found: [report.run_id],
      version: '1',
      prediction: 42,
    })
  })
})

describe('what the editor made, for the others', () => {
  let made: { experiment_id: string; run_id: string }
  const attemptsOf = (name: AccountName): Promise<Attempts> => {
    const credentials = { MLFLOW_TRACKING_TOKEN: tokenOf(name) }
    return runScript('attempts', credentials, made.experiment_id, 'alpha/shared', made.run_id, 'alpha-shared')
  }

  beforeAll(async () => {
    made = await runScript('editor', { MLFLOW_TRACKING_TOKEN: tokenOf('editor') }, 'shared')
  })

  test('the reader reads all of it and changes nothing', async () => {
    const { reads, lists, writes } = await attemptsOf('reader')
    expect(Object.entries(reads).filter(([, attempt]) => !('ok' in attempt))).toEqual([])
    expect(reads['load_model']).toEqual({ ok: 42 })
    expect(lists['get_experiment_by_name']).toEqual({ ok: [made.experiment_id] })
    expect(lists['search_experiments']?.ok).toContain('alpha/shared')
    expect(lists['search_runs']).toEqual({ ok: [made.run_id] })
    expect(lists['search_registered_models']?.ok).toContain('alpha-shared')
    expect(lists['search_model_versions']?.ok).toContain('alpha-shared')
    expectRefused(writes)
  })

  test('the outsider finds empty lists and is refused everything else', async () => {
    const { reads, lists, writes } = await attemptsOf('outsider')
    expectRefused(reads, 'or hidden')
    expectRefused(writes, 'or hidden')
    expect(lists).toEqual({
      get_experiment_by_name: { ok: [] },
      search_experiments: { ok: [] },
      search_runs: { ok: [] },
      search_registered_models: { ok: [] },
      search_model_versions: { ok: [] },
    })
  })

  test('nothing of it has changed', async () => {
    const get = async (path: string) => {
      const headers = { authorization: `Bearer ${tokenOf('admin')}` }
      return (await fetch(`${deployment.gateway.url}/api/2.0/mlflow/${path}`, { headers })).json()
    }
    expect(await get(`runs/get?run_id=${made.run_id}`)).toMatchObject({
      run: { info: { run_name: 'first', status: 'FINISHED', lifecycle_stage: 'active', user_id: 'editor' } },
    })
    expect(await get(`metrics/get-history?run_id=${made.run_id}&metric_key=loss`)).toMatchObject({
      metrics: [{ value: 0.9 }, { value: 0.4 }],
    })
    expect(await get('registered-models/get?name=alpha-shared')).toMatchObject({
      registered_model: { aliases: [{ alias: 'champion', version: '1' }] },
    })
    const { experiments } = (await get('experiments/search?max_results=100')) as {
      experiments: { name: string }[]
    }
    const names = experiments.map(({ name }) => name).sort()
    expect(names).toEqual(['Default', 'alpha/basic', 'alpha/bearer', 'alpha/shared'])
  })
})

/**
 * The artifact client raises what its HTTP library does, everybody else MLflow's own error. The name of a model can be
 * guessed, so one that exists but is hidden looks like one that does not; the client asks for it before many other calls.
 */
function expectRefused(attempts: Readonly<Record<string, Attempt>>, hidden?: 'or hidden'): void {
  const isHidden = ({ code, message }: Attempt) =>
    code === 'RESOURCE_DOES_NOT_EXIST' &&
    message?.startsWith('RESOURCE_DOES_NOT_EXIST: Registered Model with name=')
  const isRefused = (attempt: Attempt) =>
    (attempt.kind === 'RestException' && attempt.code === 'PERMISSION_DENIED') ||
    (attempt.kind === 'HTTPError' && attempt.code === 403) ||
    (hidden !== undefined && isHidden(attempt))
  expect(Object.entries(attempts).filter(([, attempt]) => !isRefused(attempt))).toEqual([])
}

test('field report 35: a script is told what is wrong, in MLflow’s words', async () => {
  const refusals = await runScript(
    'refusals',
    {},
    JSON.stringify([
      {},
      { MLFLOW_TRACKING_TOKEN: 'not-a-token' },
      { MLFLOW_TRACKING_USERNAME: 'editor', MLFLOW_TRACKING_PASSWORD: 'a password' },
      { MLFLOW_TRACKING_TOKEN: await deployment.issuer.signJwt({ sub: 'editor', exp: 1_800_000_000 - 1e9 }) },
    ]),
  )
  const refused = (message: unknown) => ({ code: 'UNAUTHENTICATED', message })
  expect(refusals).toEqual([
    refused(expect.stringContaining('MLFLOW_TRACKING_TOKEN')),
    refused(expect.stringMatching(/token/i)),
    refused(expect.stringMatching(/token/i)),
    refused(expect.stringMatching(/expired at 1995-/)),
  ])
})

describe('tokens that are no good', () => {
  const nowInSeconds = () => Math.floor(Date.now() / 1000)
  const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = (): Record<string, unknown> => ({
    ...{ iss: deployment.issuer.url, aud: deployment.issuer.clientId, sub: 'editor' },
    ...{ iat: nowInSeconds(), exp: nowInSeconds() + 600 },
  })
  /** RFC 8725 §2.1: the public key taken for the secret of an HMAC. */
  const confused = (key: Buffer | string) => {
    const input = `${base64url({ alg: 'HS256', kid: deployment.issuer.publicJwk.kid })}.${base64url(claims())}`
    return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`
  }
  const publicKey = () =>
    createPublicKey({ key: deployment.issuer.publicJwk as object, format: 'jwk' } as never)
  const tamper = (token: string) => {
    const [header = '', payload = '', signature = ''] = token.split('.')
    const claimed = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    return `${header}.${base64url({ ...claimed, sub: 'admin' })}.${signature}`
  }
  const get = (token: string) =>
    fetch(`${deployment.gateway.url}/api/2.0/mlflow/experiments/search?max_results=1`, {
      headers: { authorization: `Bearer ${token}` },
      redirect: 'manual',
    })

  test('a good token of the provider is accepted, or the table below proves nothing', async () => {
    expect((await get(await deployment.issuer.signJwt({ sub: 'editor' }))).status).toBe(200)
  })

  it.each([
    ['expired', () => deployment.issuer.signJwt({ sub: 'editor', exp: nowInSeconds() - 60 })],
    ['without expiry', () => deployment.issuer.signJwt({ sub: 'editor', exp: undefined })],
    ['for another audience', () => deployment.issuer.signJwt({ sub: 'editor', aud: 'another-client' })],
    ['of another issuer', () => deployment.issuer.signJwt({ sub: 'editor', iss: 'https://evil.example' })],
    ['alg none', async () => `${base64url({ alg: 'none' })}.${base64url(claims())}.`],
    ['alg None', async () => `${base64url({ alg: 'None' })}.${base64url(claims())}.`],
    ['key-confused, PEM', async () => confused(publicKey().export({ type: 'spki', format: 'pem' }))],
    ['key-confused, DER', async () => confused(publicKey().export({ type: 'spki', format: 'der' }))],
    ['key-confused, JWK', async () => confused(JSON.stringify(deployment.issuer.publicJwk))],
    ['tampered, provider’s', async () => tamper(await deployment.issuer.signJwt({ sub: 'editor' }))],
    ['tampered, ours', async () => tamper(tokenOf('editor'))],
    ['without its signature', async () => `${tokenOf('editor').split('.').slice(0, 2).join('.')}.`],
  ])('%s: 401, never a redirect', async (_what, make) => {
    const response = await get(await make())
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(/^Bearer .*error="invalid_token"/)
    expect(await response.json()).toMatchObject({ error_code: 'UNAUTHENTICATED' })
  })
})
